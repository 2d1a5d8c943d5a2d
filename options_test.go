package moment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

func TestRequestOptionsThatAreRefused(t *testing.T) {
	for _, row := range []struct {
		why, method string
		opt         moment.RequestOption
		says        string
	}{
		{"net/http would send the update twice", "PATCH", moment.WithIdempotencyKey("key-1"), "update bill: idempotency key: is only for operations that create or void; the service ignores it on others"},
		{"it has no meaning", "GET", moment.WithIdempotencyKey("key-1"), "get bill: idempotency key: is only for operations that create or void; the service ignores it on others"},
		{"an unset variable", "POST", moment.WithIdempotencyKey(""), "create bill: idempotency key: must be 1 to 255 of a-z, A-Z, 0-9 and -; DeriveIdempotencyKey makes one of any text"},
		{"not in Moment's alphabet", "POST", moment.WithIdempotencyKey("key_1"), "create bill: idempotency key: must be 1 to 255 of a-z, A-Z, 0-9 and -; DeriveIdempotencyKey makes one of any text"},
		{"too long", "POST", moment.WithIdempotencyKey(string(make([]byte, 256))), "create bill: idempotency key: must be 1 to 255 of a-z, A-Z, 0-9 and -; DeriveIdempotencyKey makes one of any text"},
		{"the key goes by NewClient", "GET", moment.WithHeader("authorization", "Bearer x"), "get bill: header: Authorization is set by the client"},
		{"an option of its own", "POST", moment.WithHeader("Idempotency-key", "x"), "create bill: header: Idempotency-Key is set by the client"},
		{"net/http would send the update twice", "PATCH", moment.WithHeader("x-idempotency-key", "x"), "update bill: header: X-Idempotency-Key is set by the client"},
		{"the base URL says it", "GET", moment.WithHeader("HOST", "example.com"), "get bill: header: Host is set by the client"},
		{"would cut the body", "POST", moment.WithHeader("Content-Length", "1"), "create bill: header: Content-Length is set by the client"},
		{"no header name", "GET", moment.WithHeader("", "x"), "get bill: header: the name is not one: letters, digits and hyphens"},
		{"a second header", "GET", moment.WithHeader("X-A: b\r\nX-C", "x"), "get bill: header: the name is not one: letters, digits and hyphens"},
		{"a second header", "GET", moment.WithHeader("x-a", "b\r\nX-C: d"), `get bill: header: the value of X-A contains a control character`},
		{"the key in the wrong place", "GET", moment.WithHeader("Authorization: Bearer "+testKey, ""), "get bill: header: the name is not one: letters, digits and hyphens"},
		{"a control character, if an unusual one", "GET", moment.WithHeader("X-A", "\x7f"), "get bill: header: the value of X-A contains a control character"},
		{"not a struct", "GET", moment.WithQuery("a=b"), `get bill: query: is not a struct with url tags, or a pointer to one: query: Values() expects struct input. Got string`},
		{"nothing to fill", "GET", moment.WithResponse(nil), "get bill: response: is nil"},
		{"a forgotten option", "GET", moment.RequestOption{}, "get bill: option: is the zero RequestOption"},
	} {
		s := serve(t, answer(200, billJSON))
		resp := moment.Response{StatusCode: 418}
		err := calls[row.method](t.Context(), s.client(t), row.opt, moment.WithResponse(&resp))
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
		assert.EqualError(t, err, "moment: "+row.says, row.why)
		assert.Empty(t, s.received(), "nothing is sent")
		assert.Zero(t, resp, "what a Response held before is gone")
	}
}

func TestIdempotencyKeysAtTheLimits(t *testing.T) {
	long := ""
	for len(long) < 255 {
		long += "aZ9-0"
	}
	for _, key := range []string{"0", "-", long} {
		s := serve(t, answer(201, billJSON))
		require.NoError(t, calls["POST"](t.Context(), s.client(t), moment.WithIdempotencyKey(key)))
		assert.Equal(t, key, s.only(t).Header.Get("Idempotency-Key"))
	}
}

func TestWithHeader(t *testing.T) {
	s := serve(t, answer(201, billJSON))
	require.NoError(t, calls["POST"](t.Context(), s.client(t),
		moment.WithHeader("x-trace", "a"), moment.WithHeader("X-Trace", "b\tü"),
		moment.WithHeader("User-Agent", "mine"), moment.WithHeader("Accept", "application/json"), moment.WithHeader("Content-Type", "application/json; charset=utf-8")))
	h := s.only(t).Header
	assert.Equal(t, []string{"b\tü"}, h["X-Trace"], "the last one counts")
	assert.Equal(t, []string{"mine"}, h["User-Agent"])
	assert.Equal(t, []string{"application/json"}, h["Accept"])
	assert.Equal(t, []string{"application/json; charset=utf-8"}, h["Content-Type"])
	assert.Equal(t, []string{"Bearer " + testKey}, h["Authorization"])
}

