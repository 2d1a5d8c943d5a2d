package momenttest

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/moment-billing/moment-go/internal/localhost"
)

// maxBody is the maximum size of a request body.
const maxBody = 1 << 20

// A Handler is a fake of the Moment Billing API without a socket, for programs that listen by
// themselves. It is safe for parallel use. Make one with [NewHandler]. Most tests use a [Server],
// which has the methods of its Handler.
//
// It rejects requests whose Host header is a foreign name, and does not record them, because a web
// page could reach it under its own name (DNS rebinding). Accepted are IP addresses, names without
// a full stop, such as localhost and the names of containers, names that end in .localhost or
// .internal, the host of [net/http/httptest.NewRequest], and the host of [WithHost].
type Handler struct {
	routes     []route
	now        func() time.Time
	save       func(State) // may be nil
	hosts      []string    // of WithHost
	inProcess  bool
	deliveries *http.Client

	closeOnce sync.Once
	closing   chan struct{} // closed by Close, to end delays

	mu sync.Mutex // guards all below, and is held while an operation runs
	data
	nextExpiry   time.Time // no saved response expires before it
	webhook      *webhook  // nil: events are not delivered
	origin       string    // of the request that runs, for links
	requests     []Request
	requestBytes int // of their bodies
	faults       []Fault
}

// Option changes a setting of a [Server] or a [Handler].
type Option struct {
	apply func(*Handler)
}

// WithClock sets the clock of bill dates, of the expiry of idempotency keys and payment requests,
// and of events and their signatures. The default is time.Now. It does not shorten the wait of [Delay]. Requests call
// now from other goroutines, so guard the variable that it reads.
func WithClock(now func() time.Time) Option {
	return Option{func(h *Handler) { h.now = now }}
}

// WithSave sets a function that is called after each change, before the response is sent and before
// the event is delivered. [Handler.Seed] restores the State that it stored. Calls come one at a
// time, and must not call the handler.
func WithSave(save func(State)) Option {
	return Option{func(h *Handler) { h.save = save }}
}

// WithHost adds a host name under which the handler is served, without a port. See [Handler] for
// the names that it accepts without this option.
func WithHost(name string) Option {
	return Option{func(h *Handler) { h.hosts = append(h.hosts, name) }}
}

// NewHandler returns a handler without data.
func NewHandler(opts ...Option) *Handler {
	h := &Handler{
		now:        time.Now,
		deliveries: newDeliveryClient(nil),
		closing:    make(chan struct{}),
		data: data{
			customers:       newCollection[customer]("customer"),
			accounts:        newCollection[account]("account"),
			bills:           newCollection[bill]("bill"),
			paymentRequests: newCollection[paymentRequest]("payment request"),
			paymentDetails:  newCollection[payment]("payment"),
			keys:            map[string]savedResponse{},
		},
	}
	h.routes = h.operations()
	for _, opt := range opts {
		if opt.apply == nil {
			panic("momenttest: an option is the zero Option")
		}
		opt.apply(h)
	}
	return h
}

// Close ends the waits of [Delay]: their requests get no response, and their operations do not run.
// Call it before the server that listens is closed.
func (h *Handler) Close() { h.closeOnce.Do(func() { close(h.closing) }) }

// ServeHTTP responds to one request, or fails as a [Fault] says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !localhost.Accepts(r.Host, h.hosts...) {
		foreignHost().response(r.URL.EscapedPath()).write(w)
		return
	}
	if strings.HasPrefix(r.URL.EscapedPath(), payPath) {
		h.servePayer(w, r)
		return
	}
	c, p, f := h.receive(w, r)
	switch f.kind {
	case statusFault:
		f.response(c.path).write(w)
		return
	case dropBeforeCommit:
		drop(w)
		return
	}
	var resp response
	if p != nil {
		resp = p.response(c.path)
	} else {
		resp = h.execute(c, f)
	}
	switch {
	case f.kind == dropAfterCommit, resp.status == 0:
		drop(w)
	case f.kind == truncate:
		resp.writeHalf(w)
	default:
		resp.write(w)
	}
}

