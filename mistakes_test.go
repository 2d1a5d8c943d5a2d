package moment_test

// Mistakes that other SDKs were seen to make, each with a test of its name. Those about time are in
// waiting_test.go.

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// A 503 whose body parses as a well-formed error was taken for a definite answer.
func TestMistakeRetryDecidedAfterTheBodyWasParsed(t *testing.T) {
	unavailable := testkit.Respond(503, `{"type":"https://api.momentco.io/docs/errors#service-unavailable","title":"Service Unavailable",
		"status":503,"detail":"Try again in a moment.","instance":"/billing/bills"}`, "Content-Type: application/problem+json")
	s := testkit.Serve(t, unavailable, unavailable, testkit.Respond(201, testkit.BillJSON))
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s)))
	assert.Len(t, s.Received(), 3)
}

func TestMistakeLongRetryAfterObeyed(t *testing.T) {
	_, took, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(503, "Retry-After: 86400")}, get)
	require.ErrorIs(t, err, moment.ErrServer)
	assert.Zero(t, took)
}

func TestMistakePostRetriedWithoutItsKey(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(500), testkit.HangUp, testkit.Problem(503), testkit.Respond(201, testkit.BillJSON))
	var resp moment.Response
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithResponse(&resp)))
	require.GreaterOrEqual(t, len(s.Received()), 4)
	for _, r := range s.Received() {
		assert.Equal(t, []string{resp.IdempotencyKey}, r.Header["Idempotency-Key"], "made once, before the first attempt")
	}
}

func TestMistakeKeyOrOptionsLost(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(500), testkit.Respond(201, testkit.BillJSON))
	var resp moment.Response
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s),
		moment.WithHeader("X-Trace", "one"),
		moment.WithIdempotencyKey("key-of-the-caller"),
		moment.WithQuery(struct {
			Expand string `url:"expand"`
		}{"customer"}),
		moment.WithResponse(&resp),
	))
	require.Len(t, s.Received(), 2)
	for _, r := range s.Received() {
		assert.Equal(t, testkit.BasePath+"/billing/bills?expand=customer", r.URI)
		assert.Equal(t, "one", r.Header.Get("X-Trace"))
		assert.Equal(t, "key-of-the-caller", r.Header.Get("Idempotency-Key"))
	}
	assert.Equal(t, "key-of-the-caller", resp.IdempotencyKey)

	s = testkit.Serve(t, testkit.Respond(201, testkit.BillJSON))
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithHeader("X-Trace", "one")))
	assert.NotEmpty(t, s.Only(t).Header.Get("Idempotency-Key"), "options do not replace the key")
}

// POST + 302 became a GET and "succeeded", the key was sent to another host, and a 307 sent an
// empty body.
func TestMistakeRedirectsFollowed(t *testing.T) {
	elsewhere := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for method, call := range calls {
			s := testkit.Serve(t, testkit.Respond(status, "", "Location: "+elsewhere.URL+"/billing/bills"))
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }} // follows
			err := call(t.Context(), clientOf(t, s, moment.WithHTTPClient(client)))
			var answered *moment.Error
			require.ErrorAs(t, err, &answered, "%s %d", method, status)
			assert.Equal(t, status, answered.Status)
			s.Only(t)
		}
	}
	assert.Empty(t, elsewhere.Received())
}

func TestMistakeIdentifierReachesAnotherEndpoint(t *testing.T) {
	for _, row := range []struct{ id, uri string }{
		{"", ""},
		{".", ""},
		{"..", ""},
		{"a/b", "/billing/bills/a%2Fb"},
		{"../customers/x", "/billing/bills/..%2Fcustomers%2Fx"},
		{"%2e%2e", "/billing/bills/%252e%252e"},
		{"a?b=c", "/billing/bills/a%3Fb=c"},
		{"a#b", "/billing/bills/a%23b"},
		{"a b", "/billing/bills/a%20b"},
		{"a;b", "/billing/bills/a%3Bb"},
		{"a\r\nHost: b", "/billing/bills/a%0D%0AHost:%20b"},
		{"…", "/billing/bills/%E2%80%A6"},
		{"a\\b", "/billing/bills/a%5Cb"},
	} {
		s := testkit.Serve(t, testkit.Respond(200, strings.Replace(testkit.BillJSON, `"UBR1234567890"`, encoded(t, row.id), 1)))
		_, err := clientOf(t, s).Bills.Get(t.Context(), row.id)
		if row.uri == "" {
			var bad *moment.ArgumentError
			require.ErrorAs(t, err, &bad, row.id)
			assert.Equal(t, "bill", bad.Param)
			assert.Empty(t, s.Received())
			continue
		}
		require.NoError(t, err, row.id)
		assert.Equal(t, testkit.BasePath+row.uri, s.Only(t).URI, row.id)
	}
}

