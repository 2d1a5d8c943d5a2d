package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const patience = 30 * time.Second // because the machine may be busy

var secret = moment.RawWebhookSecret([]byte("the secret of these tests"))

var databases atomic.Int64

// newPostgres returns the address of an empty database that is dropped when the test ends.
func newPostgres(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("MOMENT_POSTGRES_DSN")
	if dsn == "" {
		require.Empty(t, os.Getenv("CI"), "MOMENT_POSTGRES_DSN is not set")
		t.Skip("no PostgreSQL: MOMENT_POSTGRES_DSN is not set. From the root: bash .ci/postgres go -C examples/biller test ./...")
	}
	address, err := url.Parse(dsn)
	require.NoError(t, err)
	name := fmt.Sprintf("biller_test_%d_%d", os.Getpid(), databases.Add(1))
	address.Path = "/" + name
	admin := func(statement string) {
		connection, err := pgx.Connect(context.Background(), dsn) // a new connection, because PostgreSQL may have been restarted
		require.NoError(t, err)
		_, err = connection.Exec(context.Background(), statement)
		assert.NoError(t, err)
		assert.NoError(t, connection.Close(context.Background()))
	}
	admin("CREATE DATABASE " + name)
	t.Cleanup(func() { admin("DROP DATABASE " + name + " WITH (FORCE)") })
	return address.String()
}

// base is a database with all tables, and a receiver on it.
type base struct {
	*testing.T
	*store

	address string // of PostgreSQL
	log     logs
	r       *receiver
	jobs    *river.Client[*sql.Tx]
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(b *base)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(newSQLiteBase(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(newPostgresBase(t)) })
}

func newSQLiteBase(t *testing.T) *base {
	t.Helper()
	s, err := openStore(t.Context(), filepath.Join(t.TempDir(), "biller.db"))
	require.NoError(t, err)
	return newBase(t, s, "")
}

func newPostgresBase(t *testing.T) *base {
	t.Helper()
	address := newPostgres(t)
	s := openTestPostgres(t, address)
	require.NoError(t, s.migrate(t.Context()))
	return newBase(t, s, address)
}

func openTestPostgres(t *testing.T, address string) *store {
	t.Helper()
	parsed, err := parseDSN("DATABASE_URL", address, false)
	require.NoError(t, err)
	s, err := openPostgres(t.Context(), parsed, nil)
	require.NoError(t, err)
	return s
}

func newBase(t *testing.T, s *store, address string) *base {
	t.Helper()
	t.Cleanup(s.close)
	b := &base{T: t, store: s, address: address}
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	b.jobs, err = s.newClient(nil, "", 0, b.logger())
	require.NoError(t, err)
	b.r, err = newReceiver(s, verifier, b.jobs, b.logger())
	require.NoError(t, err)
	return b
}

func (b *base) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&b.log, nil)) }

// exec runs statements.
func (b *base) exec(statement string, args ...any) {
	b.Helper()
	require.NoError(b, inTx(b.Context(), b.rows, nil, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(b.Context(), statement, args...)
		return err
	}))
}

// ask returns the result of a query for one value.
func ask[T any](b *base, query string, args ...any) (value T) {
	b.Helper()
	require.NoError(b, inTx(context.Background(), b.rows, nil, func(tx *sql.Tx) error {
		return tx.QueryRowContext(context.Background(), query, args...).Scan(&value)
	}), query)
	return value
}

// deliver signs and delivers an event, and returns the status.
func (b *base) deliver(message, body string) int {
	b.Helper()
	return b.respond(b.sign(message, body)).Code
}

func (b *base) respond(req *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	b.r.ServeHTTP(recorder, req)
	return recorder
}

func (b *base) sign(message, body string) *http.Request {
	b.Helper()
	req, err := signed(b.Context(), "", secret, message, body)
	require.NoError(b, err)
	return req
}

func signed(ctx context.Context, url, secret, message, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+webhookPath, strings.NewReader(body))
	if err == nil {
		req.Header = momenttest.SignWebhook(secret, message, time.Now(), []byte(body))
	}
	return req, err
}

// payment is an event as Moment's reference shows it.
func payment(n, amount int) string {
	return fmt.Sprintf(`{"id":"evt_%d","type":"obligation.amount_applied","data":{"id":"ob_%d","amount":%d,"currency":"ZAR","payment_id":"pay_%d","bill_id":"bill_1"}}`, n, n, amount, n)
}

// work works payments until the test ends, and returns the events of the jobs.
func (b *base) work() (events <-chan *river.Event) {
	b.Helper()
	return b.workWith(momenttest.NewServer(momenttest.InProcess()).Client(), "bills_none")
}

// workWith works the bills of a queue too.
func (b *base) workWith(client *moment.Client, queue string) (events <-chan *river.Event) {
	b.Helper()
	jobs, err := b.newClient(&worker{store: b.store, client: client, timeout: time.Minute}, queue, maxBills, b.logger())
	require.NoError(b, err)
	events, unsubscribe := jobs.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled, river.EventKindJobSnoozed)
	ctx, stop := context.WithCancel(context.Background())
	require.NoError(b, jobs.Start(ctx))
	b.Cleanup(func() {
		stop()
		<-jobs.Stopped()
		unsubscribe()
	})
	return events
}

// receiveFrom waits for a value from a channel.
func receiveFrom[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.Fail(t, "waited in vain for: "+what)
		panic("not reached")
	}
}

// until polls until the condition is true.
func until(t testing.TB, limit time.Duration, what string, yes func() bool) {
	t.Helper()
	for begun := time.Now(); !yes(); time.Sleep(5 * time.Millisecond) { // a poll, because other processes may change the condition
		require.Less(t, time.Since(begun), limit, "waited in vain: "+what)
	}
}

// logs collects log lines.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *logs) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
