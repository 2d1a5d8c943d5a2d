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

// Fault is something that goes wrong with a request: see [Handler.Fail]. It goes wrong once, with a
// request for any operation, unless [Fault.Times] or [Fault.On] says otherwise.
type Fault struct {
	kind       faultKind
	status     int
	wait       time.Duration // of Delay and RateLimit
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

// Status answers in front of the service, as a gateway does: nothing is run, and no idempotency key
// is saved. 502, 503 and 504 are a page of HTML, other statuses are problem details. It panics if
// the status is not from 300 to 599.
func Status(code int) Fault {
	return Fault{kind: statusFault, status: checkStatus(code, 300), times: 1}
}

// RateLimit answers 429 in front of the service, like [Status], with a Retry-After of whole
// seconds, rounded up; of 0, without. The client of package moment waits for that long, in a test
// too, if it is no more than 30 seconds; else the call fails at once.
func RateLimit(retryAfter time.Duration) Fault {
	return Fault{kind: statusFault, status: http.StatusTooManyRequests, wait: retryAfter, times: 1}
}

// ServiceError lets the operation fail in the service: nothing is created or changed, and the
// answer is saved under the idempotency key of a POST, to be given again to whoever repeats it. A
// request that is refused anyway, or answered from what is saved, has its usual answer, and the
// fault is used up. It panics if the status is not from 400 to 599.
func ServiceError(code int) Fault {
	return Fault{kind: serviceError, status: checkStatus(code, 400), times: 1}
}

// DropBeforeCommit ends the connection without a response, and without having run anything.
func DropBeforeCommit() Fault { return Fault{kind: dropBeforeCommit, times: 1} }

// DropAfterCommit lets the operation run, and ends the connection without a response. Whoever
// called cannot tell it from [DropBeforeCommit].
func DropAfterCommit() Fault { return Fault{kind: dropAfterCommit, times: 1} }

// Truncate lets the operation run, and ends the connection in the middle of the response's body.
func Truncate() Fault { return Fault{kind: truncate, times: 1} }

// Delay holds a request before its operation runs. It runs then, whether or not somebody still
// waits for the response. Until then, the idempotency key of a POST is taken: another request with
// it is answered 409. [Handler.Close] ends the wait, and runs nothing.
func Delay(d time.Duration) Fault { return Fault{kind: delay, wait: d, times: 1} }

// On returns the fault for requests of some operations only, by the names that they have in errors
// of package moment: "create", "get" or "update" with "customer", "account", "bill" or "payment
// request", "void bill" and "get payment". It panics if there is no such operation.
func (f Fault) On(operations ...string) Fault {
	names := operationNames()
	for _, name := range operations {
		if !slices.Contains(names, name) {
			panic(fmt.Sprintf("momenttest: no operation is called %q, but %s", name, strings.Join(names, ", ")))
		}
	}
	f.operations = slices.Clone(operations)
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

// String says what the fault is: "503 on create bill, 2 times".
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
		what = "delay of " + f.wait.String()
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

// Fail makes the next requests fail. Each request takes the first fault that is meant for its
// operation and has not happened often enough; the others wait for theirs. Faults of later calls
// come after those that are left.
//
//	srv.Fail(momenttest.Status(503), momenttest.DropAfterCommit()) // the next request, and the one after that
//	srv.Fail(momenttest.Truncate().On("update bill").Times(2))     // the next two updates of bills
//
// It panics if a fault was not made by one of the functions of this package.
func (h *Handler) Fail(faults ...Fault) {
	for _, f := range faults {
		if f.kind == noFault {
			panic("momenttest: Fail with a Fault that is none: make it by Status, DropAfterCommit, ...")
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, faults...)
}

// Faults returns the faults that are left: those that no request has met. A test that ends with any
// has not tested what it meant to.
func (h *Handler) Faults() []Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.faults)
}

// ClearFaults ends all faults that are left: the trouble is over.
func (h *Handler) ClearFaults() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = nil
}

// takeFault gives the fault of the next request for an operation.
func (h *Handler) takeFault(operation string) Fault {
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

// answer is that of a fault that answers by itself.
func (f Fault) response(path string) response {
	if f.kind == statusFault && slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, f.status) {
		text := fmt.Sprintf("%d %s", f.status, http.StatusText(f.status))
		return response{status: f.status, body: []byte("<html><head><title>" + text + "</title></head><body><h1>" + text + "</h1></body></html>\n"), html: true}
	}
	a := newProblem(f.status, "The test asked for this failure.").response(path)
	if f.wait > 0 {
		a.retryAfter = strconv.FormatInt(int64((f.wait+time.Second-1)/time.Second), 10)
	}
	return a
}

// drop ends the connection after an interim answer, which clients skip (RFC 9110, section 15.2).
// Without a byte, net/http's client would sometimes, where the connection was used before, repeat a
// request by itself, and a test would see one attempt fewer.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
	_ = conn.Close()
}

// writeHalf breaks off in the middle of the body.
func (a response) writeHalf(w http.ResponseWriter) {
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	a.body = a.body[:len(a.body)/2]
	a.write(w)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
