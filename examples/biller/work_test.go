package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// An open row gets another job if its job has ended. A job with different content is reported.
func TestJobsThatAreThere(t *testing.T) {
	w, s := stored(t, 3)
	w.exec(s, "UPDATE river_job SET state = 'cancelled', finalized_at = created_at WHERE id = 1")
	w.exec(s, "UPDATE river_job SET state = 'discarded', finalized_at = created_at WHERE id = 2")
	w.exec(s, `UPDATE river_job SET args = '{"row":3,"hash":"another"}' WHERE id = 3`)
	s.close()
	w.biller("run", "bills.csv", "--yes")
	assert.ElementsMatch(t, []string{"B0", "B1", "B2"}, w.bills())
	assert.Contains(t, w.stderr, "row 3 already has a job with different content")
}

// A row that was settled before its process was killed is not sent again.
func TestSettledRowIsNotSentAgain(t *testing.T) {
	w, s := stored(t, 2)
	w.exec(s, "UPDATE biller_rows SET outcome = 'raised' WHERE id = 1")
	w.exec(s, "UPDATE river_job SET state = 'running'")
	s.close()
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Equal(t, []string{"B1"}, w.bills())
}

// After a restart, a row is sent again under the same idempotency key.
func TestKeyAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(1))
	ctx, interrupt := context.WithCancel(t.Context())
	var keys []string
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		interrupt()
		return len(keys) == 1 && respond(rw, 501, false) // not retried, and the outcome is unknown
	})
	assert.Equal(t, exitFailed, w.billerUntil(ctx, "run", "bills.csv"))
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Equal(t, keys[0], keys[len(keys)-1])
	assert.Equal(t, []string{"B0"}, w.bills())
}

// A row is rejected neither by a gateway's response nor by a write whose outcome is unknown.
func TestRejects(t *testing.T) {
	for _, row := range []struct {
		err  error
		want bool
	}{
		{&moment.Error{Status: 422, FromService: true}, true},
		{&moment.Error{Status: 422}, false},
		{&moment.Error{Status: 422, FromService: true, OutcomeUnknown: true}, false},
		{&moment.Error{Status: 409, FromService: true}, false},
		{&moment.ArgumentError{}, true},
		{&moment.MismatchError{}, true},
		{io.EOF, false},
	} {
		assert.Equal(t, row.want, rejects(row.err), "%#v", row.err)
	}
}

// A bill waits as long as a 429 asks, but at most an hour and at least a second.
func TestWaitAfterALimit(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	w := &worker{client: srv.Client(moment.WithMaxRetries(0))}
	b := bill{Reference: "B1", Money: moment.Money{Amount: 100, Currency: moment.ZAR}, Customer: moment.CustomerCreateParams{ExternalReference: "C1"}}
	for asked, want := range map[time.Duration]time.Duration{0: time.Second, 10 * time.Minute: 10 * time.Minute, 24 * time.Hour: time.Hour} {
		srv.Fail(momenttest.RateLimit(asked))
		assert.Equal(t, want, w.raise(t.Context(), b, "seed", "").wait, asked)
	}
}

// River's jobs and log contain no personal data and no API key, and names are removed when a bill
// is raised.
func TestPeopleAndKeysStayOut(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(2)+"Naledi,Naledi Pillay,n@example.com,NALEDI,1,ZAR,\n")
	w.srv.Fail(momenttest.Status(503).Times(8))
	n := 0
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if strings.Contains(string(body), "NALEDI") && n < 5 { // so that attempts fail too
			n++
			return respond(rw, 500+n%2*-78, true)
		}
		return false
	})
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	s := w.store()
	jobs := w.ask(s, "SELECT group_concat(args || coalesce(errors, '') || metadata || tags) FROM river_job")
	assert.Contains(t, jobs, "status=422")
	for _, secret := range []string{"aledi", "NALEDI", "@example", "Name 1", w.key} {
		assert.NotContains(t, jobs, secret)
		assert.NotContains(t, w.stderr, secret)
	}
	assert.NotContains(t, w.ask(s, "SELECT group_concat(key_hash || token) FROM biller_runs"), w.key)
	assert.Equal(t, "1", w.ask(s, "SELECT count(*) FROM biller_rows WHERE cells IS NOT NULL"), "of the rejected row")
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The names in a duplicate row are removed too.
func TestNamesOfRowsThatOccurTwice(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(1)+strings.TrimPrefix(rows(1), header))
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Equal(t, "0", w.ask(w.store(), "SELECT count(*) FROM biller_rows WHERE cells IS NOT NULL OR params IS NOT NULL"))
}

