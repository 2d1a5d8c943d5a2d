package momentotel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/moment-billing/moment-go"
)

// ObserveCalls returns a client option that records calls. It panics if an option is the zero
// Option.
func ObserveCalls(opts ...Option) moment.ClientOption {
	tracer, meter := newInstruments(opts)
	o := &callObserver{
		tracer:      tracer,
		duration:    must(meter.Float64Histogram("moment.call.duration", metric.WithUnit("s"), metric.WithDescription("Duration of calls, including retries and waits."), durationBuckets)),
		attempts:    must(meter.Int64Counter("moment.call.attempts", metric.WithUnit("{attempt}"), metric.WithDescription("Attempts of calls."))),
		unknown:     must(meter.Int64Counter("moment.call.outcome_unknown", metric.WithUnit("{call}"), metric.WithDescription("Writes that failed and may have been applied."))),
		budgetEmpty: must(meter.Int64Counter("moment.call.retry_budget_empty", metric.WithUnit("{call}"), metric.WithDescription("Calls that were not retried because the retry budget was spent."))),
	}
	return moment.WithObserver(o.observe)
}

type callObserver struct {
	tracer                         trace.Tracer
	duration                       metric.Float64Histogram
	attempts, unknown, budgetEmpty metric.Int64Counter
}

func (o *callObserver) observe(ctx context.Context, call moment.Call) (context.Context, func(moment.CallResult)) {
	//nolint:spancheck // ended by the function that is returned
	ctx, span := o.tracer.Start(ctx, "moment "+call.Operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(startAttributes(call)...))
	return ctx, func(r moment.CallResult) { //nolint:spancheck // as above
		span.SetAttributes(callAttributes(r)...)
		if r.ErrorType != "" {
			span.SetStatus(codes.Error, r.ErrorType)
		}
		span.End()
		o.record(ctx, call, r)
	}
}

func startAttributes(call moment.Call) []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String("moment.operation", call.Operation), attribute.String("moment.mode", string(call.Mode))}
	if call.Method != "" { // empty for an Ensure, because it makes several requests
		attrs = append(attrs, attribute.String("http.request.method", call.Method), attribute.String("url.template", call.Route))
	}
	return attrs
}

func callAttributes(r moment.CallResult) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	if r.Status != 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", r.Status))
	}
	if r.Attempts > 1 {
		attrs = append(attrs, attribute.Int("http.request.resend_count", r.Attempts-1), attribute.Float64("moment.wait", r.Waited.Seconds()))
	}
	if r.ErrorType != "" {
		attrs = append(attrs, attribute.String("error.type", r.ErrorType))
	}
	for _, a := range []struct {
		key  string
		isSo bool
	}{
		{"moment.replayed", r.Replayed},
		{"moment.from_service", r.FromService},
		{"moment.outcome_unknown", r.OutcomeUnknown},
		{"moment.retry_budget_empty", r.RetryBudgetEmpty},
	} {
		if a.isSo {
			attrs = append(attrs, attribute.Bool(a.key, true))
		}
	}
	return attrs
}

func (o *callObserver) record(ctx context.Context, call moment.Call, r moment.CallResult) {
	attrs := []attribute.KeyValue{attribute.String("moment.operation", call.Operation), attribute.String("moment.mode", string(call.Mode))}
	if r.ErrorType != "" {
		attrs = append(attrs, attribute.String("error.type", r.ErrorType))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	o.duration.Record(ctx, r.Duration.Seconds(), set)
	if call.Method != "" { // the calls of an Ensure count its attempts
		o.attempts.Add(ctx, int64(r.Attempts), set)
	}
	if r.OutcomeUnknown && call.Within == "" { // an Ensure may settle the unknown outcome of one of its calls
		o.unknown.Add(ctx, 1, set)
	}
	if r.RetryBudgetEmpty && call.Method != "" {
		o.budgetEmpty.Add(ctx, 1, set)
	}
}
