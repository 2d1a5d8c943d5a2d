package faultproxy

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// answer is one of the service's, or one in its place.
type answer struct {
	status int // 0 for none
	header http.Header
	body   []byte
}

// wire is the answer as it is sent, with a Content-Length that is off by so much.
func (a answer) wire(off int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	_ = a.header.Write(&b)
	b.WriteString("Content-Length: " + strconv.Itoa(len(a.body)+off) + "\r\n\r\n")
	b.Write(a.body)
	return b.Bytes()
}

// problem is an error as Moment describes it.
func problem(status int, header http.Header) answer {
	h := http.Header{"Content-Type": {"application/problem+json"}}
	maps.Copy(h, header)
	return answer{status, h, fmt.Appendf(nil,
		`{"type":"https://api.momentco.io/docs/errors#x","title":%q,"status":%d,"detail":"said the proxy"}`, http.StatusText(status), status)}
}

func html(status int) answer {
	page := "<html><head><title>Sign in to the network</title></head><body>\n<h1>Almost there</h1></body></html>\n"
	return answer{status, http.Header{"Content-Type": {"text/html"}}, []byte(page)}
}
