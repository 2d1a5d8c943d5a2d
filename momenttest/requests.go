package momenttest

import (
	"bytes"
	"net/http"
	"slices"
)

// Limits of the recorded requests: their number, and the bytes of their bodies together.
const (
	maxRequests     = 10_000
	maxRequestBytes = 64 << 20
)

// Request is a request that the server received.
type Request struct {
	Method string      // POST
	Path   string      // as it was sent, still escaped, with its query
	Header http.Header // with the API key
	Body   []byte      // at most its first 1 MiB
}

// String is the method, the path and the body, without headers.
func (r Request) String() string {
	text := r.Method + " " + r.Path
	if len(r.Body) > 0 {
		text += " " + string(r.Body)
	}
	return text
}

// Requests returns the received requests in their order: every attempt of every call, also if it
// was rejected or met a fault. Only the last 10,000 requests are kept, and only as many as have
// bodies of 64 MiB together.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.requests)
	for i := range all {
		all[i].Header, all[i].Body = all[i].Header.Clone(), bytes.Clone(all[i].Body)
	}
	return all
}

func (h *Handler) record(r *http.Request, body []byte) {
	h.requests = append(h.requests, Request{r.Method, r.RequestURI, r.Header.Clone(), body})
	h.requestBytes += len(body)
	for len(h.requests) > maxRequests || h.requestBytes > maxRequestBytes {
		h.requestBytes -= len(h.requests[0].Body)
		h.requests[0] = Request{} // because the array would keep it
		h.requests = h.requests[1:]
	}
}
