package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestConnectionNotMade(t *testing.T) {
	refused := errors.New("connection refused")
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: refused}
	read := &net.OpError{Op: "read", Net: "tcp", Err: refused}
	failedConnect := func(h *httptrace.ClientTrace) { h.ConnectDone("tcp", "[::1]:443", refused) }
	failedHandshake := func(h *httptrace.ClientTrace) { h.TLSHandshakeDone(tls.ConnectionState{}, refused) }
	connected := func(h *httptrace.ClientTrace) { h.ConnectDone("tcp", "127.0.0.1:443", nil) }
	handshake := func(h *httptrace.ClientTrace) { h.TLSHandshakeDone(tls.ConnectionState{}, nil) }
	got := func(h *httptrace.ClientTrace) { h.GotConn(httptrace.GotConnInfo{}) }
	for _, row := range []struct {
		why   string
		saw   []func(*httptrace.ClientTrace)
		err   error
		notIt bool
	}{
		{"a dial error", nil, dial, true},
		{"a dial error, wrapped", nil, fmt.Errorf("through a tunnel: %w", dial), true},
		{"a dial error, in a proxy's", nil, &net.OpError{Op: "proxyconnect", Err: dial}, true},
		{"a dial that was seen to fail", []func(*httptrace.ClientTrace){failedConnect}, refused, true},
		{"a handshake that was seen to fail", []func(*httptrace.ClientTrace){connected, failedHandshake}, refused, true},
		{"an error of nobody knows what", nil, refused, false},
		{"no error that says so, and no connection: in doubt it was sent", []func(*httptrace.ClientTrace){connected, handshake}, refused, false},
		{"a read error", nil, read, false},
		{"the second address worked", []func(*httptrace.ClientTrace){failedConnect, connected, got}, read, false},
		{"sent on a connection that was dead, and the new dial failed", []func(*httptrace.ClientTrace){got, failedConnect}, dial, false},
	} {
		c := newConnection(Once, func() {})
		for _, event := range row.saw {
			event(&c.trace)
		}
		assert.Equal(t, row.notIt, c.notMade(row.err), row.why)
	}
}

func TestIsUntrusted(t *testing.T) {
	assert.True(t, isUntrusted(fmt.Errorf("x: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})))
	assert.False(t, isUntrusted(errors.New("tls: handshake failure")))
}