// A run ends if a job panics, because the outcome of its row would never arrive.
func TestPanicEndsTheRun(t *testing.T) {
	_, s := stored(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := &worker{store: s, run: run{id: 1}, config: config{Rate: 100}, timeout: -1} // without a client, so its jobs panic
	assert.ErrorContains(t, w.work(ctx, slog.New(slog.DiscardHandler), io.Discard), "panic: ")
}

// A run stops if it makes no progress. Only the service's own rejection rejects a row.
func TestStops(t *testing.T) {
	always := func(status int, own bool) func(int64, http.ResponseWriter) bool {
		return func(_ int64, rw http.ResponseWriter) bool { return respond(rw, status, own) }
	}
	for _, row := range []struct {
		why      string
		rows     int
		front    func(n int64, rw http.ResponseWriter) bool
		code     int
		says     string
		rejected int // at least
		most     int64
	}{
		{"the service rejects ten bills in a row", 200, always(422, true), exitFailed, "rejected 10 bills in a row", 10, 100},
		{"it rejects all ten bills of a file, so that no row is open", 10, always(422, true), exitFailed, "stopped, but no row is open. If the rejected rows are right, run their file: more than half of the first hundred", 10, 10},
		{"it rejects nine", 9, always(422, true), exitRejected, "", 9, 9},
		{"a gateway responds to the first request", 200, always(404, false), exitFailed, "check MOMENT_BASE_URL: ", 0, 100},
		{"the API key is wrong", 200, always(401, true), exitFailed, "check MOMENT_API_KEY: ", 0, 100},
		{"it may not create bills", 200, always(403, true), exitFailed, "check MOMENT_API_KEY: ", 0, 100},
		{"two of three of the first hundred are rejected", 400, func(n int64, rw http.ResponseWriter) bool { return n%3 > 0 && respond(rw, 422, true) }, exitFailed, "more than half of the first hundred", 51, 200},
		{"the service goes down", 200, func(n int64, rw http.ResponseWriter) bool { return n > 1 && respond(rw, 503, false) }, exitFailed, "50 attempts failed in a row", 0, 500},
		{"a gateway fails, and limits the next attempts", 1, func(n int64, rw http.ResponseWriter) bool {
			return n <= 4 && respond(rw, map[bool]int{true: 503, false: 429}[n == 1], false)
		}, exitDone, "", 0, 100},
		{"a gateway responds later", 40, func(n int64, rw http.ResponseWriter) bool { return n == 35 && respond(rw, 400, false) }, exitDone, "", 0, 100},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			w.file("bills.csv", rows(row.rows))
			w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool { return row.front(w.requests.Load(), rw) })
			assert.Equal(t, row.code, w.biller("run", "bills.csv"), w.stderr)
			assert.Contains(t, w.stderr, row.says)
			assert.LessOrEqual(t, w.requests.Load(), row.most)
			s := w.store()
			n := 0
			require.NoError(t, s.rows.QueryRowContext(t.Context(), "SELECT count(*) FROM biller_rows WHERE outcome = 'rejected'").Scan(&n))
			assert.GreaterOrEqual(t, n, row.rejected)
			if row.rejected == 0 {
				assert.Zero(t, n)
			}
			s.close()
			w.setFront(nil)
			w.biller("run", "bills.csv")
			assert.Len(t, w.bills(), row.rows-n, "started again, it raises the others")
		})
	}
	w := newWorld(t)
	w.file("bills.csv", rows(200))
	w.url = "http://127.0.0.1:1"
	assert.Equal(t, exitFailed, w.biller("run", "bills.csv"))
	assert.Contains(t, w.stderr, "connection refused")
}

