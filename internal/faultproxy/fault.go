package faultproxy

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// DialFault is what befalls a connection while it is being made. No request can have been sent on
// it.
type DialFault int

// The faults of a connection that is being made.
const (
	Accept         DialFault = iota // none
	Refuse                          // nobody listens
	BreakHandshake                  // the connection is closed after the client's hello
	Untrusted                       // the certificate is signed by nobody known
)

func (f DialFault) String() string {
	return [...]string{"none", "refuse", "TLS handshake broken off", "untrusted certificate"}[f]
}

// Fault is what befalls one request and its answer.
type Fault struct {
	Name string

	// befall reports whether the connection stays open.
	befall func(*Request) bool
}

// When says whether the service had the request when the fault occurred.
type When bool

// The two times at which a fault can occur.
const (
	Before When = false
	After  When = true
)

func (w When) String() string {
	if w == After {
		return "after"
	}
	return "before"
}

// at is a fault that keeps the service's answer from the client.
func at(when When, name string, befall func(*Request) bool) Fault {
	return Fault{name + ", " + when.String(), func(r *Request) bool {
		if when == After {
			r.pass()
		}
		return befall(r)
	}}
}

// None passes the request and its answer on.
func None() Fault {
	return Fault{"none", func(r *Request) bool { return r.reply(r.pass()) }}
}

func (r *Request) reply(a answer) bool {
	return a.status != 0 && r.write(a.wire(0))
}

// Reset breaks the connection off.
func Reset(when When) Fault {
	return at(when, "reset", func(r *Request) bool {
		r.reset()
		return false
	})
}

// Stall says nothing until the client gives up.
func Stall(when When) Fault {
	return at(when, "stall", func(r *Request) bool {
		r.waitForClient()
		return false
	})
}

// Late passes the request on some time after the client has given up. Until then the service says
// 409 to its key.
func Late(wait time.Duration) Fault {
	return Fault{"late", func(r *Request) bool {
		end := r.proxy.keys.start(r.key())
		r.waitForClient()
		time.Sleep(wait)
		end()
		r.pass()
		return false
	}}
}

// Cut ends the connection after n bytes of the answer, and before its last byte in any case.
func Cut(n int) Fault {
	return Fault{"cut", func(r *Request) bool {
		wire := r.pass().wire(0)
		r.write(wire[:min(n, len(wire)-1)])
		return false
	}}
}

// Trickle sends the answer byte by byte.
func Trickle(pause time.Duration) Fault {
	return Fault{"trickle", func(r *Request) bool {
		for _, b := range r.pass().wire(0) {
			if !r.write([]byte{b}) {
				return false
			}
			time.Sleep(pause)
		}
		return true
	}}
}

// HTML answers with a page in the place of the service.
func HTML(status int, when When) Fault {
	return instead("HTML", html(status), when)
}

// Status answers with a problem in the place of the service.
func Status(status int, header http.Header, when When) Fault {
	name := strconv.Itoa(status)
	if header.Get("Retry-After") != "" {
		name += " with Retry-After"
	}
	return instead(name, problem(status, header), when)
}

// Gateway responds with a page of a gateway's own, in the place of the service.
func Gateway(status int, header http.Header, when When) Fault {
	name := "gateway's " + strconv.Itoa(status)
	if header.Get("Retry-After") != "" {
		name += " with Retry-After"
	}
	a := html(status)
	maps.Copy(a.header, header)
	return instead(name, a, when)
}

// OtherObject responds with a success about another bill, as a proxy does that is one response out
// of step.
func OtherObject(when When) Fault {
	return instead("another object", created(`{"id":"bill_OTHER","external_reference":"OTHER","customer_id":"bcus_OTHER","status":"unpaid",`+
		`"currency":"ZAR","amount_due":2000,"amount_paid":0,"amount_remaining":2000}`), when)
}

// Fragment responds with a success that is a part of a bill.
func Fragment(when When) Fault {
	return instead("fragment", created(`{"id":"bill_1"}`), when)
}

func created(body string) answer {
	return answer{http.StatusCreated, http.Header{"Content-Type": {"application/json"}}, []byte(body)}
}

// Redirect sends the client elsewhere, in the place of the service.
func Redirect(status int, location string, when When) Fault {
	return instead(strconv.Itoa(status), answer{status, http.Header{"Location": {location}}, nil}, when)
}

func instead(name string, a answer, when When) Fault {
	return at(when, name, func(r *Request) bool { return r.reply(a) })
}

// ServiceError is a 500 of the service's own, which it saves under the idempotency key and replays.
// It may have done what was asked before that.
func ServiceError(when When) Fault {
	return at(when, "ServiceError", func(r *Request) bool {
		if a, ok := r.proxy.keys.answer(r.key()); ok {
			return r.reply(a)
		}
		r.proxy.keys.fail(r.key())
		return r.reply(problem(http.StatusInternalServerError, nil))
	})
}

// Noise sends n informational answers ahead of the service's.
func Noise(n int) Fault {
	return Fault{"1xx noise", func(r *Request) bool {
		for range n {
			if !r.write([]byte("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")) {
				return false
			}
		}
		return r.reply(r.pass())
	}}
}

// WrongLength says in Content-Length that the answer is longer than it is, or shorter if off is
// negative.
func WrongLength(off int) Fault {
	name := "Content-Length too long"
	if off < 0 {
		name = "Content-Length too short"
	}
	return Fault{name, func(r *Request) bool {
		return r.write(r.pass().wire(off)) && off < 0
	}}
}

// CloseIdle answers, and breaks the connection off when the client uses it again.
func CloseIdle() Fault {
	return Fault{"keep-alive closed", func(r *Request) bool {
		if r.reply(r.pass()) && r.waitForClient() {
			r.reset()
		}
		return false
	}}
}

// Endless begins an answer that does not end: its first bytes are sent once, and then more again
// and again.
func Endless(first, more string, when When) Fault {
	return at(when, "endless", func(r *Request) bool {
		chunk := bytes.Repeat([]byte(more), 1+64<<10/len(more))
		for open := r.write([]byte(first)); open; {
			open = r.write(chunk)
		}
		return false
	})
}

// Raw sends text in the place of the service's answer, and ends the connection.
func Raw(name, text string, when When) Fault {
	data := []byte(text) // once, as the memory of calls is measured
	return at(when, name, func(r *Request) bool {
		r.write(data)
		return false
	})
}

// EndlessBody is an answer of that status whose body does not end.
func EndlessBody(status int, when When) Fault {
	first := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"+`{"id":"bill_1","external_reference":"`, status, http.StatusText(status))
	return Endless(first, "x", when)
}
