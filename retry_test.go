package moment_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

func TestRetryTable(t *testing.T) {
	for _, row := range testkit.RetryTable {
		for column, want := range map[string]string{"GET": row.Get, "POST": row.Post, "POST after doubt": row.PostAfterDoubt, "PATCH": row.Patch} {
			t.Run(row.Name+"/"+column, func(t *testing.T) {
				method, doubt := strings.CutSuffix(column, " after doubt")
				script := []testkit.Reply{row.Failure}
				if doubt {
					script = []testkit.Reply{testkit.HangUp, row.Failure}
				}
				s := testkit.Serve(t, script...)
				var resp moment.Response
				err := calls[method](t.Context(), clientOf(t, s, moment.WithMaxRetries(2), ownConnections), moment.WithResponse(&resp))
				require.Error(t, err)
				got := strconv.Itoa(len(s.Received()))
				if errors.Is(err, moment.ErrOutcomeUnknown) {
					got += "?"
				}
				assert.Equal(t, want, got, "%s: %v", row.Why, err)
				assert.Len(t, s.Received(), resp.Attempts)
				assert.Equal(t, resp.Attempts, attemptsOf(t, err))
				sameRequestEveryTime(t, method, s.Received())
			})
		}
	}
}

// ownConnections gives each attempt a connection of its own, because on a reused one net/http
// repeats keyed requests by itself.
var ownConnections = moment.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}})

// sameRequestEveryTime: same path, same bytes, and for a POST the same key.
func sameRequestEveryTime(t *testing.T, method string, all []testkit.Request) {
	t.Helper()
	for _, r := range all {
		assert.Equal(t, method, r.Method)
		assert.Equal(t, all[0], r)
	}
	if method == "POST" {
		assert.NotEmpty(t, all[0].Header.Get("Idempotency-Key"))
		assert.JSONEq(t, `{"customer":"UCR1234567890","external_reference":"UBR1234567890","currency":"ZAR","amount_due":2000,
			"bill_date":"2025-01-01","due_date":"2025-01-31"}`, all[0].Body)
	}
}

// attemptsOf reads the attempts from whichever error type err is.
func attemptsOf(t *testing.T, err error) int {
	t.Helper()
	var answered *moment.Error
	var connection *moment.ConnectionError
	switch {
	case errors.As(err, &answered):
		return answered.Attempts
	case errors.As(err, &connection):
		return connection.Attempts
	default:
		t.Fatalf("%T is neither an *Error nor a *ConnectionError", err)
		return 0
	}
}

