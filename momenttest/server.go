package momenttest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
)

// maxBody is the most a request body may have.
const maxBody = 1 << 20

// A Server is a fake of the Moment Billing API on a loopback address. It is safe
// for parallel use.
type Server struct {
	// URL is the base URL, of the form http://127.0.0.1:port.
	URL string

	http       *httptest.Server
	service    *service
	deliveries *http.Client
}

// NewServer starts a server that holds no data yet. The caller closes it.
func NewServer() *Server {
	service := newService()
	listening := httptest.NewServer(service)
	return &Server{URL: listening.URL, http: listening, service: service, deliveries: newDeliverer()}
}

// Close waits for the requests being answered, then stops the server.
func (s *Server) Close() { s.http.Close() }

// service is the fake without its socket.
type service struct {
	routes []route

	mu        sync.Mutex // guards all below, and is held while an operation runs
	customers collection[customer]
	accounts  collection[account]
	bills     collection[bill]
	keys      map[string]savedAnswer
	webhook   *webhook // nil: events go nowhere
}

func newService() *service {
	s := &service{
		customers: newCollection[customer]("customer"),
		accounts:  newCollection[account]("account"),
		bills:     newCollection[bill]("bill"),
		keys:      map[string]savedAnswer{},
	}
	s.routes = s.operations()
	return s
}

// ServeHTTP answers one request. Every answer is written here.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a answer
	if c, p := s.admit(w, r); p != nil {
		a = p.answer(r.URL.EscapedPath())
	} else {
		a = s.perform(c)
	}
	a.write(w)
}

// A call is a request that may run: it is authenticated and read, its operation
// exists, its idempotency key is well-formed.
type call struct {
	route
	path string // as sent, still escaped
	id   string // the identifier in the path, decoded
	key  string // the idempotency key of a POST
	body []byte
}

// admit turns a request into a call, or says why not. What is refused here is
// not saved under an idempotency key.
func (s *service) admit(w http.ResponseWriter, r *http.Request) (c call, p *problem) {
	c.path = r.URL.EscapedPath()
	if p = authenticate(r.Header.Get("Authorization")); p != nil {
		return c, p
	}
	if c.route, c.id, p = s.find(r.Method, c.path); p != nil {
		return c, p
	}
	if r.Method == http.MethodPost {
		c.key = r.Header.Get("Idempotency-Key")
		if p = checkKey(c.key); p != nil {
			return c, p
		}
	}
	c.body, p = readBody(w, r)
	return c, p
}

// perform runs a call, unless its idempotency key has been answered before.
func (s *service) perform(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.key == "" {
		return c.run()
	}
	if a, done := s.begin(c); done {
		return a
	}
	a := c.run()
	s.finish(c, a)
	return a
}

func (c call) run() answer {
	object, p := c.operation(c.id, c.body)
	if p != nil {
		return p.answer(c.path)
	}
	return newAnswer(c.status, object)
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
		return nil, newProblem(http.StatusRequestEntityTooLarge, "The body may have at most %d bytes.", maxBody)
	case err != nil:
		return nil, newProblem(http.StatusBadRequest, "The body could not be read to its end.")
	case len(body) > 0 && mediaType != "application/json":
		return nil, newProblem(http.StatusBadRequest, "The header Content-Type must be application/json.")
	}
	return body, nil
}
