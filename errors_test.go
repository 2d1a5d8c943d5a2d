package moment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

var sentinels = map[error]string{
	moment.ErrBadRequest: "400", moment.ErrUnauthorized: "401", moment.ErrRequestFailed: "402", moment.ErrForbidden: "403",
	moment.ErrNotFound: "404", moment.ErrConflict: "409", moment.ErrUnprocessable: "422", moment.ErrRateLimited: "429",
	moment.ErrServer:          "500 501 502 503 504 505 599",
	moment.ErrInvalidArgument: "", moment.ErrOutcomeUnknown: "",
}

// notFromService ends the text of an error response that is not the service's own.
const notFromService = "; not the service's own response (a gateway or a mock?)"

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
	var answered *moment.Error
	require.ErrorAs(t, err, &answered)
	assert.Equal(t, &moment.Error{
		Status:   422, // the HTTP status, whatever the body says
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
	}, answered)
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
		{"cut JSON", `{"title":"No`, "404 Not Found"},
		{"not an object", `["title"]`, "404 Not Found"},
		{"null", `null`, "404 Not Found"},
		{"a member of the wrong type is ignored", `{"title":404,"detail":"No such bill.","type":[],"instance":null,"status":"x"}`, "404 Not Found: No such bill"},
		{"a title of its own", `{"title":"No such bill"}`, "404 No such bill"},
		{"another shape of error", `{"error":{"message":"no"}}`, "404 Not Found"},
		{"members are told apart by case", `{"Title":"x","DETAIL":"y"}`, "404 Not Found"},
		{"line breaks", `{"title":"a\nb\tc\u0000d","detail":"\u001b[31mred\r\n"}`, `404 a\nb\tc\x00d: \x1b[31mred\r\n`},
		{"what turns the reading direction", `{"title":"a\u202eb"}`, `404 a\u202eb`},
		{"what ends a line elsewhere", `{"title":"a\u2028b\u0085c"}`, `404 a\u2028b\u0085c`},
		{"a half of a surrogate pair", `{"title":"a\ud800b"}`, `404 a\ufffdb`},
		{"other alphabets are text", `{"title":"Nicht gefunden: Übertrag, 汉字"}`, `404 Nicht gefunden: Übertrag, 汉字`},
		{"long", `{"title":"T","detail":"` + strings.Repeat("x", 1000) + `"}`, `404 T: ` + strings.Repeat("x", 297) + "…"},
		{"cut between characters", `{"title":"` + strings.Repeat("é", 200) + `"}`, `404 ` + strings.Repeat("é", 150) + "…"},
	} {
		s := testkit.Serve(t, testkit.Respond(404, row.body))
		err := calls["GET"](t.Context(), clientOf(t, s))
		var answered *moment.Error
		require.ErrorAs(t, err, &answered, row.why)
		assert.Equal(t, 404, answered.Status)
		assert.EqualError(t, err, "moment: get bill: "+row.says+notFromService, row.why)
		assert.Equal(t, "about:blank", answered.Type, row.why)
		assert.NotContains(t, answered.Extensions, "status", row.why)
	}
}

func TestOnlyTrueMeansReplayed(t *testing.T) {
	for _, value := range []string{"false", "TRUE", "1", ""} {
		s := testkit.Serve(t, testkit.Problem(503, "Idempotent-Replayed: "+value))
		var resp moment.Response
		require.Error(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithResponse(&resp)))
		assert.False(t, resp.Replayed)
		assert.Equal(t, 4, resp.Attempts, "what is not replayed is retried")
	}
}

