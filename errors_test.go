package moment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

var sentinels = map[error]string{
	moment.ErrBadRequest: "400", moment.ErrUnauthorized: "401", moment.ErrPaymentRequired: "402", moment.ErrForbidden: "403",
	moment.ErrNotFound: "404", moment.ErrConflict: "409", moment.ErrUnprocessable: "422", moment.ErrRateLimited: "429",
	moment.ErrServer:          "500 501 502 503 504 505 599",
	moment.ErrInvalidArgument: "", moment.ErrOutcomeUnknown: "",
}

func TestSentinelsMatchTheirStatusAndNoOther(t *testing.T) {
	for status := 300; status < 1000; status++ {
		s := &moment.Error{Status: status}
		for sentinel, statuses := range sentinels {
			want := strings.Contains(statuses, strconv.Itoa(status)) || sentinel == moment.ErrServer && status/100 == 5
			assert.Equal(t, want, errors.Is(s, sentinel), "%d and %v", status, sentinel)
		}
	}
}

func TestSentinelsOfTheOtherTypes(t *testing.T) {
	for sentinel := range sentinels {
		assert.Equal(t, sentinel == moment.ErrInvalidArgument, errors.Is(&moment.ArgumentError{}, sentinel))
		assert.Equal(t, sentinel == moment.ErrOutcomeUnknown, errors.Is(&moment.ConnectionError{OutcomeUnknown: true}, sentinel))
		assert.NotErrorIs(t, &moment.ConnectionError{}, sentinel)
	}
	assert.ErrorIs(t, fmt.Errorf("raising bills: %w", &moment.Error{OutcomeUnknown: true}), moment.ErrOutcomeUnknown)
}

func TestErrorHoldsTheProblemDetails(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(422, `{
	  "type": "https://api.momentco.io/docs/errors#unprocessable-content",
	  "title": "Unprocessable Content",
	  "status": 499,
	  "detail": "The currency differs from the bill's.",
	  "instance": "/billing/bills/bill_1",
	  "errors": [{"field": "currency"}],
	  "retryable": false
	}`, "Content-Type: application/problem+json", "X-Request-Id: req_1", "Request-Id: req_2", "Idempotent-Replayed: true", "Retry-After: 7"))
	var resp moment.Response
	err := calls["POST"](t.Context(), clientOf(t, s), moment.WithIdempotencyKey("key-1"), moment.WithResponse(&resp))
	var failure *moment.Error
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, &moment.Error{
		Status:   422, // the HTTP status, not the body's
		Type:     "https://api.momentco.io/docs/errors#unprocessable-content",
		Title:    "Unprocessable Content",
		Detail:   "The currency differs from the bill's.",
		Instance: "/billing/bills/bill_1",
		Extensions: map[string]json.RawMessage{
			"errors":    json.RawMessage(`[{"field": "currency"}]`),
			"retryable": json.RawMessage(`false`),
		},
		Op:             "create bill",
		RequestID:      "req_1",
		IdempotencyKey: "key-1",
		Replayed:       true,
		Attempts:       1,
		FromService:    true,
		RetryAfter:     7 * time.Second,
	}, failure)
	assert.EqualError(t, err, "moment: create bill: 422 Unprocessable Content: The currency differs from the bill's. (request id req_1, replayed, retry after 7s)")

	assert.Equal(t, 422, resp.StatusCode)
	assert.Contains(t, string(resp.Body), `"retryable": false`)
	assert.Equal(t, "7", resp.Header.Get("Retry-After"))
	assert.Equal(t, "req_1", resp.RequestID)
	assert.Equal(t, "key-1", resp.IdempotencyKey)
	assert.True(t, resp.Replayed)
	assert.Equal(t, 1, resp.Attempts)
}

