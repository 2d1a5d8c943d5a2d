package momentotel_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentotel"
	"github.com/moment-billing/moment-go/momenttest"
)

// secret is an example, not a real secret.
var secret = moment.RawWebhookSecret([]byte("an example key, not a secret one"))

// recorder collects spans and metrics.
type recorder struct {
	spans   *tracetest.SpanRecorder
	tracer  *sdktrace.TracerProvider
	metrics *sdkmetric.ManualReader
	meter   *sdkmetric.MeterProvider
}

func newRecorder() *recorder {
	r := &recorder{spans: tracetest.NewSpanRecorder(), metrics: sdkmetric.NewManualReader()}
	r.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	r.meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics))
	return r
}

func (r *recorder) options() []momentotel.Option {
	return []momentotel.Option{momentotel.WithTracerProvider(r.tracer), momentotel.WithMeterProvider(r.meter)}
}

// only returns the one span that has ended, with its attributes by name.
func (r *recorder) only(t *testing.T) (sdktrace.ReadOnlySpan, map[string]any) {
	t.Helper()
	ended := r.spans.Ended()
	require.Len(t, ended, 1)
	return ended[0], values(ended[0].Attributes())
}

func values(attrs []attribute.KeyValue) map[string]any {
	all := map[string]any{}
	for _, a := range attrs {
		all[string(a.Key)] = a.Value.AsInterface()
	}
	return all
}

// sums returns the values of the counters, and the counts of the histograms, with the attributes of
// each metric.
func (r *recorder) sums(t *testing.T) (map[string]int64, map[string]map[string]any) {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, r.metrics.Collect(context.Background(), &data))
	sums, attrs := map[string]int64{}, map[string]map[string]any{}
	for _, scope := range data.ScopeMetrics {
		assert.Equal(t, "github.com/moment-billing/moment-go/momentotel", scope.Scope.Name)
		for _, m := range scope.Metrics {
			switch points := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range points.DataPoints {
					sums[m.Name] += p.Value
					attrs[m.Name] = values(p.Attributes.ToSlice())
				}
			case metricdata.Histogram[float64]:
				assert.Equal(t, "s", m.Unit)
				for _, p := range points.DataPoints {
					sums[m.Name] += int64(p.Count)
					attrs[m.Name] = values(p.Attributes.ToSlice())
				}
			}
		}
	}
	return sums, attrs
}

func TestCalls(t *testing.T) {
	for _, row := range []struct {
		why      string
		faults   []momenttest.Fault
		options  []moment.ClientOption
		span     map[string]any // in addition to the attributes of every span
		status   codes.Code
		sums     map[string]int64
		failedAs string
	}{
		{
			why: "a success", span: map[string]any{"http.response.status_code": int64(201)},
			sums: map[string]int64{"moment.call.duration": 1, "moment.call.attempts": 1},
		},
		{
			why: "a retry", faults: []momenttest.Fault{momenttest.DropAfterCommit()},
			span: map[string]any{"http.response.status_code": int64(201), "http.request.resend_count": int64(1), "moment.replayed": true},
			sums: map[string]int64{"moment.call.duration": 1, "moment.call.attempts": 2},
		},
		{
			why: "a write that may have been applied", faults: []momenttest.Fault{momenttest.DropAfterCommit().Times(4)}, status: codes.Error,
			span:     map[string]any{"http.request.resend_count": int64(3), "error.type": "no_response", "moment.outcome_unknown": true},
			sums:     map[string]int64{"moment.call.duration": 1, "moment.call.attempts": 4, "moment.call.outcome_unknown": 1},
			failedAs: "no_response",
		},
		{
			why: "an empty budget", faults: []momenttest.Fault{momenttest.Status(503).Times(2)}, options: []moment.ClientOption{moment.WithRetryBudget(1)}, status: codes.Error,
			span: map[string]any{
				"http.response.status_code": int64(503), "http.request.resend_count": int64(1), "error.type": "503",
				"moment.outcome_unknown": true, "moment.retry_budget_empty": true,
			},
			sums:     map[string]int64{"moment.call.duration": 1, "moment.call.attempts": 2, "moment.call.outcome_unknown": 1, "moment.call.retry_budget_empty": 1},
			failedAs: "503",
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := momenttest.NewServer()
			t.Cleanup(srv.Close)
			srv.Fail(row.faults...)
			r := newRecorder()
			client := srv.Client(append(row.options, momentotel.ObserveCalls(r.options()...))...)
			_, err := client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR-jane-roe", Name: "Jane Roe"})
			assert.Equal(t, row.status == codes.Error, err != nil)

			span, got := r.only(t)
			assert.Equal(t, "moment create customer", span.Name())
			assert.Equal(t, trace.SpanKindClient, span.SpanKind())
			assert.Equal(t, row.status, span.Status().Code)
			if row.span["http.request.resend_count"] != nil {
				assert.Contains(t, got, "moment.wait")
				delete(got, "moment.wait")
			}
			want := map[string]any{"http.request.method": "POST", "url.template": "/billing/customers", "moment.operation": "create customer", "moment.mode": "test"}
			maps.Copy(want, row.span)
			assert.Equal(t, want, got)

			sums, attrs := r.sums(t)
			assert.Equal(t, row.sums, sums)
			wantAttrs := map[string]any{"moment.operation": "create customer", "moment.mode": "test"}
			if row.failedAs != "" {
				wantAttrs["error.type"] = row.failedAs
			}
			for name := range sums {
				assert.Equal(t, wantAttrs, attrs[name], name)
			}
		})
	}
}

