package moment

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/internal/transport"
)

// operation is one of the service's operations.
type operation struct {
	name   string // in errors: "create bill"
	method string
	route  string // the path, with a placeholder for the identifier: "/billing/bills/{bill}"
}

// service has a function that returns the core, which the client and its services share. The
// function is nil if NewClient did not make the service. A pointer would not hide the key: fmt
// follows the pointers in unexported fields if the verb does not fit them, and dumpers that use
// reflection follow all pointers, even into the buffers of connections. A function is printed as
// its address.
type service struct{ core func() *core }

func newService(c *core) service { return service{func() *core { return c }} }

// params are the parameters of a create or an update.
type params interface {
	// check rejects params that would lose data or have no effect. The service checks all other
	// rules.
	check() error
}

// call makes a call of one of the services and returns the object in the response. id is empty for
// creates. in is nil for calls without params. accept is nil if id alone identifies the object.
func call[T any, P resource[T]](ctx context.Context, s service, op operation, id string, in params, accept func(P) error, opts []RequestOption) (*T, error) {
	o, err := newRequestOptions(op, opts) // first, because it empties a Response
	if err != nil {
		return nil, withOp(op.name, err)
	}
	object, _, err := callWith(ctx, s, op, id, in, accept, &o)
	return object, err
}

// callWith is like call, for options that were already applied. It also returns the transport's
// result.
func callWith[T any, P resource[T]](ctx context.Context, s service, op operation, id string, in params, accept func(P) error, o *requestOptions) (*T, transport.Result, error) {
	// Check.
	path, err := op.path(id)
	if err != nil {
		return nil, transport.Result{}, withOp(op.name, err)
	}
	if in != nil {
		if err := in.check(); err != nil {
			return nil, transport.Result{}, withOp(op.name, err)
		}
	}
	// Encode, send, decode.
	object := &objectDecoder[T, P]{id: id, accept: accept}
	res, err := s.exchange(ctx, op, path, in, o, object, maxObject)
	if err != nil {
		return nil, res, err
	}
	return &object.value, res, nil
}

// Do calls an operation that has no method in this package yet. The path is the operation's, below
// the base URL, with identifiers already escaped by [url.PathEscape]; a query goes through
// [WithQuery]. If in is not nil, Do encodes it as JSON; encoding/json replaces text that is not
// valid UTF-8. If out is not nil, it must be a pointer, and Do decodes the response into it. A 204
// or 205 does not change it, because these have no content. Any other success must be JSON of at
// most 2 MiB. Check that the response is the requested object, because Do cannot.
//
// Do follows the same rules as the other calls: POST and PUT get an idempotency key and are retried
// like a create, GET, HEAD and OPTIONS are retried freely, and every other method is treated like
// an update. A PATCH or a DELETE is retried like a create if the caller supplies a key
// ([WithIdempotencyKey]), but not below /billing/, because Moment documents no idempotency keys for
// these methods there. Errors have the same types. In errors and logs, the path ends before its
// first identifier: "POST /billing/refunds/…".
func (c *Client) Do(ctx context.Context, method, path string, in, out any, opts ...RequestOption) error {
	op := operation{name: "request", method: method, route: path}
	route := ""
	argErr := checkDo(method, path, in, out)
	if argErr == nil {
		route = withoutIdentifiers(path)
		op.name = method + " " + route
	}
	o, err := newRequestOptions(op, opts) // before any other error, because it empties a Response
	if err != nil {
		return withOp(op.name, err)
	}
	if argErr != nil {
		return withOp(op.name, argErr)
	}
	op.route = route
	_, err = c.exchange(ctx, op, path, in, &o, anyDecoder{out}, maxAny)
	return err
}

