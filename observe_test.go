package moment_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// observed records the calls and results that an observer receives.
type observed struct {
	calls   []moment.Call
	results []moment.CallResult
}

type observedKey struct{}

func (o *observed) observe(ctx context.Context, c moment.Call) (context.Context, func(moment.CallResult)) {
	o.calls = append(o.calls, c)
	return context.WithValue(ctx, observedKey{}, c.Operation), func(r moment.CallResult) { o.results = append(o.results, r) }
}

func TestObserver(t *testing.T) {
	get := moment.Call{Operation: "get bill", Method: "GET", Route: "/billing/bills/{bill}", Mode: moment.ModeTest}
	create := moment.Call{Operation: "create bill", Method: "POST", Route: "/billing/bills", Mode: moment.ModeTest}
	update := moment.Call{Operation: "update bill", Method: "PATCH", Route: "/billing/bills/{bill}", Mode: moment.ModeTest}
	for _, row := range []struct {
		why    string
		method string
		call   moment.Call
		script []testkit.Reply
		opts   []moment.ClientOption
		want   moment.CallResult
	}{
		{"a success", "GET", get, []testkit.Reply{testkit.Respond(200, testkit.BillJSON)}, nil, moment.CallResult{Attempts: 1, Status: 200}},
		{"a replayed success", "POST", create, []testkit.Reply{testkit.Gateway(502), testkit.Respond(201, testkit.BillJSON, testkit.Replayed)}, nil, moment.CallResult{Attempts: 2, Status: 201, Replayed: true}},
		{"the service's own rejection", "GET", get, []testkit.Reply{testkit.Problem(404)}, nil, moment.CallResult{Attempts: 1, Status: 404, FromService: true, ErrorType: "404"}},
		{"a gateway's", "POST", create, []testkit.Reply{testkit.Gateway(403)}, nil, moment.CallResult{Attempts: 1, Status: 403, OutcomeUnknown: true, ErrorType: "403"}},
		{"retries without success", "POST", create, []testkit.Reply{testkit.Problem(503)}, nil, moment.CallResult{Attempts: 4, Status: 503, FromService: true, OutcomeUnknown: true, ErrorType: "503"}},
		{"an empty budget", "GET", get, []testkit.Reply{testkit.Gateway(500)}, []moment.ClientOption{moment.WithRetryBudget(1)}, moment.CallResult{Attempts: 2, Status: 500, RetryBudgetEmpty: true, ErrorType: "500"}},
		{"no response", "PATCH", update, []testkit.Reply{testkit.HangUp}, nil, moment.CallResult{Attempts: 1, OutcomeUnknown: true, ErrorType: "no_response"}},
		{"a truncated response", "PATCH", update, []testkit.Reply{testkit.Truncated}, nil, moment.CallResult{Attempts: 1, Status: 200, OutcomeUnknown: true, ErrorType: "response_truncated"}},
		{"HTML", "PATCH", update, []testkit.Reply{testkit.Gateway(200)}, nil, moment.CallResult{Attempts: 1, Status: 200, OutcomeUnknown: true, ErrorType: "response_not_json"}},
		{"another object", "PATCH", update, []testkit.Reply{testkit.Respond(200, testkit.CustomerJSON)}, nil, moment.CallResult{Attempts: 1, Status: 200, OutcomeUnknown: true, ErrorType: "unexpected_response_body"}},
		{"too large", "GET", get, []testkit.Reply{testkit.Respond(200, "\""+string(bytes.Repeat([]byte("x"), 300<<10))+"\"")}, nil, moment.CallResult{Attempts: 1, Status: 200, ErrorType: "response_too_large"}},
	} {
		t.Run(row.why, func(t *testing.T) {
			s := testkit.Serve(t, row.script...)
			var o observed
			var resp moment.Response
			_ = calls[row.method](t.Context(), clientOf(t, s, append(row.opts, moment.WithObserver(o.observe))...), moment.WithResponse(&resp))
			require.Equal(t, []moment.Call{row.call}, o.calls)
			require.Len(t, o.results, 1)
			got := o.results[0]
			assert.Positive(t, got.Duration)
			got.Duration, got.Waited = 0, 0
			assert.Equal(t, row.want, got)
		})
	}
}

