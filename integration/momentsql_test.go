package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

const patience = 30 * time.Second // enough for a busy machine

var (
	errFunction = errors.New("said the function")
	event       = &moment.Event{MessageID: "msg_1", Data: &moment.AmountApplied{PaymentID: "pay_1", Amount: 1500, Currency: moment.ZAR}}
)

// process enters the event into the ledger, and then calls the function of the row.
func process(ctx context.Context, store *momentsql.Store, then function) (recovered any, err error) {
	defer func() { recovered = recover() }()
	return nil, store.Process(ctx, event, func(ctx context.Context, tx *sql.Tx) error {
		if err := enter(ctx, tx, event); err != nil {
			return err
		}
		return then(ctx, tx)
	})
}

type function func(ctx context.Context, tx *sql.Tx) error

func succeed(context.Context, *sql.Tx) error { return nil }
func fail(context.Context, *sql.Tx) error    { return errFunction }
func crash(context.Context, *sql.Tx) error   { panic(errFunction) }

// The first delivery runs as in the row. The event is then delivered again until it is in the
// ledger, once.
func TestProcess(t *testing.T) {
	var cancel context.CancelFunc
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			var fromDriver any = new(*pgconn.PgError)
			if dialect == momentsql.SQLite {
				fromDriver = new(*sqlite.Error)
			}
			for _, row := range []struct {
				why     string
				then    function
				panics  any
				says    string
				is      error
				as      any
				entered int // after the first delivery
			}{
				{why: "it succeeds", then: succeed, entered: 1},
				{why: "it fails", then: fail, says: "said the function", is: errFunction},
				{why: "it panics", then: crash, panics: errFunction},
				{why: "a statement fails", then: func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, "INSERT INTO ledger (payment_id) VALUES ('pay_1')")
					return fmt.Errorf("enter: %w", err)
				}, says: "enter: ", as: fromDriver},
				{why: "it commits, against the rules: the mark and the entry are both committed", then: func(_ context.Context, tx *sql.Tx) error {
					return tx.Commit()
				}, says: "momentsql: commit: ", is: sql.ErrTxDone, entered: 1},
				{why: "it rolls back, against the rules: the message must not be marked", then: func(_ context.Context, tx *sql.Tx) error {
					return tx.Rollback()
				}, says: "momentsql: commit: ", is: sql.ErrTxDone},
				{why: "the context ends between two statements", then: func(ctx context.Context, tx *sql.Tx) error {
					cancel()
					_, err := tx.ExecContext(ctx, "DELETE FROM ledger")
					return err
				}, says: "context canceled", is: context.Canceled},
				{why: "the context ends before the commit", then: func(context.Context, *sql.Tx) error {
					cancel()
					return nil
				}, says: "momentsql: commit: context canceled", is: context.Canceled},
				{why: "the context ends, and database/sql rolls back, before the commit", then: func(ctx context.Context, tx *sql.Tx) error {
					cancel()
					assert.Eventually(t, func() bool {
						_, err := tx.ExecContext(context.WithoutCancel(ctx), "SELECT 1")
						return errors.Is(err, sql.ErrTxDone)
					}, patience, time.Millisecond)
					return nil
				}, says: "momentsql: commit: context canceled: sql: ", is: context.Canceled},
			} {
				t.Run(row.why, func(t *testing.T) {
					store, db := newDatabase(t, dialect).store(t)
					var ctx context.Context
					ctx, cancel = context.WithCancel(t.Context())
					defer cancel()
					recovered, err := process(ctx, store, row.then)
					assert.Equal(t, row.panics, recovered)
					if row.says == "" {
						assert.NoError(t, err)
					} else {
						assert.ErrorContains(t, err, row.says)
					}
					assert.True(t, row.is == nil || errors.Is(err, row.is), err)
					assert.True(t, row.as == nil || errors.As(err, row.as), err)
					assert.Equal(t, row.entered, count(t, db, inLedger), "in the ledger")
					assert.Equal(t, row.entered, count(t, db, marked), "marked")
					for range 2 {
						_, err = process(t.Context(), store, succeed)
						assert.NoError(t, err)
					}
					assert.Equal(t, 1, count(t, db, inLedger), "in the ledger at the end")
					assert.Equal(t, 1, count(t, db, marked), "marked at the end")
				})
			}
		})
	}
}

// A delivery whose context has ended before it begins is not processed.
func TestProcessWithAnEndedContext(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			store, db := newDatabase(t, dialect).store(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := process(ctx, store, succeed)
			assert.ErrorIs(t, err, context.Canceled)
			assert.Zero(t, count(t, db, inLedger)+count(t, db, marked))
		})
	}
}

