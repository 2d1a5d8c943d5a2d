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
)

// The retry table, with a row for each status as the service's own response and as a gateway's. A
// cell is the number of attempts of a call that may be retried twice, and "?" if the outcome of the
// write is unknown afterwards. A GET is never in doubt. afterDoubt is a POST whose first attempt
// got no response; an update in doubt is not sent again, so it has no such column.
var retryTable = []retryRow{
	{"400, own", problem(400), "1", "1", "2", "1", "the service judged the request"},
	{"400, foreign", gateway(400), "1", "1?", "2?", "1?", "a load balancer sends it for a response it cannot parse"},
	{"401, own", problem(401), "1", "1", "2?", "1", "rejected before processing; says nothing of the first attempt"},
	{"401, foreign", gateway(401), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"402, own", problem(402), "1", "1", "2", "1", "the service judged the request"},
	{"402, foreign", gateway(402), "1", "1?", "2?", "1?", "nobody knows"},
	{"403, own", problem(403), "1", "1", "2?", "1", "rejected before processing; says nothing of the first attempt"},
	{"403, foreign", gateway(403), "1", "1?", "2?", "1?", "a firewall that inspects responses sends it after the commit"},
	{"404, own", problem(404), "1", "1", "2", "1", "the service judged the request"},
	{"404, foreign", gateway(404), "1", "1?", "2?", "1?", "an ingress sends it while it reloads its routes, or after the commit"},
	{"405, own", problem(405), "1", "1", "2?", "1", "rejected before processing"},
	{"405, foreign", gateway(405), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"407, foreign", gateway(407), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"408, own", problem(408), "3", "3?", "3?", "1?", "the service gave up waiting, for whatever"},
	{"408, foreign", gateway(408), "3", "3?", "3?", "1?", "a proxy gave up waiting for the service"},
	{"409, own", problem(409), "1", "1", "3?", "1", "a conflict, unless the first copy may be in flight"},
	{"409, foreign", gateway(409), "1", "1?", "3?", "1?", "nobody knows"},
	{"410, own", problem(410), "1", "1", "2?", "1", "any other 4xx of the service's own says nothing of an earlier attempt"},
	{"410, foreign", gateway(410), "1", "1?", "2?", "1?", "nobody knows"},
	{"413, own", problem(413), "1", "1", "2?", "1", "rejected before processing"},
	{"413, foreign", gateway(413), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"414, foreign", gateway(414), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"418, own", problem(418), "1", "1", "2?", "1", "any other 4xx of the service's own"},
	{"418, foreign", gateway(418), "1", "1?", "2?", "1?", "nobody knows"},
	{"422, own", problem(422), "1", "1", "2", "1", "the service judged the request"},
	{"422, foreign", gateway(422), "1", "1?", "2?", "1?", "nobody knows"},
	{"425, own", problem(425), "1", "1", "2?", "1", "any other 4xx of the service's own"},
	{"425, foreign", gateway(425), "1", "1?", "2?", "1?", "nobody knows"},
	{"429, own", problem(429), "3", "3", "3?", "3", "a limiter rejects before it forwards"},
	{"429, foreign", gateway(429), "3", "3", "3?", "3", "a limiter rejects before it forwards"},
	{"429 with Retry-After", problem(429, "Retry-After: 0"), "3", "3", "3?", "3", "a limiter rejects before it forwards"},
	{"431, foreign", gateway(431), "1", "1", "2?", "1", "gateways send it before they forward"},
	{"451, foreign", gateway(451), "1", "1?", "2?", "1?", "nobody knows"},
	{"500, own", problem(500), "3", "3?", "3?", "1?", "may have failed after it was applied"},
	{"500, foreign", gateway(500), "3", "3?", "3?", "1?", "the status counts, not the body"},
	{"501, own", problem(501), "1", "1?", "2?", "1?", "will not be supported a second later"},
	{"501, foreign", gateway(501), "1", "1?", "2?", "1?", "will not be supported a second later"},
	{"502, own", problem(502), "3", "3?", "3?", "1?", "a gateway lost the response"},
	{"502, foreign", gateway(502), "3", "3?", "3?", "1?", "a gateway lost the response"},
	{"503, own", problem(503), "3", "3?", "3?", "1?", "a dependency failed, perhaps after the commit"},
	{"503, foreign", gateway(503), "3", "3?", "3?", "1?", "its sender may have forwarded the request"},
	{"503 with Retry-After, own", problem(503, "Retry-After: 0"), "3", "3?", "3?", "1?", "Retry-After does not say that nothing was processed"},
	{"503 with Retry-After, foreign", gateway(503, "Retry-After: 0"), "3", "3?", "3?", "1?", "Varnish sends it after the backend has committed"},
	{"504, own", problem(504), "3", "3?", "3?", "1?", "a gateway did not wait for the response"},
	{"504, foreign", gateway(504), "3", "3?", "3?", "1?", "a gateway did not wait for the response"},
	{"505, own", problem(505), "1", "1?", "2?", "1?", "will not be supported a second later"},
	{"505, foreign", gateway(505), "1", "1?", "2?", "1?", "will not be supported a second later"},
	{"507, own", problem(507), "3", "3?", "3?", "1?", "any other 5xx"},
	{"507, foreign", gateway(507), "3", "3?", "3?", "1?", "any other 5xx"},
	{"600", gateway(600), "1", "1?", "2?", "1?", "no class that HTTP defines"},
	{"302", problem(302, "Location: /elsewhere"), "1", "1?", "2?", "1?", "redirects are not followed"},
	{"307", problem(307, "Location: /elsewhere"), "1", "1?", "2?", "1?", "redirects are not followed"},
	{"308 to nowhere", problem(308, "Location: ://"), "1", "1?", "2?", "1?", "the Location is not even read"},

	{"no response", hangUp, "3", "3?", "3?", "1?", "may have been applied"},
	{"truncated", cutShort, "3", "3?", "3?", "1?", "was applied, most likely"},
	{"200 in HTML", answer(200, "<html>Hello</html>", "Content-Type: text/html"), "3", "3?", "3?", "1?", "something in front of the service responded"},
	{"200 and nothing", answer(200, ""), "3", "3?", "3?", "1?", "not JSON either"},
	{"200 of another shape", answer(200, `{"data":[]}`), "1", "1?", "2?", "1?", "would be the same again"},
	{"200 and a fragment", answer(200, `{"id":"bill_1"}`), "1", "1?", "2?", "1?", "not the whole object"},
	{"200 and another object", answer(200, strings.ReplaceAll(billJSON, "UBR1234567890", "UBR2")), "1", "1?", "2?", "1?", "a proxy is one response out of step, say"},
	{"200 with a text for a number", answer(200, strings.Replace(billJSON, "2000", `"2000"`, 1)), "1", "1?", "2?", "1?", "would be the same again"},
	{"200 too large", answer(200, `"`+strings.Repeat("x", 256<<10)+`"`), "1", "1?", "2?", "1?", "would be the same again"},

	{"400 replayed", gateway(400, replayed), "1", "1", "2", "1?", "how the first attempt ended; without a key there is no replay"},
	{"403 replayed", gateway(403, replayed), "1", "1", "2", "1?", "how the first attempt ended"},
	{"408 replayed", problem(408, replayed), "3", "1?", "2?", "1?", "would be replayed again for 24 hours"},
	{"409 replayed", problem(409, replayed), "1", "1", "2", "1", "how the first attempt ended"},
	{"429 replayed", problem(429, replayed), "3", "1", "2?", "3", "would be replayed again for 24 hours"},
	{"500 replayed", problem(500, replayed), "3", "1?", "2?", "1?", "would be replayed again for 24 hours"},
	{"503 with Retry-After replayed", problem(503, "Retry-After: 0", replayed), "3", "1?", "2?", "1?", "would be replayed again for 24 hours"},
}

