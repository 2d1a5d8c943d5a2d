package transport

import (
	"crypto/tls"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
)

// maxConnections is how often net/http may send the request in one attempt. It sends it again by
// itself, without a wait, where connections turn out to be dead or streams are reset, and with some
// peers it would not stop.
const maxConnections = 32

var errTooManyConnections = errors.New("no response: one connection after the other was closed or reset")

// connectionTrace records which connections an attempt asked for and got. Its hooks are net/http's,
// from whatever goroutine, and hence the atomics.
type connectionTrace struct {
	asked       atomic.Bool
	connections atomic.Int32 // connections or HTTP/2 streams, each for a copy of the request
	trace       httptrace.ClientTrace
}

// newConnectionTrace returns one that calls tooMany when the request has been sent too often.
func newConnectionTrace(tooMany func()) *connectionTrace {
	c := &connectionTrace{}
	c.trace.GetConn = func(string) { c.asked.Store(true) }
	c.trace.GotConn = func(httptrace.GotConnInfo) {
		if c.connections.Add(1) > maxConnections {
			tooMany()
		}
	}
	return c
}

// neverSent reports whether it is certain that nothing was sent, because net/http asked for a
// connection and got none: whether the name did not resolve, the TLS handshake failed, a proxy
// rejected CONNECT, or no connection was free in time. A RoundTripper that is not net/http's gives
// no such evidence.
func (c *connectionTrace) neverSent() bool {
	return c.asked.Load() && c.connections.Load() == 0
}

func isUntrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}
