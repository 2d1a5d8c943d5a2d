package momenttest

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// A problem is an error response: problem details (RFC 9457).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`

	allow   string // the methods, on a 405
	gateway bool   // a gateway responds, with a page
}

// newProblem returns the problem of a status: #not-found, "Not Found" for 404.
func newProblem(status int, format string, args ...any) *problem {
	title := cmp.Or(http.StatusText(status), "Error")
	return &problem{
		Type:   "https://api.momentco.io/docs/errors#" + strings.ReplaceAll(strings.ToLower(title), " ", "-"),
		Title:  title,
		Status: status,
		Detail: fmt.Sprintf(format, args...),
	}
}

// response returns the response to a call with this problem. The path is the call's.
func (p problem) response(path string) response {
	if p.gateway {
		return gatewayPage(p.Status)
	}
	p.Instance = path
	resp := newResponse(p.Status, p)
	resp.allow = p.allow
	return resp
}