// PostgreSQL does not commit a transaction in which a statement has failed, even if the function
// ignores the error.
func TestProcessThatIgnoresAnError(t *testing.T) {
	store, db := newDatabase(t, momentsql.PostgreSQL).store(t)
	_, err := process(t.Context(), store, func(ctx context.Context, tx *sql.Tx) error {
		_, _ = tx.ExecContext(ctx, "INSERT INTO ledger (payment_id) VALUES ('pay_1')")
		return nil
	})
	assert.ErrorIs(t, err, pgx.ErrTxCommitRollback)
	assert.Zero(t, count(t, db, inLedger)+count(t, db, marked))
}

// While one delivery is processed, the others wait, in this process and in another. If it fails,
// one of them is processed next.
func TestProcessAtTheSameTime(t *testing.T) {
	const deliveries = 16
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			for _, row := range []struct {
				why      string
				first    function
				failures int
			}{
				{"it succeeds: no other delivery processes it", succeed, 0},
				{"it fails: one other processes it, and the rest wait for that one", fail, 1},
				{"it panics: the same", crash, 1},
			} {
				t.Run(row.why, func(t *testing.T) {
					d := newDatabase(t, dialect)
					here, hereDB := d.store(t)
					there, thereDB := d.store(t)
					var runs, ended, failures atomic.Int32
					running, goOn := make(chan struct{}), make(chan struct{})
					started := sync.OnceFunc(func() { close(running) })
					deliver := func(store *momentsql.Store) {
						recovered, err := process(t.Context(), store, func(ctx context.Context, tx *sql.Tx) error {
							if runs.Add(1) > 1 {
								return nil
							}
							started()
							<-goOn
							return row.first(ctx, tx)
						})
						started() // also if it could not start
						ended.Add(1)
						if err != nil || recovered != nil {
							failures.Add(1)
						}
					}
					var all sync.WaitGroup
					all.Go(func() { deliver(here) })
					<-running
					for i := 1; i < deliveries; i++ {
						all.Go(func() { deliver([]*momentsql.Store{here, there}[i%2]) })
					}
					assert.Eventually(t, func() bool { return hereDB.Stats().InUse+thereDB.Stats().InUse == deliveries }, patience, time.Millisecond)
					assert.Zero(t, ended.Load(), "a delivery did not wait")
					assert.EqualValues(t, 1, runs.Load())
					close(goOn)
					all.Wait()
					assert.EqualValues(t, row.failures, failures.Load())
					assert.EqualValues(t, row.failures+1, runs.Load())
					assert.Equal(t, 1, count(t, hereDB, inLedger))
					assert.Equal(t, 1, count(t, hereDB, marked))
				})
			}
		})
	}
}

// whileProcessed makes a second delivery while a first one is processed, and returns the error of
// the second. The first continues when meanwhile returns.
func whileProcessed(t *testing.T, d database, meanwhile func(db *sql.DB, cancelSecond func())) error {
	t.Helper()
	store, db := d.store(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var first, second error
	var both sync.WaitGroup
	running, goOn := make(chan struct{}), make(chan struct{})
	both.Go(func() {
		started := sync.OnceFunc(func() { close(running) })
		defer started() // also if it could not start
		_, first = process(t.Context(), store, func(context.Context, *sql.Tx) error {
			started()
			<-goOn
			return nil
		})
	})
	<-running
	both.Go(func() { _, second = process(ctx, store, succeed) })
	meanwhile(db, cancel)
	close(goOn)
	both.Wait()
	assert.NoError(t, first)
	assert.Equal(t, 1, count(t, db, inLedger))
	assert.Equal(t, 1, count(t, db, marked))
	return second
}

func TestProcessThatWaitsUntilItsContextEnds(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			err := whileProcessed(t, newDatabase(t, dialect), func(db *sql.DB, cancelSecond func()) {
				assert.Eventually(t, func() bool { return db.Stats().InUse == 2 }, patience, time.Millisecond)
				cancelSecond()
				if dialect == momentsql.PostgreSQL { // SQLite waits until it can write, or its busy timeout ends
					assert.Eventually(t, func() bool { return db.Stats().InUse == 1 }, patience, time.Millisecond)
				}
			})
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
}

// In a stricter isolation than READ COMMITTED, a delivery that has waited does not see the commit
// that it waited for.
func TestProcessInStricterIsolation(t *testing.T) {
	for _, isolation := range []string{"repeatable read", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			d := newDatabase(t, momentsql.PostgreSQL)
			observer := d.open(t)
			d.DSN += "&default_transaction_isolation=" + url.PathEscape(isolation)
			err := whileProcessed(t, d, func(*sql.DB, func()) {
				waiting := func() bool { return count(t, observer, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1 }
				assert.Eventually(t, waiting, patience, time.Millisecond)
			})
			var failure *pgconn.PgError
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, "40001", failure.Code, "serialization failure")
			assert.ErrorContains(t, err, "momentsql: claim message: ")
		})
	}
}

