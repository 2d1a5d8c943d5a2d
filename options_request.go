package moment

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-querystring/query"

	"github.com/moment-billing/moment-go/internal/transport"
)

// RequestOption changes one call.
type RequestOption struct {
	apply func(*requestOptions) error
}

type requestOptions struct {
	header    http.Header // set by the caller
	query     url.Values
	key       string // the idempotency key; empty for calls without one
	callerKey bool
	response  *Response

	maxRetries     *int          // nil: the client's
	attemptTimeout time.Duration // 0: the client's

	idempotency    transport.Idempotency // of the call
	unknownBefore  bool                  // an earlier create of the same Ensure left the outcome unknown
	within         string                // the Ensure that makes the call
	returnKeyInUse bool                  // Ensure looks for the object before it waits
}

// newRequestOptions returns the options of a call. Without options, they stay on the stack.
func newRequestOptions(op operation, opts []RequestOption) (requestOptions, error) {
	var o requestOptions
	if len(opts) > 0 {
		applied, err := applyOptions(opts)
		if err != nil {
			return o, err
		}
		o = *applied
	}
	o.idempotency = op.idempotency(o.callerKey)
	switch {
	case o.idempotency == transport.ByKey && !o.callerKey:
		o.key = NewIdempotencyKey()
	case o.idempotency != transport.ByKey && o.callerKey:
		// net/http may send a request with this header twice, and Moment does not document that the
		// service honours the key here.
		return o, argErrorf("idempotency key", "is only for creates, voids, and PATCH and DELETE outside /billing/: Moment documents no keys for other calls")
	}
	return o, nil
}

// applyOptions applies all of opts even after an error, so that a Response is always emptied.
func applyOptions(opts []RequestOption) (*requestOptions, error) {
	o := &requestOptions{}
	var first error
	for _, opt := range opts {
		err := argErrorf("option", "is the zero RequestOption")
		if opt.apply != nil {
			err = opt.apply(o)
		}
		if first == nil {
			first = err
		}
	}
	return o, first
}

// WithIdempotencyKey sets the idempotency key of the call, 1 to 255 of a-z, A-Z, 0-9 and "-", in
// place of a random one. For 24 hours, the service returns its first response, success or failure,
// to every call with the same key. So a job that runs again with the same keys does not apply its
// calls twice: see [DeriveIdempotencyKey].
//
// The option is for creates, voids and updates of payment requests. Through [Client.Do], it is for
// POST and PUT, and for PATCH and DELETE that are not below /billing/. Any other call with it fails
// with an [*ArgumentError].
func WithIdempotencyKey(key string) RequestOption {
	return RequestOption{func(o *requestOptions) error {
		o.key, o.callerKey = strings.Clone(key), true // errors keep it, and some frameworks reuse the memory of their strings
		if key == "" {
			return argErrorf("idempotency key", "is empty")
		}
		if !isIdempotencyKey(key) {
			return argErrorf("idempotency key", "must be 1 to 255 of a-z, A-Z, 0-9 and -; DeriveIdempotencyKey computes one from any text")
		}
		return nil
	}}
}

// WithCallMaxRetries sets how many times this call is retried at most, in place of the client's
// [WithMaxRetries]. 0 turns retries off.
func WithCallMaxRetries(n int) RequestOption {
	return RequestOption{func(o *requestOptions) error {
		o.maxRetries = &n
		return checkMaxRetries(n)
	}}
}

// WithCallAttemptTimeout sets how long one attempt of this call may take, in place of the client's
// [WithAttemptTimeout]. It does not end the call, which may be retried; the context does.
func WithCallAttemptTimeout(d time.Duration) RequestOption {
	return RequestOption{func(o *requestOptions) error {
		o.attemptTimeout = d
		return checkAttemptTimeout(d)
	}}
}

// limited returns the transport with the limits of the call in place of the client's.
func (o *requestOptions) limited(t transport.Transport) *transport.Transport {
	if o.maxRetries != nil {
		t.MaxRetries = *o.maxRetries
	}
	if o.attemptTimeout != 0 {
		t.AttemptTimeout = o.attemptTimeout
	}
	return &t
}

// WithQuery adds a query to the URL. params is a struct, or a pointer to one, with `url` tags as
// github.com/google/go-querystring defines them.
func WithQuery(params any) RequestOption {
	return RequestOption{func(o *requestOptions) error {
		values, err := query.Values(params)
		if err != nil {
			return argErrorf("query", "is not a struct with url tags, or a pointer to one: %v", err)
		}
		if o.query == nil {
			o.query = values
			return nil
		}
		for name, value := range values {
			o.query[name] = append(o.query[name], value...)
		}
		return nil
	}}
}

// WithHeader sets a header of the request. The call fails with an [*ArgumentError] for a header
// that the client sets: Authorization, Idempotency-Key, X-Idempotency-Key, Host, Content-Length,
// Content-Type, Content-Encoding, Transfer-Encoding and Accept-Encoding.
func WithHeader(name, value string) RequestOption {
	return RequestOption{func(o *requestOptions) error {
		canonical := http.CanonicalHeaderKey(name)
		switch canonical {
		case "Authorization", "Idempotency-Key", "X-Idempotency-Key", "Host", "Content-Length", "Content-Type",
			"Content-Encoding", "Transfer-Encoding", "Accept-Encoding":
			return argErrorf("header", "%s is set by the client", canonical)
		}
		if !isHeaderName(name) {
			return argErrorf("header", "the name must have only letters, digits and hyphens") // unquoted: it may contain a key
		}
		if !isHeaderValue(value) {
			return argErrorf("header", "the value of %s contains a control character", canonical)
		}
		if o.header == nil {
			o.header = http.Header{}
		}
		o.header[strings.Clone(canonical)] = []string{strings.Clone(value)} // net/http may still send them after the call
		return nil
	}}
}

// WithResponse fills r with the response as received, for members that this package does not have
// yet. Only the API key is removed, if the response contains it. A failed call fills r too, with as
// much of the response as it received. The old contents of r are lost.
func WithResponse(r *Response) RequestOption {
	return RequestOption{func(o *requestOptions) error {
		if r == nil {
			return argErrorf("response", "is nil")
		}
		*r = Response{}
		o.response = r
		return nil
	}}
}

// Response is the last response of a call: see [WithResponse].
type Response struct {
	StatusCode int         // 0 if there was no response
	Header     http.Header // nil if there was no response
	Body       []byte      // at most 64 KiB of an error

	RequestID      string // the service's id of the request; empty if the response has none
	IdempotencyKey string // empty for calls without one
	Replayed       bool   // the service returned the response that it saved under the key
	Attempts       int    // the number of attempts; 1 without a retry
}