func TestObserverOfFailuresWithoutAServer(t *testing.T) {
	for why, row := range map[string]struct {
		err  error
		want string
	}{
		"connection refused": {nil, "never_sent"},
		"context ended":      {context.Canceled, "context_done"},
	} {
		var o observed
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if row.err != nil {
			cancel()
		}
		_, err := newClient(t, moment.WithBaseURL("http://127.0.0.1:1/v1"), moment.WithMaxRetries(0), moment.WithObserver(o.observe)).Bills.Get(ctx, "UBR1")
		require.Error(t, err, why)
		require.Len(t, o.results, 1, why)
		assert.Equal(t, row.want, o.results[0].ErrorType, why)
	}
}

// The call uses the context that the observer returns; a call with wrong arguments is not observed;
// Ensure makes several calls.
func TestObserverContext(t *testing.T) {
	var o observed
	var operations []any
	script := []testkit.Reply{testkit.Problem(409), testkit.Respond(200, testkit.BillJSON)}
	client := clientThrough(t, func(r *http.Request) (*http.Response, error) {
		operations = append(operations, r.Context().Value(observedKey{}))
		return testkit.Response(script[len(operations)-1])
	}, moment.WithObserver(o.observe))
	_, err := client.Bills.Get(t.Context(), "")
	require.ErrorIs(t, err, moment.ErrInvalidArgument)
	assert.Empty(t, o.calls)
	_, err = client.Bills.Ensure(t.Context(), ensureBill)
	require.NoError(t, err)
	assert.Equal(t, []any{"create bill", "get bill"}, operations)
	assert.Equal(t, []moment.Call{
		{Operation: "ensure bill", Mode: moment.ModeTest},
		{Operation: "create bill", Method: "POST", Route: "/billing/bills", Within: "ensure bill", Mode: moment.ModeTest},
		{Operation: "get bill", Method: "GET", Route: "/billing/bills/{bill}", Within: "ensure bill", Mode: moment.ModeTest},
	}, o.calls)
	require.ErrorIs(t, func() error { _, err := moment.NewClient(testkit.SecretKey, moment.WithObserver(nil)); return err }(), moment.ErrInvalidArgument)
}

// Identifiers that a caller of Do passes in a path are not in the route.
func TestObserverOfDo(t *testing.T) {
	var o observed
	client := clientOf(t, testkit.Serve(t, testkit.Respond(200, "{}")), moment.WithObserver(o.observe))
	require.NoError(t, client.Do(t.Context(), "GET", "/billing/refunds/UCR-jane-roe", nil, nil))
	assert.Equal(t, []moment.Call{{Operation: "GET /billing/refunds/…", Method: "GET", Route: "/billing/refunds/…", Mode: moment.ModeTest}}, o.calls)
}

// If Ensure settles the outcome of its calls, the outcome is not unknown.
func TestObserverOfEnsure(t *testing.T) {
	for _, row := range []struct {
		why    string
		script []testkit.Reply
		want   moment.CallResult
	}{
		{"created", []testkit.Reply{testkit.Respond(201, testkit.BillJSON)}, moment.CallResult{Attempts: 1, Status: 201}},
		{"settled", []testkit.Reply{testkit.Gateway(502), testkit.Gateway(502), testkit.Gateway(502), testkit.Gateway(502), testkit.Respond(200, testkit.BillJSON)}, moment.CallResult{Attempts: 4, Status: 502}},
		{"another bill", []testkit.Reply{testkit.Problem(409), testkit.Respond(200, voidedBill)}, moment.CallResult{Attempts: 1, Status: 409, FromService: true, ErrorType: "mismatch"}},
		{"not settled", []testkit.Reply{testkit.HangUp, testkit.HangUp, testkit.HangUp, testkit.HangUp, testkit.Problem(404)}, moment.CallResult{Attempts: 4, OutcomeUnknown: true, ErrorType: "no_response"}},
		{"a replay that cannot be read", []testkit.Reply{testkit.Respond(201, testkit.BillJSON, testkit.Replayed), testkit.Problem(403)}, moment.CallResult{Attempts: 1, Status: 201, Replayed: true, OutcomeUnknown: true, ErrorType: "lookup_failed"}},
		{"two keys", []testkit.Reply{testkit.Problem(404, testkit.Replayed), testkit.Problem(404), testkit.Respond(201, testkit.BillJSON)}, moment.CallResult{Attempts: 2, Status: 201}},
	} {
		var o observed
		_, _ = clientOf(t, testkit.Serve(t, row.script...), moment.WithObserver(o.observe)).Bills.Ensure(t.Context(), ensureBill)
		got := o.results[len(o.results)-1] // the Ensure, which ends last
		assert.Positive(t, got.Duration, row.why)
		got.Duration, got.Waited = 0, 0
		assert.Equal(t, row.want, got, row.why)
	}
}

