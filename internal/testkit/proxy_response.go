package testkit

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// response is the response of the service, or a fault's response in its place.
type response struct {
	status int // 0 if there is no response
	header http.Header
	body   []byte
}

// wire encodes the response for HTTP/1.1, with a Content-Length that is wrong by off bytes.
func (r response) wire(off int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	_ = r.header.Write(&b)
	b.WriteString("Content-Length: " + strconv.Itoa(len(r.body)+off) + "\r\n\r\n")
	b.Write(r.body)
	return b.Bytes()
}

// problemResponse is an error response as Moment documents it.
func problemResponse(status int, header http.Header) response {
	h := http.Header{"Content-Type": {"application/problem+json"}}
	maps.Copy(h, header)
	return response{status, h, fmt.Appendf(nil,
		`{"type":"https://api.momentco.io/docs/errors#x","title":%q,"status":%d,"detail":"said the proxy"}`, http.StatusText(status), status)}
}

func htmlResponse(status int) response {
	page := "<html><head><title>Sign in to the network</title></head><body>\n<h1>Almost there</h1></body></html>\n"
	return response{status, http.Header{"Content-Type": {"text/html"}}, []byte(page)}
}
