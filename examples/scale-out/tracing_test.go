package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// inMemory is a telemetry that a test can look into.
func inMemory() (telemetry, *tracetest.InMemoryExporter, *sdkmetric.ManualReader) {
	spans, points := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	return telemetry{
		traces:  sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
		metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(points)),
	}, spans, points
}

// One trace goes from the delivery to the ledger entry, in two processes; whoever delivers has no
// part in it.
func TestTrace(t *testing.T) {
	w := newWorld(t)
	atReceiver, received, _ := inMemory()
	atWorker, worked, points := inMemory()
	req := sign(t, secret, "", "msg_1", payment(1, 1500))
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	recorder := httptest.NewRecorder()
	w.newReceiver(t, atReceiver).handler().ServeHTTP(recorder, req)
	require.Equal(t, 204, recorder.Code)
	w.work(t, w.srv.Client(), atWorker).next(t)

	require.Len(t, received.GetSpans(), 1)
	require.Len(t, worked.GetSpans(), 1)
	delivery, entry := received.GetSpans()[0], worked.GetSpans()[0]
	assert.Equal(t, "POST /webhooks/moment", delivery.Name)
	assert.Equal(t, "post_payment", entry.Name)
	assert.Equal(t, delivery.SpanContext.TraceID(), entry.SpanContext.TraceID())
	assert.Equal(t, delivery.SpanContext.SpanID(), entry.Parent.SpanID())
	assert.NotEqual(t, "0af7651916cd43dd8448eb211c80319c", delivery.SpanContext.TraceID().String())
	assert.Equal(t, 1, ask[int](t, w, "SELECT count(*) FROM ledger"))
	assert.Equal(t, uint64(1), counted(t, points)["river.job.duration post_payment done"])
	assert.Equal(t, uint64(1), counted(t, points)["river.job.wait post_payment"])
}

// The calls of a job are in its trace, and its outcome in the metrics. Jobs of a file have traces
// of their own.
func TestTraceOfABill(t *testing.T) {
	w := newWorld(t)
	code, _, stderr := w.enqueue(t, write(t, header+"UCR1,Thandi Khumalo,thandi@example.com,UBR1,1250.00,ZAR,\n"))
	require.Zero(t, code, stderr)
	to, spans, points := inMemory()
	c := config{key: "sk_test_YOUR_SECRET_KEY", baseURL: w.srv.URL, rate: 1000}
	client, err := c.connect(to)
	require.NoError(t, err)
	w.work(t, client, to).next(t)

	kinds := map[string]int{}
	for _, span := range spans.GetSpans() {
		kinds[span.Name]++
		assert.Equal(t, spans.GetSpans()[0].SpanContext.TraceID(), span.SpanContext.TraceID())
		for _, a := range span.Attributes {
			assert.NotContains(t, a.Value.String(), "sk_test", "a key")
			assert.NotContains(t, strings.ToLower(a.Value.String()), "thandi", "a person")
		}
	}
	assert.Equal(t, map[string]int{"raise_bill": 1, "HTTP POST": 3}, kinds, "the bill, its new customer, and the bill again")
	assert.Equal(t, uint64(1), counted(t, points)["river.job.duration raise_bill done"])
	assert.Equal(t, uint64(3), counted(t, points)["http.client.request.duration"])
}

// A request that waits for its turn until it is given up was never sent: it is neither counted nor
// measured.
func TestTraceOfWaiting(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	to, spans, points := inMemory()
	c := config{key: "sk_test_YOUR_SECRET_KEY", baseURL: srv.URL, rate: 1e-3}
	client, err := c.connect(to)
	require.NoError(t, err)
	_, err = client.Bills.Get(t.Context(), "UBR1") // it has the only turn of a quarter of an hour
	require.ErrorIs(t, err, moment.ErrNotFound)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = client.Bills.Get(ctx, "UBR1")
	require.Error(t, err)
	assert.Len(t, srv.Requests(), 1)
	assert.Len(t, spans.GetSpans(), 1)
	assert.Equal(t, uint64(1), counted(t, points)["http.client.request.duration"])
}