// A key that is cut, by whoever quotes an answer, is still a key.
func TestABeginningOfTheKeyIsCutOutToo(t *testing.T) {
	key := "sk_test_" + strings.Repeat("SECRET_KEY", 30)
	for _, row := range []struct{ why, text, want string }{
		{"whole", key, "[secret key]"},
		{"cut", key[:50] + "…", "[secret key]…"},
		{"twice", key + " " + key[:20] + " " + key, "[secret key] [secret key] [secret key]"},
		{"run together", key[:20] + key, "[secret key][secret key]"},
		{"escaped behind its beginning", key[:30] + `\u` + fmt.Sprintf("%04x", key[30]) + key[31:] + `\n`, `[secret key]\n`},
		{"another key", "sk_test_OTHER", "sk_test_OTHER"},
		{"hardly anything", key[:11], key[:11]},
	} {
		s := testkit.Serve(t, testkit.Respond(401, `{"title":"`+row.text+`"}`))
		c, err := moment.NewClient(key, moment.WithBaseURL(s.URL))
		require.NoError(t, err)
		_, err = c.Bills.Get(t.Context(), "UBR1")
		assert.NotContains(t, err.Error(), key[:12], row.why)
		if len(row.want) < 300 {
			assert.EqualError(t, err, "moment: get bill: 401 "+row.want+notFromService, row.why)
		}
	}
}

// A slash is the one other character of a key that JSON may escape.
func TestAKeyWithSlashesIsCutOut(t *testing.T) {
	const key = "sk_test_AB/CD/EF"
	s := testkit.Serve(t, testkit.Respond(401, `{"title":"`+key+`","key":"`+strings.ReplaceAll(key, "/", `\/`)+`"}`))
	c, err := moment.NewClient(key, moment.WithBaseURL(s.URL))
	require.NoError(t, err)
	var answered *moment.Error
	_, err = c.Bills.Get(t.Context(), "UBR1")
	require.ErrorAs(t, err, &answered)
	assert.Equal(t, "[secret key]", answered.Title)
	assert.Equal(t, map[string]json.RawMessage{"key": json.RawMessage(`"[secret key]"`)}, answered.Extensions)
}

// Where a beginning of the key runs into the whole, the whole is found first.
func TestAKeyRightBehindABeginningOfItIsCutOut(t *testing.T) {
	const key = "sk_test_ABCDsXYZ0123456789"
	s := testkit.Serve(t, testkit.Respond(401, `{"title":"`+key[:12]+key+`"}`))
	c, err := moment.NewClient(key, moment.WithBaseURL(s.URL))
	require.NoError(t, err)
	_, err = c.Bills.Get(t.Context(), "UBR1")
	assert.EqualError(t, err, "moment: get bill: 401 [secret key][secret key]"+notFromService)
}

// The errors that callers look for stay visible even if the text beside them has to be redacted.
func TestRedactedErrorsCanStillBeAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		c := clientThrough(t, func(*http.Request) (*http.Response, error) {
			return testkit.Response(testkit.Respond(200, "", "Content-Type: text/"+testkit.SecretKey))
		}, moment.WithBackoff(24*time.Hour, 24*time.Hour))
		err := calls["GET"](ctx, c)
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorContains(t, err, `(Content-Type "text/[secret key]")`)
		var connection *moment.ConnectionError
		require.ErrorAs(t, err, &connection)
		testkit.AssertNoSecret(t, fmt.Sprintf("%+v %#v %v", connection, connection.Err, errors.Unwrap(connection.Err)))
	})
}

func TestErrorsAreOnOneLineWhateverIsInThem(t *testing.T) {
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
		var answered *moment.Error
		require.ErrorAs(t, err, &answered, row.why)
		assert.Equal(t, row.want, answered.RequestID, row.why)
		assert.Equal(t, row.want != "", strings.HasSuffix(err.Error(), "(request id "+row.want+")"), row.why)
	}
}