func TestEveryBodyMakesAGoodError(t *testing.T) {
	for _, row := range []struct{ why, body, says string }{
		{"nothing", "", "404 Not Found"},
		{"HTML", "<html>\n<h1>Not Found</h1>", "404 Not Found"},
		{"truncated JSON", `{"title":"No`, "404 Not Found"},
		{"not an object", `["title"]`, "404 Not Found"},
		{"null", `null`, "404 Not Found"},
		{"a member of the wrong type is ignored", `{"title":404,"detail":"No such bill.","type":[],"instance":null,"status":"x"}`, "404 Not Found: No such bill"},
		{"a title without a type", `{"title":"No such bill"}`, "404 No such bill"},
		{"another form of error", `{"error":{"message":"no"}}`, "404 Not Found"},
		{"names of members are case-sensitive", `{"Title":"x","DETAIL":"y"}`, "404 Not Found"},
		{"line breaks", `{"title":"a\nb\tc\u0000d","detail":"\u001b[31mred\r\n"}`, `404 a\nb\tc\x00d: \x1b[31mred\r\n`},
		{"a character that reverses the reading direction", `{"title":"a\u202eb"}`, `404 a\u202eb`},
		{"a line separator of Unicode", `{"title":"a\u2028b\u0085c"}`, `404 a\u2028b\u0085c`},
		{"a half of a surrogate pair", `{"title":"a\ud800b"}`, `404 a\ufffdb`},
		{"other alphabets are text", `{"title":"Nicht gefunden: Übertrag, 汉字"}`, `404 Nicht gefunden: Übertrag, 汉字`},
		{"long", `{"title":"T","detail":"` + strings.Repeat("x", 1000) + `"}`, `404 T: ` + strings.Repeat("x", 297) + "…"},
		{"truncated between characters", `{"title":"` + strings.Repeat("é", 200) + `"}`, `404 ` + strings.Repeat("é", 150) + "…"},
	} {
		s := testkit.Serve(t, testkit.Respond(404, row.body))
		err := calls["GET"](t.Context(), clientOf(t, s))
		var failure *moment.Error
		require.ErrorAs(t, err, &failure, row.why)
		assert.Equal(t, 404, failure.Status)
		assert.EqualError(t, err, "moment: get bill: "+row.says+notFromService, row.why)
		assert.Equal(t, "about:blank", failure.Type, row.why)
		assert.NotContains(t, failure.Extensions, "status", row.why)
	}
}

func TestOnlyTrueMeansReplayed(t *testing.T) {
	for _, value := range []string{"false", "TRUE", "1", ""} {
		s := testkit.Serve(t, testkit.Problem(503, "Idempotent-Replayed: "+value))
		var resp moment.Response
		require.Error(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithResponse(&resp)))
		assert.False(t, resp.Replayed)
		assert.Equal(t, 4, resp.Attempts, "a response that is not replayed is retried")
	}
}

func TestErrorTextIsOneLine(t *testing.T) {
	for _, err := range []error{
		&moment.Error{Op: "get bill", Status: 404, RequestID: "a\nb"},
		&moment.ConnectionError{Op: "get bill", Err: errors.New("a\nb"), RequestID: "a\nb"},
		&moment.ArgumentError{Op: "get bill", Param: "bill", Reason: "a\nb"},
	} {
		assert.NotContains(t, err.Error(), "\n")
		assert.Contains(t, err.Error(), `a\nb`)
	}
}

func TestErrorOfAStatusWithoutAName(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(599, ""))
	err := calls["PATCH"](t.Context(), clientOf(t, s))
	assert.EqualError(t, err, "moment: update bill: 599"+notFromService+"; the outcome is unknown")
}

func TestRequestID(t *testing.T) {
	for _, row := range []struct {
		why     string
		headers []string
		want    string
	}{
		{"none", nil, ""},
		{"the first choice", []string{"X-Request-Id: a", "Request-Id: b"}, "a"},
		{"the second", []string{"Request-Id: b"}, "b"},
	} {
		s := testkit.Serve(t, testkit.Problem(404, row.headers...))
		err := calls["GET"](t.Context(), clientOf(t, s))
		var failure *moment.Error
		require.ErrorAs(t, err, &failure, row.why)
		assert.Equal(t, row.want, failure.RequestID, row.why)
		assert.Equal(t, row.want != "", strings.HasSuffix(err.Error(), "(request id "+row.want+")"), row.why)
	}
}

