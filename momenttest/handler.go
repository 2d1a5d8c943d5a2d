package momenttest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moment-billing/moment-go/internal/localhost"
)

// maxBody is the maximum size of a request body.
const maxBody = 1 << 20

// A Handler is a fake of the Moment Billing API without a socket, for programs with their own
// listener. It is safe for concurrent use. Make one with [NewHandler]. Most tests use a [Server],
// which has the methods of its Handler.
//
// A Handler rejects requests from web pages of other sites, and does not record them. It checks the
// Origin header, and the Host header, because a page could reach it under the page's own name (DNS
// rebinding). Accepted hosts are IP addresses, names without a full stop (localhost and the names
// of containers), names that end in .localhost or .internal, the host of
// [net/http/httptest.NewRequest], and the host of [WithHost]. Accepted origins are the same hosts,
// but an IP address must be the handler's own or a loopback address.
type Handler struct {
	routes     []route
	clock      func() time.Time
	offset     atomic.Int64 // of the clock: a time.Duration
	journal    Journal      // may be nil
	hosts      []string     // of WithHost
	inProcess  bool
	deliveries *http.Client

	keepsEvents bool            // WithOutbox
	waits       []time.Duration // between the attempts to deliver an event
	observe     func(Message)   // of WithDeliveryObserver; may be nil
	wake        chan struct{}   // wakes the goroutine of the outbox
	working     sync.WaitGroup  // that goroutine, and the attempts that it makes

	closing context.Context //nolint:containedctx // ended by Close, to end delays and the outbox
	end     context.CancelFunc

	mu sync.Mutex // guards all below, and is locked while an operation runs
	data
	clockMoved   bool      // since the journal was last written
	nextExpiry   time.Time // no saved response expires before it
	webhook      *webhook  // nil: events are not delivered
	sending      int       // attempts that the outbox makes
	origin       string    // of the request that runs, for links
	requests     []*Request
	requestBytes int // of their bodies
	lastRequest  int // its ID
	lastRevision int // of an event
	faults       []Fault
	seeds        []State // that Reset begins with again
}

// Option changes a setting of a [Server] or a [Handler].
type Option struct {
	apply func(*Handler)
}

// WithHost adds a host name under which the handler is served, without a port. See [Handler] for
// the names that it accepts without this option.
func WithHost(name string) Option {
	return Option{func(h *Handler) { h.hosts = append(h.hosts, name) }}
}

// NewHandler returns a handler without data.
func NewHandler(opts ...Option) *Handler {
	h := &Handler{
		clock:      time.Now,
		deliveries: newDeliveryClient(nil),
		waits:      make([]time.Duration, MaxDeliveryAttempts-1),
		wake:       make(chan struct{}, 1),
		data:       newData(),
	}
	h.closing, h.end = context.WithCancel(context.Background())
	h.routes = h.operations()
	for _, opt := range opts {
		if opt.apply == nil {
			panic("momenttest: an option is the zero Option")
		}
		opt.apply(h)
	}
	if h.keepsEvents {
		h.working.Go(h.runOutbox)
	}
	return h
}

// Close ends the waits of [Delay]: their requests get no response, and their operations do not run.
// It also ends the deliveries of [WithOutbox], which a later handler can resume with
// [Handler.Restore]. Call it before the server that listens is closed.
func (h *Handler) Close() {
	h.end()
	h.working.Wait()
}

// ServeHTTP responds to one request, or fails as a [Fault] says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := h.checkSender(r); p != nil {
		p.response(r.URL.EscapedPath()).write(w)
		return
	}
	if strings.HasPrefix(r.URL.EscapedPath(), payPath) {
		h.servePayer(w, r)
		return
	}
	c, p, f := h.receive(w, r)
	var resp response
	switch {
	case f.kind == statusFault:
		resp = f.response(c.path)
	case f.kind == dropBeforeCommit:
	case p != nil:
		resp = p.response(c.path)
	default:
		resp = h.execute(c, f)
	}
	if f.kind == dropAfterCommit {
		resp = response{}
	}
	h.recordResponse(c.request, resp)
	switch {
	case resp.status == 0:
		drop(w)
	case f.kind == truncate:
		resp.writeHalf(w)
	default:
		resp.write(w)
	}
}

// checkSender rejects web pages of other sites. Its problems do not have a type on Moment's
// domains, because the service has no such check.
func (h *Handler) checkSender(r *http.Request) *problem {
	var p *problem
	switch {
	case !localhost.Accepts(r.Host, h.hosts...):
		p = newProblem(http.StatusForbidden, "The header Host must be an IP address, localhost, a name without a full stop, a name that ends in .localhost or .internal, or the host that the fake is served under.")
	case !localhost.AcceptsOrigin(r.Header.Get("Origin"), r.Host, h.hosts...):
		p = newProblem(http.StatusForbidden, "The header Origin must be the fake itself, localhost, a loopback address, a name without a full stop, a name that ends in .localhost or .internal, or the host that the fake is served under.")
	default:
		return nil
	}
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
	c.request = h.record(r, body)
	f := h.nextFault(c.name)
	c.request.Fault = f.once()
	return c, cmp.Or(p, unreadable), f
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

	request *Request // the recorded request
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
	resp := h.executeLocked(c, f)
	h.sync()
	return resp
}

func (h *Handler) executeLocked(c call, f Fault) response {
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

// wait releases the lock for a time, and returns false if the server closes.
func (h *Handler) wait(d time.Duration) bool {
	h.mu.Unlock()
	defer h.mu.Lock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.closing.Done():
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

// authenticate checks an Authorization header. No detail quotes the key.
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
