package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// connection watches whether an attempt got one. The hooks may still be called from a dial that goes on in the
// background after the attempt, hence the atomics.
type connection struct {
	got    atomic.Bool
	failed atomic.Bool
}

func (c *connection) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { c.got.Store(true) },
		ConnectDone: func(_, _ string, err error) {
			if err != nil {
				c.failed.Store(true)
			}
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err != nil {
				c.failed.Store(true)
			}
		},
	}
}

// notMade reports whether it is certain that err means that nothing was sent. A dial error alone is not enough:
// net/http itself sends a keyed request again when a reused connection turns out dead, and that dial may fail after
// the first copy arrived.
func (c *connection) notMade(err error) bool {
	return !c.got.Load() && (c.failed.Load() || isDialError(err))
}

func isDialError(err error) bool {
	var op *net.OpError
	for errors.As(err, &op) {
		if op.Op == "dial" {
			return true
		}
		err = op.Err // a proxy's error wraps the dial's
	}
	return false
}

func isUntrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}
