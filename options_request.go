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
	header    http.Header // what the caller set
	query     url.Values
	key       string // the idempotency key, empty for calls that have none
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
		// More than useless: net/http takes the header as leave to send the request twice.
		return o, argErrorf("idempotency key", "is only for creates, voids, and PATCH and DELETE outside /billing/; the service ignores it on others")
	}
	return o, nil
}

// applyOptions applies all of opts even after an error, so that a Response is emptied whatever
// happens.
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

// WithIdempotencyKey makes the call under a key of yours, 1 to 255 of a-z, A-Z, 0-9 and "-",
// instead of a random one. For 24 hours, the service returns its first response to every call under
// one key, success or failure, so that a job which runs again with the same keys applies nothing
// twice. See [DeriveIdempotencyKey]. It is for creates, voids and updates of payment requests, and
// through [Client.Do] for POST and PUT, and for PATCH and DELETE that are not below /billing/. On
// any other call it is an [*ArgumentError].
func WithIdempotencyKey(key string) RequestOption {
	return RequestOption{func(o *requestOptions) error {
		o.key, o.callerKey = strings.Clone(key), true // errors keep it, and some frameworks reuse the memory of their strings
		if key == "" {
			return argErrorf("idempotency key", "is empty")
		}
		if !isIdempotencyKey(key) {
			return argErrorf("idempotency key", "must be 1 to 255 of a-z, A-Z, 0-9 and -; DeriveIdempotencyKey makes one of any text")
		}
		return nil
	}}
}

// WithCallMaxRetries sets how often this call is retried at most, in place of the client's
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

// WithQuery adds a query to the URL: a struct, or a pointer to one, whose fields have `url` tags as
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

// WithHeader sets a header of the request. It is an [*ArgumentError] for a header that the client
// owns: Authorization, Idempotency-Key, X-Idempotency-Key, Host, Content-Length, Content-Type,
// Content-Encoding, Transfer-Encoding and Accept-Encoding.
func WithHeader(name, value string) RequestOption {
	return RequestOption{func(o *requestOptions) error {
		canonical := http.CanonicalHeaderKey(name)
		switch canonical {
		case "Authorization", "Idempotency-Key", "X-Idempotency-Key", "Host", "Content-Length", "Content-Type",
			"Content-Encoding", "Transfer-Encoding", "Accept-Encoding":
			return argErrorf("header", "%s is set by the client", canonical)
		}
		if !isHeaderName(name) {
			return argErrorf("header", "the name is not one: letters, digits and hyphens") // unquoted: it may hold a key
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

// WithResponse fills r with the response as it was received, for members that this package does not
// know yet. Only the API key is removed, should the response contain it. r is filled when the call
// fails too, as far as there was a response; its old contents are gone.
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

// Response is the last response of a call, see [WithResponse].
type Response struct {
	StatusCode int         // 0 if there was no response
	Header     http.Header // nil if there was no response
	Body       []byte      // of an error, at most 64 KiB

	RequestID      string // the service's name for the request; empty if it gave none
	IdempotencyKey string // empty for calls that have none
	Replayed       bool   // the service returned the response that it saved under the key
	Attempts       int    // how many attempts were made; 1 without a retry
}