// Bills that differ from those at Moment are rejected, but do not stop the run.
func TestManyMismatches(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(30))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	w.file("bills.csv", strings.ReplaceAll(rows(30), "15.50", "15.51"))
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.Contains(t, w.stdout, "rejected       30")
	w.file("bills.csv", strings.ReplaceAll(rows(40), "15.50", "15.52"))
	limited := false
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		rejects := r.Method == http.MethodPost && !limited
		limited = limited || rejects
		return rejects && respond(rw, 422, true)
	})
	w.biller("run", "bills.csv")
	assert.NotContains(t, w.stderr, errEarly.Error(), "one rejection by the service does not count the others")
}

// Bills that exist need at most three requests each, without waiting.
func TestBillsThatExist(t *testing.T) {
	w := newWorld(t)
	const n = 200
	w.file("bills.csv", rows(n))
	first := time.Now()
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	took := time.Since(first)
	require.NoError(t, os.Remove(filepath.Join(w.dir, "biller.db")))
	before, begun := w.requests.Load(), time.Now()
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"))
	assert.Contains(t, w.stdout, "found         200  ZAR 3100.00")
	assert.LessOrEqual(t, w.requests.Load()-before, int64(3*n))
	assert.Less(t, time.Since(begun), 3*took+2*time.Second, "three requests take as long as three, and wait for nothing")

	w.file("bills.csv", strings.ReplaceAll(rows(n), ",B", ",E"))
	before = w.requests.Load()
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Equal(t, int64(n), w.requests.Load()-before, "a customer whom an earlier run has seen needs no requests")
}

// A bill is neither raised for another person nor raised twice, if it or its customer exists.
func TestWhatExists(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(9))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	_, err := w.srv.Client().Bills.Void(t.Context(), "B5")
	require.NoError(t, err)
	_, err = w.srv.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "C9"})
	require.NoError(t, err)
	_, err = w.srv.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "CQ", Name: `The "Shop"`})
	require.NoError(t, err)
	_, err = w.srv.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "CZ", Name: "Zoë"})
	require.NoError(t, err)
	w.file("more.csv", header+
		"C9,Nine,c9@example.com,E9,15.50,ZAR,\n"+ // no name at Moment
		"C0,Name 0,c0@example.com,B0,15.51,ZAR,2031-01-31\n"+ // another amount
		"C1,Name 1,new@example.com,E1,15.50,ZAR,\n"+ // another e-mail address
		"C2,Somebody,,E2,15.50,ZAR,\n"+ // another name
		"CQ,Shop,,EQ,15.50,ZAR,\n"+ // a name to copy from the reason
		"C3,,,E3,15.50,ZAR,\n"+ // no name
		"C4,Name 4,,B3,15.50,ZAR,2031-01-31\n"+ // another customer
		"C6,name  6,,E6,15.50,ZAR,\n"+ // a name that looks the same
		"CZ,Zoe\u0308,,EZ,15.50,ZAR,\n"+ // a name in another encoding of characters
		"C5,Name 5,,B5,15.50,ZAR,2031-01-31\n") // voided
	assert.Equal(t, exitRejected, w.biller("run", "more.csv"), w.stderr)
	assert.ElementsMatch(t, append(strings.Fields("B0 B1 B2 B3 B4 B5 B6 B7 B8"), "E1", "E3", "E9"), w.bills())
	assert.Equal(t, "c1@example.com", customer(t, w, "C1").Email)
	got := w.read("more.rejected.csv")
	for _, want := range []string{
		"but differs in amount: the bill at Moment is ZAR 15.50, unpaid, due on 2031-01-31. If it is the same bill, change it at Moment, and remove the row. Otherwise use another bill_reference\",C0", "customer_reference has the name \"\"Name 2\"\" at Moment, not \"\"Somebody\"\". If it is the same person, write that name or leave it empty. Otherwise use another customer_reference\",C2",
		`has the name ""Name 6"" at Moment, not ""name  6"". They differ only in letter case, spaces, hyphens, underscores or the encoding of characters. If`,
		"has the name \"\"Zoë\"\" at Moment, not \"\"Zoe\u0308\"\". They differ only in",
		"but differs in customer: the bill at Moment is", "but differs in status: the bill at Moment is ZAR 15.50, voided, due on 2031-01-31. Remove the row, or use another",
		`customer_reference has the name ""The ""Shop"""" at Moment`,
	} {
		assert.Contains(t, got, want)
	}
}

