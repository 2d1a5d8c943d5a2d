package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// stored returns a database with a run whose rows and jobs are stored, but not sent.
func stored(t *testing.T, n int) (*world, *store) {
	t.Helper()
	w := newWorld(t)
	w.file("bills.csv", rows(n))
	s := w.store()
	c, _, err := parseFlags([]string{"run", filepath.Join(w.dir, "bills.csv")}, io.Discard)
	require.NoError(t, err)
	c.key, c.baseURL = w.key, w.url
	hash, err := c.fileHash()
	require.NoError(t, err)
	r, err := s.prepare(t.Context(), c.config, hash, "test", io.Discard)
	require.NoError(t, err)
	jobs, err := river.NewClient(riversqlite.New(s.jobs), &river.Config{})
	require.NoError(t, err)
	require.NoError(t, (&worker{run: r, store: s}).enqueue(t.Context(), jobs, io.Discard))
	return w, s
}

// Jobs that a killed process left running are worked at once. Jobs in other queues do not change.
func TestJobsOfAKilledProcess(t *testing.T) {
	w, s := stored(t, 4)
	for n, state := range []string{"running", "retryable", "scheduled"} {
		w.exec(s, "UPDATE river_job SET state = ?, attempt = max_attempts, attempted_at = '2031-01-31 00:00:00', scheduled_at = '2031-01-31 00:00:00' WHERE id = ?", state, n+1)
	}
	w.exec(s, "INSERT INTO river_job (kind, queue, state, max_attempts) VALUES ('other', 'other', 'running', 4), ('other', 'billsX1', 'running', 4)")
	require.NoError(t, s.release(t.Context()))
	assert.Equal(t, "4", w.ask(s, "SELECT count(*) FROM river_job WHERE queue = 'bills_1' AND state = 'available' AND max_attempts = attempt + 4 AND scheduled_at = created_at"))
	assert.Equal(t, "2", w.ask(s, "SELECT count(*) FROM river_job WHERE state = 'running'"))
	s.close()
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Len(t, w.bills(), 4)
	assert.Equal(t, "4", w.ask(w.store(), "SELECT count(*) FROM river_job WHERE kind = 'raise_bill'"), "no job is made twice")
}

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

// Only one process works a file, and the file survives a power failure because of its settings.
func TestStore(t *testing.T) {
	w := newWorld(t)
	w.file("biller.db", "")
	require.NoError(t, os.Chmod(filepath.Join(w.dir, "biller.db"), 0o644)) //nolint:gosec // openStore must change it
	s := w.store()
	info, err := os.Stat(s.path)
	require.NoError(t, err)
	assert.Equal(t, "-rw-------", info.Mode().String(), "an existing file too")
	_, err = openStore(t.Context(), filepath.Join(w.dir, "biller.db"))
	assert.ErrorContains(t, err, "another biller works on it")
	link := filepath.Join(t.TempDir(), "link.db")
	if os.Symlink(s.path, link) == nil { // Windows may not allow it
		_, err = openStore(t.Context(), link)
		assert.ErrorContains(t, err, "another biller works on it")
	}
	assert.NotSame(t, s.rows, s.jobs)
	assert.Equal(t, "wal", w.ask(s, "PRAGMA journal_mode"))
	for _, pool := range []*store{s, {rows: s.jobs}} {
		assert.Equal(t, "2", w.ask(pool, "PRAGMA synchronous"), "FULL")
		assert.Equal(t, "60000", w.ask(pool, "PRAGMA busy_timeout"))
	}
	s.close()
	again, err := openStore(t.Context(), filepath.Join(w.dir, "biller.db"))
	require.NoError(t, err)
	again.close()
}

// An SQLite file is the one that was named, even if its name has a meaning for SQLite or in a URL.
func TestNameOfTheStore(t *testing.T) {
	t.Chdir(t.TempDir())
	paths := []string{"biller.db", "a b+c#d%41&e=f.db", filepath.Join(t.TempDir(), "a b+c#d%41.db")}
	if runtime.GOOS != "windows" { // which has no such names
		paths = append(paths, ":memory:")
	}
	for _, path := range paths {
		s, err := openStore(t.Context(), path)
		require.NoError(t, err, path)
		s.close()
		info, err := os.Stat(path)
		require.NoError(t, err, path)
		assert.NotZero(t, info.Size(), path)
		assert.Equal(t, path, s.path)
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

// A process limits its rate, lowers the limit at each 429, and restores it within a minute.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 200
		p := newPace(100, roundTripper(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: status}, nil }))
		seconds := func(n int) float64 {
			begun := time.Now()
			for range n {
				_, err := p.RoundTrip(&http.Request{})
				assert.NoError(t, err)
			}
			return time.Since(begun).Seconds()
		}
		assert.InDelta(t, 1, seconds(100), 0.02)
		status = 429
		seconds(2)
		status = 200
		assert.InDelta(t, 1/0.81, seconds(100), 0.02)
		seconds(100 * 60)
		assert.InDelta(t, 1, seconds(100), 0.02)
		status = 429
		seconds(200)
		assert.InDelta(t, maxBills/5.0, float64(p.limiter.Limit()), 0.1, "the least")
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// At a low rate, no request waits for its turn for longer than its attempt may last.
func TestCallsAtALowRate(t *testing.T) {
	for rate, want := range map[float64]int{1: 5, 2.5: 12, 50: maxBills} {
		assert.Equal(t, want, config{Rate: rate}.workers())
	}
}

// A run ends with the error of its database. Its exit code is not that of wrong usage, because the
// command may be started again.
func TestFailureOfTheDatabase(t *testing.T) {
	for _, row := range []struct{ why, statement, says string }{
		{"a row cannot be read, so its outcome would never arrive", "UPDATE biller_rows SET params = '{' WHERE id = 2", "unexpected end of JSON input"},
		{"the run cannot be read", "ALTER TABLE biller_runs RENAME COLUMN token TO elsewhere", "token"},
	} {
		w, s := stored(t, 3)
		w.exec(s, row.statement)
		s.close()
		assert.Equal(t, exitFailed, w.biller("run", "bills.csv"), row.why)
		assert.Contains(t, w.stderr, row.says, row.why)
	}
}

// An error of a database says what to do about it, once.
func TestExplain(t *testing.T) {
	for text, want := range map[string]string{
		"permission denied for table biller_rows":    "permission denied for table biller_rows: run the GRANT statements that biller migrate --print prints. Run migrate itself as the owner of the tables",
		"open bills.rejected.csv: permission denied": "open bills.rejected.csv: permission denied",
		"b.db: database or disk is full (13)":        "b.db: database or disk is full (13): make room in the folder of the database, and start it again. No bill is raised twice",
	} {
		assert.EqualError(t, explain(explain(errors.New(text))), want)
	}
	assert.NoError(t, explain(nil))
}

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
