package momenttest

import "net/http/httptest"

// A Server is a fake of the Moment Billing API on a loopback address: a [Handler] that listens. It
// has the Handler's methods: [Handler.Seed] and [Handler.State] for its data, [Handler.Requests]
// for what it received, [Handler.Fail] for faults, [Handler.SetWebhook] and [Handler.Pay] for
// payments. It is safe for parallel use. Make one with [NewServer].
type Server struct {
	*Handler

	// URL is the base URL, of the form http://127.0.0.1:port.
	URL string

	http *httptest.Server
}

// NewServer starts a server that holds no data yet. The caller closes it.
func NewServer(opts ...Option) *Server {
	handler := NewHandler(opts...)
	listening := httptest.NewServer(handler)
	handler.origin = listening.URL
	return &Server{Handler: handler, URL: listening.URL, http: listening}
}

// Close waits for the requests in flight, then stops the server.
func (s *Server) Close() {
	s.Handler.Close()
	s.http.Close()
}