// Observers see a call that ends because a RoundTripper panics, and a delivery that ends because a
// logger panics.
func TestObserversSeePanics(t *testing.T) {
	var o observed
	client := clientThrough(t, func(*http.Request) (*http.Response, error) { panic("at the disco") }, moment.WithObserver(o.observe))
	assert.Panics(t, func() { _, _ = client.Bills.Get(t.Context(), "UBR1") })
	require.Len(t, o.results, 1)
	assert.Equal(t, "panic", o.results[0].ErrorType)

	var results []moment.DeliveryResult
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return nil }, moment.WithHandlerLogger(slog.New(panics{slog.DiscardHandler})),
		moment.WithHandlerObserver(func(context.Context, moment.Delivery) (context.Context, func(moment.DeliveryResult)) {
			return nil, func(r moment.DeliveryResult) { results = append(results, r) }
		}))
	assert.Panics(t, func() { testkit.Deliver(h, http.MethodPost, http.Header{}, strings.NewReader("{}")) })
	require.Len(t, results, 1)
	assert.Equal(t, "panic", results[0].ErrorType)
}

// panics is a log handler that panics.
type panics struct{ slog.Handler }

func (panics) Enabled(context.Context, slog.Level) bool { panic("at the disco") }

// A deduplicator may return before its function has ended.
func TestHandlerObserverOfAHastyDeduplicator(t *testing.T) {
	started, done := make(chan struct{}), make(chan struct{})
	var got moment.DeliveryOutcome
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return nil },
		moment.WithDeduplicator(onceFunc(func(ctx context.Context, process func(context.Context) error) error {
			go func() {
				close(started)
				_ = process(ctx)
				close(done)
			}()
			<-started
			return nil
		})),
		moment.WithHandlerObserver(func(context.Context, moment.Delivery) (context.Context, func(moment.DeliveryResult)) {
			return nil, func(r moment.DeliveryResult) { got = r.Outcome }
		}))
	testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON))
	<-done
	assert.Contains(t, []moment.DeliveryOutcome{moment.DeliveryProcessed, moment.DeliveryDuplicate}, got)
}

type onceFunc func(context.Context, func(context.Context) error) error

func (f onceFunc) Once(ctx context.Context, _ string, process func(context.Context) error) error {
	return f(ctx, process)
}

func TestObserverMayReturnNothing(t *testing.T) {
	client := clientOf(t, testkit.Serve(t, testkit.Respond(200, testkit.BillJSON)),
		moment.WithObserver(func(context.Context, moment.Call) (context.Context, func(moment.CallResult)) { return nil, nil }))
	_, err := client.Bills.Get(t.Context(), "UBR1234567890")
	require.NoError(t, err)
}

func TestObserverTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o observed
		attempts := 0
		client := clientThrough(t, func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			attempts++
			if attempts == 1 {
				return testkit.Response(testkit.Problem(503, "Retry-After: 5"))
			}
			return testkit.Response(testkit.Respond(200, testkit.BillJSON))
		}, moment.WithObserver(o.observe), moment.WithBackoff(0, 0))
		_, err := client.Bills.Get(t.Context(), "UBR1234567890")
		require.NoError(t, err)
		assert.Equal(t, 5*time.Second, o.results[0].Waited)
		assert.Equal(t, 7*time.Second, o.results[0].Duration)
	})
}

// An observer that does nothing makes at most two allocations.
func TestObserverAllocations(t *testing.T) {
	ctx := t.Context()
	without, _ := inMemoryClients(t)
	with, err := moment.NewClient(testkit.SecretKey, moment.WithHTTPClient(&http.Client{Transport: inMemory{}}),
		moment.WithObserver(func(ctx context.Context, _ moment.Call) (context.Context, func(moment.CallResult)) { return ctx, nil }))
	require.NoError(t, err)
	allocations := func(c *moment.Client) float64 {
		return testing.AllocsPerRun(200, func() {
			_, err := c.Customers.Create(ctx, newCustomerParams)
			require.NoError(t, err)
		})
	}
	assert.LessOrEqual(t, allocations(with), allocations(without)+2)
}

