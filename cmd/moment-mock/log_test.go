package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

func none(string) string { return "" }

func TestAttemptIsOneLine(t *testing.T) {
	now := time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)
	attempt := func(url string, status int, err string) momenttest.Attempt {
		return momenttest.Attempt{At: now, URL: url, Status: status, Error: err}
	}
	for _, row := range []struct {
		why     string
		message momenttest.Message
		want    string
	}{
		{"acknowledged", momenttest.Message{Attempts: []momenttest.Attempt{attempt("http://127.0.0.1:3000/webhooks?token=swordfish", 204, "")}}, "→ evt_1 to :3000/webhooks 204, attempt 1 of 6"},
		{"a failure", momenttest.Message{Attempts: []momenttest.Attempt{attempt("http://localhost:3000/webhooks", 500, "")}, NextAttemptAt: now.Add(5 * time.Second)}, "→ evt_1 to :3000/webhooks 500, attempt 1 of 6, next in 5 s"},
		{"a later one", momenttest.Message{Attempts: []momenttest.Attempt{{}, {}, attempt("http://billing:8080/hook", 503, "")}, NextAttemptAt: now.Add(5 * time.Minute)}, "→ evt_1 to billing:8080/hook 503, attempt 3 of 6, next in 5 min"},
		{"hours", momenttest.Message{Attempts: []momenttest.Attempt{attempt("http://billing:8080/hook", 503, "")}, NextAttemptAt: now.Add(2 * time.Hour)}, "→ evt_1 to billing:8080/hook 503, attempt 1 of 6, next in 2 h"},
		{"a Retry-After", momenttest.Message{Attempts: []momenttest.Attempt{attempt("http://billing:8080/hook", 503, "")}, NextAttemptAt: now.Add(3*time.Minute + time.Second)}, "→ evt_1 to billing:8080/hook 503, attempt 1 of 6, next in 3m1s"},
		{"no response", momenttest.Message{Attempts: []momenttest.Attempt{attempt("http://127.0.0.1:1/", 0, `Post "http://127.0.0.1:1/": connection refused`)}, NextAttemptAt: now.Add(5 * time.Second)}, "→ evt_1 to :1/ connection refused, attempt 1 of 6, next in 5 s"},
		{"the last", momenttest.Message{ID: "msg_1", Attempts: []momenttest.Attempt{attempt("http://127.0.0.1:3000/", 500, "")}}, "→ evt_1 to :3000/ 500, attempt 1 of 6: moment-mock resend msg_1 delivers it again"},
		{"resent", momenttest.Message{Attempts: []momenttest.Attempt{{URL: "http://127.0.0.1:3000/", Status: 200, Resent: true}}}, "→ evt_1 to :3000/ 200, resent"},
	} {
		var out strings.Builder
		row.message.Event = []byte(`{"id":"evt_1","type":"bill.created","data":{"name":"swordfish"}}`)
		newEventLog(&out, false, none, 6).attempt(row.message, now)
		assert.Equal(t, "TIME "+row.want+"\n", clockTime.ReplaceAllString(out.String(), "TIME "), row.why)
	}
}

func TestColours(t *testing.T) {
	for status, want := range map[int]string{200: "\x1b[32m200\x1b[0m", 302: "\x1b[33m302\x1b[0m", 404: "\x1b[33m404\x1b[0m", 500: "\x1b[31m500\x1b[0m"} {
		assert.Equal(t, want, (&eventLog{colours: true}).status(status))
	}
	assert.Equal(t, "500", newEventLog(new(strings.Builder), false, none, 6).status(500), "not on a terminal")
}

func TestJSONLog(t *testing.T) {
	var out strings.Builder
	l := newEventLog(&out, true, none, 6)
	r := httptest.NewRequest(http.MethodPost, "/billing/bills?key=swordfish", http.NoBody)
	l.requests(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		w.WriteHeader(http.StatusCreated)
	})).ServeHTTP(httptest.NewRecorder(), r)
	l.attempt(momenttest.Message{
		ID: "msg_1", Event: []byte(`{"id":"evt_1","type":"bill.created","data":{"name":"swordfish"}}`),
		Attempts: []momenttest.Attempt{{URL: "http://127.0.0.1:3000/hook?token=swordfish", Status: 500}},
	}, time.Now())
	_, err := l.Write([]byte("http: something\n"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3)
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)), line)
		require.NotContains(t, line, "swordfish")
	}
	assert.Regexp(t, `"msg":"request","method":"POST","path":"/billing/bills","status":201,"duration_ms":[0-9.]+,"request_id":"req_1","replayed":false`, lines[0])
	assert.Contains(t, lines[1], `"msg":"delivery","message_id":"msg_1","event_id":"evt_1","type":"bill.created","to":":3000/hook","status":500,"error":"","attempt":1,"resent":false`)
	assert.Contains(t, lines[2], `"msg":"server","detail":"http: something"`)
}

// Looks at the admin API are not logged, because the console takes one every second. Its rejections
// and changes are.
func TestReadsOfTheAdminAPIAreNotLogged(t *testing.T) {
	var out strings.Builder
	m := newMock(defaultListen, nil)
	t.Cleanup(m.fake.Close)
	handler := newEventLog(&out, false, none, 6).requests(m)
	for _, request := range []string{"GET /_mock/health", "HEAD /_mock/health", "GET /_mock/requests?after=1", "GET /_mock/none", "DELETE /_mock/faults"} {
		method, path, _ := strings.Cut(request, " ")
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, http.NoBody))
	}
	assert.Regexp(t, `^\S+ GET /_mock/none 404 \S+\n\S+ DELETE /_mock/faults 204 \S+\n$`, out.String())
}

// A fault ends the connection although the log wraps the response.
func TestFaultsEndConnections(t *testing.T) {
	m := newMock(defaultListen, nil)
	t.Cleanup(m.fake.Close)
	srv := httptest.NewServer(newEventLog(new(output), false, none, 6).requests(m))
	defer srv.Close()
	m.fake.Fail(momenttest.DropAfterCommit())
	_, err := http.Get(srv.URL + "/billing/bills/UBR-1")
	require.Error(t, err)
}