type retryRow struct {
	name                         string
	failure                      reply
	get, post, afterDoubt, patch string
	why                          string
}

const replayed = "Idempotent-Replayed: true"

// gateway responds as something in front of the service does.
func gateway(status int, headers ...string) reply {
	return answer(status, "<html>"+http.StatusText(status)+"</html>", append(headers, "Content-Type: text/html")...)
}

func TestRetryTable(t *testing.T) {
	for _, row := range retryTable {
		for column, want := range map[string]string{"GET": row.get, "POST": row.post, "POST after doubt": row.afterDoubt, "PATCH": row.patch} {
			t.Run(row.name+"/"+column, func(t *testing.T) {
				method, doubt := strings.CutSuffix(column, " after doubt")
				script := []reply{row.failure}
				if doubt {
					script = []reply{hangUp, row.failure}
				}
				s := serve(t, script...)
				var resp moment.Response
				err := calls[method](t.Context(), s.client(t, moment.WithMaxRetries(2), ownConnections), moment.WithResponse(&resp))
				require.Error(t, err)
				got := strconv.Itoa(len(s.received()))
				if errors.Is(err, moment.ErrOutcomeUnknown) {
					got += "?"
				}
				assert.Equal(t, want, got, "%s: %v", row.why, err)
				assert.Len(t, s.received(), resp.Attempts)
				assert.Equal(t, resp.Attempts, attemptsOf(t, err))
				sameRequestEveryTime(t, method, s.received())
			})
		}
	}
}

