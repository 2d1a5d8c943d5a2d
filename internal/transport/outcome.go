package transport

import "net/http"

// outcome is what became of one attempt.
type outcome struct {
	kind       kind
	status     int // 0 if no answer began
	header     http.Header
	body       []byte
	replayed   bool // the service answered from what it saved under the idempotency key
	retryAfter retryAfter
	err        error // nil for answered
	sent       bool  // the request may have reached the service
	secondCopy bool  // net/http sent the request again, and this answers the last copy: an earlier one may have arrived too
}

type kind int

const (
	answered     kind = iota // a complete answer, with any status
	notConnected             // no connection could be made: nothing was sent
	untrusted                // the server's certificate was refused
	silent                   // sent, and no answer began
	cut                      // a success that was cut short
	notJSON                  // a success whose body is not JSON
	tooLarge                 // a success whose body is over the limit
	wrongShape               // a success whose body is JSON, but not what was asked for
	ended                    // the call's context was done
)

func (k kind) String() string {
	return [...]string{
		answered:     "answered",
		notConnected: "connection not made",
		untrusted:    "certificate not trusted",
		silent:       "no answer",
		cut:          "answer cut short",
		notJSON:      "answer not JSON",
		tooLarge:     "answer too large",
		wrongShape:   "answer of another shape",
		ended:        "context done",
	}[k]
}

// mayStillRun reports whether the service may still be working on this attempt, so that the next one with the
// same key could meet it.
func (o outcome) mayStillRun() bool {
	if o.secondCopy {
		return true
	}
	switch o.kind {
	case silent, cut:
		return true
	case answered:
		return o.status == 408 || o.status == 502 || o.status == 504
	default:
		return false
	}
}

// stillUnknown reports whether it is open if a write was applied, after an attempt ended as o and with what was
// open before it. Doubt stays until an answer settles it.
func stillUnknown(before bool, o outcome) bool {
	before = before || o.secondCopy
	switch o.kind {
	case answered:
		return unknownAfterStatus(before, o)
	case notConnected:
		return before
	default: // untrusted and ended may have been sent; the others were
		return before || o.sent
	}
}

// stillHeld reports whether another call that used the same key may be running, after an attempt ended as o and with
// what was known before it: a 409 says so unless it is replayed. What is replayed is how that call ended.
func stillHeld(before bool, o outcome) bool {
	conflict := o.kind == answered && o.status == 409
	return (before || conflict) && !o.replayed && stillUnknown(true, o)
}

func unknownAfterStatus(before bool, o outcome) bool {
	switch {
	case o.status == 503 && o.retryAfter.given && !o.replayed:
		return before // refused before it was processed
	case o.status >= 500, o.status == 408:
		return true
	case o.status == 409, o.status == 429:
		return before // says nothing of an earlier attempt
	case o.status >= 400:
		// These four are the service's own judgement of the request. Any other 4xx (401 and 403 among them) may
		// come from something in front of it, unless it was replayed: then it is what the first attempt got.
		judged := o.status == 400 || o.status == 402 || o.status == 404 || o.status == 422
		return before && !judged && !o.replayed
	case o.status >= 200 && o.status < 300:
		return false
	default:
		return true // a redirect: whoever sent it may have passed the request on
	}
}
