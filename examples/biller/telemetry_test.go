package main

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Traces and metrics are sent to the endpoint before the process ends, and are not sent without an
// endpoint.
func TestTelemetry(t *testing.T) {
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	var mu sync.Mutex
	paths := map[string]bool{}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths[r.URL.Path] = true
	}))
	defer collector.Close()
	for endpoint, want := range map[string]map[string]bool{"": {}, collector.URL: {"/v1/traces": true, "/v1/metrics": true}} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
		clear(paths)
		b := newSQLiteBase(t)
		stop, err := startTelemetry(t.Context(), b.logger())
		require.NoError(t, err)
		_, span := otel.Tracer("test").Start(t.Context(), "test")
		span.End()
		counter, err := otel.Meter("test").Int64Counter("test")
		require.NoError(t, err)
		counter.Add(t.Context(), 1)
		stop()
		assert.Equal(t, want, paths)
	}
}

// Settings of OpenTelemetry may contain keys, so its own messages are not logged.
func TestTelemetryWithAWrongSetting(t *testing.T) {
	t.Cleanup(func() {
		otel.SetTracerProvider(noop.NewTracerProvider())
		otel.SetLogger(logr.Discard())
	})
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key: hunter2")
	b := new(base)
	stop, err := startTelemetry(t.Context(), b.logger())
	require.NoError(t, err)
	stop()
	assert.Contains(t, b.log.String(), "telemetry: a variable OTEL_… is wrong, and is ignored")
	assert.NotContains(t, b.log.String(), "hunter2")
}

// Without a collector, a process only ends a few seconds later.
func TestTelemetryWithoutACollector(t *testing.T) {
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	stop, err := startTelemetry(t.Context(), new(base).logger())
	require.NoError(t, err)
	_, span := otel.Tracer("test").Start(t.Context(), "test")
	span.End()
	begun := time.Now()
	stop()
	assert.Less(t, time.Since(begun), telemetryTimeout+time.Second)
}

// The span of a job is linked to its delivery, and no span names the payment.
func TestTraceOfAPayment(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	b := newSQLiteBase(t)
	assert.Equal(t, 204, b.deliver("msg_1", payment(1, 1500)))
	receiveFrom(t, "a job", b.work())
	spans := map[string]sdktrace.ReadOnlySpan{}
	until(t, patience, "the span of the job", func() bool {
		for _, span := range recorder.Ended() {
			spans[span.Name()] = span
			for _, attribute := range span.Attributes() {
				assert.NotContains(t, attribute.Value.String(), "pay_1")
			}
		}
		return spans["river.work/post_payment"] != nil
	})
	delivery, insert, work := spans["moment webhook"].SpanContext(), spans["river.insert_many"], spans["river.work/post_payment"]
	assert.Equal(t, delivery.SpanID(), insert.Parent().SpanID())
	require.Len(t, work.Links(), 1)
	assert.Equal(t, []trace.TraceID{delivery.TraceID()}, []trace.TraceID{work.Links()[0].SpanContext.TraceID()})
}
