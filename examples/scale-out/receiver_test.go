package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// stored returns the events that have a job, and how many are marked: both are to be the same at
// any time.
func (w *world) stored(t *testing.T) (jobs []string, marks int) {
	t.Helper()
	jobs = ask[[]string](t, w, "SELECT coalesce(array_agg(concat(args->>'event_id', ' ', args->>'payment_id', ' ', args->>'amount', ' ', args->>'currency', ' ', args->>'obligation_id') ORDER BY id), '{}') FROM river_job WHERE kind = 'post_payment' AND queue = 'payments'")
	return jobs, ask[int](t, w, "SELECT count(*) FROM moment_webhook_messages")
}

// Deliveries come one after the other; what is stored is what it is after each. Where a delivery is
// broken off, there is neither a mark without its job, which would be a payment lost, nor a job
// without its mark, which would be one posted twice.
func TestDeliveries(t *testing.T) {
	const unknown = `{"id":"evt_9","type":"bill.updated","data":{}}`
	one, two, reversal := "evt_1 pay_1 1500 ZAR bill_1", "evt_2 pay_2 700 ZAR bill_1", "evt_3 pay_3 -1500 ZAR bill_1"
	failing := func(when string) string {
		return `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON ` + when + ` FOR EACH ROW EXECUTE FUNCTION fail()`
	}
	mend := func(table string) string { return "DROP TRIGGER fail ON " + table + "; DROP FUNCTION fail" }
	w := newWorld(t)
	r := w.newReceiver(t, nowhere)
	for _, row := range []struct {
		why           string
		before, after string
		method        string
		secret        string
		message, body string
		status        int
		stored        []string
	}{
		{"the job cannot be inserted: the mark is taken back, and Moment must deliver again", failing("river_job"), mend("river_job"), "POST", secret, "msg_1", payment(1, 1500), 500, nil},
		{"the commit fails: both are taken back", failing("river_job DEFERRABLE INITIALLY DEFERRED"), mend("river_job"), "POST", secret, "msg_1", payment(1, 1500), 500, nil},
		{"the mark cannot be inserted: no job either", failing("moment_webhook_messages DEFERRABLE INITIALLY DEFERRED"), mend("moment_webhook_messages"), "POST", secret, "msg_1", payment(1, 1500), 500, nil},
		{"no table of jobs", "ALTER TABLE river_job RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO river_job", "POST", secret, "msg_1", payment(1, 1500), 500, nil},
		{"the event comes again: as it failed, it is stored", "", "", "POST", secret, "msg_1", payment(1, 1500), 204, []string{one}},
		{"and again: it is there already", "", "", "POST", secret, "msg_1", payment(1, 1500), 204, []string{one}},
		{"it was stored: jobs are not even asked", "ALTER TABLE river_job RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO river_job", "POST", secret, "msg_1", payment(1, 1500), 204, []string{one}},
		{"the ledger is gone: nobody asks it", "ALTER TABLE ledger RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO ledger", "POST", secret, "msg_2", payment(2, 700), 204, []string{one, two}},
		{"an event that cannot be told from others", "", "", "POST", secret, "msg_0", strings.Replace(payment(1, 1500), "evt_1", "", 1), 500, []string{one, two}},
		{"a payment that cannot be told from others", "", "", "POST", secret, "msg_0", strings.Replace(payment(4, 1500), "pay_4", "", 1), 500, []string{one, two}},
		{"a payment is taken back: a job too, or the totals would be wrong", "", "", "POST", secret, "msg_3", payment(3, -1500), 204, []string{one, two, reversal}},
		{"an event of another type: acknowledged, or it would come for ever", "", "", "POST", secret, "msg_4", unknown, 204, []string{one, two, reversal}},
		{"not signed by Moment", "", "", "POST", moment.RawWebhookSecret([]byte("another secret of tests")), "msg_5", payment(5, 100), 400, []string{one, two, reversal}},
		{"not POST", "", "", "GET", secret, "msg_6", payment(6, 100), 405, []string{one, two, reversal}},
	} {
		w.exec(t, row.before)
		req := sign(t, row.secret, "", row.message, row.body)
		req.Method = row.method
		recorder := httptest.NewRecorder()
		r.handler().ServeHTTP(recorder, req)
		w.exec(t, row.after)
		assert.Equal(t, row.status, recorder.Code, row.why)
		jobs, marks := w.stored(t)
		assert.Equal(t, append([]string{}, row.stored...), jobs, row.why)
		assert.Equal(t, len(row.stored), marks, row.why)
	}
	assert.Empty(t, w.srv.Requests(), "a receiver calls nobody")
}

