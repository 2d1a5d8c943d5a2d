package momenttest

import (
	"time"

	"github.com/moment-billing/moment-go"
)

// Client returns a client of the server: with a test key, and waits of at most a millisecond before
// it retries a call. The options take precedence over these settings. It panics if one of them is
// rejected.
func (s *Server) Client(opts ...moment.ClientOption) *moment.Client {
	settings := []moment.ClientOption{
		moment.WithBaseURL(s.URL),
		moment.WithBackoff(time.Millisecond, time.Millisecond),
	}
	if s.httpClient != nil {
		settings = append(settings, moment.WithHTTPClient(s.httpClient))
	}
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", append(settings, opts...)...)
	if err != nil {
		panic("momenttest: " + err.Error())
	}
	return client
}
