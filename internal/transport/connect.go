package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// maxCopies is how often net/http may send the request in one attempt. It does so by itself, without a wait, where connections
// turn out dead or streams are reset, and with some peers it would not stop.
const maxCopies = 32

var errTooManyCopies = errors.New("no answer: one connection after the other was closed or reset")

// connection watches what an attempt gets. The hooks may still be called from a dial that goes on in the background after the
// attempt, hence the atomics.
type connection struct {
	copies atomic.Int32 // how many connections or streams it got, each for a copy of the request
	failed atomic.Bool  // one could not be made
	trace  httptrace.ClientTrace
}

// newConnection calls tooMany when the request has been sent too often.
func newConnection(repeat Repeat, tooMany func()) *connection {
	c := &connection{}
	c.trace.GotConn = func(httptrace.GotConnInfo) {
		if c.copies.Add(1) > maxCopies {
			tooMany()
		}
	}
	c.trace.TLSHandshakeDone = func(_ tls.ConnectionState, err error) {
		if err != nil {
			c.failed.Store(true)
		}
	}
	if repeat != Safe { // whose outcome is never in doubt: what net/http prepares for this hook costs 4 allocations
		c.trace.ConnectDone = func(_, _ string, err error) {
			if err != nil {
				c.failed.Store(true)
			}
		}
	}
	return c
}

// notMade reports whether it is certain that err means that nothing was sent. A dial error alone is not enough: that dial
// may be for a second copy.
func (c *connection) notMade(err error) bool {
	return c.copies.Load() == 0 && (c.failed.Load() || isDialError(err))
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
