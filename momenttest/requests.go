package momenttest

import (
	"net/http"
	"slices"
)

// MaxRequests is how many requests [Server.Requests] can tell of.
const MaxRequests = 10_000

// Request is one that has arrived.
type Request struct {
	Method string      // POST
	Path   string      // as it was sent, still escaped, with its query
	Header http.Header // the API key included
	Body   []byte      // 1 MiB of it at most
}

// String is the method, the path and the body, without headers.
func (r Request) String() string {
	text := r.Method + " " + r.Path
	if len(r.Body) > 0 {
		text += " " + string(r.Body)
	}
	return text
}

// Requests returns what has arrived, in this order: every attempt of every call, those included that were refused or went wrong.
// Of more than [MaxRequests] they are the last.
func (s *Server) Requests() []Request {
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	return slices.Clone(s.service.requests)
}

func (s *service) record(r *http.Request, body []byte) {
	if len(s.requests) == MaxRequests {
		s.requests = s.requests[1:]
	}
	s.requests = append(s.requests, Request{r.Method, r.RequestURI, r.Header.Clone(), body})
}
