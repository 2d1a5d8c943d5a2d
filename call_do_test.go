package moment_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

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
		"OPTIONS": {3, false},
		"HEAD":    {3, false},
	} {
		s := testkit.Serve(t, testkit.Problem(500))
		err := clientOf(t, s, moment.WithMaxRetries(2)).Do(t.Context(), method, "/billing/refunds", nil, nil)
		assert.ErrorIs(t, err, moment.ErrServer, method)
		assert.Len(t, s.Received(), want.attempts, method)
		assert.Equal(t, want.key, s.Received()[0].Header.Get("Idempotency-Key") != "", method)
	}
}

// If the caller supplies a key, PATCH and DELETE are retried with it, but not below /billing/,
// because Moment documents no keys for these methods there.
func TestDoUnderACallersKey(t *testing.T) {
	for _, row := range []struct {
		method, path string
		attempts     int // 0: rejected
	}{
		{"PATCH", "/collect/payment_requests/pr_1", 3},
		{"DELETE", "/collect/payment_requests/pr_1", 3},
		{"POST", "/billing/refunds", 3},
		{"PUT", "/collect/payment_requests/pr_1", 3},
		{"PATCH", "/billing/bills/UBR1", 0},
		{"DELETE", "/billing/bills/UBR1", 0},
		{"PATCH", "/%62illing/bills/UBR1", 0},
		{"PATCH", "/Billing/bills/UBR1", 0},
		{"PATCH", "/collect/payment_requests/..%2F..%2Fbilling%2Fbills%2FUBR1", 0}, // below /billing/ once a proxy has decoded it
		{"DELETE", "/collect%2f..%2fbilling/bills/UBR1", 0},
		{"PATCH", "/collect/payment_requests/%252e%252e", 0},
		{"PATCH", "/collect/payment_requests/a%5Cb", 0},
		{"GET", "/collect/payments/pay_1", 0},
		{"OPTIONS", "/collect/payments", 0},
	} {
		s := testkit.Serve(t, testkit.Problem(500))
		err := clientOf(t, s, moment.WithMaxRetries(2)).Do(t.Context(), row.method, row.path, nil, nil, moment.WithIdempotencyKey("key-1"))
		if row.attempts == 0 {
			require.ErrorIs(t, err, moment.ErrInvalidArgument, "%s %s", row.method, row.path)
			assert.Empty(t, s.Received())
			continue
		}
		require.ErrorIs(t, err, moment.ErrServer)
		require.Len(t, s.Received(), row.attempts, "%s %s", row.method, row.path)
		for _, r := range s.Received() {
			assert.Equal(t, "key-1", r.Header.Get("Idempotency-Key"))
		}
	}
}

func TestDo(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(201, `{"id":"rf_1","amount":500}`))
	var refund struct {
		ID     string        `json:"id"`
		Amount moment.Amount `json:"amount"`
	}
	err := clientOf(t, s).Do(t.Context(), "POST", "/billing/bills/a%2Fb/refunds", map[string]int{"amount": 500}, &refund)
	require.NoError(t, err)
	assert.Equal(t, "rf_1", refund.ID)
	assert.Equal(t, moment.Amount(500), refund.Amount)
	r := s.Only(t)
	assert.Equal(t, testkit.BasePath+"/billing/bills/a%2Fb/refunds", r.URI)
	assert.Equal(t, `{"amount":500}`, r.Body)
	assert.NotEmpty(t, r.Header.Get("Idempotency-Key"))
}

func TestDoWithNothingToDecode(t *testing.T) {
	for _, body := range []string{"", "null", testkit.BillJSON} {
		s := testkit.Serve(t, testkit.Respond(200, body))
		var resp moment.Response
		require.NoError(t, clientOf(t, s).Do(t.Context(), "DELETE", "/billing/bills/UBR1", nil, nil, moment.WithResponse(&resp)))
		assert.Equal(t, body, string(resp.Body))
	}
	s := testkit.Serve(t, testkit.Respond(204, ""))
	assert.NoError(t, clientOf(t, s).Do(t.Context(), "DELETE", "/billing/bills/UBR1", nil, nil))
}

// A gateway's web page is not a success, even if the caller does not decode the body.
func TestDoRejectsAWebPage(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, "<html>Sign in</html>", "Content-Type: text/html"))
	err := clientOf(t, s).Do(t.Context(), "DELETE", "/billing/bills/UBR1", nil, nil)
	assert.EqualError(t, err, `moment: DELETE /billing/bills/…: 200 OK: the response body is not JSON (Content-Type "text/html"); the outcome is unknown`)

	var out struct{ ID string }
	err = clientOf(t, testkit.Serve(t, testkit.Respond(200, " null\n"))).Do(t.Context(), "POST", "/billing/refunds", nil, &out)
	assert.EqualError(t, err, "moment: POST /billing/refunds: 200 OK: unexpected response body: it is null; the outcome is unknown")
}

func TestDoSendsRawJSONAsItIs(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, "{}"))
	raw := json.RawMessage(`{"text":"\ufffd"}`)
	require.NoError(t, clientOf(t, s).Do(t.Context(), "PATCH", "/billing/bills/UBR1", raw, nil))
	assert.Equal(t, string(raw), s.Only(t).Body)
}

