package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/moment-billing/moment-go"
)

// stored returns the events that have a job, and the number of marks.
func (b *base) stored() (jobs string, marks int) {
	b.Helper()
	each := "args->>'event_id' || ' ' || (args->>'payment_id') || ' ' || (args->>'amount') || ' ' || (args->>'currency') || ' ' || (args->>'obligation_id')"
	join := "string_agg(" + each + ", ', ' ORDER BY id)"
	jobs = ask[string](b, "SELECT coalesce("+join+", '') FROM river_job WHERE kind = 'post_payment' AND queue = 'payments'")
	return jobs, ask[int](b, "SELECT count(*) FROM moment_webhook_messages")
}

// Deliveries are received one after the other. A delivery that fails leaves neither a mark without
// its job, which would be a payment lost, nor a job without its mark.
func TestDeliveries(t *testing.T) {
	const unknown = `{"id":"evt_9","type":"bill.updated","data":{}}`
	one, two, reversal := "evt_1 pay_1 1500 ZAR bill_1", "evt_2 pay_2 700 ZAR bill_1", "evt_3 pay_3 -1500 ZAR bill_1"
	away := func(table string) (before, after string) {
		return "ALTER TABLE " + table + " RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO " + table
	}
	none := func(string) (before, after string) { return "SELECT 1", "SELECT 1" }
	onBoth(t, func(b *base) {
		for _, row := range []struct {
			why            string
			without        func(string) (before, after string)
			table          string
			method, secret string
			message, body  string
			status         int
			stored         []string
			marks          int
		}{
			{"no table of jobs: the mark is rolled back, and Moment must deliver again", away, "river_job", "POST", secret, "msg_1", payment(1, 1500), 500, nil, 0},
			{"no table of marks: no job either", away, "moment_webhook_messages", "POST", secret, "msg_1", payment(1, 1500), 500, nil, 0},
			{"the event is delivered again: because it failed, it is stored", none, "", "POST", secret, "msg_1", payment(1, 1500), 204, []string{one}, 1},
			{"and again: it is there", none, "", "POST", secret, "msg_1", payment(1, 1500), 204, []string{one}, 1},
			{"it was stored: no job is needed", away, "river_job", "POST", secret, "msg_1", payment(1, 1500), 204, []string{one}, 1},
			{"the ledger is gone: events are stored all the same", away, "ledger", "POST", secret, "msg_2", payment(2, 700), 204, []string{one, two}, 2},
			{"an event without an id", none, "", "POST", secret, "msg_0", strings.Replace(payment(1, 1500), "evt_1", "", 1), 500, []string{one, two}, 2},
			{"a payment without an id", none, "", "POST", secret, "msg_0", strings.Replace(payment(4, 1500), "pay_4", "", 1), 500, []string{one, two}, 2},
			{"a payment that is reversed: a job too, or the totals would be wrong", none, "", "POST", secret, "msg_3", payment(3, -1500), 204, []string{one, two, reversal}, 3},
			{"an event of another type: acknowledged, or it would be delivered for ever", none, "", "POST", secret, "msg_4", unknown, 204, []string{one, two, reversal}, 4},
			{"the same event in another message: nothing new", none, "", "POST", secret, "msg_5", payment(1, 1500), 204, []string{one, two, reversal}, 5},
			{"the same event with another amount: somebody has to decide", none, "", "POST", secret, "msg_6", payment(1, 1501), 500, []string{one, two, reversal}, 5},
			{"not signed by Moment", none, "", "POST", moment.RawWebhookSecret([]byte("another secret of tests")), "msg_7", payment(5, 100), 400, []string{one, two, reversal}, 5},
			{"not POST", none, "", "GET", secret, "msg_8", payment(6, 100), 405, []string{one, two, reversal}, 5},
		} {
			before, after := row.without(row.table)
			b.exec(before)
			req, err := signed(b.Context(), "", row.secret, row.message, row.body)
			assert.NoError(b, err)
			req.Method = row.method
			assert.Equal(b, row.status, b.respond(req).Code, row.why)
			b.exec(after)
			jobs, marks := b.stored()
			assert.Equal(b, strings.Join(row.stored, ", "), jobs, row.why)
			assert.Equal(b, row.marks, marks, row.why)
		}
		assert.Contains(b, b.log.String(), "conflict in the ledger")
		_, body := b.health()
		assert.Equal(b, "ok\n"+strings.Replace(conflictOfOne, "15.00", "15.01", 1), body)
	})
}

// Rejected requests are logged with the reason, truncated to a line.
func TestRejectionsAreLogged(t *testing.T) {
	b := newSQLiteBase(t)
	for _, row := range []struct {
		why    string
		change func(*http.Request)
		status int
		logged []string
	}{
		{"a gateway has compressed the body", func(r *http.Request) {
			r.Header.Set("Content-Encoding", "gzip")
			r.Body = http.NoBody
		}, 400, []string{`"webhook_id":"msg_1"`, `"content_encoding":"gzip"`, "webhook rejected"}},
		{"a wrong path", func(r *http.Request) { r.URL.Path = "/webhook" }, 404, []string{`"webhook_id":"msg_1"`, `"path":"/webhook"`, `"status":404`}},
		{"a path that is almost right is not redirected", func(r *http.Request) { r.URL.Path = "//webhooks/moment" }, 404, []string{`"path":"//webhooks/moment"`, `"status":404`}},
		{"a wrong method", func(r *http.Request) { r.Method = "PUT" }, 405, []string{`"method":"PUT"`, `"status":405`}},
		{"a long path", func(r *http.Request) { r.URL.Path = "/" + strings.Repeat("x", 5000) }, 404, []string{`"path":"/` + strings.Repeat("x", 99) + `"`}},
	} {
		b.log.text.Reset()
		req := b.sign("msg_1", payment(1, 100))
		row.change(req)
		assert.Equal(t, row.status, b.respond(req).Code, row.why)
		for _, part := range row.logged {
			assert.Contains(t, b.log.String(), part, row.why)
		}
	}
	assert.Equal(t, 200, b.respond(httptest.NewRequest(http.MethodHead, "/healthz", nil)).Code, "some probes send HEAD")
}
