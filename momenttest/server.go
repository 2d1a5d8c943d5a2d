package momenttest

import (
	"net/http"
	"net/http/httptest"
)

// A Server is a fake of the Moment Billing API on a loopback address: a [Handler] that listens. It
// has the Handler's methods: [Handler.Seed] and [Handler.State] for its data, [Handler.Requests]
// for the requests that it received, [Handler.Fail] for faults, [Handler.SetWebhook] and
// [Handler.Pay] for payments. It is safe for parallel use. Make one with [NewServer].
type Server struct {
	*Handler

	// URL is the base URL, of the form http://127.0.0.1:port. With [InProcess], only clients of
	// [Server.Client] reach it.
	URL string

	httpClient *http.Client // nil: the default of package moment
	stop       func()
}

// NewServer starts a server without data. The caller closes it.
func NewServer(opts ...Option) *Server {
	handler := NewHandler(opts...)
	if handler.inProcess {
		pipes := newPipeServer(handler)
		handler.origin = "http://momenttest" // resolves nowhere
		return &Server{
			Handler:    handler,
			URL:        handler.origin,
			httpClient: &http.Client{Transport: &http.Transport{DialContext: pipes.dial}},
			stop:       pipes.close,
		}
	}
	listening := httptest.NewServer(handler)
	handler.origin = listening.URL
	return &Server{Handler: handler, URL: listening.URL, stop: listening.Close}
}

// Close waits for the requests in flight, then stops the server.
func (s *Server) Close() {
	s.Handler.Close()
	s.stop()
}
