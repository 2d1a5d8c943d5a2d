package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/moment-billing/moment-go/api"
	"github.com/moment-billing/moment-go/internal/localhost"
	"github.com/moment-billing/moment-go/momenttest"
)

const (
	adminPath    = "/_mock"
	maxAdminBody = 1 << 20
	maxStateBody = 256 << 20
)

// mock is the fake, with an admin API beside it.
type mock struct {
	fake     *momenttest.Handler
	hosts    []string // that it is served under; may be ""
	started  time.Time
	replaced atomic.Int64 // how often all data was reset or imported

	noConsole bool

	mu      sync.Mutex // guards webhook
	webhook webhook
}

func newMock(listen string, hosts []string, options ...momenttest.Option) *mock {
	host, _, _ := net.SplitHostPort(listen)
	hosts = append(slices.Clone(hosts), host)
	for _, name := range hosts {
		options = append(options, momenttest.WithHost(name))
	}
	return &mock{fake: momenttest.NewHandler(options...), hosts: hosts, started: time.Now()}
}

// rejection is the response to a request that changed nothing: problem details, like the service's.
type rejection struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	allow string // the methods, on a 405
}

func reject(status int, format string, args ...any) *rejection {
	return &rejection{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// An adminOperation returns the content of the response, or nil for an empty one.
type adminOperation func(*mock, *adminRequest) (any, *rejection)

// adminRequest is a request of the admin API with its body.
type adminRequest struct {
	*http.Request

	id   string // in the path
	body []byte
}

// adminRoutes are the operations of mock.yaml.
var adminRoutes = []struct {
	method, path string
	run          adminOperation
}{
	{http.MethodGet, "/_mock/health", (*mock).getHealth},
	{http.MethodGet, "/_mock/state", (*mock).getState},
	{http.MethodPut, "/_mock/state", (*mock).putState},
	{http.MethodDelete, "/_mock/state", (*mock).deleteState},
	{http.MethodGet, "/_mock/requests", (*mock).getRequests},
	{http.MethodDelete, "/_mock/requests", (*mock).deleteRequests},
	{http.MethodPost, "/_mock/payments", (*mock).postPayment},
	{http.MethodGet, "/_mock/events", (*mock).getEvents},
	{http.MethodPost, "/_mock/events", (*mock).postEvent},
	{http.MethodGet, "/_mock/events/{message}", (*mock).getEvent},
	{http.MethodPost, "/_mock/events/{message}/deliver", (*mock).deliverEvent},
	{http.MethodGet, "/_mock/faults", (*mock).getFaults},
	{http.MethodPost, "/_mock/faults", (*mock).postFault},
	{http.MethodDelete, "/_mock/faults", (*mock).deleteFaults},
	{http.MethodGet, "/_mock/clock", (*mock).getClock},
	{http.MethodPut, "/_mock/clock", (*mock).putClock},
	{http.MethodGet, "/_mock/webhook", (*mock).getWebhook},
	{http.MethodPut, "/_mock/webhook", (*mock).putWebhook},
	{http.MethodGet, "/_mock/openapi.yaml", func(*mock, *adminRequest) (any, *rejection) { return page(api.Mock), nil }},
	{http.MethodGet, "/openapi.yaml", func(*mock, *adminRequest) (any, *rejection) { return page(api.OpenAPI), nil }},
}

// page is an OpenAPI description.
type page string

// ServeHTTP does not use http.ServeMux, because that redirects untidy paths, which the fake
// rejects.
//
// Web pages of other sites cannot call the admin API: a foreign Host or Origin is rejected, and
// browsers send JSON to another site only with CORS headers, which are never sent.
func (m *mock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	ours := path == "/openapi.yaml" || path == adminPath || strings.HasPrefix(path, adminPath+"/")
	trusted := localhost.Accepts(r.Host, m.hosts...) && localhost.AcceptsOrigin(r.Header.Get("Origin"), r.Host, m.hosts...)
	if trusted && !m.noConsole && serveConsole(w, r) {
		return
	}
	if !ours || !trusted {
		m.fake.ServeHTTP(w, r)
		return
	}
	content, rejected := m.administer(w, r, path)
	switch content := content.(type) {
	case page:
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = io.WriteString(w, string(content)) //nolint:gosec // it is a constant, and no HTML
	default:
		m.write(w, content, rejected)
	}
}

func (m *mock) write(w http.ResponseWriter, content any, rejected *rejection) {
	switch {
	case rejected != nil:
		if rejected.allow != "" {
			w.Header().Set("Allow", rejected.allow)
		}
		writeJSON(w, rejected.Status, "application/problem+json", rejected)
	case content == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, http.StatusOK, "application/json", content)
	}
}

func writeJSON(w http.ResponseWriter, status int, mediaType string, content any) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content) //nolint:errchkjson // a client that has disconnected needs no response
}

// administer runs the operation of a request.
func (m *mock) administer(w http.ResponseWriter, r *http.Request, path string) (any, *rejection) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	var allow []string
	for _, route := range adminRoutes {
		id, ok := matchPath(route.path, path)
		if ok && route.method == method {
			req := &adminRequest{Request: r, id: id}
			if rejected := req.readBody(w); rejected != nil {
				return nil, rejected
			}
			return route.run(m, req)
		}
		if ok {
			allow = append(allow, route.method)
		}
	}
	if allow == nil {
		return nil, reject(http.StatusNotFound, "there is no such path: see /_mock/openapi.yaml")
	}
	rejected := reject(http.StatusMethodNotAllowed, "this path accepts %s only", strings.Join(allow, " and "))
	rejected.allow = strings.Join(allow, ", ")
	return nil, rejected
}

// matchPath compares segment by segment. A message id has no character that would be escaped.
func matchPath(pattern, path string) (id string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return "", false
	}
	for i := range want {
		switch {
		case want[i] == "{message}" && got[i] != "":
			id = got[i]
		case want[i] != got[i]:
			return "", false
		}
	}
	return id, true
}

// readBody reads the body of a write, which is JSON.
func (r *adminRequest) readBody(w http.ResponseWriter) *rejection {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil
	}
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return reject(http.StatusUnsupportedMediaType, "the header Content-Type must be application/json")
	}
	limit := int64(maxAdminBody)
	if r.URL.Path == "/_mock/state" {
		limit = maxStateBody
	}
	var err error
	r.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return reject(http.StatusRequestEntityTooLarge, "the body may have at most %d bytes", limit)
	case err != nil:
		return reject(http.StatusBadRequest, "the body could not be read to its end")
	}
	return nil
}

// decode reads the JSON object of the body. A member that is null, unknown or of another type is
// rejected, because it could matter.
func (r *adminRequest) decode(into any) *rejection {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.body, &members); err != nil || members == nil || !utf8.Valid(r.body) {
		return reject(http.StatusBadRequest, "the body must be a JSON object in UTF-8")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if text := string(members[name]); name != "data" && (text == "null" || text == `""` && name != "url") {
			return reject(http.StatusBadRequest, "%s must not be %s: leave it out", name, text)
		}
	}
	if err := decode(r.body, into); err != nil {
		return reject(http.StatusBadRequest, "the body: %s: see /_mock/openapi.yaml", decodeReason(err))
	}
	return nil
}

// decodeReason says what is wrong in the words of JSON rather than of Go.
func decodeReason(err error) string {
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return mistyped.Field + " must not be a " + mistyped.Value
	}
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "json: "), "momenttest: fault: ")
}

// decode reads exactly one JSON value, and rejects unknown members, because they could matter.
func decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more text after the JSON")
	}
	return nil
}