// A write without a definite response is settled, whether it was applied or not.
func TestUnknownOutcomes(t *testing.T) {
	for _, fault := range []momenttest.Fault{
		momenttest.DropAfterCommit(), momenttest.DropBeforeCommit(), momenttest.Truncate(), momenttest.Status(503), momenttest.ServiceError(500), momenttest.RateLimit(0),
	} {
		w := newWorld(t)
		w.file("bills.csv", rows(20))
		w.srv.Fail(fault.Times(10))
		assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
		assert.Len(t, w.bills(), 20)
	}
}

// A run that is interrupted finishes its calls, and continues when it is started again.
func TestInterruptedRunContinues(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(300))
	ctx, interrupt := context.WithCancel(t.Context())
	w.setFront(func(http.ResponseWriter, *http.Request) bool {
		if w.requests.Load() == 100 {
			interrupt()
		}
		return false
	})
	assert.Equal(t, exitFailed, w.billerUntil(ctx, "run", "bills.csv"))
	assert.Contains(t, w.stderr, "biller: stopped; start it again to continue: context canceled\n")
	assert.Less(t, len(w.bills()), 300)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, command := range []string{"run", "import", "check", "reconcile"} {
		assert.Equal(t, exitFailed, w.billerUntil(stopped, command, "bills.csv"), command)
		assert.Contains(t, w.stderr, "biller: stopped; start it again to continue", command)
	}
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Len(t, w.bills(), 300)
	assert.Equal(t, int64(300), w.requests.Load())
}

func TestWhyStopped(t *testing.T) {
	for _, row := range []struct {
		why                      string
		left                     int
		stopped, interrupted, is error
	}{
		{"it is finished", 0, errFinished, nil, nil},
		{"it is finished, and then interrupted", 0, errFinished, context.Canceled, nil},
		{"interrupted with open rows", 1, context.Canceled, context.Canceled, context.Canceled},
		{"interrupted during the last calls", 0, context.Canceled, context.Canceled, nil},
		{"it stopped itself", 0, errEarly, nil, errEarly},
		{"it stopped itself, and then was interrupted: the person must see the reason", 0, errEarly, context.Canceled, errEarly},
	} {
		assert.Equal(t, row.is, (&worker{left: row.left}).whyStopped(row.stopped, row.interrupted), row.why)
	}
}

// A run that was stopped by rejections continues without a warning, because its rows were checked.
func TestStoppedByRejections(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(100))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	w.file("bills.csv", strings.ReplaceAll(rows(160), "15.50", "15.52")) // 100 bills differ
	ctx, interrupt := context.WithCancel(t.Context())
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !strings.Contains(string(body), "B159") {
			return false
		}
		interrupt()
		return respond(rw, 501, false) // this row stays open
	})
	assert.Equal(t, exitFailed, w.billerUntil(ctx, "run", "bills.csv"), w.stderr)
	require.Contains(t, w.stdout, "rejected      100")
	w.setFront(nil)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.NotContains(t, w.stderr, "warning")
	assert.Len(t, w.bills(), 160)
}

// Attempts after an unknown outcome make the same call, even if the customer is known by then.
func TestLaterAttemptsMakeTheSameCall(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,1,ZAR,\nC1,,,B2,1,ZAR,\n")
	var calls []string
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Method != http.MethodPost || !strings.Contains(string(body), "B1") {
			return false
		}
		calls = append(calls, r.Header.Get("Idempotency-Key")+string(body))
		return len(calls) == 1 && respond(rw, 501, false) // not retried, and the outcome is unknown
	})
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	require.Greater(t, len(calls), 1)
	assert.Equal(t, calls[0], calls[1])
}