// exchange encodes in, sends it, and decodes the response, for Do and the methods of the services.
func (s service) exchange(ctx context.Context, op operation, path string, in any, o *requestOptions, d decoder, maxBody int64) (res transport.Result, err error) {
	if s.core == nil {
		return res, withOp(op.name, argErrorf("client", "was not made by NewClient"))
	}
	if ctx == nil {
		return res, withOp(op.name, argErrorf("context", "is nil"))
	}
	c := s.core()
	header := c.header
	var body []byte // the same bytes for every attempt
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return res, withOp(op.name, argErrorf("body", "cannot be encoded as JSON: %v", err))
		}
		header = c.headerWithBody
	}
	if c.observer != nil {
		start := time.Now()
		observed, end := c.observe(ctx, op, o.within)
		ctx = observed
		defer func() { end(callResult(res, time.Since(start))) }()
	}
	tr := &c.transport
	if o.maxRetries != nil || o.attemptTimeout != 0 {
		tr = o.limited(c.transport)
	}
	res = tr.Do(ctx, &transport.Request{
		Method:      op.method,
		URL:         c.url(path, o.query),
		Route:       op.route,
		Header:      header,
		More:        o.header,
		Body:        body,
		Idempotency: o.idempotency,
		Key:         o.key,
		CallerKey:   o.callerKey,
		Decoder:     d,
		MaxBody:     maxBody,

		UnknownBefore:  o.unknownBefore,
		ReturnKeyInUse: o.returnKeyInUse,
	})
	if o.response != nil {
		*o.response = c.response(o, res)
	}
	if res.Err != nil || res.Status < 200 || res.Status > 299 {
		return res, c.failure(op, o, res)
	}
	if c.transport.Logger != nil {
		c.logAbsent(ctx, op, d.absent())
	}
	return res, nil
}

// logAbsent logs the members that a response lacks although Moment's reference says that they are
// always present. The call does not fail, because it was applied.
func (c *core) logAbsent(ctx context.Context, op operation, members []string) {
	if len(members) > 0 {
		c.transport.Logger.LogAttrs(ctx, slog.LevelInfo, "moment: response lacks members",
			slog.String("method", op.method), slog.String("path", op.route), slog.Any("members", members))
	}
}

// idempotency classifies the effect of a second copy of the request. A PATCH or a DELETE is keyed
// if the caller supplies a key, but not below /billing/, because Moment documents no keys for these
// methods there. The update of a payment request is always keyed.
func (op operation) idempotency(callerKey bool) transport.Idempotency {
	switch op.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions: // safe by RFC 9110, section 9.2.1
		return transport.Safe
	case http.MethodPost, http.MethodPut:
		return transport.ByKey
	case http.MethodPatch, http.MethodDelete:
		if op == updatePaymentRequest || callerKey && !mayBeBilling(op.route) {
			return transport.ByKey
		}
	}
	return transport.None
}

// mayBeBilling reports whether a path is below /billing/, or may be for a proxy that decodes it.
func mayBeBilling(escaped string) bool {
	plain, err := url.PathUnescape(escaped)
	if err != nil || strings.ContainsAny(plain, `%\`) {
		return true
	}
	return strings.HasPrefix(strings.ToLower(path.Clean(plain))+"/", "/billing/")
}

// path returns the operation's path with id, escaped as one segment, in place of the placeholder.
func (op operation) path(id string) (string, error) {
	before, rest, hasID := strings.Cut(op.route, "{")
	if !hasID {
		return op.route, nil
	}
	param, after, _ := strings.Cut(rest, "}")
	if err := checkIdentifier(id, param); err != nil {
		return "", err
	}
	return before + url.PathEscape(id) + after, nil
}

// withoutIdentifiers shortens the path of a caller of Do, for errors and logs. Moment's paths are
// /billing/ or /collect/, the name of a collection, and then identifiers. Of any other path, only
// the first segment counts as a name.
func withoutIdentifiers(path string) string {
	names := 1
	if strings.HasPrefix(path, "/billing/") || strings.HasPrefix(path, "/collect/") {
		names = 2
	}
	segments := strings.SplitN(path[1:], "/", names+1)
	if len(segments) <= names {
		return path
	}
	return "/" + strings.Join(segments[:names], "/") + "/…"
}

// url returns the base URL with a path and a query. NewClient has parsed the base URL.
func (c *core) url(escapedPath string, query url.Values) url.URL {
	u := c.baseURL
	u.RawPath += escapedPath
	u.Path, _ = url.PathUnescape(u.RawPath) // was checked, or escaped here
	u.RawQuery = query.Encode()
	return u
}
