package testkit

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DialFault is a fault of a connection before its first request.
type DialFault int

// The faults of a connection before its first request.
const (
	DialAccept         DialFault = iota // none
	DialRefuse                          // no server listens at the address
	DialBreakHandshake                  // the connection is closed after the client's hello
	DialUntrusted                       // the certificate is self-signed and not trusted
)

func (f DialFault) String() string {
	return [...]string{"none", "connection refused", "TLS handshake broken off", "untrusted certificate"}[f]
}

// Fault is a fault of one request and its response.
type Fault struct {
	Name string

	// apply reports whether the connection stays open.
	apply func(*ProxyRequest) bool
}

// When reports whether the service received the request before the fault occurred.
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

// faultAt returns a fault that keeps the service's response from the client.
func faultAt(when When, name string, apply func(*ProxyRequest) bool) Fault {
	return Fault{name + ", " + when.String(), func(r *ProxyRequest) bool {
		if when == After {
			r.forward()
		}
		return apply(r)
	}}
}

// FaultNone forwards the request and the response.
func FaultNone() Fault {
	return Fault{"none", func(r *ProxyRequest) bool { return r.respond(r.forward()) }}
}

// respond reports whether the client received a response.
func (r *ProxyRequest) respond(resp response) bool {
	return resp.status != 0 && r.write(resp.wire(0))
}

// FaultReset resets the connection.
func FaultReset(when When) Fault {
	return faultAt(when, "reset", func(r *ProxyRequest) bool {
		r.reset()
		return false
	})
}

// FaultStall sends no response and waits until the client gives up.
func FaultStall(when When) Fault {
	return faultAt(when, "stall", func(r *ProxyRequest) bool {
		r.waitForClient()
		return false
	})
}

// FaultLate forwards the request some time after the client has given up. Until then, other
// requests with its idempotency key receive 409.
func FaultLate(wait time.Duration) Fault {
	return Fault{"late", func(r *ProxyRequest) bool {
		end := r.proxy.keys.start(r.idempotencyKey())
		r.waitForClient()
		time.Sleep(wait)
		end()
		r.forward()
		return false
	}}
}

// FaultTruncate closes the connection after n bytes of the response, and always before the last
// byte.
func FaultTruncate(n int) Fault {
	return Fault{"truncated", func(r *ProxyRequest) bool {
		wire := r.forward().wire(0)
		r.write(wire[:min(n, len(wire)-1)])
		return false
	}}
}

// FaultTrickle sends the response byte by byte.
func FaultTrickle(pause time.Duration) Fault {
	return Fault{"trickle", func(r *ProxyRequest) bool {
		for _, b := range r.forward().wire(0) {
			if !r.write([]byte{b}) {
				return false
			}
			time.Sleep(pause)
		}
		return true
	}}
}

// FaultHTML responds with a web page in place of the service.
func FaultHTML(status int, when When) Fault {
	return replaceResponse("HTML", htmlResponse(status), when)
}

// FaultProblem responds with problem details in place of the service.
func FaultProblem(status int, header http.Header, when When) Fault {
	name := strconv.Itoa(status)
	if header.Get("Retry-After") != "" {
		name += " with Retry-After"
	}
	return replaceResponse(name, problemResponse(status, header), when)
}

// FaultGateway responds with a gateway's error page in place of the service.
func FaultGateway(status int, header http.Header, when When) Fault {
	name := "gateway's " + strconv.Itoa(status)
	if header.Get("Retry-After") != "" {
		name += " with Retry-After"
	}
	resp := htmlResponse(status)
	maps.Copy(resp.header, header)
	return replaceResponse(name, resp, when)
}

// FaultOtherObject responds with another bill, like a proxy that is one response out of step.
func FaultOtherObject(when When) Fault {
	return faultAt(when, "another object", func(r *ProxyRequest) bool {
		if strings.Contains(r.URI, "/collect/") {
			return r.respond(created(`{"id":"pr_OTHER","external_reference":"OTHER","type":"link","status":"active","currency":"ZAR","amount":2000}`))
		}
		return r.respond(created(`{"id":"bill_OTHER","external_reference":"OTHER","customer_id":"bcus_OTHER","status":"unpaid",` +
			`"currency":"ZAR","amount_due":2000,"amount_paid":0,"amount_remaining":2000}`))
	})
}

// FaultFragment responds with a part of a bill.
func FaultFragment(when When) Fault {
	return replaceResponse("fragment", created(`{"id":"bill_1"}`), when)
}

func created(body string) response {
	return response{http.StatusCreated, http.Header{"Content-Type": {"application/json"}}, []byte(body)}
}

// FaultRedirect redirects the client to location, in place of the service.
func FaultRedirect(status int, location string, when When) Fault {
	return replaceResponse(strconv.Itoa(status), response{status, http.Header{"Location": {location}}, nil}, when)
}

func replaceResponse(name string, resp response, when When) Fault {
	return faultAt(when, name, func(r *ProxyRequest) bool { return r.respond(resp) })
}

// FaultServiceError responds with the service's own 500, saves it under the idempotency key, and
// replays it. The service may have applied the request before.
func FaultServiceError(when When) Fault {
	return faultAt(when, "ServiceError", func(r *ProxyRequest) bool {
		if resp, ok := r.proxy.keys.response(r.idempotencyKey()); ok {
			return r.respond(resp)
		}
		r.proxy.keys.fail(r.idempotencyKey())
		return r.respond(problemResponse(http.StatusInternalServerError, nil))
	})
}

// FaultInformational sends n pairs of 1xx responses before the service's response.
func FaultInformational(n int) Fault {
	return Fault{"1xx noise", func(r *ProxyRequest) bool {
		for range n {
			if !r.write([]byte("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")) {
				return false
			}
		}
		return r.respond(r.forward())
	}}
}

// FaultContentLength sends a Content-Length that is off bytes too long, or too short if off is
// negative.
func FaultContentLength(off int) Fault {
	name := "Content-Length too long"
	if off < 0 {
		name = "Content-Length too short"
	}
	return Fault{name, func(r *ProxyRequest) bool {
		return r.write(r.forward().wire(off)) && off < 0
	}}
}

// FaultCloseIdle responds, and resets the connection when the client reuses it.
func FaultCloseIdle() Fault {
	return Fault{"keep-alive closed", func(r *ProxyRequest) bool {
		if r.respond(r.forward()) && r.waitForClient() {
			r.reset()
		}
		return false
	}}
}

// FaultEndless sends first once, and then sends more until the client closes the connection.
func FaultEndless(first, more string, when When) Fault {
	return faultAt(when, "endless", func(r *ProxyRequest) bool {
		chunk := bytes.Repeat([]byte(more), 1+64<<10/len(more))
		for open := r.write([]byte(first)); open; {
			open = r.write(chunk)
		}
		return false
	})
}

// FaultRaw sends text in place of the service's response, and closes the connection.
func FaultRaw(name, text string, when When) Fault {
	data := []byte(text) // here and not in the fault, because tests measure the memory of calls
	return faultAt(when, name, func(r *ProxyRequest) bool {
		r.write(data)
		return false
	})
}

// FaultEndlessBody responds with a body that does not end.
func FaultEndlessBody(status int, when When) Fault {
	first := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"+`{"id":"bill_1","external_reference":"`, status, http.StatusText(status))
	return FaultEndless(first, "x", when)
}
