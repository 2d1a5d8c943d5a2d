package moment_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// The retry table: what one kind of failure, seen on every attempt, leads to. With two retries allowed a call makes
// 3 attempts where it may be repeated and 1 where it may not. unknown says for which of the calls the outcome is unknown
// at the end; a GET's never is.
func TestRetryTable(t *testing.T) {
	const again, never = 3, 1
	for _, row := range []struct {
		name             string
		failure          reply
		get, post, patch int
		unknown          string
		why              string
	}{
		{"429", problem(429), again, again, again, "", "refused before it was processed"},
		{"429 with Retry-After", problem(429, "Retry-After: 0"), again, again, again, "", "refused before it was processed"},
		{"503", problem(503), again, again, never, "POST PATCH", "whatever sent it may have passed the request on"},
		{"503 with Retry-After", problem(503, "Retry-After: 0"), again, again, again, "", "refused before it was processed"},
		{"503 with a Retry-After nobody can read", problem(503, "Retry-After: soon"), again, again, never, "POST PATCH", "counts as none"},
		{"408", problem(408), again, again, never, "POST PATCH", "a proxy gave up waiting for the service"},
		{"500", problem(500), again, again, never, "POST PATCH", "may have failed after it was applied"},
		{"502", problem(502), again, again, never, "POST PATCH", "the gateway lost the answer"},
		{"502 in HTML", answer(502, "<html>Bad Gateway</html>", "Content-Type: text/html"), again, again, never, "POST PATCH", "the status counts, not the body"},
		{"504", problem(504), again, again, never, "POST PATCH", "the gateway did not wait for the answer"},
		{"507", problem(507), again, again, never, "POST PATCH", "any other 5xx"},
		{"501", problem(501), never, never, never, "POST PATCH", "will not be supported a second later"},
		{"505", problem(505), never, never, never, "POST PATCH", "will not be supported a second later"},
		{"no answer", hangUp, again, again, never, "POST PATCH", "may have been applied"},
		{"cut short", cutShort, again, again, never, "POST PATCH", "was applied, most likely"},
		{"200 in HTML", answer(200, "<html>Hello</html>", "Content-Type: text/html"), again, again, never, "POST PATCH", "something in front of the service answered"},
		{"200 and nothing", answer(200, ""), again, again, never, "POST PATCH", "not JSON either"},
		{"200 of another shape", answer(200, `{"data":[]}`), never, never, never, "POST PATCH", "would be the same again"},
		{"200 with a text for a number", answer(200, `{"id":"bill_1","amount_due":"2000"}`), never, never, never, "POST PATCH", "would be the same again"},
		{"200 too large", answer(200, `"`+strings.Repeat("x", 2<<20)+`"`), never, never, never, "POST PATCH", "would be the same again"},
		{"302", problem(302, "Location: /elsewhere"), never, never, never, "POST PATCH", "redirects are not followed"},
		{"307", problem(307, "Location: /elsewhere"), never, never, never, "POST PATCH", "redirects are not followed"},
		{"308 to nowhere", problem(308, "Location: ://"), never, never, never, "POST PATCH", "not even looked at"},
		{"400", problem(400), never, never, never, "", "the service's judgement"},
		{"401", problem(401), never, never, never, "", "nothing was tried before it"},
		{"402", problem(402), never, never, never, "", "the service's judgement"},
		{"403", problem(403), never, never, never, "", "nothing was tried before it"},
		{"404", problem(404), never, never, never, "", "the service's judgement"},
		{"409", problem(409), never, never, never, "", "no earlier copy of this call can be running"},
		{"418", problem(418), never, never, never, "", "any other 4xx"},
		{"422", problem(422), never, never, never, "", "the service's judgement"},
		{"425", problem(425), never, never, never, "", "any other 4xx"},
		{"429 replayed", problem(429, "Idempotent-Replayed: true"), again, never, never, "", "will be replayed for 24 hours"},
		{"500 replayed", problem(500, "Idempotent-Replayed: true"), again, never, never, "POST PATCH", "will be replayed for 24 hours"},
		{"503 with Retry-After replayed", problem(503, "Retry-After: 0", "Idempotent-Replayed: true"), again, never, never, "POST PATCH", "saved, so it was processed"},
	} {
		for method, attempts := range map[string]int{"GET": row.get, "POST": row.post, "PATCH": row.patch} {
			t.Run(method+" "+row.name, func(t *testing.T) {
				s := serve(t, row.failure)
				var resp moment.Response
				err := calls[method](t.Context(), s.client(t, moment.WithMaxRetries(2)), moment.WithResponse(&resp))
				require.Error(t, err)
				assert.Len(t, s.received(), attempts, row.why)
				assert.Equal(t, attempts, resp.Attempts, row.why)
				assert.Equal(t, attempts, attemptsOf(t, err), row.why)
				assert.Equal(t, strings.Contains(row.unknown, method), errors.Is(err, moment.ErrOutcomeUnknown), "unknown outcome: %s", row.why)
				sameRequestEveryTime(t, method, s.received())
			})
		}
	}
}

