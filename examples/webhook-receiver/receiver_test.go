package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

var errOfTheLedger = errors.New("the ledger has no room")

// Deliveries come one after the other; the ledger is what it is after each.
func TestDeliveries(t *testing.T) {
	const event, unknown = "msg_1", `{"id":"evt_9","type":"bill.updated","data":{}}`
	one, two, reversal := "pay_1 for bill bill_1 1500 ZAR", "pay_2 for bill bill_1 700 ZAR", "pay_3 for bill bill_1 -1500 ZAR"
	failing := func(ctx context.Context, tx *sql.Tx, e *moment.Event, p *moment.AmountApplied) error {
		return errors.Join(enter(ctx, tx, e, p), errOfTheLedger)
	}
	panicking := func(ctx context.Context, tx *sql.Tx, e *moment.Event, p *moment.AmountApplied) error {
		panic(errors.Join(enter(ctx, tx, e, p), errOfTheLedger))
	}
	noTable := func(ctx context.Context, tx *sql.Tx, e *moment.Event, p *moment.AmountApplied) error {
		if _, err := tx.ExecContext(ctx, "ALTER TABLE ledger RENAME TO elsewhere"); err != nil {
			return err
		}
		return enter(ctx, tx, e, p)
	}
	for _, database := range databases {
		t.Run(database.kind, func(t *testing.T) {
			address := database.make(t)
			r, _ := newTestReceiver(t, address)
			for _, row := range []struct {
				why           string
				method, path  string
				secret        string
				message, body string
				enter         func(context.Context, *sql.Tx, *moment.Event, *moment.AmountApplied) error
				status        int
				ledger        []string
			}{
				{"the ledger fails after the entry: it is taken back, and Moment must deliver again", "POST", path, secret, "msg_1", payment(1, 1500), failing, 500, nil},
				{"the entry itself fails: the event is not marked either", "POST", path, secret, "msg_1", payment(1, 1500), noTable, 500, nil},
				{"a panic after the entry: the same", "POST", path, secret, "msg_1", payment(1, 1500), panicking, 500, nil},
				{"the event comes again: as it failed, it is entered", "POST", path, secret, "msg_1", payment(1, 1500), enter, 204, []string{one}},
				{"and again: it is there already", "POST", path, secret, "msg_1", payment(1, 1500), enter, 204, []string{one}},
				{"it was processed: not even a ledger that fails is asked", "POST", path, secret, "msg_1", payment(1, 1500), failing, 204, []string{one}},
				{"under another message id, which is not documented: the event is known all the same", "POST", path, secret, "msg_1b", payment(1, 1500), enter, 204, []string{one}},
				{"an event that cannot be told from others", "POST", path, secret, "msg_0", strings.Replace(payment(1, 1500), "evt_1", "", 1), enter, 500, []string{one}},
				{"a payment that cannot be told from others", "POST", path, secret, "msg_0", strings.Replace(payment(4, 1500), "pay_4", "", 1), enter, 500, []string{one}},
				{"another payment", "POST", path, secret, "msg_2", payment(2, 700), enter, 204, []string{one, two}},
				{"a payment is taken back: an entry too, or the totals would be wrong", "POST", path, secret, "msg_3", payment(3, -1500), enter, 204, []string{one, two, reversal}},
				{"an event of another type: acknowledged, or it would come for ever", "POST", path, secret, "msg_4", unknown, failing, 204, []string{one, two, reversal}},
				{"not signed by Moment", "POST", path, oldSecret, "msg_5", payment(5, 100), enter, 400, []string{one, two, reversal}},
				{"not POST", "GET", path, secret, "msg_6", payment(6, 100), enter, 405, []string{one, two, reversal}},
				{"another path", "POST", "/", secret, "msg_7", payment(7, 100), enter, 404, []string{one, two, reversal}},
			} {
				r.enter = row.enter
				req := sign(t, row.secret, "", row.message, row.body)
				req.Method, req.URL.Path = row.method, row.path
				recorder := httptest.NewRecorder()
				r.handler().ServeHTTP(recorder, req)
				assert.Equal(t, row.status, recorder.Code, row.why)
				assert.ElementsMatch(t, row.ledger, entered(t, r.ledger), row.why)
			}
		})
	}
}