func TestConnectionErrorHoldsStatusAndRequestID(t *testing.T) {
	s := testkit.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		testkit.Truncated(w, r)
	})
	var resp moment.Response
	err := calls["PATCH"](t.Context(), clientOf(t, s), moment.WithResponse(&resp))
	var connection *moment.ConnectionError
	require.ErrorAs(t, err, &connection)
	require.ErrorIs(t, connection.Err, io.ErrUnexpectedEOF)
	connection.Err = nil
	assert.Equal(t, &moment.ConnectionError{Op: "update bill", Attempts: 1, Status: 200, RequestID: "req_1", OutcomeUnknown: true}, connection)
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, "req_1", resp.RequestID)
	assert.Equal(t, testkit.BillJSON[:len(testkit.BillJSON)/2], string(resp.Body), "only if there was a response")

	assert.EqualError(t, &moment.ConnectionError{Op: "get bill"}, "moment: get bill: no usable response")
}

func TestConnectionErrorOfACreateHoldsItsKey(t *testing.T) {
	s := testkit.Serve(t, testkit.HangUp)
	err := calls["POST"](t.Context(), clientOf(t, s), moment.WithIdempotencyKey("key-1"))
	var connection *moment.ConnectionError
	require.ErrorAs(t, err, &connection)
	assert.Equal(t, "key-1", connection.IdempotencyKey)
	assert.EqualError(t, err, "moment: create bill: no response: EOF (4 attempts); the outcome is unknown")
}

func TestErrorsHoldNoURL(t *testing.T) {
	c := newClient(t, moment.WithBaseURL("https://127.0.0.1:1"+testkit.BasePath), moment.WithMaxRetries(0))
	_, err := c.Customers.Get(t.Context(), "john-doe-8001015009087", moment.WithQuery(struct {
		Token string `url:"token"`
	}{"hush"}))
	require.Error(t, err)
	for _, private := range []string{"john-doe", "hush", testkit.BasePath, "https"} {
		assert.NotContains(t, err.Error(), private)
	}
}

func TestContextErrorsStayVisible(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the caller hung up")
	s := testkit.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(cause)
		<-r.Context().Done()
	})
	err := calls["POST"](ctx, clientOf(t, s))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, cause)
	assert.EqualError(t, err, "moment: create bill: context canceled: the caller hung up; the outcome is unknown")
	assert.Equal(t, 1, attemptsOf(t, err))
}

// An error response with any body becomes an *Error with its status and one printable line.
func FuzzProblemDetails(f *testing.F) {
	for _, body := range []string{
		"", testkit.ProblemJSON, "<html>", "null", "[]", `{"title":1}`, `{"title":"a\nb","detail":"\u2028"}`, `{"type":"` + testkit.SecretKey + `"}`,
		`{"a":["sk\u005ftest_YOUR_SECRET_KEY"],"sk\u005ftest_YOUR_SECRET_KEY":1}`, `{"detail":"\ud800","status":"x","a":{"b":[1e999]}}`, `{"title":"` + strings.Repeat("é", 300) + `"}`, "{\"title\":\"\xff\"}",
	} {
		f.Add(body, 404)
	}
	f.Add("", 99)
	f.Fuzz(func(t *testing.T, body string, status int) {
		if status < 300 || status > 999 {
			status = 404
		}
		c := clientThrough(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}, nil
		}, moment.WithMaxRetries(0))
		err := calls["GET"](t.Context(), c)
		var failure *moment.Error
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, status, failure.Status)
		assert.NotEmpty(t, failure.Type)
		assert.NotContains(t, everyText(t, failure), testkit.SecretKey)
		isOneLine(t, err)
	})
}

func TestErrorOfAWebPageHasTheStatus(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "Content-Type: text/html"))
	err := calls["PATCH"](t.Context(), clientOf(t, s))
	var failure *moment.Error
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, 502, failure.Status)
	assert.EqualError(t, err, "moment: update bill: 502 Bad Gateway"+notFromService+"; the outcome is unknown")
	assert.NotContains(t, err.Error(), "invalid character")

	s = testkit.Serve(t, testkit.Respond(200, "<html>Please log in</html>", "Content-Type: text/html"))
	err = calls["GET"](t.Context(), clientOf(t, s))
	assert.EqualError(t, err, `moment: get bill: 200 OK: the response body is not JSON (Content-Type "text/html") (4 attempts)`)
}

