package testkit

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// RoundTripFunc is a fake RoundTripper. Tests on a fake clock need one, because real sockets block
// the clock of a synctest bubble.
type RoundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f RoundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// ReplaceDefaultTransport replaces http.DefaultTransport until the test ends. NewClient clones the
// replacement, so that tests run with the client's own settings.
func ReplaceDefaultTransport(t testing.TB, replacement http.RoundTripper) {
	t.Helper()
	original := http.DefaultTransport
	http.DefaultTransport = replacement
	t.Cleanup(func() { http.DefaultTransport = original })
}

// ScriptedTransport is a RoundTripper that responds by a script and records when each attempt
// began. A nil Reply does not respond until the attempt ends.
type ScriptedTransport struct {
	Script []Reply
	Began  []time.Time
}

// RoundTrip responds with the next reply of the script, or with the last one.
func (s *ScriptedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	n := len(s.Began)
	s.Began = append(s.Began, time.Now())
	reply := s.Script[min(n, len(s.Script)-1)]
	if reply == nil {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	return Response(reply)
}

// Waits returns the times between the beginnings of the attempts.
func (s *ScriptedTransport) Waits() []time.Duration {
	var waits []time.Duration
	for i := 1; i < len(s.Began); i++ {
		waits = append(waits, s.Began[i].Sub(s.Began[i-1]))
	}
	return waits
}