// Replicas share one database: they start at once, when there is no table yet, and then each
// payment is delivered to each of them.
func TestReplicas(t *testing.T) {
	const replicas, payments = 8, 10
	for _, database := range databases {
		t.Run(database.kind, func(t *testing.T) {
			address := database.make(t)
			errs := make([]error, replicas)
			together(replicas, func(i int) {
				l, err := openLedger(t.Context(), address)
				if err == nil {
					err = l.Close()
				}
				errs[i] = err
			})
			require.NoError(t, errors.Join(errs...))
			handlers := make([]http.Handler, replicas)
			for i := range handlers {
				r, _ := newTestReceiver(t, address)
				handlers[i] = r.handler()
			}
			requests := make([]*http.Request, replicas*payments)
			var want []string
			for i := range requests {
				n := i/replicas + 1
				requests[i] = sign(t, secret, "", fmt.Sprint("msg_", n), payment(n, 100*n))
				if i%replicas == 0 {
					want = append(want, fmt.Sprintf("pay_%d for bill bill_1 %d ZAR", n, 100*n))
				}
			}
			together(len(requests), func(i int) {
				recorder := httptest.NewRecorder()
				handlers[i%replicas].ServeHTTP(recorder, requests[i])
				assert.Equal(t, 204, recorder.Code)
			})
			r, _ := newTestReceiver(t, address)
			assert.ElementsMatch(t, want, entered(t, r.ledger))
		})
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

// flight is a delivery that is being processed by a receiver that serves.
type flight struct {
	address  string
	shutDown func()
	served   chan error  // what serve returns
	answered chan string // the status, and the error of the client
}

// inFlight delivers a payment to a receiver whose ledger enters it and then does what hold does. It
// returns when it is entered.
func inFlight(t *testing.T, r *receiver, hold func(context.Context) error) flight {
	t.Helper()
	processing := make(chan bool)
	r.enter = func(ctx context.Context, tx *sql.Tx, e *moment.Event, p *moment.AmountApplied) error {
		err := enter(ctx, tx, e, p)
		close(processing)
		return errors.Join(err, hold(ctx))
	}
	listener, url := listen(t)
	ctx, shutDown := context.WithCancel(t.Context())
	f := flight{listener.Addr().String(), shutDown, make(chan error, 1), make(chan string, 1)}
	go func() { f.served <- r.serve(ctx, listener) }()
	req := sign(t, secret, url, "msg_1", payment(1, 1500))
	go func() {
		status, err := answer(req)
		f.answered <- fmt.Sprint(status, " ", err)
	}()
	await(t, "the payment is processed", processing)
	return f
}

// A shutdown refuses what is new, and waits for what is processed: it is answered, and in the
// ledger.
func TestShutdownFinishesWhatIsProcessed(t *testing.T) {
	for _, database := range databases {
		t.Run(database.kind, func(t *testing.T) {
			address := database.make(t)
			r, log := newTestReceiver(t, address)
			release := make(chan bool)
			f := inFlight(t, r, func(ctx context.Context) error {
				select {
				case <-release:
				case <-ctx.Done():
				}
				return ctx.Err()
			})
			f.shutDown()
			log.wait(t, "shutting down")
			refused := func() bool {
				connection, err := net.Dial("tcp", f.address)
				if err == nil {
					_ = connection.Close()
				}
				return err != nil
			}
			for begin := time.Now(); !refused(); {
				require.Less(t, time.Since(begin), patience, "connections are still accepted")
			}
			assert.Empty(t, f.served, "serve has returned before the payment was processed")
			close(release)
			assert.Equal(t, "204 <nil>", await(t, "an answer", f.answered))
			assert.NoError(t, await(t, "the end", f.served))
			assert.Equal(t, []string{"pay_1 for bill bill_1 1500 ZAR"}, entered(t, r.ledger))
		})
	}
}

// A shutdown does not wait for ever: what takes too long is given up, is not in the ledger, and
// comes again.
func TestShutdownHasALimit(t *testing.T) {
	for _, database := range databases {
		t.Run(database.kind, func(t *testing.T) {
			address := database.make(t)
			r, _ := newTestReceiver(t, address)
			r.shutdownTimeout = time.Millisecond
			gaveUp := make(chan bool)
			f := inFlight(t, r, func(ctx context.Context) error {
				<-ctx.Done()
				close(gaveUp)
				return ctx.Err()
			})
			f.shutDown()
			assert.ErrorIs(t, await(t, "the end", f.served), context.DeadlineExceeded)
			assert.Regexp(t, "^0 ", await(t, "an answer", f.answered), "the connection is closed")
			await(t, "the payment is given up", gaveUp)
			assert.Empty(t, entered(t, r.ledger))

			r.enter = enter
			recorder := httptest.NewRecorder()
			r.handler().ServeHTTP(recorder, sign(t, secret, "", "msg_1", payment(1, 1500)))
			assert.Equal(t, 204, recorder.Code)
			assert.Len(t, entered(t, r.ledger), 1)
		})
	}
}

// What may take its time within the limits is answered all the same.
func TestTimeoutsOfTheServer(t *testing.T) {
	r, _ := newTestReceiver(t, filepath.Join(t.TempDir(), "ledger.db"))
	server := r.server()
	assert.Greater(t, server.WriteTimeout, readTimeout+processTimeout+busyTimeout)
	for _, limit := range []time.Duration{server.ReadHeaderTimeout, server.ReadTimeout, server.IdleTimeout, time.Duration(server.MaxHeaderBytes)} {
		assert.Positive(t, limit, "without a limit, whoever sends slowly or much holds the receiver")
	}
}

// Somebody reads the ledger, and payments are entered meanwhile.
func TestReadersKeepNobodyFromWriting(t *testing.T) {
	address := newSQLiteFile(t)
	r, _ := newTestReceiver(t, address)
	reader, err := openLedger(t.Context(), address)
	require.NoError(t, err)
	defer func() { assert.NoError(t, reader.Close()) }()
	tx, err := reader.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { assert.NoError(t, tx.Rollback()) }()
	var entries int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM ledger").Scan(&entries))

	recorder := httptest.NewRecorder()
	r.handler().ServeHTTP(recorder, sign(t, secret, "", "msg_1", payment(1, 1500)))
	assert.Equal(t, 204, recorder.Code)
}

// A user who may not create anything is enough once the tables are there.
func TestTablesAreMadeOnce(t *testing.T) {
	for _, database := range databases {
		t.Run(database.kind, func(t *testing.T) {
			address := database.make(t)
			r, _ := newTestReceiver(t, address)
			index := "moment_webhook_messages_processed_at" // which running the schema again would make again
			_, err := r.ledger.ExecContext(t.Context(), "DROP INDEX "+index)
			require.NoError(t, err)
			newTestReceiver(t, address)
			_, err = r.ledger.ExecContext(t.Context(), "DROP INDEX "+index)
			assert.Error(t, err)
		})
	}
}

// An event that takes too long is given up, before the server gives its answer up.
func TestProcessTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newTestReceiver(t, filepath.Join(t.TempDir(), "ledger.db"))
		r.enter = func(ctx context.Context, _ *sql.Tx, _ *moment.Event, _ *moment.AmountApplied) error {
			<-ctx.Done()
			return ctx.Err()
		}
		begin := time.Now()
		recorder := httptest.NewRecorder()
		r.handler().ServeHTTP(recorder, sign(t, secret, "", "msg_1", payment(1, 1500)))
		assert.Equal(t, 500, recorder.Code)
		assert.Equal(t, processTimeout, time.Since(begin))
	})
}