// A receiver that cannot go on in the middle of a delivery, as its request ends, leaves nothing
// behind, and no connection that is broken.
func TestDeliveryIsBrokenOff(t *testing.T) {
	w := newWorld(t)
	r := w.newReceiver(t, nowhere)
	r.db.SetMaxOpenConns(1)
	blocker, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = blocker.Exec(t.Context(), "LOCK TABLE river_job IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // it waits for the lock
		for ctx.Err() == nil {
			var waiting int
			if err := w.pool.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass", "river_job").Scan(&waiting); err != nil || waiting > 0 {
				cancel()
			}
		}
	}()
	recorder := httptest.NewRecorder()
	r.handler().ServeHTTP(recorder, sign(t, secret, "", "msg_1", payment(1, 1500)).WithContext(ctx))
	assert.Equal(t, 500, recorder.Code)
	require.NoError(t, blocker.Rollback(t.Context()))
	jobs, marks := w.stored(t)
	assert.Empty(t, jobs)
	assert.Zero(t, marks)

	recorder = httptest.NewRecorder()
	r.handler().ServeHTTP(recorder, sign(t, secret, "", "msg_1", payment(1, 1500)))
	assert.Equal(t, 204, recorder.Code)
	jobs, marks = w.stored(t)
	assert.Len(t, jobs, 1)
	assert.Equal(t, 1, marks)
}

// Replicas share one database: they start at once, when there is no table yet, and then each
// payment is delivered to each of them.
func TestReplicas(t *testing.T) {
	const replicas, payments = 4, 10
	w := &world{address: newSchema(t), log: new(logs)}
	errs := make([]error, replicas)
	together(replicas, func(i int) { errs[i] = migrate(t.Context(), w.address) })
	require.NoError(t, errors.Join(errs...))
	pool, err := openPool(t.Context(), w.address)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	w.pool = pool
	handlers := make([]http.Handler, replicas)
	for i := range handlers {
		handlers[i] = w.newReceiver(t, nowhere).handler()
	}
	requests := make([]*http.Request, replicas*payments)
	want := map[string]bool{}
	for i := range requests {
		n := i/replicas + 1
		requests[i] = sign(t, secret, "", fmt.Sprint("msg_", n), payment(n, 100*n))
		want[fmt.Sprintf("evt_%d pay_%d %d ZAR bill_1", n, n, 100*n)] = true
	}
	together(len(requests), func(i int) {
		recorder := httptest.NewRecorder()
		handlers[i%replicas].ServeHTTP(recorder, requests[i])
		assert.Equal(t, 204, recorder.Code)
	})
	jobs, marks := w.stored(t)
	assert.Len(t, jobs, payments)
	assert.Equal(t, payments, marks)
	for _, job := range jobs {
		assert.True(t, want[job], job)
	}
}

// together calls a function n times at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// A shutdown refuses what is new, and waits for what is being stored: it is answered.
func TestReceiverShutdown(t *testing.T) {
	w := newWorld(t)
	r := w.newReceiver(t, nowhere)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, shutDown := context.WithCancel(t.Context())
	served, answered := make(chan error, 1), make(chan string, 1)
	go func() { served <- r.serve(ctx, listener) }()
	blocker, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = blocker.Exec(t.Context(), "LOCK TABLE river_job IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	req := sign(t, secret, "http://"+listener.Addr().String(), "msg_1", payment(1, 1500))
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- fmt.Sprint(resp.StatusCode, resp.Body.Close())
	}()
	w.until(t, "the delivery waits", func() bool {
		return ask[int](t, w, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass", "river_job") > 0
	})
	shutDown()
	w.until(t, "connections are refused", func() bool {
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	})
	assert.Empty(t, served, "serve has returned before the event was stored")
	require.NoError(t, blocker.Rollback(t.Context()))
	assert.Equal(t, "204 <nil>", await(t, "an answer", answered))
	assert.NoError(t, await(t, "the end", served))
	jobs, _ := w.stored(t)
	assert.Len(t, jobs, 1)
}

// until asks until the answer is yes.
func (w *world) until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	w.untilWithin(t, patience, what, yes)
}

