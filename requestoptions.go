package moment

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/moment-billing/moment-go/internal/transport"
)

// RequestOption changes one call.
type RequestOption func(*requestOptions) *ArgumentError

type requestOptions struct {
	header    http.Header // what the caller set
	query     url.Values
	key       string // the idempotency key, empty for calls that have none
	callerKey bool
	response  *Response
}

// newRequestOptions applies all of opts even after an error, so that a Response is emptied whatever
// happens.
func newRequestOptions(idempotency transport.Idempotency, opts []RequestOption) (requestOptions, *ArgumentError) {
	var o requestOptions
	var first *ArgumentError
	if len(opts) > 0 { // options could keep a pointer, so it would be on the heap for every call
		given := &requestOptions{}
		for _, opt := range opts {
			err := badArgument("option", "is nil")
			if opt != nil {
				err = opt(given)
			}
			if first == nil {
				first = err
			}
		}
		o = *given
	}
	switch {
	case idempotency == transport.ByKey && !o.callerKey:
		o.key = NewIdempotencyKey()
	case idempotency != transport.ByKey && o.callerKey && first == nil:
		// More than useless: net/http takes the header as leave to send the request twice.
		first = badArgument("idempotency key", "is only for operations that create or void; the service ignores it on others")
	}
	return o, first
}

// WithIdempotencyKey makes the call under a key of yours, 1 to 255 of a-z, A-Z, 0-9 and "-",
// instead of a random one. The service answers every call under one key with what it answered to
// the first, success or failure, for 24 hours: a job that runs again with the same keys repeats
// nothing. See [DeriveIdempotencyKey]. It is for creates, voids, and POST and PUT through
// [Client.Do]; on any other call it is an [*ArgumentError].
func WithIdempotencyKey(key string) RequestOption {
	return func(o *requestOptions) *ArgumentError {
		o.key, o.callerKey = strings.Clone(key), true // errors keep it, and some frameworks reuse the memory of their strings
		if !isIdempotencyKey(key) {
			return badArgument("idempotency key", "must be 1 to 255 of a-z, A-Z, 0-9 and -; DeriveIdempotencyKey makes one of any text")
		}
		return nil
	}
}

// WithQuery adds a query to the URL: a struct, or a pointer to one, whose fields have `url` tags as
// github.com/google/go-querystring defines them.
func WithQuery(params any) RequestOption {
	return func(o *requestOptions) *ArgumentError {
		values, err := query.Values(params)
		if err != nil {
			return badArgument("query", "is not a struct with url tags, or a pointer to one: %v", err)
		}
		if o.query == nil {
			o.query = values
			return nil
		}
		for name, value := range values {
			o.query[name] = append(o.query[name], value...)
		}
		return nil
	}
}

// WithHeader sets a header of the request. Authorization, Idempotency-Key, X-Idempotency-Key, Host
// and Content-Length are the client's own and are refused with an [*ArgumentError].
func WithHeader(name, value string) RequestOption {
	return func(o *requestOptions) *ArgumentError {
		canonical := http.CanonicalHeaderKey(name)
		switch canonical {
		case "Authorization", "Idempotency-Key", "X-Idempotency-Key", "Host", "Content-Length":
			return badArgument("header", "%s is set by the client", canonical)
		}
		if !isHeaderName(name) {
			return badArgument("header", "the name is not one: letters, digits and hyphens") // unquoted: it may hold a key
		}
		if !isHeaderValue(value) {
			return badArgument("header", "the value of %s contains a control character", canonical)
		}
		if o.header == nil {
			o.header = http.Header{}
		}
		o.header[strings.Clone(canonical)] = []string{strings.Clone(value)} // net/http may still send them after the call
		return nil
	}
}

// WithResponse fills r with the answer as it came, for what this package does not know yet; only
// the API key is cut out, should it be repeated there. It is filled when the call fails too, as far
// as there was an answer; what it held before is gone.
func WithResponse(r *Response) RequestOption {
	return func(o *requestOptions) *ArgumentError {
		if r == nil {
			return badArgument("response", "is nil")
		}
		*r = Response{}
		o.response = r
		return nil
	}
}

// Response is the last answer of a call, see [WithResponse].
type Response struct {
	StatusCode int         // 0 if there was no answer
	Header     http.Header // nil if there was no answer
	Body       []byte      // of an error, at most 64 KiB

	RequestID      string // the service's name for the request; empty if it gave none
	IdempotencyKey string // empty for calls that have none
	Replayed       bool   // the service answered from what it saved under the idempotency key
	Attempts       int    // how many attempts were made, 1 if the first was answered for good
}

func (c *core) response(a answer) Response {
	header, body := c.redactResponse(a.Header, a.Body)
	return Response{
		StatusCode:     a.Status,
		Header:         header,
		Body:           body,
		RequestID:      c.requestID(a.Header),
		IdempotencyKey: a.key,
		Replayed:       a.Replayed,
		Attempts:       a.Attempts,
	}
}

func (c *core) requestID(h http.Header) string {
	return c.redact(cmp.Or(h.Get("X-Request-Id"), h.Get("Request-Id")))
}

// isHeaderName reports whether name is a token (RFC 9110, section 5.6.2).
func isHeaderName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isLetterOrDigit(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

func isLetterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isHeaderValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
