package moment_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

func TestBadRequestOptionsAreRejected(t *testing.T) {
	for _, row := range []struct {
		why, method string
		opt         moment.RequestOption
		says        string
	}{
		{"net/http would send the update twice", "PATCH", moment.WithIdempotencyKey("key-1"), "update bill: idempotency key: is only for creates, voids, and PATCH and DELETE outside /billing/: Moment documents no keys for other calls"},
		{"keys have no meaning for a GET", "GET", moment.WithIdempotencyKey("key-1"), "get bill: idempotency key: is only for creates, voids, and PATCH and DELETE outside /billing/: Moment documents no keys for other calls"},
		{"an unset variable", "POST", moment.WithIdempotencyKey(""), "create bill: idempotency key: is empty"},
		{"not in Moment's alphabet", "POST", moment.WithIdempotencyKey("key_1"), "create bill: idempotency key: must be 1 to 255 of a-z, A-Z, 0-9 and -; DeriveIdempotencyKey computes one from any text"},
		{"too long", "POST", moment.WithIdempotencyKey(string(make([]byte, 256))), "create bill: idempotency key: must be 1 to 255 of a-z, A-Z, 0-9 and -; DeriveIdempotencyKey computes one from any text"},
		{"the key is an argument of NewClient", "GET", moment.WithHeader("authorization", "Bearer x"), "get bill: header: Authorization is set by the client"},
		{"there is an option for it", "POST", moment.WithHeader("Idempotency-key", "x"), "create bill: header: Idempotency-Key is set by the client"},
		{"net/http would send the update twice", "PATCH", moment.WithHeader("x-idempotency-key", "x"), "update bill: header: X-Idempotency-Key is set by the client"},
		{"it is part of the base URL", "GET", moment.WithHeader("HOST", "example.com"), "get bill: header: Host is set by the client"},
		{"would truncate the body", "POST", moment.WithHeader("Content-Length", "1"), "create bill: header: Content-Length is set by the client"},
		{"the body is JSON", "POST", moment.WithHeader("content-type", "text/plain"), "create bill: header: Content-Type is set by the client"},
		{"the body is not compressed", "POST", moment.WithHeader("Content-Encoding", "gzip"), "create bill: header: Content-Encoding is set by the client"},
		{"net/http decides", "POST", moment.WithHeader("Transfer-Encoding", "chunked"), "create bill: header: Transfer-Encoding is set by the client"},
		{"net/http would no longer decompress", "GET", moment.WithHeader("Accept-Encoding", "gzip"), "get bill: header: Accept-Encoding is set by the client"},
		{"no header name", "GET", moment.WithHeader("", "x"), "get bill: header: the name must have only letters, digits and hyphens"},
		{"a second header", "GET", moment.WithHeader("X-A: b\r\nX-C", "x"), "get bill: header: the name must have only letters, digits and hyphens"},
		{"a second header", "GET", moment.WithHeader("x-a", "b\r\nX-C: d"), `get bill: header: the value of X-A contains a control character`},
		{"the key in the wrong place", "GET", moment.WithHeader("Authorization: Bearer "+testkit.SecretKey, ""), "get bill: header: the name must have only letters, digits and hyphens"},
		{"a control character, if an unusual one", "GET", moment.WithHeader("X-A", "\x7f"), "get bill: header: the value of X-A contains a control character"},
		{"not a struct", "GET", moment.WithQuery("a=b"), `get bill: query: is not a struct with url tags, or a pointer to one: query: Values() expects struct input. Got string`},
		{"no Response", "GET", moment.WithResponse(nil), "get bill: response: is nil"},
		{"a forgotten option", "GET", moment.RequestOption{}, "get bill: option: is the zero RequestOption"},
	} {
		s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON))
		resp := moment.Response{StatusCode: 418}
		err := calls[row.method](t.Context(), clientOf(t, s), row.opt, moment.WithResponse(&resp))
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
		assert.EqualError(t, err, "moment: "+row.says, row.why)
		assert.Empty(t, s.Received(), "nothing is sent")
		assert.Zero(t, resp, "the old contents of the Response are lost")
	}
}

func TestIdempotencyKeysAtTheLimits(t *testing.T) {
	long := ""
	for len(long) < 255 {
		long += "aZ9-0"
	}
	for _, key := range []string{"0", "-", long} {
		s := testkit.Serve(t, testkit.Respond(201, testkit.BillJSON))
		require.NoError(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithIdempotencyKey(key)))
		assert.Equal(t, key, s.Only(t).Header.Get("Idempotency-Key"))
	}
}

func TestWithHeader(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(201, testkit.BillJSON))
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s),
		moment.WithHeader("x-trace", "a"), moment.WithHeader("X-Trace", "b\tü"),
		moment.WithHeader("User-Agent", "mine"), moment.WithHeader("Accept", "application/json")))
	h := s.Only(t).Header
	assert.Equal(t, []string{"b\tü"}, h["X-Trace"], "the last one counts")
	assert.Equal(t, []string{"mine"}, h["User-Agent"])
	assert.Equal(t, []string{"application/json"}, h["Accept"])
	assert.Equal(t, []string{"Bearer " + testkit.SecretKey}, h["Authorization"])
}