// A path of another endpoint answered with something else, and it decoded into a zero struct
// without an error.
func TestMistakeZeroStructWithoutAnError(t *testing.T) {
	for _, body := range []string{`{}`, `{"id":""}`, `{"id":"bill_"}`, `{"id":"bcus_H4jp6KnU5cPw263v1jyz4"}`, `{"id":"xbill_1"}`, `{"items":[]}`, `[]`, `null`, `"bill_1"`, `1`} {
		s := testkit.Serve(t, testkit.Respond(200, body))
		bill, err := clientOf(t, s).Bills.Get(t.Context(), "UBR1")
		assert.Nil(t, bill, body)
		var connection *moment.ConnectionError
		require.ErrorAs(t, err, &connection, body)
		assert.Equal(t, 200, connection.Status)
		assert.ErrorContains(t, err, "moment: get bill: 200 OK: unexpected response body: ")
		s.Only(t)
	}
	s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON), testkit.Respond(200, testkit.BillJSON), testkit.Respond(204, ""))
	c := clientOf(t, s, moment.WithMaxRetries(0))
	_, err := c.Customers.Get(t.Context(), "UCR1")
	require.ErrorContains(t, err, "id does not begin with bcus_")
	_, err = c.Accounts.Get(t.Context(), "UAR1")
	require.ErrorContains(t, err, "id does not begin with bacc_")
	_, err = c.Bills.Void(t.Context(), "UBR1")
	require.ErrorIs(t, err, moment.ErrOutcomeUnknown, "204 and no bill")
}

// endless is a body that never ends and counts what is read of it.
type endless struct {
	read   atomic.Int64
	closed atomic.Bool
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func (e *endless) Close() error { e.closed.Store(true); return nil }

func TestMistakeUnboundedBody(t *testing.T) {
	for _, row := range []struct {
		status int
		limit  int64
		length int64
		says   string
	}{
		{200, 256<<10 + 1<<10, -1, "the response is larger than 256 KiB"},
		{200, 0, 64 << 20, "the response is larger than 256 KiB"}, // said in advance: nothing is read
		{404, 128<<10 + 1<<10, -1, "404 Not Found"},
		{404, 128<<10 + 1<<10, 64 << 20, "404 Not Found"},
	} {
		body := &endless{}
		c := clientThrough(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: row.status, Body: body, ContentLength: row.length}, nil
		})
		err := calls["GET"](t.Context(), c)
		assert.ErrorContains(t, err, row.says)
		assert.LessOrEqual(t, body.read.Load(), row.limit)
		assert.True(t, body.closed.Load())
	}
}

func TestMistakeBodiesOfEarlierAttemptsNotClosed(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	s := &testkit.Service{}
	large := testkit.Respond(503, strings.Repeat("x", 100<<10)) // more than is kept of an error
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

func TestMistakeHalfABodyDecoded(t *testing.T) {
	// Half a body that is JSON by itself: only the length says that it was cut.
	s := testkit.Serve(t, testkit.TruncateAfter(testkit.BillJSON))
	bill, err := clientOf(t, s).Bills.Get(t.Context(), "UBR1")
	assert.Nil(t, bill)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.EqualError(t, err, "moment: get bill: 200 OK: truncated response: unexpected EOF (4 attempts)")
	assert.Len(t, s.Received(), 4)
}

// With the 2 idle connections per host that net/http keeps by default, a burst of 50 closes 48 when
// it ends.
func TestMistakeTwoIdleConnections(t *testing.T) {
	const burst, bursts = 50, 4
	arrived := make(chan struct{}, burst)
	release := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		testkit.Respond(200, testkit.BillJSON)(w, r)
	}))
	connections := testkit.CountConnections(server)
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, moment.WithBaseURL(server.URL+testkit.BasePath))
	for range bursts {
		var done sync.WaitGroup
		for range burst {
			done.Go(func() { assert.NoError(t, calls["GET"](t.Context(), c)) })
		}
		for range burst {
			<-arrived
		}
		for range burst {
			release <- struct{}{}
		}
		done.Wait()
	}
	// A few more than one per call at once: a connection is back in the pool a little after its
	// answer was read.
	assert.Less(t, connections.Opened.Load(), int32(2*burst), "%d calls at once, %d times", burst, bursts)
}

