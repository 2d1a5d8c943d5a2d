package momenttest

import (
	"bytes"
	"net/http"
	"slices"
)

// What is remembered of requests: so many, with bodies of so many bytes together.
const (
	maxRequests     = 10_000
	maxRequestBytes = 64 << 20
)

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

// Requests returns what has arrived, in this order: every attempt of every call, those included
// that were refused or went wrong. Of more than 10,000 of them, or of bodies of more than 64 MiB
// together, they are the last.
func (s *Server) Requests() []Request {
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	all := slices.Clone(s.service.requests)
	for i := range all {
		all[i].Header, all[i].Body = all[i].Header.Clone(), bytes.Clone(all[i].Body)
	}
	return all
}

func (s *service) record(r *http.Request, body []byte) {
	s.requests = append(s.requests, Request{r.Method, r.RequestURI, r.Header.Clone(), body})
	s.requestBytes += len(body)
	for len(s.requests) > maxRequests || s.requestBytes > maxRequestBytes {
		s.requestBytes -= len(s.requests[0].Body)
		s.requests[0] = Request{} // or the array would hold it
		s.requests = s.requests[1:]
	}
}
