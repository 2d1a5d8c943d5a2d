package moment

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/moment-billing/moment-go/internal/transport"
)

// Client calls the Moment Billing API with one secret key. Make one with [NewClient] and keep it:
// it is immutable, safe for concurrent use, and holds the connections that its calls share. The
// zero Client has no services to call.
//
// Formatting a Client or one of its services, with any verb or as a log value, never shows the key.
type Client struct {
	Customers *CustomersService // Create, Get, Update
	Accounts  *AccountsService  // Create, Get, Update
	Bills     *BillsService     // Create, Get, Update, Void

	hidden hidden
}

type core struct {
	secretKey string
	header    http.Header // what every call sends
	forBody   http.Header // and what those with a body do
	baseURL   url.URL
	transport transport.Transport
}

// NewClient returns a client that authenticates with secretKey: sk_test_… for test mode, sk_… for
// live mode. A public key (pk_…) is refused, since it cannot run billing operations. It reads
// nothing from the environment: where the service is, if it is a fake, is said by [WithBaseURL].
// Every error is an [*ArgumentError].
func NewClient(secretKey string, opts ...ClientOption) (*Client, error) {
	c, err := newCore(secretKey, opts)
	if err != nil {
		err.Op = "new client"
		return nil, err
	}
	s := service{hide(c)}
	return &Client{
		Customers: &CustomersService{s},
		Accounts:  &AccountsService{s},
		Bills:     &BillsService{s},
		hidden:    s.hidden,
	}, nil
}

func newCore(secretKey string, opts []ClientOption) (*core, *ArgumentError) {
	if err := checkSecretKey(secretKey); err != nil {
		return nil, err
	}
	s := defaultSettings()
	for _, opt := range opts {
		if opt == nil {
			return nil, badArgument("option", "is nil")
		}
		if err := opt(&s); err != nil {
			return nil, err
		}
	}
	header := http.Header{
		"Authorization": {"Bearer " + secretKey},
		"Accept":        {"application/json, application/problem+json"},
		"User-Agent":    {s.userAgent},
	}
	forBody := header.Clone()
	forBody.Set("Content-Type", "application/json")
	return &core{
		secretKey: secretKey,
		header:    header,
		forBody:   forBody,
		baseURL:   s.baseURL,
		transport: s.transport(),
	}, nil
}

// Mode says whether a key, and with it a client, works on test data or on real money.
type Mode string

// The two modes.
const (
	ModeTest Mode = "test" // keys sk_test_…
	ModeLive Mode = "live" // keys sk_…
)

// Mode tells the client's mode by its key.
func (c *Client) Mode() Mode {
	core, err := c.hidden.core()
	if err != nil {
		return ""
	}
	return core.mode()
}

func (c *core) mode() Mode {
	if strings.HasPrefix(c.secretKey, testKeyPrefix) {
		return ModeTest
	}
	return ModeLive
}

// Do calls an operation that has no method in this package yet. The path is the operation's, below
// the base URL, with identifiers already escaped by [url.PathEscape]; a query goes through
// [WithQuery]. in is encoded as JSON unless it is nil (text that is not valid UTF-8 is replaced, as
// encoding/json does); out, unless nil, is a pointer that the answer is decoded into. An answer of
// 204 or 205, which have no content, leaves it as it is.
//
// Do follows the same rules as the other calls: POST and PUT get an idempotency key and are
// repeated like a create, GET is repeated freely, every other method is treated like an update. The
// errors are the same three types. In them and in logs, the path ends where identifiers may begin:
// "POST /billing/refunds/…".
func (c *Client) Do(ctx context.Context, method, path string, in, out any, opts ...RequestOption) error {
	op := operation{name: "request", method: method}
	err := checkPath(path)
	if err == nil {
		err = checkDo(method, in, out)
	}
	if err == nil {
		op.route = withoutIdentifiers(path)
		op.name = method + " " + op.route
	}
	return c.hidden.do(ctx, call{op: op, path: path, in: in, maxBody: maxAny, decoder: decodeAny{out}, err: err}, opts)
}

func checkDo(method string, in, out any) *ArgumentError {
	if !isUpper(method) {
		return badArgument("method", "%.20q is not an HTTP method in capital letters", method)
	}
	if method == http.MethodGet && in != nil {
		return badArgument("in", "must be nil: a GET has no body")
	}
	if method == http.MethodHead && out != nil {
		return badArgument("out", "must be nil: the answer to a HEAD has no body")
	}
	// Found out after the call it would be too late: a write would be applied and then reported as
	// failed.
	if out != nil && (reflect.ValueOf(out).Kind() != reflect.Pointer || reflect.ValueOf(out).IsNil()) {
		return badArgument("out", "is not a pointer to decode into")
	}
	return nil
}

