package momentotel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/moment-billing/moment-go"
)

// ObserveDeliveries returns a handler option that records deliveries. It panics if an option is the
// zero Option.
func ObserveDeliveries(opts ...Option) moment.HandlerOption {
	tracer, meter := newInstruments(opts)
	o := &deliveryObserver{
		tracer:   tracer,
		duration: must(meter.Float64Histogram("moment.delivery.duration", metric.WithUnit("s"), metric.WithDescription("Duration of webhook deliveries."), durationBuckets)),
	}
	return moment.WithHandlerObserver(o.observe)
}

type deliveryObserver struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
}

func (o *deliveryObserver) observe(ctx context.Context, d moment.Delivery) (context.Context, func(moment.DeliveryResult)) {
	always := []attribute.KeyValue{attribute.String("messaging.system", "moment"), attribute.String("messaging.operation.type", "process")}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(always...)}
	if sender := senderOf(d); sender.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: sender}))
	}
	ctx, span := o.tracer.Start(ctx, "moment webhook", options...) //nolint:spancheck // ended by the function that is returned
	return ctx, func(r moment.DeliveryResult) {                    //nolint:spancheck // as above
		attrs := []attribute.KeyValue{attribute.String("moment.delivery.outcome", string(r.Outcome))}
		if r.Type != "" {
			attrs = append(attrs, attribute.String("moment.event.type", string(r.Type)))
		}
		if r.ErrorType != "" {
			attrs = append(attrs, attribute.String("error.type", r.ErrorType))
			span.SetStatus(codes.Error, r.ErrorType)
		}
		span.SetAttributes(attrs...)
		span.End()
		o.duration.Record(ctx, r.Duration.Seconds(), metric.WithAttributeSet(attribute.NewSet(append(attrs, always...)...)))
	}
}

// senderOf returns the sender's span from the delivery's headers.
func senderOf(d moment.Delivery) trace.SpanContext {
	headers := propagation.MapCarrier{"traceparent": d.TraceParent, "tracestate": d.TraceState}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), headers))
}