func TestHandlerObserver(t *testing.T) {
	sign := func(at time.Time, body string) http.Header {
		return testkit.SignWebhook(testkit.WebhookKey, "msg_1", at, body)
	}
	signed := sign(testkit.SignedAt, testkit.EventJSON)
	processed := func(context.Context, *moment.Event) error { return nil }
	const traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	rejected := func(errorType string) moment.DeliveryResult {
		return moment.DeliveryResult{Outcome: moment.DeliveryRejected, ErrorType: errorType}
	}
	failed := func(errorType string) moment.DeliveryResult {
		return moment.DeliveryResult{Outcome: moment.DeliveryFailed, Type: "obligation.amount_applied", ErrorType: errorType}
	}
	for _, row := range []struct {
		why     string
		process func(context.Context, *moment.Event) error
		method  string
		header  http.Header
		body    io.Reader
		want    moment.DeliveryResult
	}{
		{"processed", processed, "POST", signed, strings.NewReader(testkit.EventJSON), moment.DeliveryResult{Outcome: moment.DeliveryProcessed, Type: "obligation.amount_applied"}},
		{"the function fails", func(context.Context, *moment.Event) error { return errors.New("full") }, "POST", signed, strings.NewReader(testkit.EventJSON), failed("function_failed")},
		{"the function panics", func(context.Context, *moment.Event) error { panic("full") }, "POST", signed, strings.NewReader(testkit.EventJSON), failed("panic")},
		{"another method", processed, "PUT", signed, strings.NewReader(testkit.EventJSON), rejected("method_not_allowed")},
		{"not signed", processed, "POST", http.Header{}, strings.NewReader(testkit.EventJSON), rejected("missing_header")},
		{"a forged body", processed, "POST", signed, strings.NewReader(testkit.EventJSON + " "), rejected("invalid_signature")},
		{"a replay attack", processed, "POST", sign(testkit.SignedAt.Add(-time.Hour), testkit.EventJSON), strings.NewReader(testkit.EventJSON), rejected("timestamp")},
		{"too large", processed, "POST", signed, bytes.NewReader(make([]byte, 1<<20+1)), rejected("body_too_large")},
		{"signed, and not an event", processed, "POST", sign(testkit.SignedAt, "{}"), strings.NewReader("{}"), rejected("malformed_event")},
		{"the connection breaks off", processed, "POST", signed, iotest.ErrReader(io.ErrUnexpectedEOF), rejected("body_not_read")},
	} {
		t.Run(row.why, func(t *testing.T) {
			var deliveries []moment.Delivery
			var results []moment.DeliveryResult
			observer := func(ctx context.Context, d moment.Delivery) (context.Context, func(moment.DeliveryResult)) {
				deliveries = append(deliveries, d)
				return context.WithValue(ctx, observedKey{}, "seen"), func(r moment.DeliveryResult) { results = append(results, r) }
			}
			h := newVerifier(t).Handler(func(ctx context.Context, e *moment.Event) error {
				assert.Equal(t, "seen", ctx.Value(observedKey{}))
				return row.process(ctx, e)
			}, moment.WithHandlerObserver(observer), moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
			testkit.Deliver(h, row.method, testkit.WithHeader(row.header, "Traceparent", traceParent), row.body)
			assert.Equal(t, []moment.Delivery{{TraceParent: traceParent}}, deliveries)
			require.Len(t, results, 1)
			assert.Positive(t, results[0].Duration)
			results[0].Duration = 0
			assert.Equal(t, row.want, results[0])
		})
	}
	assert.Panics(t, func() { moment.WithHandlerObserver(nil) })
}

// A message that the deduplicator knows is a duplicate. The observer may return nothing.
func TestHandlerObserverSeesDuplicates(t *testing.T) {
	var outcomes []moment.DeliveryOutcome
	observers := []moment.HandlerObserver{
		func(context.Context, moment.Delivery) (context.Context, func(moment.DeliveryResult)) {
			return nil, func(r moment.DeliveryResult) { outcomes = append(outcomes, r.Outcome) }
		},
		func(context.Context, moment.Delivery) (context.Context, func(moment.DeliveryResult)) { return nil, nil },
	}
	d := moment.NewMemoryDeduplicator(time.Hour)
	for _, n := range []int{0, 0, 1} {
		h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return nil }, moment.WithDeduplicator(d), moment.WithHandlerObserver(observers[n]))
		w := testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON))
		assert.Equal(t, http.StatusNoContent, w.Code)
	}
	assert.Equal(t, []moment.DeliveryOutcome{moment.DeliveryProcessed, moment.DeliveryDuplicate}, outcomes)
}
