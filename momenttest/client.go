package momenttest

import (
	"time"

	"github.com/moment-billing/moment-go"
)

// Client returns a client of the server: with a test key, and waits of at most a
// millisecond before it repeats a call. The options come after these settings and
// so override them. It panics if one of them is refused.
func (s *Server) Client(opts ...moment.ClientOption) *moment.Client {
	settings := []moment.ClientOption{
		moment.WithBaseURL(s.URL),
		moment.WithBackoff(time.Millisecond, time.Millisecond),
	}
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", append(settings, opts...)...)
	if err != nil {
		panic("momenttest: " + err.Error())
	}
	return client
}
