package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

// lockTable locks a table, so that all others wait, until the function is called.
func (b *base) lockTable(table string) (release func()) {
	b.Helper()
	tx, err := b.rows.BeginTx(context.Background(), nil)
	require.NoError(b, err)
	_, err = tx.ExecContext(b.Context(), "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
	require.NoError(b, err)
	return func() { require.NoError(b, tx.Rollback()) }
}

func (b *base) untilBlocked(table string) {
	b.Helper()
	until(b, patience, "somebody waits for "+table, func() bool {
		return ask[int](b, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = ('biller.' || $1)::regclass", table) > 0
	})
}

// untilTransactionWaits waits until a transaction waits for another one.
func untilTransactionWaits(t testing.TB, pool *sql.DB) {
	t.Helper()
	until(t, patience, "a transaction waits", func() (waits bool) {
		err := pool.QueryRowContext(t.Context(), "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'").Scan(&waits)
		return err == nil && waits
	})
}

// An interrupted delivery stores nothing, and is stored when it is delivered again.
func TestDeliveryIsBrokenOff(t *testing.T) {
	b := newPostgresBase(t)
	release := b.lockTable("river_job")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		b.untilBlocked("river_job")
		cancel()
	}()
	assert.Equal(t, 500, b.respond(b.sign("msg_1", payment(1, 1500)).WithContext(ctx)).Code)
	release()
	jobs, marks := b.stored()
	assert.Empty(t, jobs)
	assert.Zero(t, marks)
	assert.Equal(t, 204, b.deliver("msg_1", payment(1, 1500)))
	_, marks = b.stored()
	assert.Equal(t, 1, marks)
}

// Each payment is delivered to each of several receivers at once.
func TestReplicas(t *testing.T) {
	const replicas, payments = 4, 10
	first := newPostgresBase(t)
	bases := make([]*base, 0, replicas)
	for range replicas {
		bases = append(bases, newBase(t, openTestPostgres(t, first.address), first.address))
	}
	var all sync.WaitGroup
	for n := range payments {
		for _, b := range bases {
			all.Go(func() { assert.Equal(t, 204, b.deliver(fmt.Sprint("msg_", n), payment(n, 100))) })
			all.Go(func() {
				assert.Equal(t, 204, b.deliver(fmt.Sprint("msg_too_", n), payment(n, 100)), "another message with the same event")
			})
		}
	}
	all.Wait()
	assert.Equal(t, payments, ask[int](first, "SELECT count(*) FROM river_job"))
	_, marks := first.stored()
	assert.Equal(t, 2*payments, marks)
}

// A receiver that is asked to end rejects new connections, and waits for deliveries in progress.
func TestReceiverShutdown(t *testing.T) {
	b := newPostgresBase(t)
	ctx, stop := context.WithCancel(t.Context())
	address := freeAddresses(t, 1)[0]
	ended := make(chan error, 1)
	parsed, err := parseDSN("DATABASE_URL", b.address, false)
	require.NoError(t, err)
	t.Setenv("MOMENT_WEBHOOK_SECRET", secret)
	b.exec("INSERT INTO moment_webhook_messages (message_id, processed_at) VALUES ('old', 0)")
	go func() { ended <- serve(ctx, config{postgres: parsed}, &receiveFlags{Listen: address}, nil, &b.log) }()
	awaitListening(t, address)
	until(t, patience, "old marks are removed", func() bool { _, marks := b.stored(); return marks == 0 })
	release := b.lockTable("river_job")
	responded := make(chan string, 1)
	req, err := signed(t.Context(), "http://"+address, secret, "msg_1", payment(1, 1500))
	require.NoError(t, err)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			responded <- err.Error()
			return
		}
		responded <- fmt.Sprint(resp.StatusCode, resp.Body.Close())
	}()
	b.untilBlocked("river_job")
	stop()
	until(t, patience, "connections are rejected", func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	})
	select {
	case err := <-ended:
		assert.NoError(t, err)
		t.Error("it has ended before the event was stored")
	default:
	}
	release()
	assert.Equal(t, "204 <nil>", receiveFrom(t, "a response", responded))
	require.NoError(t, receiveFrom(t, "the end", ended))
	_, marks := b.stored()
	assert.Equal(t, 1, marks)
	assert.Contains(t, b.log.String(), `"msg":"receives","listen":"`+address+`"`)
}

// A worker that is asked to end completes its jobs first.
func TestWorkerShutdown(t *testing.T) {
	b := newPostgresBase(t)
	release := b.lockTable("ledger")
	parsed, err := parseDSN("DATABASE_URL", b.address, false)
	require.NoError(t, err)
	id := b.insert(onePayment)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, config{postgres: parsed, key: "sk_test_A", Rate: 50}, nil, &workFlags{JobTimeout: time.Minute}, &b.log)
	}()
	b.untilBlocked("ledger")
	stop()
	select {
	case err := <-ended:
		assert.NoError(t, err)
		t.Error("it has ended before the payment was posted")
	case <-time.After(time.Second):
	}
	release()
	require.NoError(t, receiveFrom(t, "the end", ended))
	assert.Equal(t, "completed", ask[string](b, "SELECT state::text FROM river_job WHERE id = $1", id))
	assert.Contains(t, b.log.String(), `"msg":"works","mode":"test","base_url":"Moment's own"`)
}

