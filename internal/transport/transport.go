// Package transport carries one API call as one or more HTTP attempts. It decides when an attempt may be
// repeated, waits between attempts, bounds what is read, and keeps track of whether a write may have been
// applied. It knows HTTP and not billing: what a path, a body or an error means is its caller's business.
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

// Repeat says what a second copy of a request could do. The zero value is the most careful one.
type Repeat int

// From the most careful to the least.
const (
	Once  Repeat = iota // a second copy could be applied a second time: PATCH
	Keyed               // an idempotency key makes the service answer a second copy from the first: POST
	Safe                // nothing is changed, however often it is sent: GET
)

// Transport holds what all calls of a client share. It is not changed after it was built.
type Transport struct {
	// RoundTripper is used directly, without an http.Client around it: an http.Client follows redirects, puts
	// the URL (which holds identifiers) into its errors, and loses the status of a redirect it cannot parse.
	RoundTripper   http.RoundTripper
	Jar            http.CookieJar // may be nil
	AttemptTimeout time.Duration
	MaxRetries     int
	Backoff        Backoff
	Logger         *slog.Logger // may be nil: no logging
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
	Repeat    Repeat
	CallerKey bool // the idempotency key came from the caller, so an earlier call may have used it

	Decoder Decoder // nil ignores the status and body of a success
}

// Decoder takes the answer of a success.
type Decoder interface {
	// Decode may be called again, after it failed. A *json.SyntaxError says that the body is not JSON (the attempt may be
	// repeated), any other error that it is not of the expected shape (it may not).
	Decode(status int, body []byte) error
}

// Result is how a call ended. Status, Header, Body and Replayed are the last attempt's, as far as it was answered.
type Result struct {
	Status   int
	Header   http.Header
	Body     []byte
	Replayed bool
	// RetryAfter is how long the service asked to wait in its last answer, 0 if it did not ask.
	RetryAfter time.Duration
	Attempts   int
	// Err says why there is no usable answer; nil if the service answered, with whatever status.
	Err error
	// OutcomeUnknown is set if a write may have been applied although the call failed.
	OutcomeUnknown bool
}

// Do sends req until an attempt settles it or repeating is not allowed.
func (t *Transport) Do(ctx context.Context, req *Request) Result {
	var res Result
	if ctx.Err() != nil {
		res.Err = contextError(ctx)
		return res
	}
	mayBeRunning := req.CallerKey
	unknown, held := false, false
	for {
		var start time.Time
		if t.Logger != nil {
			start = time.Now() // 45 ns that only the log needs
		}
		o := t.attempt(ctx, req)
		res.take(o)
		unknown = stillUnknown(unknown, o)
		held = req.CallerKey && stillHeld(held, o)
		res.OutcomeUnknown = req.Repeat != Safe && (unknown || held)
		mayBeRunning = mayBeRunning || o.mayStillRun()

		again := res.Attempts <= t.MaxRetries && retryable(req.Repeat, o, mayBeRunning)
		var wait time.Duration
		if again {
			wait, again = t.Backoff.next(ctx, res.Attempts-1, o.retryAfter)
		}
		t.log(ctx, req, o, res.Attempts, start, again, wait)
		if !again {
			return res
		}
		if !sleep(ctx, wait) {
			res.Err = interrupted(ctx, res.Err)
			return res
		}
	}
}

func (r *Result) take(o outcome) {
	r.Status, r.Header, r.Body, r.Replayed = o.status, o.header, o.body, o.replayed
	r.RetryAfter = o.retryAfter.wait
	r.Err = o.err
	r.Attempts++
}

// interrupted is the error of a call whose context ended in a wait, after an attempt that failed by last, if that is not nil.
func interrupted(ctx context.Context, last error) error {
	if last == nil {
		return fmt.Errorf("%w while waiting to repeat the request", contextError(ctx))
	}
	return fmt.Errorf("%w while waiting to repeat the request: %w", contextError(ctx), last)
}

// contextError is the context's error, with the cause the caller gave where there is one. Both can be found by
// errors.Is: net/http reports the cause alone, which hides context.Canceled.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
