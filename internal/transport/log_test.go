package transport

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLog(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: `level=INFO msg="moment: request" method=GET path=/billing/bills/{bill} attempt=1 duration=1s status=503 request_id=req_1 from_service=false retry_in=0s
level=INFO msg="moment: request" method=GET path=/billing/bills/{bill} attempt=2 duration=1s failure="no response" retry_in=0s
level=INFO msg="moment: request" method=GET path=/billing/bills/{bill} attempt=3 duration=1s status=200 failure="response not JSON" retry_in=0s
level=DEBUG msg="moment: request" method=GET path=/billing/bills/{bill} attempt=4 duration=1s status=404 from_service=true
`,
		slog.LevelInfo: `level=INFO msg="moment: request" method=GET path=/billing/bills/{bill} attempt=1 duration=1s status=503 request_id=req_1 from_service=false retry_in=0s
level=INFO msg="moment: request" method=GET path=/billing/bills/{bill} attempt=2 duration=1s failure="no response" retry_in=0s
level=INFO msg="moment: request" method=GET path=/billing/bills/{bill} attempt=3 duration=1s status=200 failure="response not JSON" retry_in=0s
`,
		slog.LevelWarn: "",
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			responses := []*http.Response{reply(503, "{}"), nil, reply(200, "<html>"), reply(404, "{}")}
			responses[0].Header.Set("Id", "req_1")
			n := 0
			tr := &Transport{
				AttemptTimeout: time.Minute,
				MaxRetries:     3,
				FromService:    func(status int, _ http.Header, _ []byte) bool { return status == 404 },
				RequestID:      func(header http.Header) string { return header.Get("Id") },
				Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				}})),
				RoundTripper: roundTrip(func(*http.Request) (*http.Response, error) {
					time.Sleep(time.Second) // on the bubble's clock
					n++
					if responses[n-1] == nil {
						return nil, errors.New("Bearer sk_test_YOUR_SECRET_KEY")
					}
					return responses[n-1], nil
				}),
			}
			tr.Do(t.Context(), request("GET", "/billing/bills/{bill}", Safe))
			assert.Equal(t, want, out.String())
		})
	}
}

func request(method, route string, idempotency Idempotency) *Request {
	return &Request{
		Method:  method,
		URL:     url.URL{Scheme: "https", Host: "example.com", Path: "/v1/billing/bills/john-doe"},
		Route:   route,
		Header:  http.Header{},
		MaxBody: 1 << 20,
		Decoder: decodeObject{},

		Idempotency: idempotency,
	}
}

func reply(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}
