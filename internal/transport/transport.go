// Package transport carries one API call as one or more HTTP attempts. It decides whether a call is
// retried, waits between attempts, limits the bytes that it reads, and tracks whether a write may
// have been applied. It knows HTTP and not billing: its caller knows the meaning of paths, bodies
// and errors.
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

// Transport has the settings that all calls of a client share. It is immutable.
type Transport struct {
	// RoundTripper is used directly, without an http.Client around it: an http.Client follows
	// redirects, puts the URL, which contains identifiers, into its errors, and loses the status of
	// a redirect that it cannot parse.
	RoundTripper   http.RoundTripper
	Jar            http.CookieJar // may be nil
	AttemptTimeout time.Duration
	MaxRetries     int
	Backoff        Backoff
	Budget         *Budget      // nil: no limit
	Logger         *slog.Logger // may be nil: no logging

	// FromService reports whether an error response is the service's own, and not a gateway's.
	FromService func(status int, header http.Header, body []byte) bool
	// RequestID returns the service's id of a request, for the log, or "" if the response has none.
	RequestID func(header http.Header) string
}

// Request is one call: every attempt sends the same method, URL, header and body bytes.
type Request struct {
	Method    string
	URL       url.URL
	Route     string      // the path without its identifiers, for the log
	Header    http.Header // sent by all calls of the client; not nil
	Key       string      // the idempotency key; empty for a request without one
	More      http.Header // set for this call; replaces or extends the client's
	Body      []byte      // nil for a request without a body
	CallerKey bool        // the caller supplied the idempotency key, so an earlier call may have used it
	MaxBody   int64       // of the body of a success, in bytes
	// UnknownBefore is set if an earlier call with the key left the outcome of the write unknown.
	UnknownBefore bool
	// ReturnKeyInUse ends the call at a 409 that an earlier copy of the request may have caused,
	// because the caller looks for the object before it waits.
	ReturnKeyInUse bool

	Idempotency Idempotency
	Decoder     Decoder
}

// Decoder decodes the response to a request that succeeded.
type Decoder interface {
	// Decode may be called again after it failed. A *NotJSONError means that the body is not JSON,
	// and the call may be retried. Any other error means that the response is not the requested
	// object, and the call is not retried.
	Decode(status int, header http.Header, body []byte) error
}

// NotJSONError is the reason why a body is not JSON.
type NotJSONError struct{ Reason string }

func (e *NotJSONError) Error() string { return e.Reason }

// Result is the result of a call. Status, Header, Body, FromService and Replayed are the last
// attempt's, if it got a response.
type Result struct {
	Status      int
	Header      http.Header
	Body        []byte
	FromService bool // an error response that is the service's own
	Replayed    bool
	// RetryAfter is the wait that the last response asked for, or 0 if it did not ask.
	RetryAfter time.Duration
	Attempts   int
	Waited     time.Duration // the waits between the attempts
	// Err is the reason why there is no usable response. It is nil for a complete response with any
	// status.
	Err error
	// OutcomeUnknown is set if a write may have been applied although the call failed.
	OutcomeUnknown bool
	// KeyInUse is set if the last response is a 409, and an earlier copy of the request may still
	// be in flight.
	KeyInUse bool
	// BudgetEmpty is set if the call was not retried because the budget was spent.
	BudgetEmpty bool

	event event // the end of the last attempt, or contextDone
}

// Reason returns a word for Err: "no_response".
func (r Result) Reason() string { return r.event.word() }

// Do makes attempts until the policy does not allow another retry.
func (t *Transport) Do(ctx context.Context, req *Request) Result {
	res := Result{OutcomeUnknown: req.UnknownBefore}
	if ctx.Err() != nil {
		res.Err, res.event = contextError(ctx), contextDone
		return res
	}
	for {
		var start time.Time
		if t.Logger != nil {
			start = time.Now() // only for the log
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
				t.Budget.add(tokenUnits) // because the retry was not sent
			}
			res.Err, res.event = interrupted(ctx, res.Err), contextDone
			return res
		}
		res.Waited += wait
	}
}

// interrupted returns the error of a call whose context ended during a wait. last is the error of
// the attempt before the wait, and may be nil.
func interrupted(ctx context.Context, last error) error {
	if last == nil {
		return fmt.Errorf("%w while waiting to retry", contextError(ctx))
	}
	return fmt.Errorf("%w while waiting to retry: %w", contextError(ctx), last)
}

// contextError returns the context's error with its cause, if the caller set one. errors.Is matches
// both. net/http reports only the cause, which hides context.Canceled.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
