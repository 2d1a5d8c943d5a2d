package momentotel

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// scope is the name of the instrumentation.
const scope = "github.com/moment-billing/moment-go/momentotel"

// Option sets a provider of an observer.
type Option struct {
	apply func(*providers)
}

type providers struct {
	tracer trace.TracerProvider
	meter  metric.MeterProvider
}

// WithTracerProvider sets the provider of the spans. The default is OpenTelemetry's global one.
func WithTracerProvider(p trace.TracerProvider) Option {
	return Option{func(o *providers) { o.tracer = p }}
}

// WithMeterProvider sets the provider of the metrics. The default is OpenTelemetry's global one.
func WithMeterProvider(p metric.MeterProvider) Option {
	return Option{func(o *providers) { o.meter = p }}
}

// newInstruments returns a tracer and a meter. It panics if an option is the zero Option.
func newInstruments(opts []Option) (trace.Tracer, metric.Meter) {
	p := providers{otel.GetTracerProvider(), otel.GetMeterProvider()}
	for _, opt := range opts {
		if opt.apply == nil {
			panic("momentotel: an option is the zero Option")
		}
		opt.apply(&p)
	}
	return p.tracer.Tracer(scope), p.meter.Meter(scope)
}

// durationBuckets are the boundaries of OpenTelemetry's HTTP metrics, in seconds, with 30 and 60
// added for calls with retries.
var durationBuckets = metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)

// must returns an instrument. An error means that the name or the unit is invalid, which the tests
// would detect.
func must[T any](instrument T, err error) T {
	if err != nil {
		otel.Handle(err)
	}
	return instrument
}