// Receivers start and store events even if the ledger is locked for a long time.
func TestLedgerIsLocked(t *testing.T) {
	b := newPostgresBase(t)
	release := b.lockTable("ledger")
	require.NoError(t, b.ready(t.Context()))
	events := b.work()
	assert.Equal(t, 204, b.deliver("msg_1", payment(1, 1500)))
	b.untilBlocked("ledger")
	assert.Equal(t, 204, b.deliver("msg_2", payment(1, 1500)), "also while its job waits")
	status, _ := b.health()
	assert.Equal(t, 200, status)
	release()
	receiveFrom(t, "a job", events)
	assert.Equal(t, "evt_1 pay_1 bill bill_1 1500 ZAR", ask[string](b, entries))
}

// With LISTEN, a job is worked at once, and not when the worker looks for jobs again.
func TestListen(t *testing.T) {
	b := newPostgresBase(t)
	parsed, err := parseDSN("--listen-url", b.address, false)
	require.NoError(t, err)
	s, err := openPostgres(t.Context(), parsed, parsed)
	require.NoError(t, err)
	assert.True(t, s.driver.SupportsListener())
	assert.False(t, b.driver.SupportsListener(), "without it, the worker polls")
	events := newBase(t, s, b.address).work()
	until(t, patience, "it listens", func() bool {
		return ask[int](b, "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()") > 0
	})
	assert.Equal(t, 204, b.deliver("msg_1", payment(1, 1500)))
	receiveFrom(t, "a job", events)
}

// The job of a payment is kept for as long as Moment may deliver its event again. Jobs that have
// failed are kept longer, for a person.
func TestOldJobsAreRemoved(t *testing.T) {
	onBoth(t, func(b *base) {
		kept := map[int64]bool{} // by the id of the job
		for _, row := range []struct {
			state string
			days  int
			kept  bool
		}{
			{"completed", 29, true},
			{"completed", 31, false},
			{"discarded", 89, true},
			{"discarded", 91, false},
			{"cancelled", 89, true},
			{"cancelled", 91, false},
		} {
			old := onePayment
			old.EventID = fmt.Sprint("evt_", row.state, row.days)
			id := b.insert(old)
			kept[id] = row.kept
			b.exec("UPDATE river_job SET state = $1, finalized_at = $2 WHERE id = $3",
				row.state, time.Now().UTC().AddDate(0, 0, -row.days).Format("2006-01-02 15:04:05.000"), id)
		}
		b.work()
		until(b, patience, "three jobs are removed", func() bool { return ask[int](b, "SELECT count(*) FROM river_job") <= 3 })
		for id, isKept := range kept {
			assert.Equal(b, isKept, ask[int](b, "SELECT count(*) FROM river_job WHERE id = $1", id) == 1, id)
		}
	})
}

// If a machine disappears in the middle of a transaction, jobs do not wait for its locks for ever.
func TestSessionsEnd(t *testing.T) {
	b := newPostgresBase(t)
	assert.Equal(t, "1min", ask[string](b, "SELECT current_setting('idle_in_transaction_session_timeout')"))
	assert.Equal(t, pgSchema, ask[string](b, "SELECT current_schema()"))
	var path string
	require.NoError(t, b.rows.QueryRowContext(t.Context(), "SELECT current_setting('search_path')").Scan(&path))
	assert.NotContains(t, path, pgSchema, "the settings end with the transaction, as PgBouncer needs it")
	assert.ErrorContains(t, inTx(t.Context(), b.rows, readOnly, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM ledger")
		return err
	}), "read-only transaction")
}

// A job whose worker was killed is retried after the time for which a job can run.
func TestRescue(t *testing.T) {
	b := newPostgresBase(t)
	for event, ago := range map[string]time.Duration{"evt_1": 3 * time.Minute, "evt_2": 90 * time.Second} {
		killed := onePayment
		killed.EventID = event
		b.exec("UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - $1::interval, attempted_by = '{killed}' WHERE id = $2", ago.String(), b.insert(killed))
	}
	job := receiveFrom(t, "a job", b.work()).Job
	assert.Equal(t, rivertype.JobStateCompleted, job.State)
	assert.Equal(t, 2, job.Attempt)
	assert.Equal(t, "running", ask[string](b, "SELECT state::text FROM river_job WHERE args->>'event_id' = 'evt_2'"), "its worker may be alive")
}

// A process ends in time even if the database does not accept the outcome of its job.
func TestStopWithoutADatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a statement may")
	}
	b := newPostgresBase(t)
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	queue := b.importBills("sk_test_A", "UCR1,,,UBR1,1.00,ZAR,\n", format{})
	tx, err := b.rows.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), "LOCK TABLE biller_rows IN SHARE MODE") // it can only be read
	require.NoError(t, err)
	jobs, err := b.newClient(&worker{store: b.store, client: srv.Client(), timeout: time.Minute}, queue, 1, b.logger())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	require.NoError(t, jobs.Start(ctx))
	until(t, patience, "the bill is raised", func() bool { return len(srv.State().Bills) == 1 })
	stop()
	select {
	case <-jobs.Stopped():
	case <-time.After(stopTimeout + time.Second):
		t.Error("the job is still waiting for the database")
	}
}