// The calls of an Ensure are children of its span. An unknown outcome that Ensure settles is not
// counted.
func TestEnsure(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	srv.Fail(momenttest.DropAfterCommit().Times(4))
	r := newRecorder()
	_, err := srv.Client(momentotel.ObserveCalls(r.options()...)).Customers.Ensure(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1"})
	require.NoError(t, err)
	ended := r.spans.Ended()
	require.Len(t, ended, 3)
	assert.Equal(t, []string{"moment create customer", "moment get customer", "moment ensure customer"}, []string{ended[0].Name(), ended[1].Name(), ended[2].Name()})
	for _, call := range ended[:2] {
		assert.Equal(t, ended[2].SpanContext().SpanID(), call.Parent().SpanID())
	}
	assert.NotContains(t, values(ended[2].Attributes()), "http.request.method")
	sums, _ := r.sums(t)
	assert.Equal(t, map[string]int64{"moment.call.duration": 3, "moment.call.attempts": 5}, sums)
}

// The attempts of a call are children of its span, and the span is a child of the caller's.
func TestAttemptsAreChildren(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	r := newRecorder()
	var attempts []trace.SpanContext
	client := srv.Client(momentotel.ObserveCalls(r.options()...), moment.WithHTTPClient(&http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		attempts = append(attempts, trace.SpanContextFromContext(req.Context()))
		return http.DefaultTransport.RoundTrip(req)
	})}))
	ctx, parent := r.tracer.Tracer("test").Start(t.Context(), "request")
	defer parent.End()
	_, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1"})
	require.NoError(t, err)
	span, _ := r.only(t)
	assert.Equal(t, []trace.SpanContext{span.SpanContext()}, attempts)
	assert.Equal(t, parent.SpanContext().SpanID(), span.Parent().SpanID())
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDeliveries(t *testing.T) {
	const sender = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	event := `{"id":"evt_1","type":"obligation.amount_applied","data":{"id":"ob_1","amount":2000,"currency":"ZAR","payment_id":"pay_1","bill_id":"bill_1"}}`
	always := map[string]any{"messaging.system": "moment", "messaging.operation.type": "process"}
	for _, row := range []struct {
		why         string
		err         error
		deliveries  int
		forged      bool
		traceParent string
		want        map[string]any // of the last delivery
		status      codes.Code
	}{
		{why: "processed", deliveries: 1, traceParent: sender, want: map[string]any{"moment.delivery.outcome": "processed", "moment.event.type": "obligation.amount_applied"}},
		{why: "a duplicate", deliveries: 2, want: map[string]any{"moment.delivery.outcome": "duplicate", "moment.event.type": "obligation.amount_applied"}},
		{
			why: "failed", deliveries: 1, err: errors.New("no room for Jane Roe"), status: codes.Error,
			want: map[string]any{"moment.delivery.outcome": "failed", "moment.event.type": "obligation.amount_applied", "error.type": "function_failed"},
		},
		{why: "forged", deliveries: 1, forged: true, status: codes.Error, want: map[string]any{"moment.delivery.outcome": "rejected", "error.type": "invalid_signature"}},
		{why: "an invalid trace", deliveries: 1, traceParent: "Jane Roe", want: map[string]any{"moment.delivery.outcome": "processed", "moment.event.type": "obligation.amount_applied"}},
	} {
		t.Run(row.why, func(t *testing.T) {
			r := newRecorder()
			verifier, err := moment.NewWebhookVerifier(secret)
			require.NoError(t, err)
			var inFunction trace.SpanContext
			h := verifier.Handler(func(ctx context.Context, _ *moment.Event) error {
				inFunction = trace.SpanContextFromContext(ctx)
				return row.err
			}, momentotel.ObserveDeliveries(r.options()...), moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)), moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
			header := momenttest.SignWebhook(secret, "msg_1", time.Now(), []byte(event))
			for range row.deliveries {
				body := event
				if row.forged {
					body += " "
				}
				req := httptest.NewRequest(http.MethodPost, "/webhooks/moment", strings.NewReader(body))
				req.Header = header.Clone()
				if row.traceParent != "" {
					req.Header.Set("Traceparent", row.traceParent)
				}
				h.ServeHTTP(httptest.NewRecorder(), req)
			}
			ended := r.spans.Ended()
			require.Len(t, ended, row.deliveries)
			span := ended[len(ended)-1]
			assert.Equal(t, "moment webhook", span.Name())
			assert.Equal(t, trace.SpanKindConsumer, span.SpanKind())
			assert.Equal(t, row.status, span.Status().Code)
			assert.False(t, span.Parent().IsValid(), "the sender's trace is not trusted")
			if row.traceParent == sender {
				require.Len(t, span.Links(), 1)
				assert.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", span.Links()[0].SpanContext.TraceID().String())
				assert.Equal(t, span.SpanContext(), inFunction)
			} else {
				assert.Empty(t, span.Links())
			}
			want := maps.Clone(always)
			maps.Copy(want, row.want)
			assert.Equal(t, want, values(span.Attributes()))
			sums, _ := r.sums(t)
			assert.Equal(t, map[string]int64{"moment.delivery.duration": int64(row.deliveries)}, sums)
		})
	}
}