func TestOptionsOfOneCallStayWithIt(t *testing.T) {
	s := serve(t, answer(200, billJSON))
	c := s.client(t)
	require.NoError(t, calls["GET"](t.Context(), c, moment.WithHeader("X-Trace", "a")))
	require.NoError(t, calls["GET"](t.Context(), c))
	assert.NotContains(t, s.received()[1].Header, "X-Trace")
}

func TestWithQuery(t *testing.T) {
	type page struct {
		Limit  int       `url:"limit"`
		Status []string  `url:"status"`
		After  string    `url:"after,omitempty"`
		Since  time.Time `url:"since" layout:"2006-01-02"`
	}
	s := serve(t, answer(200, `{"data":[]}`))
	err := s.client(t).Do(t.Context(), "GET", "/billing/bills", nil, nil,
		moment.WithQuery(page{Limit: 10, Status: []string{"paid", "un&paid"}, Since: time.Date(2025, 1, 31, 0, 0, 0, 0, time.UTC)}),
		moment.WithQuery(&struct {
			Limit int `url:"limit"`
		}{20}))
	require.NoError(t, err)
	assert.Equal(t, basePath+"/billing/bills?limit=10&limit=20&since=2025-01-31&status=paid&status=un%26paid", s.only(t).URI)
}

func TestWithResponseOfASuccess(t *testing.T) {
	s := serve(t, problem(503), answer(201, billJSON, "X-Request-Id: req_2", "Idempotent-Replayed: true"))
	resp := moment.Response{StatusCode: 418, RequestID: "stale"}
	require.NoError(t, calls["POST"](t.Context(), s.client(t), moment.WithResponse(&resp)))
	assert.Equal(t, 201, resp.StatusCode)
	assert.Equal(t, billJSON, string(resp.Body), "byte for byte") //nolint:testifylint // JSONEq would let other bytes pass
	assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	assert.Equal(t, "req_2", resp.RequestID)
	assert.True(t, resp.Replayed)
	assert.Equal(t, 2, resp.Attempts)
	assert.Equal(t, s.received()[0].Header.Get("Idempotency-Key"), resp.IdempotencyKey)
}

func TestWithResponseWithoutAnAnswer(t *testing.T) {
	s := serve(t, problem(503, "X-Request-Id: req_1"), hangUp)
	c := s.client(t, moment.WithMaxRetries(1), moment.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	var resp moment.Response
	require.Error(t, calls["POST"](t.Context(), c, moment.WithResponse(&resp)))
	assert.Equal(t, moment.Response{IdempotencyKey: s.received()[0].Header.Get("Idempotency-Key"), Attempts: 2}, resp, "the last attempt had no answer")
}

// The header of an answer may be a RoundTripper's own, given to all calls.
func TestWithResponseDoesNotWriteToTheAnswer(t *testing.T) {
	header := http.Header{"X-Echo": {testKey}}
	c := through(t, func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(strings.NewReader(billJSON))}, nil
	})
	var resp moment.Response
	require.NoError(t, calls["GET"](t.Context(), c, moment.WithResponse(&resp)))
	assert.Equal(t, "[secret key]", resp.Header.Get("X-Echo"))
	assert.Equal(t, testKey, header.Get("X-Echo"))
}

func TestDo(t *testing.T) {
	s := serve(t, answer(201, `{"id":"rf_1","amount":500}`))
	var refund struct {
		ID     string        `json:"id"`
		Amount moment.Amount `json:"amount"`
	}
	err := s.client(t).Do(t.Context(), "POST", "/billing/bills/a%2Fb/refunds", map[string]int{"amount": 500}, &refund)
	require.NoError(t, err)
	assert.Equal(t, "rf_1", refund.ID)
	assert.Equal(t, moment.Amount(500), refund.Amount)
	r := s.only(t)
	assert.Equal(t, basePath+"/billing/bills/a%2Fb/refunds", r.URI)
	assert.Equal(t, `{"amount":500}`, r.Body)
	assert.NotEmpty(t, r.Header.Get("Idempotency-Key"))
}

func TestDoWithoutAnAnswerToDecode(t *testing.T) {
	for _, body := range []string{"", "null", billJSON} {
		s := serve(t, answer(200, body))
		var resp moment.Response
		require.NoError(t, s.client(t).Do(t.Context(), "DELETE", "/billing/bills/UBR1", nil, nil, moment.WithResponse(&resp)))
		assert.Equal(t, body, string(resp.Body))
	}
	s := serve(t, answer(204, ""))
	assert.NoError(t, s.client(t).Do(t.Context(), "DELETE", "/billing/bills/UBR1", nil, nil))
}

