package moment

import (
	"cmp"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/moment-billing/moment-go/internal/transport"
)

// failure returns the error of a call that failed.
func (c *core) failure(op operation, o *requestOptions, res transport.Result) error {
	if res.Err != nil {
		return &ConnectionError{
			Op:               op.name,
			IdempotencyKey:   o.key,
			Attempts:         res.Attempts,
			Err:              c.redactError(res.Err),
			Status:           res.Status,
			RequestID:        c.requestID(res.Header),
			RetryBudgetEmpty: res.BudgetEmpty,
			OutcomeUnknown:   res.OutcomeUnknown,
		}
	}
	e := &Error{
		Status:           res.Status,
		Op:               op.name,
		RequestID:        c.requestID(res.Header),
		IdempotencyKey:   o.key,
		Replayed:         res.Replayed,
		Attempts:         res.Attempts,
		FromService:      res.FromService,
		RetryAfter:       res.RetryAfter,
		RetryBudgetEmpty: res.BudgetEmpty,
		OutcomeUnknown:   res.OutcomeUnknown,
	}
	c.describe(e, res.Body)
	return e
}

// response returns the Response of a call.
func (c *core) response(o *requestOptions, res transport.Result) Response {
	header, body := c.redactResponse(res.Header, res.Body)
	return Response{
		StatusCode:     res.Status,
		Header:         header,
		Body:           body,
		RequestID:      c.requestID(res.Header),
		IdempotencyKey: o.key,
		Replayed:       res.Replayed,
		Attempts:       res.Attempts,
	}
}

func (c *core) requestID(h http.Header) string {
	return c.redact(cmp.Or(h.Get("X-Request-Id"), h.Get("Request-Id")))
}

// isServiceError reports whether an error response is the service's own: problem details with a
// title, the response's status and a type on one of Moment's domains. Gateways and CDNs respond
// with text, HTML, other JSON or problem details of their own.
func isServiceError(status int, header http.Header, body []byte) bool {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || media != "application/problem+json" && media != "application/json" {
		return false
	}
	var members map[string]json.RawMessage
	var title, kind *string
	if json.Unmarshal(body, &members) != nil || json.Unmarshal(members["title"], &title) != nil || title == nil ||
		json.Unmarshal(members["type"], &kind) != nil || kind == nil {
		return false
	}
	said, ok := exactInteger(string(members["status"]))
	return ok && said == int64(status) && isServiceURL(*kind)
}

// isServiceURL reports whether an absolute URL is on one of Moment's domains.
func isServiceURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc([]string{"momentco.io", "momentpay.net"}, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}

// describe fills in the problem details (RFC 9457, section 3.1). A member of the wrong type is
// ignored, and so is a body that is not a JSON object. The HTTP status counts, and not the status
// in the body.
func (c *core) describe(e *Error, body []byte) {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members)
	delete(members, "status")
	standard := map[string]*string{"type": &e.Type, "title": &e.Title, "detail": &e.Detail, "instance": &e.Instance}
	for name, value := range members {
		if field := standard[name]; field != nil {
			var text string
			_ = json.Unmarshal(value, &text)
			*field = c.redact(text)
		} else {
			if e.Extensions == nil {
				e.Extensions = make(map[string]json.RawMessage)
			}
			e.Extensions[c.redact(name)] = json.RawMessage(c.redact(string(value)))
		}
	}
	if e.Type == "" {
		e.Type = "about:blank"
	}
}

// redactResponse redacts the headers and the body, because some gateways echo request headers.
func (c *core) redactResponse(header http.Header, body []byte) (http.Header, []byte) {
	header = header.Clone() // because a RoundTripper may keep the original
	for _, values := range header {
		for i, value := range values {
			values[i] = c.redact(value)
		}
	}
	if text := c.redact(string(body)); text != string(body) {
		body = []byte(text)
	}
	return header, body
}

// redactError returns err unchanged, so that it unwraps, unless its text contains the API key, a
// part of the response or a URL, which contains identifiers.
func (c *core) redactError(err error) error {
	if text := c.redact(withoutResponse(withoutURL(err))); text != err.Error() {
		return &redactedError{text, func(target error) bool { return errors.Is(err, target) }}
	}
	return err
}

// withoutURL returns the text of err without the method and the URL that an http.Client puts into
// its errors. The SDK does not use an http.Client, but a RoundTripper may.
func withoutURL(err error) string {
	text := err.Error()
	var client *url.Error
	for ; errors.As(err, &client); err = client.Err {
		text = strings.ReplaceAll(text, client.Error(), client.Err.Error())
	}
	return text
}

// withoutResponse removes the part of a response that net/http quotes if it cannot parse it,
// because it may be a line of a body.
func withoutResponse(text string) string {
	const line = "malformed MIME header" // not always in quotation marks
	if before, _, found := strings.Cut(text, line); found {
		return before + line
	}
	for _, quoting := range []string{"transport connection broken: ", "stream error: ", "GOAWAY"} {
		if before, reason, found := strings.Cut(text, quoting); found {
			reason, _, _ = strings.Cut(reason, `"`)
			return before + quoting + strings.TrimRight(reason, ": ")
		}
	}
	return text
}

// redactedError has the text of another error without the key. errors.Is matches the original
// error; errors.As does not.
type redactedError struct {
	text string
	is   func(target error) bool
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Is(target error) bool { return e.is(target) }