// No span and no metric contains the API key, a secret, a body, an identifier or personal data.
func TestNothingPrivateIsRecorded(t *testing.T) {
	r := newRecorder()
	const key = "sk_test_YOUR_SECRET_KEY"
	private := []string{key, "YOUR_SECRET", "jane", "Jane", "Roe", "example.com", "bcus_", "bill_1", "pay_1", "msg_1", "evt_1", "UCR", secret, "2000"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"type":"https://api.momentco.io/docs/errors#x","title":"Jane Roe","status":422,"detail":"`+req.Header.Get("Authorization")+` jane.roe@example.com"}`)
	}))
	t.Cleanup(server.Close)
	client, err := moment.NewClient(key, moment.WithBaseURL(server.URL+"/v1"), momentotel.ObserveCalls(r.options()...))
	require.NoError(t, err)
	_, err = client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR-jane-roe", Name: "Jane Roe", Email: "jane.roe@example.com"})
	require.Error(t, err)
	_, err = client.Customers.Get(t.Context(), "UCR-jane-roe")
	require.Error(t, err)
	require.Error(t, client.Do(t.Context(), http.MethodDelete, "/billing/refunds/UCR-jane-roe", nil, nil))

	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	h := verifier.Handler(func(context.Context, *moment.Event) error { panic("Jane Roe") }, momentotel.ObserveDeliveries(r.options()...), moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
	body := `{"id":"evt_1","type":"obligation.amount_applied","data":{"id":"ob_1","amount":2000,"currency":"ZAR","payment_id":"pay_1","bill_id":"bill_1"}}`
	for _, text := range []string{body, body + " "} {
		req := httptest.NewRequest(http.MethodPost, "/webhooks/moment", strings.NewReader(text))
		req.Header = momenttest.SignWebhook(secret, "msg_1", time.Now(), []byte(body))
		h.ServeHTTP(httptest.NewRecorder(), req)
	}

	var recorded strings.Builder
	for _, span := range r.spans.Ended() {
		recorded.WriteString(span.Name() + span.Status().Description)
		for _, a := range span.Attributes() {
			recorded.WriteString(" " + string(a.Key) + "=" + a.Value.String())
		}
		assert.Empty(t, span.Events())
	}
	_, attrs := r.sums(t)
	for name, all := range attrs {
		for key, value := range all {
			text, _ := value.(string)
			recorded.WriteString(" " + name + " " + key + "=" + text)
		}
	}
	assert.Contains(t, recorded.String(), "create customer")
	assert.Contains(t, recorded.String(), "/billing/refunds/…")
	assert.Contains(t, recorded.String(), "panic")
	for _, text := range private {
		assert.NotContains(t, recorded.String(), text)
	}
}

func TestOptions(t *testing.T) {
	assert.Panics(t, func() { momentotel.ObserveCalls(momentotel.Option{}) })
	assert.Panics(t, func() { momentotel.ObserveDeliveries(momentotel.Option{}) })
	r := newRecorder()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(r.tracer)
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	_, err := srv.Client(momentotel.ObserveCalls()).Customers.Get(t.Context(), "UCR1")
	require.ErrorIs(t, err, moment.ErrNotFound)
	span, _ := r.only(t)
	assert.Equal(t, "moment get customer", span.Name(), "the global provider is the default")
}