// A forgotten migration is an error of the first delivery. The error names the function with the
// statements of the table.
func TestMissingTable(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			store, db := newDatabase(t, dialect).store(t)
			_, err := db.ExecContext(t.Context(), "DROP TABLE moment_webhook_messages")
			require.NoError(t, err)
			err = store.Process(t.Context(), &moment.Event{MessageID: "msg_1"}, func(context.Context, *sql.Tx) error { return nil })
			assert.ErrorContains(t, err, "(run the statements of momentsql.Schema once, in a migration)")
			_, err = store.Prune(t.Context(), time.Hour)
			assert.ErrorContains(t, err, "momentsql.Schema")
		})
	}
}

func TestPrune(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			store, db := newDatabase(t, dialect).store(t)
			run := func(id string) bool {
				ran := false
				require.NoError(t, store.Process(t.Context(), &moment.Event{MessageID: id}, func(context.Context, *sql.Tx) error { ran = true; return nil }))
				return ran
			}
			rows := []struct {
				why       string
				age       time.Duration
				forgotten bool
			}{
				{"long ago", 48 * time.Hour, true},
				{"just too long ago", time.Hour + 2*time.Second, true},
				{"too recent, by more than the delay of a slow machine", time.Hour - time.Minute, false},
				{"now", 0, false},
				{"by a machine whose clock is fast", -time.Hour, false},
			}
			for _, row := range rows {
				require.True(t, run(row.why))
				_, err := db.ExecContext(t.Context(), "UPDATE moment_webhook_messages SET processed_at = processed_at - $1 WHERE message_id = $2", int64(row.age.Seconds()), row.why)
				require.NoError(t, err)
			}
			for _, want := range []int64{2, 0} {
				n, err := store.Prune(t.Context(), time.Hour)
				assert.NoError(t, err)
				assert.Equal(t, want, n)
			}
			for _, row := range rows {
				assert.Equal(t, row.forgotten, run(row.why), row.why)
			}
		})
	}
}

var noLog = moment.WithHandlerLogger(slog.New(slog.DiscardHandler))

// Deliveries through the handler, in this order.
func TestHandlerOnADatabase(t *testing.T) {
	verifier, err := moment.NewWebhookVerifier(webhookSecret)
	require.NoError(t, err)
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			store, db := newDatabase(t, dialect).store(t)
			runs, then := 0, func() error { return nil }
			h := verifier.Handler(func(ctx context.Context, e *moment.Event) error {
				return store.Process(ctx, e, func(context.Context, *sql.Tx) error { runs++; return then() })
			}, noLog)
			for _, row := range []struct {
				why       string
				messageID string
				body      string
				forged    bool
				then      func() error // runs in the function; nil: it succeeds
				status    int
				runs      int // so far
				marked    int // so far
			}{
				{why: "the function fails: Moment will deliver again", messageID: "msg_1", body: payment(1), then: func() error { return errFunction }, status: 500, runs: 1},
				{why: "it panics: the same", messageID: "msg_1", body: payment(1), then: func() error { panic(errFunction) }, status: 500, runs: 2},
				{why: "it succeeds", messageID: "msg_1", body: payment(1), status: 204, runs: 3, marked: 1},
				{why: "the acknowledgement was lost", messageID: "msg_1", body: payment(1), status: 204, runs: 3, marked: 1},
				{why: "a forged message must not block the true message", messageID: "msg_2", body: payment(2), forged: true, status: 400, runs: 3, marked: 1},
				{why: "the true message", messageID: "msg_2", body: payment(2), status: 204, runs: 4, marked: 2},
				{why: "an event that this version does not know", messageID: "msg_3", body: `{"id":"evt_3","type":"bill.created","data":{}}`, status: 204, runs: 5, marked: 3},
			} {
				request := signed(t.Context(), "/webhooks/moment", row.messageID, row.body)
				if row.forged {
					request.Header.Set("Webhook-Signature", webhookKey.Sign(row.messageID, "0", []byte(row.body)))
				}
				then = row.then
				if then == nil {
					then = func() error { return nil }
				}
				recorder := httptest.NewRecorder()
				h.ServeHTTP(recorder, request)
				assert.Equal(t, row.status, recorder.Code, row.why)
				assert.Equal(t, row.runs, runs, row.why)
				assert.Equal(t, row.marked, count(t, db, marked), row.why)
			}

			require.NoError(t, db.Close()) // while the database is closed, deliveries are not acknowledged or processed
			recorder := httptest.NewRecorder()
			h.ServeHTTP(recorder, signed(t.Context(), "/webhooks/moment", "msg_4", payment(4)))
			assert.Equal(t, http.StatusInternalServerError, recorder.Code)
			assert.Equal(t, 5, runs)
		})
	}
}

// The operating system's order of texts can change with an update. An index that was made before
// would then miss messages.
func TestOrderOfMessageIDsIsThatOfTheirBytes(t *testing.T) {
	db := newDatabase(t, momentsql.PostgreSQL).open(t)
	var collation string
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT collation_name FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = 'moment_webhook_messages' AND column_name = 'message_id'`).Scan(&collation))
	require.Equal(t, "C", collation)
}
