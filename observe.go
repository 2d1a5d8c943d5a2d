package moment

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/moment-billing/moment-go/internal/transport"
)

// Observer observes the calls of a client. The client calls it at the start of each call, and calls
// the returned function at the end of the call. The call uses the returned context, so that its
// attempts can be children of a span. Both results may be nil.
//
// An observer receives no API key, body, identifier or personal data. Package momentotel is an
// observer that records OpenTelemetry spans and metrics.
type Observer func(ctx context.Context, call Call) (context.Context, func(CallResult))

// Call describes a call at its start. A call that fails with an [*ArgumentError] is not observed.
// An Ensure is observed as one call, and each call within it is observed too.
type Call struct {
	Operation string // "create bill"; for Do, the method and the route
	Method    string // "POST"; empty for Ensure
	Route     string // the path without identifiers: "/billing/bills/{bill}"; empty for Ensure
	Within    string // "ensure bill" for a call within an Ensure; otherwise empty
	Mode      Mode   // the client's: test or live
}

// CallResult describes a call at its end.
type CallResult struct {
	Duration time.Duration // of the whole call
	Waited   time.Duration // between the attempts
	Attempts int           // 0 if the context ended before the first
	Status   int           // of the last response; 0 without a response

	Replayed         bool // the service returned the response that it saved under the idempotency key
	FromService      bool // the error response is the service's own, not a gateway's
	OutcomeUnknown   bool // a write may have been applied, although the call failed
	RetryBudgetEmpty bool // the call was not retried because the retry budget was spent

	// ErrorType is the kind of the failure, or empty if the call succeeded: the status ("503"), or
	// one of never_sent, certificate_not_trusted, no_response, response_truncated,
	// response_not_json, response_too_large, unexpected_response_body and context_done. Ensure adds
	// mismatch and lookup_failed. It is panic if an http.RoundTripper panicked.
	ErrorType string
}

// WithObserver sets the observer of the client's calls.
func WithObserver(o Observer) ClientOption {
	return ClientOption{func(s *settings) error {
		if o == nil {
			return argErrorf("observer", "is nil")
		}
		s.observer = o
		return nil
	}}
}

// observe calls the observer. It returns the context of the call and the function to call at the
// end.
func (c *core) observe(ctx context.Context, op operation, within string) (context.Context, func(CallResult)) {
	observed, end := c.observer(ctx, Call{Operation: op.name, Method: op.method, Route: op.route, Within: within, Mode: c.mode()})
	if observed != nil {
		ctx = observed
	}
	if end == nil {
		end = func(CallResult) {}
	}
	return ctx, end
}

func callResult(res transport.Result, duration time.Duration) CallResult {
	r := CallResult{
		Duration:         duration,
		Waited:           res.Waited,
		Attempts:         res.Attempts,
		Status:           res.Status,
		Replayed:         res.Replayed,
		FromService:      res.FromService,
		OutcomeUnknown:   res.OutcomeUnknown,
		RetryBudgetEmpty: res.BudgetEmpty,
	}
	switch {
	case res.Err != nil:
		r.ErrorType = res.Reason()
	case res.Status < 200 || res.Status > 299:
		r.ErrorType = strconv.Itoa(res.Status)
		if res.Status == 0 {
			r.ErrorType = "panic"
		}
	}
	return r
}

// HandlerObserver observes the deliveries to a webhook handler. The handler calls it when a
// delivery arrives, and calls the returned function when it has responded. The delivery is
// processed with the returned context. Both results may be nil.
type HandlerObserver func(ctx context.Context, d Delivery) (context.Context, func(DeliveryResult))

// Delivery describes a delivery at its arrival, before it is verified.
type Delivery struct {
	// TraceParent and TraceState are the headers of W3C Trace Context. Link to this trace; do not
	// continue it, because anyone can send these headers.
	TraceParent, TraceState string
}

// DeliveryResult describes a delivery at its end.
type DeliveryResult struct {
	Duration time.Duration   // from the arrival to the response
	Outcome  DeliveryOutcome // processed, duplicate, failed or rejected
	Type     EventType       // of a verified event; empty for a rejected delivery
	// ErrorType is the reason for the rejection or failure, or empty: method_not_allowed,
	// missing_header, invalid_signature, timestamp, body_too_large, malformed_event, body_not_read,
	// function_failed or panic.
	ErrorType string
}

// DeliveryOutcome is the outcome of a delivery.
type DeliveryOutcome string

// The outcomes of deliveries.
const (
	DeliveryProcessed DeliveryOutcome = "processed" // the function returned nil
	DeliveryDuplicate DeliveryOutcome = "duplicate" // the deduplicator has processed the message before
	DeliveryFailed    DeliveryOutcome = "failed"    // the function or the deduplicator failed, and Moment delivers the event again
	DeliveryRejected  DeliveryOutcome = "rejected"  // Moment did not sign it, or it is not an event
)

// WithHandlerObserver sets the observer of the handler's deliveries. It panics if o is nil.
func WithHandlerObserver(o HandlerObserver) HandlerOption {
	if o == nil {
		panic("moment: the HandlerObserver of a webhook handler is nil")
	}
	return HandlerOption{func(h *webhookHandler) { h.observer = o }}
}

// rejection returns the ErrorType of a delivery that was rejected with err.
func rejection(err error) string {
	for target, word := range map[error]string{
		ErrMissingHeader: "missing_header", ErrInvalidSignature: "invalid_signature", ErrTimestamp: "timestamp",
		ErrBodyTooLarge: "body_too_large", ErrMalformedEvent: "malformed_event",
	} {
		if errors.Is(err, target) {
			return word
		}
	}
	return "body_not_read"
}