// What a create is told after several attempts: doubt stays until an answer settles it.
func TestOutcomeOfSeveralAttempts(t *testing.T) {
	callerKey := moment.WithIdempotencyKey("key-of-the-caller")
	for _, row := range []struct {
		why      string
		script   []testkit.Reply
		opts     []moment.RequestOption
		attempts int
		is       error // nil: success
		unknown  bool
	}{
		{why: "a success settles it", script: []testkit.Reply{testkit.HangUp, testkit.Respond(201, testkit.BillJSON)}, attempts: 2},
		{why: "a replayed success settles it", script: []testkit.Reply{testkit.Truncated, testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 2},
		{why: "400 is the service's own judgement", script: []testkit.Reply{testkit.HangUp, testkit.Problem(400)}, attempts: 2, is: moment.ErrBadRequest},
		{why: "402 is the service's own judgement", script: []testkit.Reply{testkit.Problem(502), testkit.Problem(402)}, attempts: 2, is: moment.ErrRequestFailed},
		{why: "404 is the service's own judgement", script: []testkit.Reply{testkit.Problem(500), testkit.Problem(404)}, attempts: 2, is: moment.ErrNotFound},
		{why: "422 is the service's own judgement", script: []testkit.Reply{testkit.Problem(408), testkit.Problem(422)}, attempts: 2, is: moment.ErrUnprocessable},
		{why: "a success that is another object settles nothing", script: []testkit.Reply{testkit.HangUp, testkit.Respond(201, strings.ReplaceAll(testkit.BillJSON, "UBR1234567890", "UBR2"))}, attempts: 2, unknown: true},
		{why: "a gateway's 404 settles nothing", script: []testkit.Reply{testkit.HangUp, testkit.Gateway(404)}, attempts: 2, is: moment.ErrNotFound, unknown: true},
		{why: "a gateway's 503 leaves what a 429 does not", script: []testkit.Reply{testkit.Gateway(503), testkit.Problem(429)}, attempts: 4, is: moment.ErrRateLimited, unknown: true},

		{why: "409 after silence: the first copy is still running", script: []testkit.Reply{testkit.HangUp, testkit.Problem(409), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 4},
		{why: "409 after a cut answer", script: []testkit.Reply{testkit.Truncated, testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 408", script: []testkit.Reply{testkit.Problem(408), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 502", script: []testkit.Reply{testkit.Problem(502), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 504", script: []testkit.Reply{testkit.Problem(504), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 500", script: []testkit.Reply{testkit.Problem(500), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 503", script: []testkit.Reply{testkit.Gateway(503), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after a page in the place of the response", script: []testkit.Reply{testkit.Respond(200, "<html>"), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 429: there was no first copy", script: []testkit.Reply{testkit.Problem(429), testkit.Problem(409)}, attempts: 2, is: moment.ErrConflict},
		{why: "409 to the end: it never settled", script: []testkit.Reply{testkit.HangUp, testkit.Problem(409)}, attempts: 4, is: moment.ErrConflict, unknown: true},
		{why: "a replayed 409 is a true conflict: it is how the first attempt ended", script: []testkit.Reply{testkit.HangUp, testkit.Problem(409, testkit.Replayed)}, attempts: 2, is: moment.ErrConflict},
		{why: "409 under the caller's key: an earlier call may be running", script: []testkit.Reply{testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, opts: []moment.RequestOption{callerKey}, attempts: 2},
		{why: "409 under the caller's key, to the end", script: []testkit.Reply{testkit.Problem(409)}, opts: []moment.RequestOption{callerKey}, attempts: 4, is: moment.ErrConflict, unknown: true},
		{why: "409 under the caller's key, and then another answer", script: []testkit.Reply{testkit.Problem(409), testkit.Problem(429, "Retry-After: 31")}, opts: []moment.RequestOption{callerKey}, attempts: 2, is: moment.ErrRateLimited, unknown: true},
		{why: "409 under the caller's key, a true conflict", script: []testkit.Reply{testkit.Problem(409), testkit.Problem(409, testkit.Replayed)}, opts: []moment.RequestOption{callerKey}, attempts: 2, is: moment.ErrConflict},

		{why: "a replayed success that was cut is asked for again", script: []testkit.Reply{testkit.HangUp, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Idempotent-Replayed", "true")
			testkit.Truncated(w, r)
		}, testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
	} {
		t.Run(row.why, func(t *testing.T) {
			s := testkit.Serve(t, row.script...)
			err := calls["POST"](t.Context(), clientOf(t, s, ownConnections), row.opts...)
			assert.Len(t, s.Received(), row.attempts)
			sameRequestEveryTime(t, "POST", s.Received())
			assert.Equal(t, row.unknown, errors.Is(err, moment.ErrOutcomeUnknown), "%v", err)
			if row.is != nil {
				assert.ErrorIs(t, err, row.is)
			}
			assert.Equal(t, row.is != nil || row.unknown, err != nil, "%v", err)
		})
	}
}

// On a connection that turns out dead, net/http sends a keyed POST again by itself. A response that
// rejects the second copy says nothing about the first one.
func TestAnswerToASecondCopy(t *testing.T) {
	for _, row := range []struct {
		why      string
		script   []testkit.Reply // behind the first copy
		requests int             // with the first copy, which is no attempt of the client's
		is       error           // nil: success
		unknown  bool
	}{
		{"a success settles it", []testkit.Reply{testkit.Respond(201, testkit.BillJSON)}, 2, nil, false},
		{"the service's own judgement", []testkit.Reply{testkit.Problem(422)}, 2, moment.ErrUnprocessable, false},
		{"a replayed conflict is how the first copy ended", []testkit.Reply{testkit.Problem(409, testkit.Replayed)}, 2, moment.ErrConflict, false},
		{"429 refused the second", []testkit.Reply{testkit.Problem(429)}, 5, moment.ErrRateLimited, true},
		{"503 with Retry-After refused the second", []testkit.Reply{testkit.Problem(503, "Retry-After: 0")}, 5, moment.ErrServer, true},
		{"401 refused the second", []testkit.Reply{testkit.Problem(401)}, 2, moment.ErrUnauthorized, true},
		{"403 refused the second", []testkit.Reply{testkit.Problem(403)}, 2, moment.ErrForbidden, true},
		{"409: the first is still running", []testkit.Reply{testkit.Problem(409), testkit.Respond(201, testkit.BillJSON)}, 3, nil, false},
		{"409 to the end", []testkit.Reply{testkit.Problem(409)}, 5, moment.ErrConflict, true},
	} {
		s := testkit.Serve(t, append([]testkit.Reply{testkit.Respond(200, testkit.BillJSON), testkit.HangUp}, row.script...)...)
		c := clientOf(t, s)
		require.NoError(t, calls["GET"](t.Context(), c))
		err := calls["POST"](t.Context(), c)
		posts := s.Received()[1:]
		assert.Len(t, posts, row.requests, row.why)
		sameRequestEveryTime(t, "POST", posts)
		require.ErrorIs(t, err, row.is, row.why)
		assert.Equal(t, row.unknown, errors.Is(err, moment.ErrOutcomeUnknown), row.why)
	}
}

// The same dead connection, and an update: net/http must not send it again, since nothing marks it
// as safe.
func TestUpdateOnADeadConnectionIsSentOnce(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON), testkit.HangUp, testkit.Respond(200, testkit.BillJSON))
	c := clientOf(t, s)
	require.NoError(t, calls["GET"](t.Context(), c))
	err := calls["PATCH"](t.Context(), c)
	assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
	assert.Len(t, s.Received(), 2)
}

func TestRetryOverHTTP2(t *testing.T) {
	s := &testkit.Service{}
	server := httptest.NewUnstartedServer(s.Handler(testkit.Problem(503), testkit.HangUp, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, 2, r.ProtoMajor)
		testkit.Respond(201, testkit.BillJSON)(w, r)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = testkit.DiscardLog()
	server.StartTLS()
	t.Cleanup(server.Close)
	s.URL = server.URL + testkit.BasePath
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s, moment.WithHTTPClient(server.Client()))))
	require.Len(t, s.Received(), 3)
	sameRequestEveryTime(t, "POST", s.Received())
}

func TestNoRetriesIfSwitchedOff(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(503))
	require.ErrorIs(t, calls["GET"](t.Context(), clientOf(t, s, moment.WithMaxRetries(0))), moment.ErrServer)
	s.Only(t)
}

func TestDefaultIsThreeRetries(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(503))
	require.ErrorIs(t, calls["POST"](t.Context(), clientOf(t, s)), moment.ErrServer)
	assert.Len(t, s.Received(), 4)
}

func TestDoIsRetriedByItsMethod(t *testing.T) {
	for method, want := range map[string]struct {
		attempts int
		key      bool
	}{
		"GET":     {3, false},
		"POST":    {3, true},
		"PUT":     {3, true}, // Moment's reference asks for a key on POST and PUT
		"PATCH":   {1, false},
		"DELETE":  {1, false},
		"OPTIONS": {1, false},
		"HEAD":    {1, false},
	} {
		s := testkit.Serve(t, testkit.Problem(500))
		err := clientOf(t, s, moment.WithMaxRetries(2)).Do(t.Context(), method, "/billing/refunds", nil, nil)
		assert.ErrorIs(t, err, moment.ErrServer, method)
		assert.Len(t, s.Received(), want.attempts, method)
		assert.Equal(t, want.key, s.Received()[0].Header.Get("Idempotency-Key") != "", method)
	}
}

func TestAttemptTimeoutOverARealConnection(t *testing.T) {
	stall := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for method, attempts := range map[string]int{"GET": 2, "POST": 2, "PATCH": 1} {
		s := testkit.Serve(t, stall, testkit.Respond(200, testkit.BillJSON))
		err := calls[method](t.Context(), clientOf(t, s, moment.WithAttemptTimeout(50*time.Millisecond)))
		assert.Len(t, s.Received(), attempts, method)
		assert.Equal(t, attempts == 1, errors.Is(err, moment.ErrOutcomeUnknown), method)
		if err != nil {
			assert.EqualError(t, err, "moment: update bill: no response within the attempt timeout of 50ms: context deadline exceeded; the outcome is unknown")
		}
	}
}