// sameRequestEveryTime: same path, same bytes, and for a POST the same key.
func sameRequestEveryTime(t *testing.T, method string, all []received) {
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
	replayed := "Idempotent-Replayed: true"
	for _, row := range []struct {
		why      string
		script   []reply
		opts     []moment.RequestOption
		attempts int
		is       error // nil: success
		unknown  bool
	}{
		{why: "a success settles it", script: []reply{hangUp, answer(201, billJSON)}, attempts: 2},
		{why: "a replayed success settles it", script: []reply{cutShort, answer(201, billJSON, replayed)}, attempts: 2},
		{why: "400 is the service's own judgement", script: []reply{hangUp, problem(400)}, attempts: 2, is: moment.ErrBadRequest},
		{why: "402 is the service's own judgement", script: []reply{problem(502), problem(402)}, attempts: 2, is: moment.ErrRequestFailed},
		{why: "404 is the service's own judgement", script: []reply{problem(500), problem(404)}, attempts: 2, is: moment.ErrNotFound},
		{why: "422 is the service's own judgement", script: []reply{problem(408), problem(422)}, attempts: 2, is: moment.ErrUnprocessable},
		{why: "401 says nothing of the first attempt", script: []reply{hangUp, problem(401)}, attempts: 2, is: moment.ErrUnauthorized, unknown: true},
		{why: "403 says nothing of the first attempt", script: []reply{hangUp, problem(403)}, attempts: 2, is: moment.ErrForbidden, unknown: true},
		{why: "a replayed 403 is what the first attempt got", script: []reply{hangUp, problem(403, replayed)}, attempts: 2, is: moment.ErrForbidden},
		{why: "425 says nothing of the first attempt", script: []reply{hangUp, problem(425)}, attempts: 2, unknown: true},
		{why: "413 may come from a proxy", script: []reply{hangUp, problem(413)}, attempts: 2, unknown: true},
		{why: "429 says nothing of the first attempt", script: []reply{hangUp, problem(429)}, attempts: 4, is: moment.ErrRateLimited, unknown: true},
		{why: "503 with Retry-After says nothing of the first attempt", script: []reply{hangUp, problem(503, "Retry-After: 0")}, attempts: 4, is: moment.ErrServer, unknown: true},
		{why: "a redirect says nothing at all", script: []reply{hangUp, problem(302, "Location: /x")}, attempts: 2, unknown: true},
		{why: "a replayed 500 was saved, and who knows when it failed", script: []reply{hangUp, problem(500, replayed)}, attempts: 2, is: moment.ErrServer, unknown: true},

		{why: "409 after silence: the first copy is still running", script: []reply{hangUp, problem(409), problem(409), answer(201, billJSON, replayed)}, attempts: 4},
		{why: "409 after a cut answer", script: []reply{cutShort, problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 408", script: []reply{problem(408), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 502", script: []reply{problem(502), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 504", script: []reply{problem(504), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 500: the first copy has ended", script: []reply{problem(500), problem(409)}, attempts: 2, is: moment.ErrConflict, unknown: true},
		{why: "409 after 503: the first copy has ended", script: []reply{problem(503), problem(409)}, attempts: 2, is: moment.ErrConflict, unknown: true},
		{why: "409 after 429: there was no first copy", script: []reply{problem(429), problem(409)}, attempts: 2, is: moment.ErrConflict},
		{why: "409 to the end: it never settled", script: []reply{hangUp, problem(409)}, attempts: 4, is: moment.ErrConflict, unknown: true},
		{why: "a replayed 409 is a true conflict and stops", script: []reply{hangUp, problem(409, replayed)}, attempts: 2, is: moment.ErrConflict, unknown: true},
		{why: "409 under the caller's key: an earlier call may be running", script: []reply{problem(409), answer(201, billJSON, replayed)}, opts: []moment.RequestOption{callerKey}, attempts: 2},
		{why: "409 under the caller's key, to the end", script: []reply{problem(409)}, opts: []moment.RequestOption{callerKey}, attempts: 4, is: moment.ErrConflict, unknown: true},
		{why: "409 under the caller's key, and then another answer", script: []reply{problem(409), problem(429, "Retry-After: 31")}, opts: []moment.RequestOption{callerKey}, attempts: 2, is: moment.ErrRateLimited, unknown: true},
		{why: "409 under the caller's key, a true conflict", script: []reply{problem(409), problem(409, replayed)}, opts: []moment.RequestOption{callerKey}, attempts: 2, is: moment.ErrConflict},

		{why: "a replayed success that was cut is asked for again", script: []reply{hangUp, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Idempotent-Replayed", "true")
			cutShort(w, r)
		}, answer(201, billJSON, replayed)}, attempts: 3},
	} {
		t.Run(row.why, func(t *testing.T) {
			s := serve(t, row.script...)
			// A connection per attempt: net/http itself repeats a keyed POST on a reused one, which is not an attempt.
			c := s.client(t, moment.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
			err := calls["POST"](t.Context(), c, row.opts...)
			assert.Len(t, s.received(), row.attempts)
			sameRequestEveryTime(t, "POST", s.received())
			assert.Equal(t, row.unknown, errors.Is(err, moment.ErrOutcomeUnknown), "%v", err)
			if row.is != nil {
				assert.ErrorIs(t, err, row.is)
			}
			assert.Equal(t, row.is != nil || row.unknown, err != nil, "%v", err)
		})
	}
}

func TestRetryWhenNothingWasSent(t *testing.T) {
	noDNS := &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}}
	for _, row := range []struct{ why, base string }{
		{"the connection is refused", "http://127.0.0.1:1"}, // a port that no other test is ever given
		{"the name does not resolve", "https://no-such-host.invalid"},
		{"the TLS handshake is broken off", brokenHandshake(t)},
	} {
		for method, call := range calls {
			t.Run(method+" "+row.why, func(t *testing.T) {
				c := newClient(t, moment.WithBaseURL(row.base+basePath), moment.WithBackoff(0, 0), moment.WithMaxRetries(2),
					moment.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: noDNS.DialContext}}))
				err := call(t.Context(), c)
				var connection *moment.ConnectionError
				require.ErrorAs(t, err, &connection)
				assert.Equal(t, 3, connection.Attempts)
				assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown)
			})
		}
	}
}

