package main

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/internal/redact"
	"github.com/moment-billing/moment-go/momenttest"
)

// recordedRequest is one that the fake received.
type recordedRequest struct {
	ID       int                 `json:"id"`
	At       time.Time           `json:"at"`
	Method   string              `json:"method"`
	Path     string              `json:"path"`
	Headers  map[string][]string `json:"headers"`
	Body     string              `json:"body,omitempty"`
	Status   int                 `json:"status"` // of the response; 0 without one
	Response string              `json:"response,omitempty"`
	Fault    *momenttest.Fault   `json:"fault,omitempty"` // that it met
}

func (m *mock) getRequests(r *adminRequest) (any, *rejection) {
	query := r.URL.Query()
	after, limit, rejected := r.listQuery()
	if rejected != nil {
		return nil, rejected
	}
	status, err := number(query["status"], 100, 599)
	if err != nil {
		return nil, reject(http.StatusBadRequest, "status must be from 100 to 599")
	}
	found := slices.DeleteFunc(m.fake.RequestsAfter(after), func(r momenttest.Request) bool {
		return !strings.HasPrefix(r.Path, query.Get("path")) || status != 0 && status != r.Status
	})
	requests := []recordedRequest{}
	for _, received := range newest(found, limit) {
		requests = append(requests, m.newRecordedRequest(received))
	}
	return map[string]any{"requests": requests}, nil
}

func (m *mock) deleteRequests(*adminRequest) (any, *rejection) {
	m.fake.ClearRequests()
	return nil, nil
}

// number reads a parameter; without one, it is 0.
func number(values []string, least, most int) (int, error) {
	if len(values) == 0 {
		return 0, nil
	}
	n, err := strconv.Atoi(values[0])
	if err == nil && (n < least || n > most || strconv.Itoa(n) != values[0]) {
		err = strconv.ErrRange
	}
	return n, err
}

var secretKey = regexp.MustCompile(`\b[sp]k_[A-Za-z0-9_]+`)

// newRecordedRequest leaves the API key of the request out, wherever it is.
func (m *mock) newRecordedRequest(r momenttest.Request) recordedRequest {
	keys := secretKey.FindAllString(strings.Join(r.Header["Authorization"], " "), -1)
	clean := func(text string) string {
		for _, key := range keys {
			text = redact.Text(text, key, key[:3])
		}
		return m.redact(strings.ToValidUTF8(text, "\uFFFD"))
	}
	headers := map[string][]string{}
	for name, values := range r.Header {
		for _, value := range values {
			if name == "Authorization" || name == "Cookie" || name == "Proxy-Authorization" {
				value = "[secret key]"
			}
			headers[name] = append(headers[name], clean(value))
		}
	}
	return recordedRequest{r.ID, r.At.UTC(), r.Method, clean(r.Path), headers, clean(string(r.Body)), r.Status, clean(string(r.Response)), r.Fault}
}