func isUpper(method string) bool {
	for _, r := range method {
		if r < 'A' || r > 'Z' {
			return false
		}
	}
	return method != ""
}

// operation is one of the service's operations.
type operation struct {
	name   string // as errors call it: "create bill"
	method string
	route  string // the path, with a placeholder for the identifier: "/billing/bills/{bill}"
}

func (op operation) idempotency() transport.Idempotency {
	switch op.method {
	case http.MethodGet:
		return transport.Safe
	case http.MethodPost, http.MethodPut:
		return transport.ByKey
	default:
		return transport.None
	}
}

// call is what is about to be done, before the options of the request are applied.
type call struct {
	op      operation
	path    string // below the base URL, escaped
	in      any
	maxBody int64
	decoder transport.Decoder
	err     *ArgumentError // what was wrong with the caller's arguments, if anything
}

// params are the parameters of a create or an update.
type params interface {
	// check finds what would be lost or useless if it was sent. Other rules are the service's to
	// judge.
	check() *ArgumentError
}

// invoke makes a call of one of the services and returns the object in the response. id is empty
// for creates, in is nil where there are no parameters, and so is accept where the object need only
// be the one that id names.
func invoke[T any, P resource[T]](ctx context.Context, h hidden, op operation, id string, in params, accept func(P) error, opts []RequestOption) (*T, error) {
	object := &decodeObject[T, P]{id: id, accept: accept}
	path, err := op.path(id)
	if in != nil && err == nil {
		err = in.check()
	}
	if err := h.do(ctx, call{op, path, in, maxObject, object, err}, opts); err != nil {
		return nil, err
	}
	h.logAbsent(ctx, op, P(&object.value).absent())
	return &object.value, nil
}

// logAbsent logs which members are missing from a response although Moment's reference says that
// they are always present. That is no reason to fail a call that was applied.
func (h hidden) logAbsent(ctx context.Context, op operation, members []string) {
	if logger := h().transport.Logger; logger != nil && len(members) > 0 {
		logger.LogAttrs(ctx, slog.LevelInfo, "moment: response lacks members", slog.String("method", op.method),
			slog.String("path", op.route), slog.Any("members", members))
	}
}

// do is the one path that every call takes.
func (h hidden) do(ctx context.Context, call call, opts []RequestOption) error {
	idempotency := call.op.idempotency()
	o, optionErr := newRequestOptions(idempotency, opts)
	c, argErr := h.core()
	switch {
	case argErr != nil:
	case ctx == nil:
		argErr = badArgument("context", "is nil")
	case call.err != nil:
		argErr = call.err
	default:
		argErr = optionErr
	}
	var body []byte // the same bytes for every attempt
	if argErr == nil && call.in != nil {
		body, argErr = encode(call.in)
	}
	if argErr != nil {
		argErr.Op = call.op.name
		return argErr
	}
	header := c.header
	if body != nil {
		header = c.forBody
	}
	res := c.transport.Do(ctx, &transport.Request{
		Method:    call.op.method,
		URL:       c.url(call.path, o.query),
		Route:     call.op.route,
		Header:    header,
		Key:       o.key,
		More:      o.header,
		Body:      body,
		CallerKey: o.callerKey,
		MaxBody:   call.maxBody,

		Idempotency: idempotency,
		Decoder:     call.decoder,
	})
	a := answer{call.op.name, o.key, res}
	if o.response != nil {
		*o.response = c.response(a)
	}
	return c.failure(a)
}

// answer is how a call ended, with what errors and Response say of it.
type answer struct {
	op  string
	key string
	transport.Result
}

// service is what CustomersService, AccountsService and BillsService have in common.
type service struct{ hidden hidden }

func (c *core) String() string {
	return "moment.Client(" + string(c.mode()) + " mode, " + c.baseURL.String() + ")"
}

// Format writes the client's mode and base URL whatever the verb, and never the key.
func (c Client) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.hidden.String())) }

// LogValue is the client's mode and base URL, and never the key.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.hidden.String()) }

// Format writes what the client's does.
func (s service) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.hidden.String())) }

// LogValue is what the client's is.
func (s service) LogValue() slog.Value { return slog.StringValue(s.hidden.String()) }