// References are people's choice, and so is what the service says: neither is in a trace.
func TestTraceWithoutPeople(t *testing.T) {
	for _, row := range []struct {
		why    string
		before func(*testing.T, *world, Bill)
		status string // of the job
		urls   []string
	}{
		{"it is there, as another one", func(t *testing.T, w *world, b Bill) {
			t.Helper()
			b.Amount++
			w.raise(t, b)
		}, "other", []string{"/billing/bills", "/billing/bills/{reference}", "/billing/customers/{reference}"}},
		{"it is refused", func(t *testing.T, w *world, b Bill) {
			t.Helper()
			w.customer(t, b.Customer)
			w.srv.Fail(momenttest.ServiceError(422).On(createBill))
		}, "422", []string{"/billing/bills"}},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			b := testBill(1)
			b.Customer, b.Reference = "thandi_khumalo", "khumalo_1"
			row.before(t, w, b)
			w.insert(t, raiseBill{b})
			to, spans, _ := inMemory()
			c := config{key: "sk_test_YOUR_SECRET_KEY", baseURL: w.srv.URL, rate: 1000}
			client, err := c.connect(to)
			require.NoError(t, err)
			require.Equal(t, rivertype.JobStateCancelled, w.work(t, client, to).next(t).Job.State)
			urls := map[string]bool{}
			for _, span := range spans.GetSpans() {
				assert.NotContains(t, strings.ToLower(fmt.Sprint(span)), "khumalo")
				if span.Name == "raise_bill" {
					assert.Equal(t, row.status, span.Status.Description)
				}
				for _, a := range span.Attributes {
					if a.Key == "url.full" {
						urls[strings.TrimPrefix(a.Value.AsString(), w.srv.URL)] = true
					}
				}
			}
			assert.ElementsMatch(t, row.urls, slices.Collect(maps.Keys(urls)))
		})
	}
}

func TestErrorClasses(t *testing.T) {
	for want, err := range map[string]error{
		"invalid argument": river.JobCancel(&moment.ArgumentError{Op: "create bill", Param: "customer", Reason: "khumalo"}),
		"503":              fmt.Errorf("khumalo: %w", &moment.Error{Status: 503, Detail: "khumalo", OutcomeUnknown: true}),
		"outcome unknown":  fmt.Errorf("khumalo: %w", moment.ErrOutcomeUnknown),
		"timeout":          fmt.Errorf("khumalo: %w", context.DeadlineExceeded),
		"other":            errNotThere,
	} {
		assert.Equal(t, want, errorClass(err))
	}
}

// counted are the histograms, each with the kinds and outcomes of jobs, and how often they were
// recorded.
func counted(t *testing.T, points *sdkmetric.ManualReader) map[string]uint64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, points.Collect(t.Context(), &all))
	counts := map[string]uint64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if histogram, ok := m.Data.(metricdata.Histogram[float64]); ok {
				for _, point := range histogram.DataPoints {
					name := []string{m.Name}
					for _, key := range []string{"kind", "outcome"} {
						if value, ok := point.Attributes.Value(attribute.Key(key)); ok {
							name = append(name, value.AsString())
						}
					}
					counts[strings.Join(name, " ")] += point.Count
				}
			}
		}
	}
	return counts
}

// What a job ends with is told apart.
func TestOutcomes(t *testing.T) {
	w := newWorld(t)
	to, _, points := inMemory()
	b := testBill(1)
	w.insert(t, raiseBill{b})
	b.Amount++
	_, err := w.srv.Client().Bills.Create(t.Context(), moment.BillCreateParams{
		Customer: moment.CustomerCreateParams{ExternalReference: b.Customer}, ExternalReference: b.Reference, Currency: b.Currency, AmountDue: b.Amount,
	})
	require.NoError(t, err)
	worker := w.work(t, w.srv.Client(), to)
	worker.next(t)
	assert.Equal(t, uint64(1), counted(t, points)["river.job.duration raise_bill cancelled"])
	w.srv.Fail(momenttest.Status(401).Times(2))
	_, err = worker.client.Insert(t.Context(), raiseBill{testBill(2)}, &river.InsertOpts{MaxAttempts: 2})
	require.NoError(t, err)
	assert.Equal(t, rivertype.JobStateAvailable, worker.next(t).Job.State) // within five seconds
	assert.Equal(t, rivertype.JobStateDiscarded, worker.next(t).Job.State)
	assert.Equal(t, uint64(1), counted(t, points)["river.job.duration raise_bill error"])
	assert.Equal(t, uint64(1), counted(t, points)["river.job.duration raise_bill discarded"])
}

