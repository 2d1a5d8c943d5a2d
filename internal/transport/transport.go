// Package transport carries one API call as one or more HTTP attempts. It decides whether a call is
// retried, waits between attempts, bounds what is read, and keeps track of whether a write may have
// been applied. It knows HTTP and not billing: its caller knows what a path, a body or an error
// means.
package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Transport holds what all calls of a client share. It is not changed after it was built.
type Transport struct {
	// RoundTripper is used directly, without an http.Client around it: an http.Client follows
	// redirects, puts the URL (which holds identifiers) into its errors, and loses the status of a
	// redirect it cannot parse.
	RoundTripper   http.RoundTripper
	Jar            http.CookieJar // may be nil
	AttemptTimeout time.Duration
	MaxRetries     int
	Backoff        Backoff
	Budget         *Budget      // nil: no limit
	Logger         *slog.Logger // may be nil: no logging

	// FromService reports whether an error response is the service's own, and not one of a gateway
	// in front of it.
	FromService func(status int, header http.Header, body []byte) bool
	// RequestID returns the service's name for a request, for the log; empty if it gave none.
	RequestID func(header http.Header) string
}

// Request is one call: every attempt sends the same method, URL, header and body bytes.
type Request struct {
	Method    string
	URL       url.URL
	Route     string      // the path without its identifiers, for the log
	Header    http.Header // what all calls of a client send. It must not be nil
	Key       string      // the idempotency key, empty for none
	More      http.Header // what the caller of this one set, instead of or beside those
	Body      []byte      // nil for none
	CallerKey bool        // the idempotency key came from the caller, so an earlier call may have used it
	MaxBody   int64       // of a success, in bytes
	// UnknownBefore says that an earlier call with the key left the outcome of the write unknown.
	UnknownBefore bool
	// ReturnKeyInUse ends the call at a 409 that an earlier copy of the request may have caused,
	// because the caller wants to look for the object before it waits.
	ReturnKeyInUse bool

	Idempotency Idempotency
	Decoder     Decoder
}

// Decoder decodes the response to a request that succeeded.
type Decoder interface {
	// Decode may be called again after it failed. A *NotJSONError says that the body is not JSON
	// (the call may be retried), any other error that it is not the requested object (it may not).
	Decode(status int, header http.Header, body []byte) error
}

// NotJSONError says why a body is not JSON.
type NotJSONError struct{ Reason string }

func (e *NotJSONError) Error() string { return e.Reason }

// Result is how a call ended. Status, Header, Body, FromService and Replayed are the last
// attempt's, as far as it got a response.
type Result struct {
	Status      int
	Header      http.Header
	Body        []byte
	FromService bool // an error response that is the service's own
	Replayed    bool
	// RetryAfter is how long the last response asked to wait, 0 if it did not ask.
	RetryAfter time.Duration
	Attempts   int
	Waited     time.Duration // between the attempts
	// Err says why there is no usable response; nil for a complete response, with whatever status.
	Err error
	// OutcomeUnknown is set if a write may have been applied although the call failed.
	OutcomeUnknown bool
	// KeyInUse is set if the last response is a 409, and an earlier copy of the request may still be
	// in flight.
	KeyInUse bool
	// BudgetEmpty is set if the call was not retried because the budget was spent.
	BudgetEmpty bool

	event event // how the last attempt ended, or contextDone
}

// Reason returns a short word for Err, with underscores: "no_response".
func (r Result) Reason() string { return r.event.word() }

// Do sends req until an attempt settles it or the policy allows no retry.
func (t *Transport) Do(ctx context.Context, req *Request) Result {
	res := Result{OutcomeUnknown: req.UnknownBefore}
	if ctx.Err() != nil {
		res.Err, res.event = contextError(ctx), contextDone
		return res
	}
	for {
		var start time.Time
		if t.Logger != nil {
			start = time.Now() // only the log needs it
		}
		o := t.attempt(ctx, req)
		v := decide(req, o, res.OutcomeUnknown)
		res = Result{
			Status:         o.status,
			Header:         o.header,
			Body:           o.body,
			FromService:    o.fromService,
			Replayed:       o.replayed,
			RetryAfter:     o.retryAfter,
			Attempts:       res.Attempts + 1,
			Waited:         res.Waited,
			event:          o.event,
			Err:            o.err,
			OutcomeUnknown: v.unknown,
			KeyInUse:       v.free,
		}

		retry := v.retry && res.Attempts <= t.MaxRetries && (!v.free || !req.ReturnKeyInUse)
		var wait time.Duration
		if retry {
			wait, retry = t.Backoff.next(ctx, res.Attempts-1, o.retryAfter)
		}
		if retry && !v.free && !t.Budget.spend() {
			retry, res.BudgetEmpty = false, true
		}
		if !retry && o.status != 0 {
			t.Budget.add(responseUnits)
		}
		if t.Logger != nil {
			t.log(ctx, req, res, o, time.Since(start), retry, wait)
		}
		if !retry {
			return res
		}
		if !sleep(ctx, wait) {
			if !v.free {
				t.Budget.add(tokenUnits) // the retry was not sent
			}
			res.Err, res.event = interrupted(ctx, res.Err), contextDone
			return res
		}
		res.Waited += wait
	}
}

// interrupted is the error of a call whose context ended in a wait, after an attempt that failed
// with last, if that is not nil.
func interrupted(ctx context.Context, last error) error {
	if last == nil {
		return fmt.Errorf("%w while waiting to retry", contextError(ctx))
	}
	return fmt.Errorf("%w while waiting to retry: %w", contextError(ctx), last)
}

// contextError is the context's error, with the cause the caller gave where there is one. Both can
// be found by errors.Is: net/http reports the cause alone, which hides context.Canceled.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