func TestOptionsOfOneCallStayWithIt(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON))
	c := clientOf(t, s)
	require.NoError(t, calls["GET"](t.Context(), c, moment.WithHeader("X-Trace", "a")))
	require.NoError(t, calls["GET"](t.Context(), c))
	assert.NotContains(t, s.Received()[1].Header, "X-Trace")
}

func TestWithQuery(t *testing.T) {
	type page struct {
		Limit  int       `url:"limit"`
		Status []string  `url:"status"`
		After  string    `url:"after,omitempty"`
		Since  time.Time `url:"since" layout:"2006-01-02"`
	}
	s := testkit.Serve(t, testkit.Respond(200, `{"data":[]}`))
	err := clientOf(t, s).Do(t.Context(), "GET", "/billing/bills", nil, nil,
		moment.WithQuery(page{Limit: 10, Status: []string{"paid", "un&paid"}, Since: time.Date(2025, 1, 31, 0, 0, 0, 0, time.UTC)}),
		moment.WithQuery(&struct {
			Limit int `url:"limit"`
		}{20}))
	require.NoError(t, err)
	assert.Equal(t, testkit.BasePath+"/billing/bills?limit=10&limit=20&since=2025-01-31&status=paid&status=un%26paid", s.Only(t).URI)
}

func TestWithResponseOfASuccess(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(503), testkit.Respond(201, testkit.BillJSON, "X-Request-Id: req_2", "Idempotent-Replayed: true"))
	resp := moment.Response{StatusCode: 418, RequestID: "stale"}
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithResponse(&resp)))
	assert.Equal(t, 201, resp.StatusCode)
	assert.Equal(t, testkit.BillJSON, string(resp.Body), "byte for byte") //nolint:testifylint // JSONEq would accept other bytes
	assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	assert.Equal(t, "req_2", resp.RequestID)
	assert.True(t, resp.Replayed)
	assert.Equal(t, 2, resp.Attempts)
	assert.Equal(t, s.Received()[0].Header.Get("Idempotency-Key"), resp.IdempotencyKey)
}

func TestWithResponseOfNoResponse(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(503, "X-Request-Id: req_1"), testkit.HangUp)
	c := clientOf(t, s, moment.WithMaxRetries(1), moment.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	var resp moment.Response
	require.Error(t, calls["POST"](t.Context(), c, moment.WithResponse(&resp)))
	assert.Equal(t, moment.Response{IdempotencyKey: s.Received()[0].Header.Get("Idempotency-Key"), Attempts: 2}, resp, "the last attempt had no response")
}

// Redacting Response.Header does not modify the response's own header, because a RoundTripper may
// share it between calls.
func TestWithResponseDoesNotModifyTheHeader(t *testing.T) {
	header := http.Header{"X-Echo": {testkit.SecretKey}}
	c := clientThrough(t, func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(strings.NewReader(testkit.BillJSON))}, nil
	})
	var resp moment.Response
	require.NoError(t, calls["GET"](t.Context(), c, moment.WithResponse(&resp)))
	assert.Equal(t, "[secret key]", resp.Header.Get("X-Echo"))
	assert.Equal(t, testkit.SecretKey, header.Get("X-Echo"))
}

// Errors contain a copy of the caller's idempotency key, because the key may be a string of a
// request.
func TestCallersIdempotencyKeyIsCopied(t *testing.T) {
	key := reused("key-of-the-caller")
	s := testkit.Serve(t, testkit.Problem(422))
	err := calls["POST"](t.Context(), clientOf(t, s), moment.WithIdempotencyKey(key.string()))
	key.overwrite()
	var failure *moment.Error
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "key-of-the-caller", failure.IdempotencyKey)
}

// The limits of one call replace the client's, and do not affect other calls.
func TestCallLimits(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(503))
	client := clientOf(t, s, moment.WithMaxRetries(2), moment.WithRetryBudget(0))
	attempts := func(opts ...moment.RequestOption) int {
		before := len(s.Received())
		_, err := client.Bills.Get(t.Context(), "UBR1", opts...)
		require.ErrorIs(t, err, moment.ErrServer)
		return len(s.Received()) - before
	}
	assert.Equal(t, 1, attempts(moment.WithCallMaxRetries(0)))
	assert.Equal(t, 6, attempts(moment.WithCallMaxRetries(5)))
	assert.Equal(t, 3, attempts())

	synctest.Test(t, func(t *testing.T) {
		slow := clientThrough(t, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, moment.WithMaxRetries(0))
		for _, row := range []struct {
			opts []moment.RequestOption
			want time.Duration
		}{
			{[]moment.RequestOption{moment.WithCallAttemptTimeout(time.Second)}, time.Second},
			{nil, 30 * time.Second},
		} {
			start := time.Now()
			_, err := slow.Bills.Get(t.Context(), "UBR1", row.opts...)
			require.ErrorContains(t, err, "within the attempt timeout of "+row.want.String())
			assert.Equal(t, row.want, time.Since(start))
		}
	})
	for _, opt := range []moment.RequestOption{moment.WithCallMaxRetries(-1), moment.WithCallAttemptTimeout(30)} {
		_, err := client.Bills.Get(t.Context(), "UBR1", opt)
		require.ErrorIs(t, err, moment.ErrInvalidArgument)
	}
}
