package momenttest

import (
	"bytes"
	"net/http"
	"slices"
	"time"
)

// Limits of the recorded requests: their number, and the total bytes of their headers and bodies.
const (
	maxRequests     = 10_000
	maxRequestBytes = 64 << 20
)

// Request is a request that the server received.
type Request struct {
	ID     int         // 1, 2, …, in the order of arrival
	At     time.Time   // of the server's clock
	Method string      // POST
	Path   string      // as it was sent, still escaped, with its query
	Header http.Header // with the API key
	Body   []byte      // at most its first 1 MiB

	Status   int    // of the response; 0 without one
	Response []byte // its body, also if a fault truncated it
	Fault    *Fault // that it met, as a fault of one request; nil without one
}

// String is the method, the path and the body, without headers.
func (r Request) String() string {
	text := r.Method + " " + r.Path
	if len(r.Body) > 0 {
		text += " " + string(r.Body)
	}
	return text
}

// Requests returns the received requests in their order: every attempt of every call, including
// those that were rejected or met a fault. Only the last 10,000 requests are kept, with at most 64
// MiB of headers, bodies and responses.
func (h *Handler) Requests() []Request { return h.RequestsAfter(0) }

// RequestsAfter returns the received requests whose ID is greater than id: those that are new since
// an earlier call.
func (h *Handler) RequestsAfter(id int) []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, _ := slices.BinarySearchFunc(h.requests, id, func(r *Request, id int) int { return r.ID - id - 1 })
	all := make([]Request, 0, len(h.requests)-first)
	for _, r := range h.requests[first:] {
		c := *r
		c.Header, c.Body, c.Response = c.Header.Clone(), bytes.Clone(c.Body), bytes.Clone(c.Response)
		all = append(all, c)
	}
	return all
}

// ClearRequests removes the received requests. The IDs of later requests continue.
func (h *Handler) ClearRequests() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests, h.requestBytes = nil, 0
}

func (h *Handler) record(r *http.Request, body []byte) *Request {
	h.lastRequest++
	recorded := &Request{ID: h.lastRequest, At: h.now(), Method: r.Method, Path: r.RequestURI, Header: r.Header.Clone(), Body: body}
	h.requests = append(h.requests, recorded)
	h.requestBytes += recorded.size()
	h.dropOldRequests()
	return recorded
}

func (r *Request) size() int {
	size := len(r.Path) + len(r.Body) + len(r.Response)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size
}

func (h *Handler) dropOldRequests() {
	for len(h.requests) > maxRequests || h.requestBytes > maxRequestBytes {
		h.requestBytes -= h.requests[0].size()
		h.requests[0] = nil // because the array would keep it
		h.requests = h.requests[1:]
	}
}

// recordResponse is called before the response is sent.
func (h *Handler) recordResponse(to *Request, resp response) {
	h.mu.Lock()
	defer h.mu.Unlock()
	to.Status, to.Response = resp.status, resp.body
	if len(h.requests) > 0 && to.ID >= h.requests[0].ID { // it was not dropped or cleared meanwhile
		h.requestBytes += len(resp.body)
		h.dropOldRequests()
	}
}