func TestHealth(t *testing.T) {
	for _, row := range []struct {
		why    string
		before func(t *testing.T, r *receiver)
		status int
		body   string
	}{
		{"all is well", func(*testing.T, *receiver) {}, 200, "ok\n"},
		{"no database", func(t *testing.T, r *receiver) {
			t.Helper()
			assert.NoError(t, r.ledger.Close())
		}, 503, "the database cannot be reached\n"},
		{"a database without the table of messages", func(t *testing.T, r *receiver) {
			t.Helper()
			_, err := r.ledger.ExecContext(t.Context(), "DROP TABLE moment_webhook_messages")
			assert.NoError(t, err)
		}, 503, "the database cannot be reached\n"},
		{"a database without the ledger: deliveries would fail", func(t *testing.T, r *receiver) {
			t.Helper()
			_, err := r.ledger.ExecContext(t.Context(), "DROP TABLE ledger")
			assert.NoError(t, err)
		}, 503, "the database cannot be reached\n"},
	} {
		for _, database := range databases {
			t.Run(database.kind, func(t *testing.T) {
				address := database.make(t)
				r, _ := newTestReceiver(t, address)
				row.before(t, r)
				recorder := httptest.NewRecorder()
				r.handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
				assert.Equal(t, row.status, recorder.Code, row.why)
				assert.Equal(t, row.body, recorder.Body.String(), row.why)
			})
		}
	}
}

// A database that does not answer is not waited for.
func TestHealthTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newTestReceiver(t, filepath.Join(t.TempDir(), "ledger.db"))
		for range maxConnections {
			connection, err := r.ledger.Conn(t.Context())
			require.NoError(t, err)
			defer func() { assert.NoError(t, connection.Close()) }()
		}
		begin := time.Now()
		recorder := httptest.NewRecorder()
		r.handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		assert.Equal(t, 503, recorder.Code)
		assert.Equal(t, healthTimeout, time.Since(begin))
	})
}

// Old marks are removed at the start and each day after it, young ones are kept.
func TestPruning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newTestReceiver(t, filepath.Join(t.TempDir(), "ledger.db"))
		mark := func(message string, age time.Duration) {
			_, err := r.ledger.ExecContext(t.Context(), "INSERT INTO moment_webhook_messages (message_id, processed_at) VALUES ($1, $2)", message, time.Now().Add(-age).Unix())
			require.NoError(t, err)
		}
		marks := func() (all string) {
			require.NoError(t, r.ledger.QueryRowContext(t.Context(), "SELECT coalesce(group_concat(message_id), '') FROM moment_webhook_messages").Scan(&all))
			return all
		}
		mark("old", remember+time.Minute)
		mark("soon old", remember-time.Hour)
		mark("young", 0)
		ctx, stop := context.WithCancel(t.Context())
		var pruning sync.WaitGroup
		pruning.Go(func() { r.prune(ctx) })
		synctest.Wait()
		assert.Equal(t, "soon old,young", marks(), "at the start")
		time.Sleep(pruningEvery + time.Minute) // on the fake clock
		synctest.Wait()
		assert.Equal(t, "young", marks(), "a day later")
		stop()
		pruning.Wait()
	})
}