// brokenHandshake is a server that takes connections and closes them before a TLS handshake is done.
func brokenHandshake(t *testing.T) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1)
			_, _ = conn.Read(buf)
			_ = conn.Close()
		}
	}()
	return "https://" + l.Addr().String()
}

func TestUntrustedCertificateIsNotRetried(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = discardLog()
	connections := countConnections(server)
	server.StartTLS()
	t.Cleanup(server.Close)
	for method, call := range calls {
		connections.opened.Store(0)
		err := call(t.Context(), newClient(t, moment.WithBaseURL(server.URL), moment.WithBackoff(0, 0)))
		require.ErrorContains(t, err, "certificate", method)
		assert.Equal(t, 1, attemptsOf(t, err), method)
		assert.EqualValues(t, 1, connections.opened.Load(), method)
		assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown, "%s: nothing was sent", method)
	}
}

// A dial error is not enough to say that nothing was sent: on a connection that turns out dead, net/http sends a keyed
// POST again by itself, and if that dial fails, the first copy may have arrived all the same.
func TestDialErrorAfterTheRequestWasSent(t *testing.T) {
	var dials atomic.Int32
	s := serve(t, answer(200, billJSON), hangUp)
	dialer := &net.Dialer{}
	c := s.client(t, moment.WithMaxRetries(0), moment.WithHTTPClient(&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("refused")}
			}
			return dialer.DialContext(ctx, network, address)
		},
	}}))
	require.NoError(t, calls["GET"](t.Context(), c))
	err := calls["POST"](t.Context(), c)
	require.Len(t, s.received(), 2, "the POST arrived")
	require.ErrorContains(t, err, "refused")
	assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
}