// Where it is asked to, the console has it all; else nothing is sent anywhere.
func TestTelemetry(t *testing.T) {
	for _, row := range []struct {
		why   string
		env   environment
		wants []string
	}{
		{"nowhere", nil, nil},
		{"traces", environment{"OTEL_TRACES_EXPORTER": "console"}, []string{`"Name":"a span"`, "scale-out-worker"}},
		{"metrics", environment{"OTEL_METRICS_EXPORTER": "console"}, []string{`"Name":"a.counter"`}},
		{"both", environment{"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"}, []string{`"Name":"a span"`, `"Name":"a.counter"`}},
	} {
		var out logs
		to, err := newTelemetry(t.Context(), "worker", row.env.get, &out)
		require.NoError(t, err)
		emit(t, to)
		for _, want := range row.wants {
			assert.Contains(t, out.String(), want, row.why)
		}
		assert.Equal(t, len(row.wants) == 0, out.String() == "", row.why)
	}
}

// What was not sent when a worker is told to end is sent before it has ended.
func TestTelemetryAtTheEnd(t *testing.T) {
	w := newWorld(t)
	w.insert(t, postPayment{"evt_1", "pay_1", "bill", "bill_1", 1500, moment.ZAR})
	env := environment{
		"DATABASE_URL": w.address, "MOMENT_API_KEY": "sk_test_YOUR_SECRET_KEY", "MOMENT_BASE_URL": w.srv.URL,
		"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console",
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout logs
	ended := make(chan int)
	go func() { ended <- run(ctx, []string{"worker"}, env.get, &stdout, w.log) }()
	w.until(t, "it is posted", func() bool { return ask[int](t, w, "SELECT count(*) FROM ledger") == 1 })
	stop()
	assert.Zero(t, await(t, "the end", ended), w.log.String())
	assert.True(t, containsAll(stdout.String(), `"Name":"post_payment"`, `"Name":"river.job.duration"`), stdout.String())
}

// Where there is an endpoint of OTLP, it gets traces and metrics, but for what is not to go
// anywhere.
func TestOTLP(t *testing.T) {
	for _, row := range []struct {
		why   string
		env   environment
		paths []string
	}{
		{"both", environment{}, []string{"/v1/traces", "/v1/metrics"}},
		{"no traces", environment{"OTEL_TRACES_EXPORTER": "none"}, []string{"/v1/metrics"}},
		{"no metrics", environment{"OTEL_METRICS_EXPORTER": "none"}, []string{"/v1/traces"}},
	} {
		arrived := make(chan string, 10)
		endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived <- r.URL.Path }))
		t.Cleanup(endpoint.Close)
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.URL) // which OpenTelemetry reads itself
		row.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint.URL
		to, err := newTelemetry(t.Context(), "worker", row.env.get, nil)
		require.NoError(t, err)
		emit(t, to)
		close(arrived)
		var paths []string
		for path := range arrived {
			paths = append(paths, path)
		}
		assert.ElementsMatch(t, row.paths, paths, row.why)
	}
}

func emit(t *testing.T, to telemetry) {
	t.Helper()
	_, span := to.traces.Tracer(scope).Start(t.Context(), "a span")
	span.End()
	counter, err := to.metrics.Meter(scope).Int64Counter("a.counter")
	require.NoError(t, err)
	counter.Add(t.Context(), 1, metric.WithAttributes())
	require.NoError(t, to.stop(context.Background()))
}