func (w *world) untilWithin(t *testing.T, limit time.Duration, what string, yes func() bool) {
	t.Helper()
	for begun := time.Now(); !yes(); time.Sleep(5 * time.Millisecond) { // of other processes
		require.Less(t, time.Since(begun), limit, "waited in vain: "+what)
	}
}

func TestHealth(t *testing.T) {
	for _, row := range []struct {
		why    string
		before string
		status int
		body   string
	}{
		{"all is well", "", 200, "ok\n"},
		{"the ledger is gone: events are stored all the same", "DROP TABLE ledger", 200, "ok\n"},
		{"no marks: deliveries would fail", "DROP TABLE moment_webhook_messages", 503, "the database cannot be reached\n"},
		{"no jobs: deliveries would fail", "DROP TABLE river_job", 503, "the database cannot be reached\n"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			w.exec(t, row.before)
			recorder := httptest.NewRecorder()
			w.newReceiver(t, nowhere).handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
			assert.Equal(t, row.status, recorder.Code)
			assert.Equal(t, row.body, recorder.Body.String())
		})
	}
}

// Whether the tables can be read is asked often, and must not cost the more the more jobs there
// are.
func TestHealthReadsNoRows(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "INSERT INTO river_job (kind, args, max_attempts) SELECT 'raise_bill', '{}', 25 FROM generate_series(1, 1000)")
	rows, err := w.pool.Query(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) "+healthQuery)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	plan := strings.Join(lines, "\n")
	assert.NotRegexp(t, `on (river_job|moment_webhook_messages) .*\(actual`, plan)
	assert.Regexp(t, `on river_job .*\(never executed\)`, plan)
}

// Old marks are removed at the start, young ones are kept.
func TestPruning(t *testing.T) {
	w := newWorld(t)
	r := w.newReceiver(t, nowhere)
	for message, age := range map[string]time.Duration{"old": remember + time.Minute, "young": remember - time.Hour} {
		w.exec(t, "INSERT INTO moment_webhook_messages (message_id, processed_at) VALUES ($1, $2)", message, time.Now().Add(-age).Unix())
	}
	ctx, stop := context.WithCancel(t.Context())
	var pruning sync.WaitGroup
	pruning.Go(func() { r.prune(ctx) })
	w.until(t, "one is left", func() bool { return ask[int](t, w, "SELECT count(*) FROM moment_webhook_messages") == 1 })
	stop()
	pruning.Wait()
	assert.Equal(t, "young", ask[string](t, w, "SELECT message_id FROM moment_webhook_messages"))
}

// An insert that fails before it comes to the database takes the mark back as well.
func TestInsertFails(t *testing.T) {
	w := newWorld(t)
	r := w.newReceiver(t, nowhere)
	err := r.store.Process(t.Context(), &moment.Event{MessageID: "msg_1"}, func(ctx context.Context, tx *sql.Tx) error {
		return withRiverTx(ctx, tx, func(pgx.Tx) error { return errOfAnotherKind })
	})
	assert.ErrorIs(t, err, errOfAnotherKind)
	assert.Zero(t, ask[int](t, w, "SELECT count(*) FROM moment_webhook_messages"))
}

// A driver that does not give its connection would have the event marked without a job: it would be
// acknowledged, and lost.
func TestInsertIsNotCalled(t *testing.T) {
	db := sql.OpenDB(otherDriver{})
	defer func() { assert.NoError(t, db.Close()) }()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	assert.ErrorIs(t, withRiverTx(t.Context(), tx, func(pgx.Tx) error { return nil }), errNotCalled)
	assert.NoError(t, tx.Rollback())
}

// otherDriver takes everything for done.
type otherDriver struct{ driver.Conn }

func (d otherDriver) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (otherDriver) Driver() driver.Driver                          { return nil }
func (otherDriver) Begin() (driver.Tx, error)                      { return otherDriver{}, nil }
func (otherDriver) CheckNamedValue(*driver.NamedValue) error       { return nil }
func (otherDriver) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.ResultNoRows, nil
}
func (otherDriver) Commit() error   { return nil }
func (otherDriver) Rollback() error { return nil }
func (otherDriver) Close() error    { return nil }

