package momenttest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
)

// An answer is what the service says to one request, and what an idempotency key
// saves of it.
type response struct {
	status   int
	body     []byte
	allow    string // the methods, on a 405
	replayed bool

	retryAfter string // seconds, on a 429 of a fault
	html       bool   // a page, of a fault
}

func newResponse(status int, content any) response {
	return response{status: status, body: encode(content)}
}

// encode panics if the content has no JSON, as only what a test gives can have none.
func encode(content any) []byte {
	body, err := json.Marshal(content)
	if err != nil {
		panic("momenttest: " + err.Error())
	}
	return body
}

func (a response) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	switch {
	case a.html:
		header.Set("Content-Type", "text/html; charset=utf-8")
	case a.status >= http.StatusBadRequest:
		header.Set("Content-Type", "application/problem+json")
	}
	header.Set("X-Request-Id", "req_"+randomID())
	if a.allow != "" {
		header.Set("Allow", a.allow)
	}
	if a.retryAfter != "" {
		header.Set("Retry-After", a.retryAfter)
	}
	if a.replayed {
		header.Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that has gone away is no concern of the service
}

// randomID gives what follows the prefix of an id: 21 letters and digits.
func randomID() string { return rand.Text()[:21] }
