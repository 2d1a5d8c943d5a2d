package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/api"
	"github.com/moment-billing/moment-go/momenttest"
)

// ask sends a request to the admin API: "PUT /_mock/clock {…}".
func ask(m *mock, request string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = defaultListen
	if method == http.MethodPut || method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w
}

// newRetryingFake is one of which events are retried later, with an endpoint.
func newRetryingFake(t *testing.T, endpoint http.HandlerFunc) *mock {
	t.Helper()
	m := newMock(defaultListen, nil, momenttest.WithOutbox())
	t.Cleanup(m.fake.Close)
	e := httptest.NewServer(endpoint)
	t.Cleanup(e.Close)
	m.setWebhook(webhook{url: e.URL + "/hook", secret: ours})
	require.Equal(t, 204, ask(m, `PUT /_mock/state {"customers": [{"id": "bcus_1", "external_reference": "UCR-1", "currency": "ZAR"}]}`).Code)
	return m
}

var anyTime = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"\\]*"`)

// stable is a response without the values that differ from run to run.
func stable(w *httptest.ResponseRecorder) string {
	text := anyTime.ReplaceAllString(strings.TrimSuffix(w.Body.String(), "\n"), `"NOW"`)
	return listenPort.ReplaceAllString(madeUp.ReplaceAllString(text, "${1}_X"), "ADDRESS")
}

func TestAdmin(t *testing.T) {
	down := true
	m := newRetryingFake(t, func(w http.ResponseWriter, _ *http.Request) {
		if down {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("broken, and the secret is " + ours))
		}
	})
	id := regexp.MustCompile(`msg_[A-Z2-7]{21}`)
	message := ""
	for _, step := range []struct {
		why, request string
		status       int
		want         string
	}{
		{"it is ready", "GET /_mock/health", 200, `{"name":"moment-mock","version":"` + programVersion() + `","started_at":"NOW","replaced":1,"forward_to":"http://ADDRESS/hook"}`},
		{"containers ask like this", "HEAD /_mock/health", 200, ""},
		{"a path that is not there", "GET /_mock/heath", 404, `{"type":"about:blank","title":"Not Found","status":404,"detail":"there is no such path: see /_mock/openapi.yaml"}`},
		{"a method that is not there", "PATCH /_mock/state", 405, `{"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"this path accepts GET and PUT and DELETE only"}`},

		{"no events", "GET /_mock/events", 200, `{"events":[],"revision":0}`},
		{"a payment whose event is not acknowledged", `POST /_mock/payments {"to": "UCR-1", "amount": "1"}`, 200, `{"to":"bcus_1","money":"ZAR 1.00","message_id":"msg_X","attempts":1,"acknowledged":false,"status":500,"next_attempt_at":"NOW","event":{"id":"evt_X","type":"obligation.amount_applied","data":{"id":"ob_X","amount":100,"currency":"ZAR","payment_id":"pay_X","customer_id":"bcus_1","created_at":"NOW","updated_at":"NOW"}}}`},
		{"it is visible", "GET /_mock/events", 200, `{"events":[{"message_id":"msg_X","event_id":"evt_X","type":"obligation.amount_applied","created_at":"NOW","acknowledged":false,"attempts":1,"status":500,"next_attempt_at":"NOW","event":{"id":"evt_X","type":"obligation.amount_applied","data":{"id":"ob_X","amount":100,"currency":"ZAR","payment_id":"pay_X","customer_id":"bcus_1","created_at":"NOW","updated_at":"NOW"}}}],"revision":2}`},
		{"with its attempt and response, without a secret", "GET /_mock/events/MSG", 200, `{"event_id":"evt_X","type":"obligation.amount_applied","acknowledged":false,"message_id":"msg_X","event":{"id":"evt_X","type":"obligation.amount_applied","data":{"id":"ob_X","amount":100,"currency":"ZAR","payment_id":"pay_X","customer_id":"bcus_1","created_at":"NOW","updated_at":"NOW"}},"created_at":"NOW","next_attempt_at":"NOW","attempts":[{"at":"NOW","url":"http://ADDRESS/hook","status":500,"response":"broken, and the secret is [webhook secret]"}]}`},
		{"up again", "UP", 0, ""},
		{"time passes", `PUT /_mock/clock {"advance": "5s"}`, 200, `{"now":"NOW"}`},
		{"it is delivered", "GET /_mock/events", 200, `{"events":[{"message_id":"msg_X","event_id":"evt_X","type":"obligation.amount_applied","created_at":"NOW","acknowledged":true,"attempts":2,"status":200,"event":{"id":"evt_X","type":"obligation.amount_applied","data":{"id":"ob_X","amount":100,"currency":"ZAR","payment_id":"pay_X","customer_id":"bcus_1","created_at":"NOW","updated_at":"NOW"}}}],"revision":3}`},
		{"no change since then", "GET /_mock/events?after=3", 200, `{"events":[],"revision":3}`},
		{"an invalid revision", "GET /_mock/events?after=-1", 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"after must be an integer: 0 or more"}`},
		{"no limit", "GET /_mock/requests?limit=0", 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"limit must be from 1 to 10000"}`},
		{"again, twice", `POST /_mock/events/MSG/deliver {"times": 2}`, 200, `{"event_id":"evt_X","type":"obligation.amount_applied","acknowledged":true,"message_id":"msg_X","event":{"id":"evt_X","type":"obligation.amount_applied","data":{"id":"ob_X","amount":100,"currency":"ZAR","payment_id":"pay_X","customer_id":"bcus_1","created_at":"NOW","updated_at":"NOW"}},"created_at":"NOW","attempts":[{"at":"NOW","url":"http://ADDRESS/hook","status":500,"response":"broken, and the secret is [webhook secret]"},{"at":"NOW","url":"http://ADDRESS/hook","status":200},{"at":"NOW","url":"http://ADDRESS/hook","status":200,"resent":true},{"at":"NOW","url":"http://ADDRESS/hook","status":200,"resent":true}]}`},
		{"an event that is not there", "GET /_mock/events/msg_1", 404, `{"type":"about:blank","title":"Not Found","status":404,"detail":"no event has the message id \"msg_1\": see /_mock/events"}`},
		{"nor can it be delivered", "POST /_mock/events/msg_1/deliver {}", 404, `{"type":"about:blank","title":"Not Found","status":404,"detail":"no event has the message id \"msg_1\": see /_mock/events"}`},
		{"too often", `POST /_mock/events/MSG/deliver {"times": 101}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"times must be an integer from 1 to 100"}`},
		{"with a secret that is not named", `POST /_mock/events/MSG/deliver {"secret": "old"}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"secret must be current or previous: set the secrets with PUT /_mock/webhook"}`},
		{"with an invalid age", `POST /_mock/events/MSG/deliver {"age": "old"}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"age must be a duration such as 10m"}`},
		{"with a secret that is not there", `POST /_mock/events/MSG/deliver {"secret": "previous"}`, 409, `{"type":"about:blank","title":"Conflict","status":409,"detail":"there is no previous secret: set one with PUT /_mock/webhook"}`},
		{"an event of another type", `POST /_mock/events {"type": "bill.created", "data": null}`, 200, `{"event_id":"evt_X","type":"bill.created","acknowledged":true,"message_id":"msg_X","event":{"id":"evt_X","type":"bill.created","data":null},"created_at":"NOW","attempts":[{"at":"NOW","url":"http://ADDRESS/hook","status":200}]}`},
		{"an event without a type", `POST /_mock/events {"data": {}}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"type is required: words of a-z, 0-9 and _ with full stops between them, such as bill.created"}`},
		{"an event without data", `POST /_mock/events {"type": "bill.created"}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"data is required: any JSON, such as {\"id\": \"bill_1\"}"}`},

		{"no faults", "GET /_mock/faults", 200, `{"faults":[]}`},
		{"a fault", `POST /_mock/faults {"fault":"status","status":503,"on":"create customer","times":2}`, 200, `{"faults":[{"fault":"status","status":503,"on":"create customer","times":2}]}`},
		{"an unknown fault", `POST /_mock/faults {"fault":"statues"}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"the body: fault must be status, service_error, drop_before_commit, drop_after_commit, truncate or delay: see /_mock/openapi.yaml"}`},
		{"none again", "DELETE /_mock/faults", 204, ""},
		{"really", "GET /_mock/faults", 200, `{"faults":[]}`},

		{"the clock", "GET /_mock/clock", 200, `{"now":"NOW"}`},
		{"set to a time", `PUT /_mock/clock {"now": "2025-01-31T14:00:00+02:00"}`, 200, `{"now":"NOW"}`},
		{"neither", `PUT /_mock/clock {}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"either now or advance is required, as in {\"advance\": \"5s\"} or {\"now\": \"2025-01-31T12:00:00Z\"}"}`},
		{"both", `PUT /_mock/clock {"now": "2025-01-31T12:00:00Z", "advance": "5s"}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"either now or advance is required, as in {\"advance\": \"5s\"} or {\"now\": \"2025-01-31T12:00:00Z\"}"}`},
		{"no time", `PUT /_mock/clock {"now": "tomorrow"}`, 400, ""},
		{"back", `PUT /_mock/clock {"advance": "-5s"}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"advance must be a duration such as 5s, 30m or 2h; to go back, set the time"}`},
		{"too far", `PUT /_mock/clock {"now": "2200-01-01T00:00:00Z"}`, 422, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"the clock can be set to the years from 1970 to 2199, not to 2200"}`},

		{"the webhook", "GET /_mock/webhook", 200, `{"previous_secret_set":false,"secret_set":true,"url":"http://ADDRESS/hook"}`},
		{"another secret", `PUT /_mock/webhook {"secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}`, 200, `{"previous_secret_set":true,"secret_set":true,"url":"http://ADDRESS/hook"}`},
		{"which is what previous means", `POST /_mock/events/MSG/deliver {"secret": "previous", "age": "10m"}`, 200, ""},
		{"no secret", `PUT /_mock/webhook {"previous_secret": "whsec_c2hvcnQ="}`, 422, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"previous_secret: must be whsec_ and base64 of at least 16 bytes"}`},
		{"a password, which is not shown", `PUT /_mock/webhook {"url": "user:swordfish@127.0.0.1:1/hook"}`, 200, `{"previous_secret_set":true,"secret_set":true,"url":"http://user:xxxxx@ADDRESS/hook"}`},
		{"no URL", `PUT /_mock/webhook {"url": "ftp://127.0.0.1"}`, 422, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"url: must be a URL like http://ADDRESS/webhooks/moment"}`},
		{"a port of this machine", `PUT /_mock/webhook {"url": ":3000/hook"}`, 200, `{"previous_secret_set":true,"secret_set":true,"url":"http://ADDRESS/hook"}`},
		{"nowhere", `PUT /_mock/webhook {"url": ""}`, 200, `{"previous_secret_set":true,"secret_set":true,"url":""}`},
		{"not even again", "POST /_mock/events/MSG/deliver {}", 409, `{"type":"about:blank","title":"Conflict","status":409,"detail":"no webhook URL is set: start moment-mock with --forward-to, or set a URL with PUT /_mock/webhook"}`},

		{"no JSON", "PUT /_mock/state [", 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"the body must be a JSON object in UTF-8"}`},
		{"no body", "PUT /_mock/state ", 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"the body must be a JSON object in UTF-8"}`},
		{"a list that is null", `PUT /_mock/state {"bills": null}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"bills must not be null: leave it out"}`},
		{"another member", `PUT /_mock/state {"bill": []}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"the body must be as GET /_mock/state returns it: unknown field \"bill\""}`},
		{"no object", "PUT /_mock/state null", 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"the body must be a JSON object in UTF-8"}`},
		{"another form", `PUT /_mock/state {"version": 2}`, 400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"the body is not of version 3: send the form that GET /_mock/state returns"}`},
		{"an object of another form", `PUT /_mock/state {"responses": [{"status": "201"}]}`, 422, ""},
		{"an object that the service rejects", `PUT /_mock/state {"customers": [{}]}`, 422, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"Customers[0]: external_reference is required"}`},
		{"everything is reset", "DELETE /_mock/state", 204, ""},
		{"once imported and once reset", "GET /_mock/health", 200, `{"name":"moment-mock","version":"` + programVersion() + `","started_at":"NOW","replaced":2}`},
		{"the rejected imports had no effect", "GET /_mock/state", 200, `{"version":3,"customers":[],"accounts":[],"bills":[],"payments":[],"payment_requests":[],"payment_details":[],"responses":[],"outbox":[],"clock_offset":0}`},
	} {
		if step.request == "UP" {
			down = false
			continue
		}
		w := ask(m, strings.ReplaceAll(step.request, "MSG", message))
		require.Equal(t, step.status, w.Code, "%s: %s", step.why, w.Body)
		if step.want != "" {
			assert.Equal(t, step.want, stable(w), step.why)
		}
		if w.Code >= 400 {
			assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		}
		if found := id.FindString(w.Body.String()); found != "" && message == "" {
			message = found
		}
		assert.NotContains(t, w.Body.String(), ours)
		assert.NotContains(t, w.Body.String(), "swordfish")
	}
}

// An export can be imported, and is a valid seed.
func TestExport(t *testing.T) {
	m := newRetryingFake(t, func(http.ResponseWriter, *http.Request) {})
	require.Equal(t, 200, ask(m, `POST /_mock/payments {"to": "UCR-1", "amount": "1"}`).Code)
	exported := ask(m, "GET /_mock/state").Body.String()
	require.Equal(t, 204, ask(m, "DELETE /_mock/state").Code)
	require.NotEqual(t, exported, ask(m, "GET /_mock/state").Body.String())
	require.Equal(t, 204, ask(m, "PUT /_mock/state "+exported).Code)
	require.Equal(t, exported, ask(m, "GET /_mock/state").Body.String())
}

func TestRecordedRequests(t *testing.T) {
	m := newMock(defaultListen, nil)
	t.Cleanup(m.fake.Close)
	list := func(query string) (requests []recordedRequest) {
		w := ask(m, "GET /_mock/requests"+query)
		require.Equal(t, 200, w.Code, w.Body)
		require.NotContains(t, w.Body.String(), "swordfish")
		var all struct{ Requests []recordedRequest }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &all))
		return all.Requests
	}
	require.Empty(t, list(""))
	key := func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer sk_test_swordfish")
		r.Header.Set("Idempotency-Key", "k")
		r.Header.Set("X-Debug", "sk_test_swordfish")
		r.Header.Set("Cookie", "swordfish")
	}
	ask(m, `POST /billing/customers {"external_reference":"UCR-1","name":"sk_test_swordfish"}`, key)
	ask(m, "GET /billing/bills/UBR-1?key=sk_test_swordfish", key)
	all := list("")
	require.Len(t, all, 2)
	first := all[0]
	assert.Equal(t, []any{1, "POST", "/billing/customers", 201}, []any{first.ID, first.Method, first.Path, first.Status})
	assert.Equal(t, `{"external_reference":"UCR-1","name":"[secret key]"}`, first.Body) //nolint:testifylint // byte for byte
	assert.Contains(t, first.Response, `"external_reference":"UCR-1"`)
	assert.Equal(t, []string{"k"}, first.Headers["Idempotency-Key"])
	assert.Equal(t, []string{"[secret key]"}, first.Headers["Authorization"])
	assert.Equal(t, "/billing/bills/UBR-1?key=[secret key]", all[1].Path)
	for query, want := range map[string]int{"?after=1": 1, "?after=2": 0, "?path=/billing/bills": 1, "?status=201": 1, "?status=404&after=1&path=/billing": 1, "?status=500": 0} {
		assert.Len(t, list(query), want, query)
	}
	for _, query := range []string{"?after=-1", "?after=x", "?status=99", "?status=600", "?after=01", "?after=", "?status="} {
		assert.Equal(t, 400, ask(m, "GET /_mock/requests"+query).Code, query)
	}
	require.Nil(t, all[1].Fault)
	m.fake.Fail(momenttest.Status(503).On("get bill").Times(2))
	ask(m, "GET /billing/bills/UBR-1", key)
	assert.Contains(t, ask(m, "GET /_mock/requests?after=2").Body.String(), `"fault":{"fault":"status","status":503,"times":1}`)
	require.Equal(t, 204, ask(m, "DELETE /_mock/requests").Code)
	require.Empty(t, list(""))
}

// Every path, also that of a description, is closed to web pages of other sites, and every write to
// forms.
func TestAdminRejectsWebPages(t *testing.T) {
	m := newMock("mock.example.org:8787", []string{"mock.example.net"}, momenttest.WithOutbox())
	t.Cleanup(m.fake.Close)
	for _, route := range adminRoutes {
		request := route.method + " " + strings.ReplaceAll(route.path, "{message}", "msg_1") + " {}"
		for name, change := range map[string]func(*http.Request){
			"host":   func(r *http.Request) { r.Host = "evil.example" },
			"origin": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
			"file":   func(r *http.Request) { r.Header.Set("Origin", "null") },
		} {
			assert.Equal(t, 403, ask(m, request, change).Code, "%s, foreign %s", request, name)
		}
		for _, host := range []string{"mock.example.org:8787", "mock.example.net"} {
			assert.NotEqual(t, 403, ask(m, request, func(r *http.Request) { r.Host = host }).Code, request)
		}
		if route.method == http.MethodPut || route.method == http.MethodPost {
			for _, mediaType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
				assert.Equal(t, 415, ask(m, request, func(r *http.Request) { r.Header.Set("Content-Type", mediaType) }).Code, request)
			}
		}
	}
}

func TestDescriptions(t *testing.T) {
	m := newMock(defaultListen, nil)
	t.Cleanup(m.fake.Close)
	for path, want := range map[string]string{"/openapi.yaml": api.OpenAPI, "/_mock/openapi.yaml": api.Mock} {
		w := ask(m, "GET "+path)
		assert.Equal(t, 200, w.Code)
		assert.Equal(t, "application/yaml", w.Header().Get("Content-Type"))
		assert.Equal(t, want, w.Body.String())
	}
	for _, route := range adminRoutes {
		assert.Regexp(t, "(?ms)^  "+regexp.QuoteMeta(route.path)+":\n(    .*\n|\n)*?    "+strings.ToLower(route.method)+":$", api.Mock, "it is described")
	}
}

// Concurrent changes of the webhook both take effect.
func TestConcurrentWebhookChanges(t *testing.T) {
	m := newFake(t)
	for n := range 5000 {
		m.setWebhook(webhook{secret: ours})
		var both sync.WaitGroup
		both.Go(func() { ask(m, `PUT /_mock/webhook {"url": ":1"}`) })
		both.Go(func() { ask(m, `PUT /_mock/webhook {"secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}`) })
		both.Wait()
		w := m.currentWebhook()
		require.Equal(t, webhook{"http://127.0.0.1:1", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", ours}, w, "round %d", n)
	}
}

// A program that polls receives the newest items, and none twice.
func TestLists(t *testing.T) {
	m := newFake(t)
	for range 3 {
		m.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/billing/bills/UBR-1", http.NoBody))
	}
	for _, row := range []struct {
		why, query string
		want       []int
	}{
		{"all", "", []int{1, 2, 3}},
		{"those after one", "?after=1", []int{2, 3}},
		{"the newest", "?limit=2", []int{2, 3}},
		{"more than there are", "?limit=5", []int{1, 2, 3}},
		{"the newest after one", "?after=1&limit=1", []int{3}},
		{"the newest that match", "?path=/billing&limit=1", []int{3}},
	} {
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/_mock/requests"+row.query, http.NoBody))
		var got struct{ Requests []struct{ ID int } }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got), row.why)
		ids := make([]int, 0, len(got.Requests))
		for _, r := range got.Requests {
			ids = append(ids, r.ID)
		}
		assert.Equal(t, row.want, ids, row.why)
	}
}