func TestDoRejectsWhatItCannotSend(t *testing.T) {
	var nilPointer *struct{}
	for _, row := range []struct {
		why, method, path string
		in, out           any
		says              string
	}{
		{"net/http would send it as it is", "post", "/x", nil, nil, `request: method: "post" is not an HTTP method in capital letters`},
		{"no method", "", "/x", nil, nil, `request: method: "" is not an HTTP method in capital letters`},
		{"would end the request line", "GET /y HTTP/1.1\r\n", "/x", nil, nil, `request: method: "GET /y HTTP/1.1\r\n" is not an HTTP method in capital letters`},
		{"a GET has no body", "GET", "/x", struct{}{}, nil, "request: in: must be nil: a GET has no body"},
		{"there is nothing to decode", "HEAD", "/x", nil, &struct{}{}, "request: out: must be nil: the response to a HEAD has no body"},
		{"would be detected only after the write", "POST", "/x", nil, struct{}{}, "request: out: is not a pointer to decode into"},
		{"would be detected only after the write", "POST", "/x", nil, nilPointer, "request: out: is not a pointer to decode into"},
		{"not JSON", "POST", "/x", func() {}, nil, "POST /x: body: cannot be encoded as JSON: json: unsupported type: func()"},
		{"another host", "GET", "https://example.com/x", nil, nil, `request: path: does not begin with "/"`},
		{"no path", "GET", "", nil, nil, `request: path: does not begin with "/"`},
		{"a query", "GET", "/x?a=b", nil, nil, `request: path: contains "?" or "#": a query goes through WithQuery, and in an identifier they are escaped`},
		{"a fragment", "GET", "/x#a", nil, nil, `request: path: contains "?" or "#": a query goes through WithQuery, and in an identifier they are escaped`},
		{"not escaped", "GET", "/a b", nil, nil, "request: path: is not escaped: use url.PathEscape for the identifiers in it"},
		{"half escaped: net/http would undo the rest", "GET", "/a%2Fb c", nil, nil, "request: path: is not escaped: use url.PathEscape for the identifiers in it"},
		{"badly escaped", "GET", "/a%zz", nil, nil, "request: path: is not escaped: use url.PathEscape for the identifiers in it"},
		{"a step up", "GET", "/x/../y", nil, nil, `request: path: has a segment "..", which would lead to another endpoint`},
		{"a step up, escaped", "GET", "/x/%2e%2E/y", nil, nil, `request: path: has a segment "..", which would lead to another endpoint`},
		{"no step", "GET", "/x/./y", nil, nil, `request: path: has a segment ".", which would lead to another endpoint`},
		{"an empty identifier", "GET", "/x//y", nil, nil, `request: path: has a segment "", which would lead to another endpoint`},
		{"looks like another host", "GET", "//example.com/x", nil, nil, `request: path: has a segment "", which would lead to another endpoint`},
	} {
		s := testkit.Serve(t, testkit.Respond(200, "{}"))
		err := clientOf(t, s).Do(t.Context(), row.method, row.path, row.in, row.out)
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
		assert.EqualError(t, err, "moment: "+row.says, row.why)
		assert.Empty(t, s.Received(), row.why)
	}
}

func TestDoKeepsThePathAsGiven(t *testing.T) {
	for _, path := range []string{"/", "/x/", "/a(b)!*'", "/a;b=c,d", "/a%20b", "/%C3%BC", "/a:b@c&d=e+f$", "/a%28b"} {
		s := testkit.Serve(t, testkit.Respond(200, "{}"))
		require.NoError(t, clientOf(t, s).Do(t.Context(), "GET", path, nil, nil), path)
		assert.Equal(t, testkit.BasePath+path, s.Only(t).URI)
	}
}

func TestDoNamesThePathWithoutIdentifiers(t *testing.T) {
	for path, name := range map[string]string{
		"/billing/customers/john-doe":       "/billing/customers/…",
		"/billing/customers/john-doe/cards": "/billing/customers/…",
		"/billing/customers/":               "/billing/customers/…",
		"/billing/refunds":                  "/billing/refunds",
		"/billing":                          "/billing",
		"/collect/payments/john-doe":        "/collect/payments/…",
		"/collect/payments/john-doe/voids":  "/collect/payments/…",
		"/collect/payment_requests":         "/collect/payment_requests",
		"/payments/john-doe":                "/payments/…",
		"/":                                 "/",
	} {
		var out bytes.Buffer
		s := testkit.Serve(t, testkit.Respond(404, ""))
		c := clientOf(t, s, moment.WithLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		err := c.Do(t.Context(), "GET", path, nil, nil)
		assert.EqualError(t, err, "moment: GET "+name+": 404 Not Found"+notFromService)
		assert.Contains(t, out.String(), " path="+name+" ")
	}
}

// 204 is a success with nothing to decode.
func TestDoWithNoContent(t *testing.T) {
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for _, status := range []int{204, 205} {
			s := testkit.Serve(t, testkit.Respond(status, ""))
			out := map[string]any{"before": true}
			require.NoError(t, clientOf(t, s).Do(t.Context(), method, "/billing/refunds", nil, &out))
			assert.Equal(t, map[string]any{"before": true}, out)
			s.Only(t)
		}
	}
}

// An option that is wrong is reported under the operation's name, and every error empties a
// Response.
func TestDoNamesTheOperationOfABadOption(t *testing.T) {
	c := newClient(t)
	for _, row := range []struct {
		method, path string
		opt          moment.RequestOption
		says         string
	}{
		{"POST", "/billing/refunds", moment.WithHeader("Host", "x"), "moment: POST /billing/refunds: header: Host is set by the client"},
		{"PATCH", "/billing/bills/UBR1", moment.WithIdempotencyKey("key-1"), "moment: PATCH /billing/bills/…: idempotency key: is only for"},
		{"POST", "billing", moment.WithHeader("X-A", "b"), `moment: request: path: does not begin with "/"`},
		{"post", "/x", moment.WithHeader("X-A", "b"), "moment: request: method: "},
	} {
		resp := moment.Response{StatusCode: 418}
		err := c.Do(t.Context(), row.method, row.path, nil, nil, moment.WithResponse(&resp), row.opt)
		assert.ErrorContains(t, err, row.says)
		assert.Zero(t, resp)
	}
}