// A page of something in front of the service is not a success, even if nobody asks for the body.
func TestDoDoesNotBelieveAPage(t *testing.T) {
	s := serve(t, answer(200, "<html>Sign in</html>", "Content-Type: text/html"))
	err := s.client(t).Do(t.Context(), "DELETE", "/billing/bills/UBR1", nil, nil)
	assert.EqualError(t, err, `moment: DELETE /billing/bills/…: 200 OK: the response body is not JSON (Content-Type "text/html"); the outcome is unknown`)

	var out struct{ ID string }
	err = serve(t, answer(200, " null\n")).client(t).Do(t.Context(), "POST", "/billing/refunds", nil, &out)
	assert.EqualError(t, err, "moment: POST /billing/refunds: 200 OK: unexpected response body: it is null; the outcome is unknown")
}

func TestDoSendsRawJSONAsItIs(t *testing.T) {
	s := serve(t, answer(200, "{}"))
	raw := json.RawMessage(`{"text":"\ufffd"}`)
	require.NoError(t, s.client(t).Do(t.Context(), "PATCH", "/billing/bills/UBR1", raw, nil))
	assert.Equal(t, string(raw), s.only(t).Body)
}

func TestDoRefusesWhatItCannotSend(t *testing.T) {
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
		{"would be found out only after the write", "POST", "/x", nil, struct{}{}, "request: out: is not a pointer to decode into"},
		{"would be found out only after the write", "POST", "/x", nil, nilPointer, "request: out: is not a pointer to decode into"},
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
		s := serve(t, answer(200, "{}"))
		err := s.client(t).Do(t.Context(), row.method, row.path, row.in, row.out)
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
		assert.EqualError(t, err, "moment: "+row.says, row.why)
		assert.Empty(t, s.received(), row.why)
	}
}

func TestDoKeepsThePathAsGiven(t *testing.T) {
	for _, path := range []string{"/", "/x/", "/a(b)!*'", "/a;b=c,d", "/a%20b", "/%C3%BC", "/a:b@c&d=e+f$", "/a%28b"} {
		s := serve(t, answer(200, "{}"))
		require.NoError(t, s.client(t).Do(t.Context(), "GET", path, nil, nil), path)
		assert.Equal(t, basePath+path, s.only(t).URI)
	}
}

func TestDoNamesThePathWithoutIdentifiers(t *testing.T) {
	for path, name := range map[string]string{
		"/billing/customers/john-doe":       "/billing/customers/…",
		"/billing/customers/john-doe/cards": "/billing/customers/…",
		"/billing/customers/":               "/billing/customers/…",
		"/billing/refunds":                  "/billing/refunds",
		"/billing":                          "/billing",
		"/payments/john-doe":                "/payments/…",
		"/":                                 "/",
	} {
		var out bytes.Buffer
		s := serve(t, answer(404, ""))
		c := s.client(t, moment.WithLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		err := c.Do(t.Context(), "GET", path, nil, nil)
		assert.EqualError(t, err, "moment: GET "+name+": 404 Not Found"+notFromService)
		assert.Contains(t, out.String(), " path="+name+" ")
	}
}

// 204 is a definite success, with nothing to decode.
func TestDoWithNoContent(t *testing.T) {
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for _, status := range []int{204, 205} {
			s := serve(t, answer(status, ""))
			out := map[string]any{"before": true}
			require.NoError(t, s.client(t).Do(t.Context(), method, "/billing/refunds", nil, &out))
			assert.Equal(t, map[string]any{"before": true}, out)
			s.only(t)
		}
	}
}

func TestClientsThatNewClientDidNotMake(t *testing.T) {
	var c moment.Client
	assert.EqualError(t, c.Do(t.Context(), "GET", "/x", nil, nil), "moment: GET /x: client: was not made by NewClient")
	assert.Empty(t, c.Mode())
	var bills moment.BillsService
	_, err := bills.Get(t.Context(), "UBR1")
	require.ErrorIs(t, err, moment.ErrInvalidArgument)
	assert.Equal(t, "moment.Client", fmt.Sprint(&bills))
}

func TestNilContext(t *testing.T) {
	s := serve(t, answer(200, billJSON))
	_, err := s.client(t).Bills.Get(nil, "UBR1") //nolint:staticcheck // on purpose
	assert.EqualError(t, err, "moment: get bill: context: is nil")
	assert.Empty(t, s.received())
}