// ownConnections gives each attempt a connection of its own, because on a reused one net/http
// repeats keyed requests by itself.
var ownConnections = moment.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}})

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
		{why: "a success that is another object settles nothing", script: []reply{hangUp, answer(201, strings.ReplaceAll(billJSON, "UBR1234567890", "UBR2"))}, attempts: 2, unknown: true},
		{why: "a gateway's 404 settles nothing", script: []reply{hangUp, gateway(404)}, attempts: 2, is: moment.ErrNotFound, unknown: true},
		{why: "a gateway's 503 leaves what a 429 does not", script: []reply{gateway(503), problem(429)}, attempts: 4, is: moment.ErrRateLimited, unknown: true},

		{why: "409 after silence: the first copy is still running", script: []reply{hangUp, problem(409), problem(409), answer(201, billJSON, replayed)}, attempts: 4},
		{why: "409 after a cut answer", script: []reply{cutShort, problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 408", script: []reply{problem(408), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 502", script: []reply{problem(502), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 504", script: []reply{problem(504), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 500", script: []reply{problem(500), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 503", script: []reply{gateway(503), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after a page in the place of the response", script: []reply{answer(200, "<html>"), problem(409), answer(201, billJSON, replayed)}, attempts: 3},
		{why: "409 after 429: there was no first copy", script: []reply{problem(429), problem(409)}, attempts: 2, is: moment.ErrConflict},
		{why: "409 to the end: it never settled", script: []reply{hangUp, problem(409)}, attempts: 4, is: moment.ErrConflict, unknown: true},
		{why: "a replayed 409 is a true conflict: it is how the first attempt ended", script: []reply{hangUp, problem(409, replayed)}, attempts: 2, is: moment.ErrConflict},
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
			err := calls["POST"](t.Context(), s.client(t, ownConnections), row.opts...)
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

// On a connection that turns out dead, net/http sends a keyed POST again by itself. A response that
// rejects the second copy says nothing about the first one.
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
		{"a replayed conflict is how the first copy ended", []reply{problem(409, replayed)}, 2, moment.ErrConflict, false},
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

// The same dead connection, and an update: net/http must not send it again, since nothing marks it
// as safe.
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
			assert.EqualError(t, err, "moment: update bill: no response within the attempt timeout of 50ms: context deadline exceeded; the outcome is unknown")
		}
	}
}
