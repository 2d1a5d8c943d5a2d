package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/moment-billing/moment-go"
)

const scope = "github.com/moment-billing/moment-go/examples/scale-out"

// jobTelemetry is River's middleware that carries the trace of whoever inserts a job to whoever
// works it, in the job's metadata, and measures how long jobs wait and take.
type jobTelemetry struct {
	river.MiddlewareDefaults

	tracer         trace.Tracer
	waited, worked metric.Float64Histogram
}

var (
	_ rivertype.JobInsertMiddleware = (*jobTelemetry)(nil)
	_ rivertype.WorkerMiddleware    = (*jobTelemetry)(nil)
)

func (t telemetry) ofJobs() *jobTelemetry {
	meter := t.metrics.Meter(scope)
	// An error would be one of the names, which do not change.
	waited, _ := meter.Float64Histogram("river.job.wait", metric.WithUnit("s"), metric.WithDescription("From when a job may run to when it does."))
	worked, _ := meter.Float64Histogram("river.job.duration", metric.WithUnit("s"), metric.WithDescription("How long an attempt of a job takes."))
	return &jobTelemetry{tracer: t.traces.Tracer(scope), waited: waited, worked: worked}
}

// InsertMany implements [rivertype.JobInsertMiddleware].
func (t *jobTelemetry) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if len(carrier) > 0 { // jobs of a file have no trace in common: it would have a million spans
		for _, job := range jobs {
			metadata := map[string]any{}
			if err := json.Unmarshal(job.Metadata, &metadata); len(job.Metadata) > 0 && err != nil {
				return nil, err
			}
			for name, value := range carrier {
				metadata[name] = value
			}
			encoded, err := json.Marshal(metadata)
			if err != nil {
				return nil, err
			}
			job.Metadata = encoded
		}
	}
	return insert(ctx)
}

// Work implements [rivertype.WorkerMiddleware].
func (t *jobTelemetry) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	carrier := propagation.MapCarrier{}
	_ = json.Unmarshal(job.Metadata, &carrier) // which fails at what is no text, and goes on with what is
	ctx, span := t.tracer.Start(propagation.TraceContext{}.Extract(ctx, carrier), job.Kind, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.Int64("river.job.id", job.ID), attribute.Int("river.job.attempt", job.Attempt)))
	defer span.End()
	kind, begun := attribute.String("kind", job.Kind), time.Now()
	t.waited.Record(ctx, begun.Sub(job.ScheduledAt).Seconds(), metric.WithAttributes(kind))
	outcome := "panic"
	defer func() {
		t.worked.Record(ctx, time.Since(begun).Seconds(), metric.WithAttributes(kind, attribute.String("outcome", outcome)))
	}()
	err := work(ctx)
	outcome = outcomeOf(job, err)
	if outcome == "error" || outcome == "discarded" || outcome == "cancelled" {
		span.SetStatus(codes.Error, errorClass(err)) // and not its text, which is the service's, or has references in it
	}
	return err
}

// errorClass says of which kind an error is, without a word that may be about a person. The text is
// in the job.
func errorClass(err error) string {
	var failure *moment.Error
	switch {
	case errors.Is(err, moment.ErrInvalidArgument):
		return "invalid argument"
	case errors.As(err, &failure):
		return strconv.Itoa(failure.Status)
	case errors.Is(err, moment.ErrOutcomeUnknown):
		return "outcome unknown"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "other"
	}
}

// routes is an [http.RoundTripper] below otelhttp that replaces the address in its span, which ends
// with the reference of a customer or of a bill: people choose them, and they may be names.
type routes struct{ next http.RoundTripper }

var references = regexp.MustCompile("/(accounts|bills|customers)/[^/]+")

// RoundTrip implements [http.RoundTripper].
func (r routes) RoundTrip(req *http.Request) (*http.Response, error) {
	route := references.ReplaceAllString(req.URL.EscapedPath(), "/$1/{reference}")
	trace.SpanFromContext(req.Context()).SetAttributes(attribute.String("url.full", req.URL.Scheme+"://"+req.URL.Host+route))
	return r.next.RoundTrip(req)
}

func outcomeOf(job *rivertype.JobRow, err error) string {
	var cancelled *river.JobCancelError
	var snoozed *river.JobSnoozeError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &cancelled):
		return "cancelled"
	case errors.As(err, &snoozed):
		return "snoozed"
	case job.Attempt >= job.MaxAttempts: // as River decides it
		return "discarded"
	default:
		return "error"
	}
}
