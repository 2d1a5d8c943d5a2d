package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const patience = 30 * time.Second // with a busy machine

// mainEnv makes the test binary the program, and serviceEnv the service, for what only processes
// show.
const (
	mainEnv    = "MOMENT_TEST_MAIN"
	serviceEnv = "MOMENT_TEST_SERVICE"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(mainEnv) != "", os.Getenv(fakeEnv) != "":
		main()
	case os.Getenv(serviceEnv) != "":
		serveMoment()
	default:
		os.Exit(m.Run())
	}
}

var secret = moment.RawWebhookSecret([]byte("the secret of these tests"))

var nowhere = exportTo(nil, nil, nil)

var schemas atomic.Int64

// newSchema returns the address of an empty schema that is dropped when the test ends.
func newSchema(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("MOMENT_POSTGRES_DSN")
	if dsn == "" {
		require.Empty(t, os.Getenv("CI"), "MOMENT_POSTGRES_DSN is not set")
		t.Skip("no PostgreSQL: MOMENT_POSTGRES_DSN is not set. From the root: bash .ci/postgres go -C examples/scale-out test ./...")
	}
	address, err := url.Parse(dsn)
	require.NoError(t, err, "MOMENT_POSTGRES_DSN must be a URL")
	schema := fmt.Sprintf("scale_out_test_%d_%d", os.Getpid(), schemas.Add(1))
	query := address.Query()
	query.Set("search_path", schema)
	address.RawQuery = query.Encode()
	connection, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { assert.NoError(t, connection.Close(context.Background())) }()
	_, err = connection.Exec(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		connection, err := pgx.Connect(context.Background(), dsn) // PostgreSQL may have been restarted
		require.NoError(t, err)
		_, err = connection.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE")
		assert.NoError(t, err)
		assert.NoError(t, connection.Close(context.Background()))
	})
	return address.String()
}

// world is a database with all tables, and a service.
type world struct {
	address string
	pool    *pgxpool.Pool
	srv     *momenttest.Server
	log     *logs
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{address: newSchema(t), srv: momenttest.NewServer(), log: new(logs)}
	t.Cleanup(w.srv.Close)
	require.NoError(t, migrate(t.Context(), w.address))
	pool, err := openPool(t.Context(), w.address)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	w.pool = pool
	return w
}

func (w *world) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(w.log, nil)) }

// exec runs a statement.
func (w *world) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

// ask returns what a query for one value says.
func ask[T any](t *testing.T, w *world, query string, args ...any) (value T) {
	t.Helper()
	require.NoError(t, w.pool.QueryRow(t.Context(), query, args...).Scan(&value), query)
	return value
}

// newReceiver returns a receiver on the database.
func (w *world) newReceiver(t *testing.T, to telemetry) *receiver {
	t.Helper()
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	r, err := newReceiver(config{database: w.address, verifier: verifier}, to, w.logger())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.db.Close()) })
	return r
}

// insert makes a job.
func (w *world) insert(t *testing.T, args river.JobArgs) (id int64) {
	t.Helper()
	result, err := w.inserter(t).Insert(t.Context(), args, nil)
	require.NoError(t, err)
	require.False(t, result.UniqueSkippedAsDuplicate)
	return result.Job.ID
}

const unlimited = 1e6 // requests a second

func (w *world) inserter(t *testing.T) *river.Client[pgx.Tx] {
	t.Helper()
	client, err := newWorker(w.pool, w.srv.Client(), unlimited, time.Minute, nowhere, w.logger())
	require.NoError(t, err)
	return client
}

// running is a worker, and what becomes of the jobs that it works.
type running struct {
	client *river.Client[pgx.Tx]
	events <-chan *river.Event
	stop   context.CancelFunc // as a signal does
}

// work starts a worker that ends with the test.
func (w *world) work(t *testing.T, client *moment.Client, to telemetry) running {
	t.Helper()
	worker, err := newWorker(w.pool, client, unlimited, time.Minute, to, w.logger())
	require.NoError(t, err)
	events, unsubscribe := worker.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled, river.EventKindJobSnoozed)
	ctx, stop := context.WithCancel(context.Background())
	require.NoError(t, worker.Start(ctx))
	t.Cleanup(func() {
		stop()
		<-worker.Stopped()
		unsubscribe()
	})
	return running{worker, events, stop}
}

// next waits for what becomes of the next job.
func (r running) next(t *testing.T) *river.Event {
	t.Helper()
	return await(t, "a job", r.events)
}

// await waits for what comes by a channel.
func await[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.Fail(t, "waited in vain for: "+what)
		panic("not reached")
	}
}

// payment is an event as Moment's reference shows it.
func payment(n, amount int) string {
	return fmt.Sprintf(`{"id":"evt_%d","type":"obligation.amount_applied","data":{"id":"ob_%d","amount":%d,"currency":"ZAR","payment_id":"pay_%d","bill_id":"bill_1"}}`, n, n, amount, n)
}

// sign returns a request that delivers a message, signed now.
func sign(t *testing.T, secret, url, message, body string) *http.Request {
	t.Helper()
	req, err := signed(t.Context(), url, secret, message, body)
	require.NoError(t, err)
	return req
}

func signed(ctx context.Context, url, secret, message, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
	if err == nil {
		req.Header = momenttest.SignWebhook(secret, message, time.Now(), []byte(body))
	}
	return req, err
}

// logs are what was logged.
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

// environment is that of a program.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}