// foreignHost does not have a type on Moment's domains, because the service has no such check.
func foreignHost() *problem {
	p := newProblem(http.StatusForbidden, "The header Host must be an IP address, localhost, a name without a full stop, a name that ends in .localhost or .internal, or the host that the fake is served under.")
	p.Type = "about:blank"
	return p
}

// receive reads and records a request, and returns the fault that it meets.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (call, *problem, Fault) {
	body, unreadable := readBody(w, r)
	c, p := h.checkRequest(r)
	c.body = body
	h.mu.Lock()
	defer h.mu.Unlock()
	h.record(r, body)
	return c, cmp.Or(p, unreadable), h.nextFault(c.name)
}

// A call is a request that may run: it is authenticated and read, its operation exists, and its
// idempotency key is well-formed.
type call struct {
	route
	origin string // that the request was sent to: "http://127.0.0.1:8080"
	path   string // as sent, still escaped
	id     string // the identifier in the path, decoded
	key    string // the idempotency key, if the operation requires one
	body   []byte
}

// checkRequest returns the call of a request, without its body. A rejection is not saved under an
// idempotency key.
func (h *Handler) checkRequest(r *http.Request) (c call, p *problem) {
	c.origin, c.path = originOf(r), r.URL.EscapedPath()
	route, id, noRoute := h.find(r.Method, c.path)
	c.route, c.id = route, id
	if noRoute != nil && noRoute.gateway {
		return c, noRoute
	}
	if p = authenticate(r.Header.Get("Authorization")); p != nil {
		return c, p
	}
	if noRoute != nil {
		return c, noRoute
	}
	if route.keyed() {
		c.key = r.Header.Get("Idempotency-Key")
		return c, checkKey(c.key)
	}
	return c, nil
}

// execute runs a call, unless its idempotency key has a saved response. The response is empty if
// the server closes before the call runs.
func (h *Handler) execute(c call, f Fault) response {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.key != "" {
		if resp, done := h.begin(c); done {
			return resp
		}
	}
	if f.kind == delay && !h.wait(f.delay) {
		delete(h.keys, c.key)
		return response{}
	}
	h.origin = c.origin
	resp := c.run(f)
	if c.key != "" {
		h.finish(c, resp)
	}
	if c.method != http.MethodGet {
		h.changed()
	}
	return resp
}

// changed is called after each change, before the response is sent or the event is delivered.
func (h *Handler) changed() {
	if h.save != nil {
		h.save(h.state())
	}
}

// wait releases the lock for a time, and returns false if the server closes.
func (h *Handler) wait(d time.Duration) bool {
	h.mu.Unlock()
	defer h.mu.Lock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.closing:
		return false
	}
}

func (c call) run(f Fault) response {
	if f.kind == serviceError {
		return f.response(c.path)
	}
	object, p := c.operation(c.id, c.body)
	if p != nil {
		return p.response(c.path)
	}
	return newResponse(c.status, object)
}

var bearer = regexp.MustCompile(`^(?i:bearer) (\S+)$`)

// authenticate checks an Authorization header. No detail repeats the key.
func authenticate(header string) *problem {
	credentials := bearer.FindStringSubmatch(header)
	switch {
	case credentials == nil:
		return newProblem(http.StatusUnauthorized, "An API key is required in the header Authorization: Bearer <key>.")
	case strings.HasPrefix(credentials[1], "pk_"):
		return newProblem(http.StatusForbidden, "A public key (pk_…) cannot run billing operations; send a secret key.")
	case !strings.HasPrefix(credentials[1], "sk_test_") || credentials[1] == "sk_test_":
		return newProblem(http.StatusUnauthorized, "This is not an API key that is known here; send one that begins with sk_test_.")
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case errors.As(err, &tooLarge):
		return body, newProblem(http.StatusRequestEntityTooLarge, "The body may have at most %d bytes.", maxBody)
	case err != nil:
		return body, newProblem(http.StatusBadRequest, "The body could not be read to its end.")
	case len(body) > 0 && mediaType != "application/json":
		return body, newProblem(http.StatusBadRequest, "The header Content-Type must be application/json.")
	}
	return body, nil
}
