package momenttest

import (
	"bytes"
	"net/http"
	"slices"
)

// What is remembered of requests: so many, with bodies of so many bytes together.
const (
	maxRequests     = 10_000
	maxRequestBytes = 64 << 20
)

// Request is one that has arrived.
type Request struct {
	Method string      // POST
	Path   string      // as it was sent, still escaped, with its query
	Header http.Header // the API key included
	Body   []byte      // 1 MiB of it at most
}

// String is the method, the path and the body, without headers.
func (r Request) String() string {
	text := r.Method + " " + r.Path
	if len(r.Body) > 0 {
		text += " " + string(r.Body)
	}
	return text
}

// Requests returns what has arrived, in this order: every attempt of every call, those included
// that were refused or went wrong. Of more than 10,000 of them, or of bodies of more than 64 MiB
// together, they are the last.
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
		h.requests[0] = Request{} // or the array would hold it
		h.requests = h.requests[1:]
	}
}