func TestErrorTextIsShort(t *testing.T) {
	long := strings.Repeat("John Doe ", 1000)
	for _, body := range []string{long, `{"message":"` + long + `"}`, `{"title":"` + long + `","detail":"` + long + `"}`} {
		s := testkit.Serve(t, testkit.Respond(400, body))
		err := calls["POST"](t.Context(), clientOf(t, s))
		require.ErrorIs(t, err, moment.ErrBadRequest)
		assert.Less(t, len(err.Error()), 450)
		assert.NotContains(t, err.Error(), "\n")
	}
}

// A method must not return a concrete error type, because a nil pointer in an error is not nil.
func TestMethodsReturnTheErrorInterface(t *testing.T) {
	errorType := reflect.TypeFor[error]()
	c := newClient(t)
	for _, v := range []any{c, c.Customers, c.Accounts, c.Bills, newVerifier(t), moment.NewMemoryDeduplicator(time.Hour)} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			for j := range m.Type.NumOut() {
				if out := m.Type.Out(j); out.Implements(errorType) {
					assert.Equal(t, errorType, out, "%s.%s", typ, m.Name)
				}
			}
		}
	}
	require.NotEmpty(t, reflect.TypeOf(c.Bills).NumMethod())
	s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON))
	_, err := clientOf(t, s).Bills.Get(t.Context(), "UBR1234567890")
	assert.True(t, err == nil) //nolint:testifylint // NoError would accept a typed nil
	err = clientOf(t, s).Do(t.Context(), "GET", "/", nil, nil)
	assert.True(t, err == nil) //nolint:testifylint // as above
}

// Errors in logs and as JSON contain no personal data, but all other details.
func TestErrorsInLogsAndJSON(t *testing.T) {
	service := &moment.Error{
		Op: "create bill", Status: 409, Title: "Jane Roe", Detail: "Jane Roe", RequestID: "req_1", IdempotencyKey: "key-1",
		Attempts: 2, FromService: true, OutcomeUnknown: true,
	}
	lost := &moment.ConnectionError{Op: "get bill", Err: errors.New("reset\tby peer"), Attempts: 1}
	for _, row := range []struct {
		err       error
		log, json string
	}{
		{
			service, "e.op=\"create bill\" e.status=409 e.request_id=req_1 e.idempotency_key=key-1 e.attempts=2 e.outcome_unknown=true e.from_service=true",
			`"RequestID":"req_1"`,
		},
		{lost, `e.op="get bill" e.attempts=1 e.outcome_unknown=false e.reason="reset\\tby peer"`, `"Err":"reset\\tby peer"`},
		{&moment.ConnectionError{Op: "get bill", Status: 200}, `e.op="get bill" e.status=200 e.attempts=0 e.outcome_unknown=false e.reason="no usable response"`, `"Err":"no usable response"`},
		{&moment.ArgumentError{Op: "get bill", Param: "bill", Reason: "is empty"}, `e.op="get bill" e.param=bill e.reason="is empty"`, `"Reason":"is empty"`},
	} {
		var out strings.Builder
		infos(&out).Info("failed", "e", row.err)
		assert.Equal(t, "level=INFO msg=failed "+row.log+"\n", out.String())
		assert.NotContains(t, out.String(), "Jane")
		assert.Contains(t, encoded(t, row.err), row.json)
		assert.Contains(t, encoded(t, row.err), `"Op":`)
	}
}

// A RoundTripper that wraps an http.Client returns its errors, whose URLs contain identifiers.
func TestErrorsHoldNoURLOfAnHTTPClient(t *testing.T) {
	c := clientThrough(t, func(r *http.Request) (*http.Response, error) {
		inner := &url.Error{Op: "Get", URL: r.URL.String(), Err: context.DeadlineExceeded}
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: fmt.Errorf("retried: %w", inner)}
	}, moment.WithMaxRetries(0))
	err := calls["GET"](t.Context(), c)
	assert.EqualError(t, err, "moment: get bill: no response: retried: context deadline exceeded")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var client *url.Error
	assert.NotErrorAs(t, err, &client)
	var lost *moment.ConnectionError
	require.ErrorAs(t, err, &lost)
	assert.NotContains(t, fmt.Sprintf("%+v %v", lost.LogValue(), encoded(t, lost)), "UBR1234567890")
}
