package testkit

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
)

// Reply responds to one request in place of the service.
type Reply func(w http.ResponseWriter, r *http.Request)

// Respond returns a reply with a status, a JSON body, and headers in the form "Name: value".
func Respond(status int, body string, headers ...string) Reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Problem returns a reply with problem details, as Moment documents them.
func Problem(status int, headers ...string) Reply {
	body := fmt.Sprintf(`{"type":"https://api.momentco.io/docs/errors#x","title":%q,"status":%d,"detail":"said the service"}`,
		http.StatusText(status), status)
	return Respond(status, body, append(headers, "Content-Type: application/problem+json")...)
}

// HangUp closes the connection without a response, after it has read the request.
func HangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// TruncateAfter returns a reply that closes the connection one byte before the announced end of the
// body.
func TruncateAfter(body string) Reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		_, _ = io.WriteString(w, body)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// Truncated is a success that is truncated in the middle of a bill.
var Truncated = TruncateAfter(BillJSON[:len(BillJSON)/2])

// RespondRaw returns a reply that sends text in place of an HTTP response, and closes the
// connection.
func RespondRaw(text string) Reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// Response returns the reply as a RoundTripper would.
func Response(r Reply) (*http.Response, error) {
	rec := httptest.NewRecorder()
	r(rec, nil)
	return rec.Result(), nil
}

// Replayed is the header of a response that the service saved under an idempotency key.
const Replayed = "Idempotent-Replayed: true"

// Gateway returns a reply with an HTML page, as a gateway in front of the service sends it.
func Gateway(status int, headers ...string) Reply {
	return Respond(status, "<html>"+http.StatusText(status)+"</html>", append(headers, "Content-Type: text/html")...)
}
