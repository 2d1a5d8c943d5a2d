package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const patience = 30 * time.Second // with a busy machine

var (
	secret    = moment.RawWebhookSecret([]byte("the secret of these tests"))
	oldSecret = moment.RawWebhookSecret([]byte("the secret that was before"))
)

// databases are the kinds of databases, each with a function that gives the address of an empty
// one.
var databases = []struct {
	kind string
	make func(t *testing.T) string
}{
	{"SQLite", newSQLiteFile},
	{"PostgreSQL", newPostgresSchema},
}

func newSQLiteFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "100% of the ledger?.db")
}

var schemas atomic.Int64

// newPostgresSchema returns the address of a schema that is dropped when the test ends.
func newPostgresSchema(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("MOMENT_POSTGRES_DSN")
	if dsn == "" {
		require.Empty(t, os.Getenv("CI"), "MOMENT_POSTGRES_DSN is not set")
		t.Skip("no PostgreSQL: MOMENT_POSTGRES_DSN is not set to postgres://user:password@host:5432/database")
	}
	address, err := url.Parse(dsn)
	require.NoError(t, err, "MOMENT_POSTGRES_DSN must be a URL")
	schema := fmt.Sprintf("receiver_test_%d_%d", os.Getpid(), schemas.Add(1))
	query := address.Query()
	query.Set("search_path", schema)
	address.RawQuery = query.Encode()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := db.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE")
		assert.NoError(t, err)
	})
	return address.String()
}

// newTestReceiver returns a receiver on a database, and what it logs.
func newTestReceiver(t *testing.T, address string) (*receiver, *logs) {
	t.Helper()
	l, err := openLedger(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	log := newLogs()
	return newReceiver(verifier, l, slog.New(slog.NewJSONHandler(log, nil))), log
}

// entered returns the payment ids that are in the ledger, and their amounts.
func entered(t *testing.T, l *ledger) []string {
	t.Helper()
	entries, err := l.entries(t.Context(), "")
	require.NoError(t, err)
	texts := make([]string, len(entries))
	for i, e := range entries {
		texts[i] = fmt.Sprint(e.payment, " for ", e.obligation, " ", int64(e.amount), " ", e.currency)
	}
	return texts
}

// payment is an event as Moment's reference shows it, of an amount that is paid by somebody.
func payment(n, amount int) string {
	return fmt.Sprintf(`{"id":"evt_%d","type":"obligation.amount_applied","data":{"id":"ob_%d","amount":%d,"currency":"ZAR","payment_id":"pay_%d","bill_id":"bill_1","metadata":{"payer":"Jane Roe"}}}`, n, n, amount, n)
}

// sign returns a request that delivers a message, signed now.
func sign(t *testing.T, secret, url, message, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header = momenttest.SignWebhook(secret, message, time.Now(), []byte(body))
	return req
}

// answer sends a request on a connection of its own and returns the status.
func answer(req *http.Request) (int, error) {
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// listen returns a listener on a free port, and the URL of it.
func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener, "http://" + listener.Addr().String()
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

// logs are the lines of a log, as they come.
type logs struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan string
}

func newLogs() *logs { return &logs{lines: make(chan string, 1000)} }

// Write gets whole lines: one from slog, or some from a process.
func (l *logs) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(text) {
		l.lines <- string(line)
	}
	return l.text.Write(text)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait waits for a line with a message and returns its attributes.
func (l *logs) wait(t *testing.T, message string) map[string]any {
	t.Helper()
	for {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(await(t, message, l.lines)), &line))
		if line["msg"] == message {
			return line
		}
	}
}
