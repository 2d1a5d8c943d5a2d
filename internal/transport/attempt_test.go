package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http/httptrace"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNeverSent(t *testing.T) {
	asked := func(h *httptrace.ClientTrace) { h.GetConn("example.com:443") }
	got := func(h *httptrace.ClientTrace) { h.GotConn(httptrace.GotConnInfo{}) }
	for _, row := range []struct {
		why  string
		saw  []func(*httptrace.ClientTrace)
		want bool
	}{
		{"it asked for a connection and did not get one", []func(*httptrace.ClientTrace){asked}, true},
		{"no evidence: a RoundTripper that is not net/http's", nil, false},
		{"it got a connection", []func(*httptrace.ClientTrace){asked, got}, false},
		{"it got a dead connection, and no other", []func(*httptrace.ClientTrace){asked, got, asked}, false},
	} {
		c := newConnectionTrace(func() {})
		for _, event := range row.saw {
			event(&c.trace)
		}
		assert.Equal(t, row.want, c.neverSent(), row.why)
	}
}

func TestTooManyConnections(t *testing.T) {
	tooMany := 0
	c := newConnectionTrace(func() { tooMany++ })
	for range maxConnections {
		c.trace.GotConn(httptrace.GotConnInfo{})
	}
	assert.Zero(t, tooMany)
	c.trace.GotConn(httptrace.GotConnInfo{})
	assert.Equal(t, 1, tooMany)
}

func TestIsUntrusted(t *testing.T) {
	assert.True(t, isUntrusted(fmt.Errorf("x: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})))
	assert.False(t, isUntrusted(errors.New("tls: handshake failure")))
}