func TestConnectionErrorSaysWhatItKnows(t *testing.T) {
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
	assert.Equal(t, testkit.BillJSON[:len(testkit.BillJSON)/2], string(resp.Body), "as far as there was one")

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

// The service, or what stands in front of it, may repeat the key in its answer: nothing of it may
// get into an error.
func TestKeyIsCutOutOfWhatTheServiceSays(t *testing.T) {
	escaped := strings.ReplaceAll(testkit.SecretKey, "_", `\u005f`)
	for _, row := range []struct {
		why   string
		reply testkit.Reply
	}{
		{"in every member", testkit.Respond(401, `{"type":"`+testkit.SecretKey+`","title":"Bad key `+testkit.SecretKey+`","detail":"`+testkit.SecretKey+testkit.SecretKey+`","instance":"/`+testkit.SecretKey+`","ext":{"`+testkit.SecretKey+`":"Bearer `+testkit.SecretKey+`"},"`+testkit.SecretKey+`":1}`)},
		{"escaped", testkit.Respond(401, `{"type":"`+escaped+`","title":"`+escaped+`","detail":"`+escaped+`","instance":"`+escaped+`",
			"`+escaped+`":[{"`+escaped+`":["x\n`+escaped+`",1.00000000000000000001]}],"other":"a\\b","`+testkit.SecretKey+escaped+`":null}`)},
		{"in the request id", testkit.Respond(401, "", "X-Request-Id: "+testkit.SecretKey)},
		{"in the content type of something else", testkit.Respond(200, "", "Content-Type: text/"+testkit.SecretKey)},
		{"in a date, where it is cut", testkit.Respond(200, `{"id":"bill_1","due_date":"not a date but `+testkit.SecretKey+`"}`)},
		{"in an answer that is not HTTP", testkit.RespondRaw("echo: Bearer " + testkit.SecretKey + "\r\n\r\n")},
		{"in a header that is none", testkit.RespondRaw("HTTP/1.1 200 OK\r\n" + testkit.SecretKey + "\r\n\r\n")},
	} {
		s := testkit.Serve(t, row.reply)
		err := calls["GET"](t.Context(), clientOf(t, s))
		require.Error(t, err, row.why)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			testkit.AssertNoSecret(t, fmt.Sprintf(verb, err))
		}
		var answered *moment.Error
		var connection *moment.ConnectionError
		if errors.As(err, &answered) {
			testkit.AssertNoSecret(t, everyText(t, answered))
		} else if errors.As(err, &connection) {
			testkit.AssertNoSecret(t, fmt.Sprintf("%+v %#v", *connection, connection.Err))
		}
	}
}

// everyText is what a program can get to see of an error, extensions decoded.
func everyText(t *testing.T, e *moment.Error) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%+v %#v %s", e, *e, e.Extensions)
	for _, raw := range e.Extensions {
		var decoded any
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&decoded))
		fmt.Fprintf(&text, " %q", decoded)
	}
	return text.String()
}

func TestExtensionsKeepTheirForm(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(422, `{"a":{"z": 1.50, "b": "\u00fc\n", "c":[1e400]}, "key":"sk\u005ftest_YOUR_SECRET_KEY 1.50",
		"other":"\\u0073k_test_YOUR_SECRET_KEY"}`))
	var answered *moment.Error
	require.ErrorAs(t, calls["GET"](t.Context(), clientOf(t, s)), &answered)
	assert.Equal(t, map[string]json.RawMessage{
		"a":     json.RawMessage(`{"z": 1.50, "b": "\u00fc\n", "c":[1e400]}`),
		"key":   json.RawMessage(`"[secret key] 1.50"`),
		"other": json.RawMessage(`"\\u0073k_test_YOUR_SECRET_KEY"`), // a backslash, and then u0073
	}, answered.Extensions)
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

// FuzzProblemDetails: whatever the body of an error is, the error is an *Error of that status with
// one printable line.
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
		var answered *moment.Error
		require.ErrorAs(t, err, &answered)
		assert.Equal(t, status, answered.Status)
		assert.NotEmpty(t, answered.Type)
		assert.NotContains(t, everyText(t, answered), testkit.SecretKey)
		isOneLine(t, err)
	})
}

// isOneLine looks whether the text of an error fits for a log: one line that can be printed, not
// too long, without the key.
func isOneLine(t *testing.T, err error) {
	t.Helper()
	line := err.Error()
	assert.NotContains(t, line, testkit.SecretKey[:len("sk_test_")+4], "nor a beginning of it that tells more")
	assert.Less(t, len(line), 400)
	assert.True(t, utf8.ValidString(line))
	for _, r := range line {
		assert.True(t, unicode.IsPrint(r), "%q", r)
	}
}
