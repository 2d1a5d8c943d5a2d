package testkit

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Request is a request that a Service received.
type Request struct {
	Method, URI string
	Header      http.Header
	Body        string
}

// Service is an HTTP server that responds by a script and records the requests it receives.
type Service struct {
	URL string // the base URL, with a path

	mu       sync.Mutex
	requests []Request
}

// Serve starts a Service on loopback. The n-th request gets the n-th reply of the script, and all
// further requests get the last one.
func Serve(t testing.TB, script ...Reply) *Service {
	t.Helper()
	s := &Service{}
	server := httptest.NewServer(s.Handler(script...))
	t.Cleanup(server.Close)
	s.URL = server.URL + BasePath
	return s
}

// Handler returns the Service as a handler, for tests that start a server of their own.
func (s *Service) Handler(script ...Reply) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.Receive(r)
		script[min(n, len(script)-1)](w, r)
	})
}

// Receive records a request, and returns the number of requests before it.
func (s *Service) Receive(r *http.Request) int {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
	return len(s.requests) - 1
}

// Received returns the requests so far.
func (s *Service) Received() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Only returns the only request, and fails the test if there is not exactly one.
func (s *Service) Only(t testing.TB) Request {
	t.Helper()
	all := s.Received()
	require.Len(t, all, 1)
	return all[0]
}