func TestMistakeCallersHTTPClientWrittenTo(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(302, "", "Location: /"), testkit.Respond(200, testkit.BillJSON))
	transport := &http.Transport{}
	client := http.Client{Transport: transport, Timeout: time.Minute}
	before := client
	c := clientOf(t, s, moment.WithHTTPClient(&client))
	require.Error(t, calls["GET"](t.Context(), c))
	assert.Equal(t, before, client)
	assert.Nil(t, client.CheckRedirect)
	assert.Zero(t, transport.MaxIdleConnsPerHost)

	client.Transport = testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("changed later") })
	assert.NoError(t, calls["GET"](t.Context(), c), "it was copied: a later change has no effect")
	assert.Zero(t, http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost, "nor is the default written to")
}

func TestMistakeStatusLostInHTML(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "Content-Type: text/html"))
	err := calls["PATCH"](t.Context(), clientOf(t, s))
	var answered *moment.Error
	require.ErrorAs(t, err, &answered)
	assert.Equal(t, 502, answered.Status)
	assert.EqualError(t, err, "moment: update bill: 502 Bad Gateway"+notFromService+"; the outcome is unknown")
	assert.NotContains(t, err.Error(), "invalid character")

	s = testkit.Serve(t, testkit.Respond(200, "<html>Please log in</html>", "Content-Type: text/html"))
	err = calls["GET"](t.Context(), clientOf(t, s))
	assert.EqualError(t, err, `moment: get bill: 200 OK: the response body is not JSON (Content-Type "text/html") (4 attempts)`)
}

func TestMistakeFormattingPrintsTheKey(t *testing.T) {
	c := newClient(t)
	type merchant struct {
		client  *moment.Client
		byValue moment.Client
		bills   moment.BillsService
		Public  moment.Client
	}
	values := []any{
		c, *c, c.Customers, *c.Customers, c.Accounts, *c.Accounts, c.Bills, *c.Bills,
		merchant{c, *c, *c.Bills, *c},
		&merchant{c, *c, *c.Bills, *c},
		[]any{c},
		map[string]any{"c": *c},
	}
	for _, value := range values {
		testkit.AssertNoSecret(t, testkit.EveryFormat(t, value))
	}
	another, err := moment.NewClient(testkit.SecretKey+"_2", moment.WithBaseURL("https://example.com"))
	require.NoError(t, err)
	var failed testkit.FailedTest
	assert.Equal(&failed, merchant{client: c}, merchant{client: another}, "dumps the differences, following pointers")
	require.Contains(t, failed.Text, "moment.Client")
	testkit.AssertNoSecret(t, failed.Text)

	assert.Equal(t, "moment.Client(test mode, https://api.momentpay.net)", fmt.Sprint(c))
	assert.Equal(t, "moment.Client(test mode, https://api.momentpay.net)", fmt.Sprintf("%+v", *c.Bills))
	assert.Equal(t, "moment.Client", fmt.Sprint(moment.Client{}))
}

func TestLogValue(t *testing.T) {
	c := newClient(t)
	for _, value := range []slog.LogValuer{c, *c, c.Customers, *c.Accounts, c.Bills} {
		assert.Equal(t, "moment.Client(test mode, https://api.momentpay.net)", value.LogValue().String())
	}
}

// The key is also in the buffers of the connections that a client holds. Nothing that goes by
// reflection may get there.
func TestNothingButAFunctionHoldsTheCore(t *testing.T) {
	c := newClient(t)
	for _, value := range []any{*c, *c.Customers, *c.Accounts, *c.Bills, *newVerifier(t)} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(value)) {
			kind := field.Type.Kind()
			service := kind == reflect.Pointer && strings.HasSuffix(field.Type.Elem().Name(), "Service")
			assert.True(t, kind == reflect.Func || service || field.Anonymous, "%T.%s", value, field.Name)
		}
	}
}

func TestMistakeErrorPrintsTheWholeBody(t *testing.T) {
	long := strings.Repeat("John Doe ", 1000)
	for _, body := range []string{long, `{"message":"` + long + `"}`, `{"title":"` + long + `","detail":"` + long + `"}`} {
		s := testkit.Serve(t, testkit.Respond(400, body))
		err := calls["POST"](t.Context(), clientOf(t, s))
		require.ErrorIs(t, err, moment.ErrBadRequest)
		assert.Less(t, len(err.Error()), 450)
		assert.NotContains(t, err.Error(), "\n")
	}
}

// A method whose result is a concrete error type never returns nil as an error.
func TestMistakeConcreteErrorTypes(t *testing.T) {
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
	assert.True(t, err == nil) //nolint:testifylint // NoError would look through a typed nil
	err = clientOf(t, s).Do(t.Context(), "GET", "/", nil, nil)
	assert.True(t, err == nil) //nolint:testifylint // as above
}
