package momenttest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
)

// A response is sent, and may be saved under an idempotency key.
type response struct {
	status   int
	body     []byte
	allow    string // the methods, on a 405
	replayed bool

	retryAfter string // seconds, of a fault
	html       bool   // a gateway's page
}

func newResponse(status int, content any) response {
	return response{status: status, body: encode(content)}
}

// gatewayPage returns the response of a gateway in front of the service.
func gatewayPage(status int) response {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return response{status: status, html: true, body: []byte("<html><head><title>" + text + "</title></head><body><h1>" + text + "</h1></body></html>\n")}
}

// encode panics if the content has no JSON form, because only a test can pass such content.
func encode(content any) []byte {
	body, err := json.Marshal(content)
	if err != nil {
		panic("momenttest: " + err.Error())
	}
	return body
}

func (r response) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	switch {
	case r.html:
		header.Set("Content-Type", "text/html; charset=utf-8")
	case r.status >= http.StatusBadRequest:
		header.Set("Content-Type", "application/problem+json")
	}
	header.Set("X-Request-Id", "req_"+randomID())
	if r.allow != "" {
		header.Set("Allow", r.allow)
	}
	if r.retryAfter != "" {
		header.Set("Retry-After", r.retryAfter)
	}
	if r.replayed {
		header.Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // the service does not care whether the client is still connected
}

// randomID returns the part of an id after its prefix: 21 letters and digits.
func randomID() string { return rand.Text()[:21] }
