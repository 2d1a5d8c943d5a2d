package momenttest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a failure of a request: see [Handler.Fail]. It happens once, to a request for any
// operation, unless [Fault.Times] or [Fault.On] says otherwise.
type Fault struct {
	kind       faultKind
	status     int           // of Status and ServiceError
	retryAfter time.Duration // of Status and ServiceError
	delay      time.Duration // of Delay
	operations []string      // none: any request
	times      int
}

type faultKind int

const (
	noFault faultKind = iota
	statusFault
	serviceError
	dropBeforeCommit
	dropAfterCommit
	delay
	truncate
)

// Status responds like a gateway in front of the service: with a page of HTML, which is not the
// service's own response. No operation runs, and no response is saved under the idempotency key.
// Only 429 has problem details, like [RateLimit]. For the service's own errors, use [ServiceError].
// It panics if the status is not from 300 to 599.
func Status(code int) Fault {
	return Fault{kind: statusFault, status: checkStatus(code, 300), times: 1}
}

// RateLimit is [Status] with 429 and [Fault.RetryAfter].
func RateLimit(retryAfter time.Duration) Fault {
	return Status(http.StatusTooManyRequests).RetryAfter(retryAfter)
}

// ServiceError makes the service itself fail, with problem details: nothing is created or changed,
// and the response is saved under the idempotency key of a POST and replayed to its retries. A
// request that is rejected anyway, or has a saved response, gets its usual response, and the fault
// is used up. It panics if the status is not from 400 to 599.
func ServiceError(code int) Fault {
	return Fault{kind: serviceError, status: checkStatus(code, 400), times: 1}
}

// DropBeforeCommit ends the connection without a response, and does not run the operation.
func DropBeforeCommit() Fault { return Fault{kind: dropBeforeCommit, times: 1} }

// DropAfterCommit runs the operation, and ends the connection without a response. The client cannot
// distinguish it from [DropBeforeCommit].
func DropAfterCommit() Fault { return Fault{kind: dropAfterCommit, times: 1} }

// Truncate runs the operation, and ends the connection in the middle of the response's body.
func Truncate() Fault { return Fault{kind: truncate, times: 1} }

// Delay waits before it runs the operation. The operation runs even if the client no longer waits
// for the response. Until then, the idempotency key of a POST is in flight: another request with it
// gets 409. [Handler.Close] ends the wait, and the operation does not run.
func Delay(d time.Duration) Fault { return Fault{kind: delay, delay: d, times: 1} }

// On returns the fault for requests of some operations only, by their names in the errors of
// package moment: "create", "get" or "update" with "customer", "account", "bill" or "payment
// request", "void bill" and "get payment". It panics if there is no such operation.
func (f Fault) On(operations ...string) Fault {
	names := operationNames()
	for _, name := range operations {
		if !slices.Contains(names, name) {
			panic(fmt.Sprintf("momenttest: on must be one of these operations, not %q: %s", name, strings.Join(names, ", ")))
		}
	}
	f.operations = slices.Clone(operations)
	return f
}

// RetryAfter returns the fault with a Retry-After in whole seconds, rounded up; with 0, without
// one. The client of package moment waits at least that long before a retry. It does not retry if
// Retry-After exceeds 30 seconds. It panics if the fault is not one of Status, RateLimit and
// ServiceError, because the others have no response of their own.
func (f Fault) RetryAfter(d time.Duration) Fault {
	if f.status == 0 {
		panic("momenttest: RetryAfter is for Status, RateLimit and ServiceError, not for a " + f.String())
	}
	f.retryAfter = d
	return f
}

// Times returns the fault for the next n requests. It panics if n is below 1.
func (f Fault) Times(n int) Fault {
	if n < 1 {
		panic("momenttest: a fault cannot happen " + strconv.Itoa(n) + " times")
	}
	f.times = n
	return f
}

// String describes the fault: "503 on create bill, 2 times".
func (f Fault) String() string {
	var what string
	switch f.kind {
	case statusFault:
		what = strconv.Itoa(f.status)
	case serviceError:
		what = strconv.Itoa(f.status) + " of the service"
	case dropBeforeCommit:
		what = "drop before commit"
	case dropAfterCommit:
		what = "drop after commit"
	case truncate:
		what = "truncated response"
	case delay:
		what = "delay of " + f.delay.String()
	default:
		return "no fault"
	}
	if len(f.operations) > 0 {
		what += " on " + strings.Join(f.operations, " and ")
	}
	if f.times > 1 {
		what += ", " + strconv.Itoa(f.times) + " times"
	}
	return what
}

func checkStatus(code, least int) int {
	if code < least || code > 599 {
		panic(fmt.Sprintf("momenttest: the status of a fault must be from %d to 599, not %d", least, code))
	}
	return code
}

// Fail makes the next requests fail. Each request meets the first fault for its operation, which is
// then used up. Faults of later calls follow those of earlier ones.
//
//	srv.Fail(momenttest.Status(503), momenttest.DropAfterCommit()) // the next request, and the one after that
//	srv.Fail(momenttest.Truncate().On("update bill").Times(2))     // the next two updates of bills
//
// It panics if a fault was not made by one of the functions of this package.
func (h *Handler) Fail(faults ...Fault) {
	for _, f := range faults {
		if f.kind == noFault {
			panic("momenttest: Fail was called with the zero Fault: make one with Status, DropAfterCommit, ...")
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, faults...)
}

// Faults returns the faults that no request has met. At the end of a test, the list should be
// empty.
func (h *Handler) Faults() []Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.faults)
}

// ClearFaults removes all faults that no request has met.
func (h *Handler) ClearFaults() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = nil
}

// nextFault returns the fault that a request for an operation meets, and removes it.
func (h *Handler) nextFault(operation string) Fault {
	for i := range h.faults {
		f := &h.faults[i]
		if len(f.operations) > 0 && !slices.Contains(f.operations, operation) {
			continue
		}
		taken := *f
		if f.times--; f.times == 0 {
			h.faults = slices.Delete(h.faults, i, i+1)
		}
		return taken
	}
	return Fault{}
}

// once returns the fault as one request met it, or nil.
func (f Fault) once() *Fault {
	if f.kind == noFault {
		return nil
	}
	f.times, f.operations = 1, nil
	return &f
}

// response returns the response of a Status or ServiceError.
func (f Fault) response(path string) response {
	p := newProblem(f.status, "The test asked for this failure.")
	p.gateway = f.kind == statusFault && f.status != http.StatusTooManyRequests
	resp := p.response(path)
	if f.retryAfter > 0 {
		resp.retryAfter = strconv.FormatInt(int64((f.retryAfter+time.Second-1)/time.Second), 10)
	}
	return resp
}

// drop ends the connection after an interim response, which clients skip (RFC 9110, section 15.2).
// If a reused connection ends without a byte, net/http's client sometimes retries the request by
// itself, and a test would count one attempt less.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
	_ = conn.Close()
}

// writeHalf ends the connection in the middle of the body.
func (r response) writeHalf(w http.ResponseWriter) {
	w.Header().Set("Content-Length", strconv.Itoa(len(r.body)))
	r.body = r.body[:len(r.body)/2]
	r.write(w)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