// The transaction is momentsql's: nobody else can end it.
func TestTransactionIsNotOurs(t *testing.T) {
	w := newWorld(t)
	r := w.newReceiver(t, nowhere)
	assert.NoError(t, r.store.Process(t.Context(), &moment.Event{MessageID: "msg_1"}, func(ctx context.Context, tx *sql.Tx) error {
		return withRiverTx(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Begin(ctx)
			assert.ErrorIs(t, err, errNotOurs)
			assert.ErrorIs(t, tx.Commit(ctx), errNotOurs)
			assert.ErrorIs(t, tx.Rollback(ctx), errNotOurs)
			return nil
		})
	}))
	assert.Equal(t, 1, ask[int](t, w, "SELECT count(*) FROM moment_webhook_messages"))
}

// A user who may not create anything is enough once the tables are there.
func TestTablesAreMadeOnce(t *testing.T) {
	w := newWorld(t)
	for _, index := range []string{"ledger_obligation_id", "moment_webhook_messages_processed_at"} { // which making the tables would make again
		w.exec(t, "DROP INDEX "+index)
		require.NoError(t, migrate(t.Context(), w.address))
		_, err := w.pool.Exec(t.Context(), "DROP INDEX "+index)
		assert.Error(t, err)
	}
	// A ledger that is renamed for maintenance comes back: an empty one in its place would take
	// payments meanwhile. Not even bringing River's tables up to date makes one.
	w.exec(t, "ALTER TABLE ledger RENAME TO elsewhere")
	require.NoError(t, migrate(t.Context(), w.address))
	migrator, err := rivermigrate.New(riverpgxv5.New(w.pool), nil)
	require.NoError(t, err)
	_, err = migrator.Migrate(t.Context(), rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{MaxSteps: 1})
	require.NoError(t, err)
	require.NoError(t, migrate(t.Context(), w.address))
	state, err := migrator.Validate(t.Context(), nil)
	require.NoError(t, err)
	assert.True(t, state.OK, "up to date")
	_, err = w.pool.Exec(t.Context(), "SELECT FROM ledger")
	assert.ErrorContains(t, err, "does not exist")
}

// Who is killed while the tables are made, and started again, goes on.
func TestTablesAreMadeToTheEnd(t *testing.T) {
	w := newWorld(t)
	migrator, err := rivermigrate.New(riverpgxv5.New(w.pool), nil)
	require.NoError(t, err)
	whole := func() {
		require.NoError(t, migrate(t.Context(), w.address))
		assert.Zero(t, ask[int](t, w, "SELECT count(*) FROM ledger, river_job, moment_webhook_messages"))
	}
	w.exec(t, "DROP TABLE ledger, moment_webhook_messages") // River is there already, for other jobs
	whole()
	_, err = migrator.Migrate(t.Context(), rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1})
	require.NoError(t, err)
	whole()
	_, err = migrator.Migrate(t.Context(), rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1})
	require.NoError(t, err)
	w.exec(t, "DROP TABLE ledger") // momentsql is there already, for other events
	whole()
}

// The ledger may be locked for as long as it takes: receivers that start meanwhile store events.
func TestReceiverStartsWhileTheLedgerIsLocked(t *testing.T) {
	w := newWorld(t)
	locked, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = locked.Rollback(context.Background()) }()
	_, err = locked.Exec(t.Context(), "LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	address := freeAddresses(t, 1)[0]
	ctx, stop := context.WithCancel(t.Context())
	ended, stderr := make(chan int, 1), new(logs)
	env := environment{"DATABASE_URL": w.address, "MOMENT_WEBHOOK_SECRET": secret}
	go func() { ended <- run(ctx, []string{"receiver", "--listen", address}, env.get, io.Discard, stderr) }()
	w.untilWithin(t, startTimeout/3, "it listens", func() bool { return strings.Contains(stderr.String(), "listening") })
	resp, err := http.DefaultClient.Do(sign(t, secret, "http://"+address, "msg_1", payment(1, 1500)))
	require.NoError(t, err)
	assert.NoError(t, resp.Body.Close())
	assert.Equal(t, 204, resp.StatusCode)
	stop()
	assert.Equal(t, exitDone, await(t, "the end", ended), stderr)
	jobs, _ := w.stored(t)
	assert.Len(t, jobs, 1)
}