// The same dead connection, and this time the second copy is answered. That it was refused says nothing of the first.
func TestAnswerToASecondCopy(t *testing.T) {
	for _, row := range []struct {
		why      string
		script   []reply // behind the first copy
		requests int     // with the first copy, which is no attempt of the client's
		is       error   // nil: success
		unknown  bool
	}{
		{"a success settles it", []reply{answer(201, billJSON)}, 2, nil, false},
		{"the service's own judgement", []reply{problem(422)}, 2, moment.ErrUnprocessable, false},
		{"a replayed conflict is the service's", []reply{problem(409, "Idempotent-Replayed: true")}, 2, moment.ErrConflict, true},
		{"429 refused the second", []reply{problem(429)}, 5, moment.ErrRateLimited, true},
		{"503 with Retry-After refused the second", []reply{problem(503, "Retry-After: 0")}, 5, moment.ErrServer, true},
		{"401 refused the second", []reply{problem(401)}, 2, moment.ErrUnauthorized, true},
		{"403 refused the second", []reply{problem(403)}, 2, moment.ErrForbidden, true},
		{"409: the first is still running", []reply{problem(409), answer(201, billJSON)}, 3, nil, false},
		{"409 to the end", []reply{problem(409)}, 5, moment.ErrConflict, true},
	} {
		s := serve(t, append([]reply{answer(200, billJSON), hangUp}, row.script...)...)
		c := s.client(t)
		require.NoError(t, calls["GET"](t.Context(), c))
		err := calls["POST"](t.Context(), c)
		posts := s.received()[1:]
		assert.Len(t, posts, row.requests, row.why)
		sameRequestEveryTime(t, "POST", posts)
		require.ErrorIs(t, err, row.is, row.why)
		assert.Equal(t, row.unknown, errors.Is(err, moment.ErrOutcomeUnknown), row.why)
	}
}

// The same dead connection, and an update: net/http must not send it again, since nothing marks it as safe.
func TestUpdateOnADeadConnectionIsSentOnce(t *testing.T) {
	s := serve(t, answer(200, billJSON), hangUp, answer(200, billJSON))
	c := s.client(t)
	require.NoError(t, calls["GET"](t.Context(), c))
	err := calls["PATCH"](t.Context(), c)
	assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
	assert.Len(t, s.received(), 2)
}

func TestRetryOverHTTP2(t *testing.T) {
	s := &service{}
	server := httptest.NewUnstartedServer(s.handler([]reply{problem(503), hangUp, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, 2, r.ProtoMajor)
		answer(201, billJSON)(w, r)
	}}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = discardLog()
	server.StartTLS()
	t.Cleanup(server.Close)
	s.URL = server.URL + basePath
	require.NoError(t, calls["POST"](t.Context(), s.client(t, moment.WithHTTPClient(server.Client()))))
	require.Len(t, s.received(), 3)
	sameRequestEveryTime(t, "POST", s.received())
}

func TestNoRetriesIfSwitchedOff(t *testing.T) {
	s := serve(t, problem(503))
	require.ErrorIs(t, calls["GET"](t.Context(), s.client(t, moment.WithMaxRetries(0))), moment.ErrServer)
	s.only(t)
}

func TestDefaultIsThreeRetries(t *testing.T) {
	s := serve(t, problem(503))
	require.ErrorIs(t, calls["POST"](t.Context(), s.client(t)), moment.ErrServer)
	assert.Len(t, s.received(), 4)
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
		s := serve(t, problem(500))
		err := s.client(t, moment.WithMaxRetries(2)).Do(t.Context(), method, "/billing/refunds", nil, nil)
		assert.ErrorIs(t, err, moment.ErrServer, method)
		assert.Len(t, s.received(), want.attempts, method)
		assert.Equal(t, want.key, s.received()[0].Header.Get("Idempotency-Key") != "", method)
	}
}

func TestAttemptTimeoutOverARealConnection(t *testing.T) {
	stall := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for method, attempts := range map[string]int{"GET": 2, "POST": 2, "PATCH": 1} {
		s := serve(t, stall, answer(200, billJSON))
		err := calls[method](t.Context(), s.client(t, moment.WithAttemptTimeout(50*time.Millisecond)))
		assert.Len(t, s.received(), attempts, method)
		assert.Equal(t, attempts == 1, errors.Is(err, moment.ErrOutcomeUnknown), method)
		if err != nil {
			assert.EqualError(t, err, "moment: update bill: no answer within the attempt timeout of 50ms: context deadline exceeded; the outcome is unknown")
		}
	}
}
