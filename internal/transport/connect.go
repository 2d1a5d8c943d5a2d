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
	got    atomic.Int32
	failed atomic.Bool
}

func (c *connection) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { c.got.Add(1) },
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

// made reports whether there was a connection, so that something may have been sent.
func (c *connection) made() bool { return c.got.Load() > 0 }

// notMade reports whether it is certain that err means that nothing was sent. A dial error alone is not enough: that dial
// may be for a second copy.
func (c *connection) notMade(err error) bool {
	return !c.made() && (c.failed.Load() || isDialError(err))
}

// secondCopy reports whether net/http itself may have sent the request again, as it does with a request that has an idempotency
// key when a reused connection turns out dead. The first copy may have arrived, whatever the answer to the second is.
func (c *connection) secondCopy() bool { return c.got.Load() > 1 }

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
