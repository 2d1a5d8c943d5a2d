package main

import (
	"context"
	"errors"
	"io"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// telemetry is where traces and metrics go. Its zero value is nowhere.
type telemetry struct {
	traces  trace.TracerProvider
	metrics metric.MeterProvider
	stop    func(context.Context) error // sends what is left
}

// newTelemetry reads OpenTelemetry's own variables. What these leave open is not sent: there may be
// nobody to take it.
func newTelemetry(ctx context.Context, command string, getenv func(string) string, stdout io.Writer) (telemetry, error) {
	var spans sdktrace.SpanExporter
	var points sdkmetric.Exporter
	var err error
	otlp := getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	switch {
	case getenv("OTEL_TRACES_EXPORTER") == "console":
		spans, err = stdouttrace.New(stdouttrace.WithWriter(stdout))
	case otlp && getenv("OTEL_TRACES_EXPORTER") != "none":
		spans, err = otlptracehttp.New(ctx)
	}
	if err != nil {
		return telemetry{}, err
	}
	switch {
	case getenv("OTEL_METRICS_EXPORTER") == "console":
		points, err = stdoutmetric.New(stdoutmetric.WithWriter(stdout))
	case otlp && getenv("OTEL_METRICS_EXPORTER") != "none":
		points, err = otlpmetrichttp.New(ctx)
	}
	if err != nil {
		return telemetry{}, err
	}
	// The environment comes last: OTEL_SERVICE_NAME goes before the name of the command.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "scale-out-"+command)), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return telemetry{}, err
	}
	return exportTo(spans, points, about), nil
}

// exportTo makes a telemetry of exporters, each of which may be nil.
func exportTo(spans sdktrace.SpanExporter, points sdkmetric.Exporter, about *resource.Resource) telemetry {
	t := telemetry{tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider(), func(context.Context) error { return nil }}
	if spans != nil {
		p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(about))
		t.traces, t.stop = p, p.Shutdown
	}
	if points != nil {
		p, first := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)), sdkmetric.WithResource(about)), t.stop
		t.metrics, t.stop = p, func(ctx context.Context) error { return errors.Join(first(ctx), p.Shutdown(ctx)) }
	}
	return t
}

// ofHTTP are the options of otelhttp, for requests in and out.
func (t telemetry) ofHTTP() []otelhttp.Option {
	if t.traces == nil {
		return nil
	}
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.traces), otelhttp.WithMeterProvider(t.metrics), otelhttp.WithPropagators(propagation.TraceContext{}),
	}
}
