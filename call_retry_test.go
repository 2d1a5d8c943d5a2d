package moment_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

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

// ownConnections opens a connection for each attempt, because net/http resends keyed requests on a
// reused connection that is dead.
var ownConnections = moment.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}})

// sameRequestEveryTime asserts that all requests have the same path, headers and bytes.
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

// The outcome of a create stays unknown until a response settles it.
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
		{why: "400 is the service's own decision", script: []testkit.Reply{testkit.HangUp, testkit.Problem(400)}, attempts: 2, is: moment.ErrBadRequest},
		{why: "402 is the service's own decision", script: []testkit.Reply{testkit.Problem(502), testkit.Problem(402)}, attempts: 2, is: moment.ErrPaymentRequired},
		{why: "404 is the service's own decision", script: []testkit.Reply{testkit.Problem(500), testkit.Problem(404)}, attempts: 2, is: moment.ErrNotFound},
		{why: "422 is the service's own decision", script: []testkit.Reply{testkit.Problem(408), testkit.Problem(422)}, attempts: 2, is: moment.ErrUnprocessable},
		{why: "a success that is another object settles nothing", script: []testkit.Reply{testkit.HangUp, testkit.Respond(201, strings.ReplaceAll(testkit.BillJSON, "UBR1234567890", "UBR2"))}, attempts: 2, unknown: true},
		{why: "a gateway's 404 settles nothing", script: []testkit.Reply{testkit.HangUp, testkit.Gateway(404)}, attempts: 2, is: moment.ErrNotFound, unknown: true},
		{why: "a gateway's 503 leaves the outcome unknown; a 429 does not", script: []testkit.Reply{testkit.Gateway(503), testkit.Problem(429)}, attempts: 4, is: moment.ErrRateLimited, unknown: true},

		{why: "409 after no response: the first copy is in flight", script: []testkit.Reply{testkit.HangUp, testkit.Problem(409), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 4},
		{why: "409 after a truncated response", script: []testkit.Reply{testkit.Truncated, testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 408", script: []testkit.Reply{testkit.Problem(408), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 502", script: []testkit.Reply{testkit.Problem(502), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 504", script: []testkit.Reply{testkit.Problem(504), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 500", script: []testkit.Reply{testkit.Problem(500), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 503", script: []testkit.Reply{testkit.Gateway(503), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after a web page in place of the response", script: []testkit.Reply{testkit.Respond(200, "<html>"), testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, attempts: 3},
		{why: "409 after 429: the first copy was not processed", script: []testkit.Reply{testkit.Problem(429), testkit.Problem(409)}, attempts: 2, is: moment.ErrConflict},
		{why: "409 to the end: the outcome is not settled", script: []testkit.Reply{testkit.HangUp, testkit.Problem(409)}, attempts: 4, is: moment.ErrConflict, unknown: true},
		{why: "a replayed 409 is a true conflict: the first attempt ended with it", script: []testkit.Reply{testkit.HangUp, testkit.Problem(409, testkit.Replayed)}, attempts: 2, is: moment.ErrConflict},
		{why: "409 under the caller's key: an earlier call may be in flight", script: []testkit.Reply{testkit.Problem(409), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, opts: []moment.RequestOption{callerKey}, attempts: 2},
		{why: "409 under the caller's key, to the end", script: []testkit.Reply{testkit.Problem(409)}, opts: []moment.RequestOption{callerKey}, attempts: 4, is: moment.ErrConflict, unknown: true},
		{why: "409 under the caller's key, and then another response", script: []testkit.Reply{testkit.Problem(409), testkit.Problem(429, "Retry-After: 31")}, opts: []moment.RequestOption{callerKey}, attempts: 2, is: moment.ErrRateLimited, unknown: true},
		{why: "409 under the caller's key, a true conflict", script: []testkit.Reply{testkit.Problem(409), testkit.Problem(409, testkit.Replayed)}, opts: []moment.RequestOption{callerKey}, attempts: 2, is: moment.ErrConflict},

		{why: "a replayed success that is truncated is requested again", script: []testkit.Reply{testkit.HangUp, func(w http.ResponseWriter, r *http.Request) {
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

// On a connection that turns out to be dead, net/http itself resends a keyed POST. A response that
// rejects the second copy does not settle the outcome of the first.
func TestResponseToASecondCopy(t *testing.T) {
	for _, row := range []struct {
		why      string
		script   []testkit.Reply // after the first copy
		requests int             // including the first copy, which net/http sends
		is       error           // nil: success
		unknown  bool
	}{
		{"a success settles it", []testkit.Reply{testkit.Respond(201, testkit.BillJSON)}, 2, nil, false},
		{"the service's own decision", []testkit.Reply{testkit.Problem(422)}, 2, moment.ErrUnprocessable, false},
		{"the first copy ended with a replayed conflict", []testkit.Reply{testkit.Problem(409, testkit.Replayed)}, 2, moment.ErrConflict, false},
		{"429 rejects the second", []testkit.Reply{testkit.Problem(429)}, 5, moment.ErrRateLimited, true},
		{"503 with Retry-After rejects the second", []testkit.Reply{testkit.Problem(503, "Retry-After: 0")}, 5, moment.ErrServer, true},
		{"401 rejects the second", []testkit.Reply{testkit.Problem(401)}, 2, moment.ErrUnauthorized, true},
		{"403 rejects the second", []testkit.Reply{testkit.Problem(403)}, 2, moment.ErrForbidden, true},
		{"409: the first is in flight", []testkit.Reply{testkit.Problem(409), testkit.Respond(201, testkit.BillJSON)}, 3, nil, false},
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

// net/http must not resend an update on a dead connection, because nothing marks it as safe.
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

// A 503 is retried even if its body is a well-formed error.
func TestRetryIsDecidedByTheStatus(t *testing.T) {
	unavailable := testkit.Respond(503, `{"type":"https://api.momentco.io/docs/errors#service-unavailable","title":"Service Unavailable",
		"status":503,"detail":"Try again in a moment.","instance":"/billing/bills"}`, "Content-Type: application/problem+json")
	s := testkit.Serve(t, unavailable, unavailable, testkit.Respond(201, testkit.BillJSON))
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s)))
	assert.Len(t, s.Received(), 3)
}

func TestEachAttemptSendsTheSameKey(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(500), testkit.HangUp, testkit.Problem(503), testkit.Respond(201, testkit.BillJSON))
	var resp moment.Response
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithResponse(&resp)))
	require.GreaterOrEqual(t, len(s.Received()), 4)
	for _, r := range s.Received() {
		assert.Equal(t, []string{resp.IdempotencyKey}, r.Header["Idempotency-Key"], "generated once, before the first attempt")
	}
}

// A redirected POST would become a GET, send the key to another host, or send an empty body.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for method, call := range calls {
			s := testkit.Serve(t, testkit.Respond(status, "", "Location: "+elsewhere.URL+"/billing/bills"))
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }} // follows
			err := call(t.Context(), clientOf(t, s, moment.WithHTTPClient(client)))
			var failure *moment.Error
			require.ErrorAs(t, err, &failure, "%s %d", method, status)
			assert.Equal(t, status, failure.Status)
			s.Only(t)
		}
	}
	assert.Empty(t, elsewhere.Received())
}

func TestBodiesOfEarlierAttemptsAreClosed(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	s := &testkit.Service{}
	large := testkit.Respond(503, strings.Repeat("x", 100<<10)) // more than the client reads of an error
	script := make([]testkit.Reply, 0, 30)
	for range 10 {
		script = append(script, large, large, testkit.Respond(200, testkit.BillJSON))
	}
	server.Config.Handler = s.Handler(script...)
	connections := testkit.CountConnections(server)
	server.Start()
	t.Cleanup(server.Close)
	s.URL = server.URL + testkit.BasePath
	c := clientOf(t, s)
	for range 10 {
		require.NoError(t, calls["GET"](t.Context(), c))
	}
	assert.Len(t, s.Received(), 30)
	assert.EqualValues(t, 1, connections.Opened.Load(), "one connection served all attempts")
}
