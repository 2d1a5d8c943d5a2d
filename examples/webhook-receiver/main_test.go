package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

var (
	secret    = moment.RawWebhookSecret([]byte("the secret of these tests"))
	oldSecret = moment.RawWebhookSecret([]byte("the secret before the rotation"))
)

const path = "/webhooks/moment"

// newLedger opens a ledger in a file whose name needs escaping.
func newLedger(t *testing.T) *ledger {
	t.Helper()
	l, err := openLedger(t.Context(), filepath.Join(t.TempDir(), "100% of the ledger?.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func newServer(t *testing.T, l *ledger) *http.Server {
	t.Helper()
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	return l.server(verifier)
}

// payment returns an event as Moment's reference shows it.
func payment(n, amount int) string {
	return fmt.Sprintf(`{"id":"evt_%d","type":"obligation.amount_applied","data":{"id":"ob_%d","amount":%d,"currency":"ZAR","payment_id":"pay_%d","bill_id":"bill_1"}}`, n, n, amount, n)
}

// sign returns a request that delivers a message, signed now.
func sign(ctx context.Context, secret, url, message, body string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
	r.RequestURI = "" // so that a client sends it
	r.Header = momenttest.SignWebhook(secret, message, time.Now(), []byte(body))
	return r
}

func status(h http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// entries returns the rows of the ledger, in the order of their payments.
func entries(t *testing.T, l *ledger) (all []string) {
	t.Helper()
	rows, err := l.QueryContext(t.Context(), "SELECT payment_id || ' for ' || obligation_id || ' ' || amount || ' ' || currency FROM ledger ORDER BY payment_id")
	require.NoError(t, err)
	defer func() { assert.NoError(t, rows.Close()) }()
	for rows.Next() {
		var entry string
		require.NoError(t, rows.Scan(&entry))
		all = append(all, entry)
	}
	require.NoError(t, rows.Err())
	return all
}

// The rows are deliveries in order, each with the ledger after it.
func TestDeliveries(t *testing.T) {
	l := newLedger(t)
	handler := newServer(t, l).Handler
	one, two, reversal := "pay_1 for bill_1 1500 ZAR", "pay_2 for bill_1 700 ZAR", "pay_3 for bill_1 -1500 ZAR"
	for _, row := range []struct {
		why                          string
		method, path, secret, id, is string
		status                       int
		ledger                       []string
	}{
		{"an event without an id: the entry fails, and the message is not marked", "POST", path, secret, "msg_1", strings.Replace(payment(1, 1500), "evt_1", "", 1), 500, nil},
		{"a payment without an id, which could not be found again", "POST", path, secret, "msg_1", strings.Replace(payment(1, 1500), "pay_1", "", 1), 500, nil},
		{"the message is delivered again, complete, and is entered because it failed before", "POST", path, secret, "msg_1", payment(1, 1500), 204, []string{one}},
		{"delivered once more: it is already in the ledger", "POST", path, secret, "msg_1", payment(1, 1500), 204, []string{one}},
		{"the event under another message id: it is already in the ledger", "POST", path, secret, "msg_1b", payment(1, 1500), 204, []string{one}},
		{"an event of an unknown type is acknowledged", "POST", path, secret, "msg_9", `{"id":"evt_9","type":"bill.updated","data":{}}`, 204, []string{one}},
		{"an event that Moment did not sign", "POST", path, oldSecret, "msg_2", payment(2, 700), 400, []string{one}},
		{"another payment", "POST", path, secret, "msg_2", payment(2, 700), 204, []string{one, two}},
		{"a payment that is reversed", "POST", path, secret, "msg_3", payment(3, -1500), 204, []string{one, two, reversal}},
		{"not a POST", "GET", path, secret, "msg_4", payment(4, 1), 405, []string{one, two, reversal}},
		{"another path", "POST", "/", secret, "msg_4", payment(4, 1), 404, []string{one, two, reversal}},
	} {
		r := sign(t.Context(), row.secret, "http://receiver", row.id, row.is)
		r.Method, r.URL.Path = row.method, row.path
		assert.Equal(t, row.status, status(handler, r), row.why)
		assert.Equal(t, row.ledger, entries(t, l), row.why)
	}
}

// A file that others can read shows them who paid what.
func TestOnlyTheOwnerReadsTheFiles(t *testing.T) {
	for _, row := range []struct {
		why   string
		there bool
	}{
		{"new files", false},
		{"existing files with a wider mode", true},
	} {
		t.Run(row.why, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "ledger.db")
			files := []string{name, name + "-wal", name + "-shm"}
			if row.there {
				for _, file := range files {
					require.NoError(t, os.WriteFile(file, nil, 0o600))
					require.NoError(t, os.Chmod(file, 0o666)) //nolint:gosec // on purpose
				}
			}
			l, err := openLedger(t.Context(), name)
			require.NoError(t, err)
			defer func() { assert.NoError(t, l.Close()) }()
			assert.Equal(t, 204, status(newServer(t, l).Handler, sign(t.Context(), secret, "http://receiver", "msg_1", payment(1, 1500))))
			for _, file := range files {
				info, err := os.Stat(file)
				require.NoError(t, err)
				assert.Equal(t, os.FileMode(0o600), info.Mode(), file)
			}
		})
	}
}

// An acknowledged payment survives a power failure. Transactions wait for other writers.
func TestSettingsOfTheDatabase(t *testing.T) {
	l := newLedger(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000"} { // 2 is FULL
		var got string
		require.NoError(t, l.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		assert.Equal(t, want, got, pragma)
	}
}

// While rows cannot be stored, the health check fails, and deliveries are not acknowledged.
func TestHealth(t *testing.T) {
	for _, row := range []struct {
		why             string
		before          func(t *testing.T, l *ledger) error
		health, payment int
	}{
		{"no fault", func(*testing.T, *ledger) error { return nil }, 200, 204},
		{"the database is closed", func(_ *testing.T, l *ledger) error { return l.Close() }, 503, 500},
		{"the database is read-only", func(t *testing.T, l *ledger) error {
			t.Helper()
			l.SetMaxOpenConns(1)
			_, err := l.ExecContext(t.Context(), "PRAGMA query_only = on")
			return err
		}, 503, 500},
		{"the file was removed, and SQLite still writes to it", func(_ *testing.T, l *ledger) error { return os.Remove(l.path) }, 503, 500},
		{"a copy replaced the file", func(_ *testing.T, l *ledger) error {
			content, err := os.ReadFile(l.path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(l.path+".copy", content, 0o600); err != nil {
				return err
			}
			return os.Rename(l.path+".copy", l.path)
		}, 503, 500},
	} {
		t.Run(row.why, func(t *testing.T) {
			l := newLedger(t)
			handler := newServer(t, l).Handler
			require.NoError(t, row.before(t, l))
			for range 2 { // a second check must not find the row of the first
				assert.Equal(t, row.health, status(handler, httptest.NewRequest(http.MethodGet, "/healthz", nil)))
			}
			assert.Equal(t, row.payment, status(handler, sign(t.Context(), secret, "http://receiver", "msg_1", payment(1, 1500))))
		})
	}
}

// Waits for a database that does not respond end at the limits.
func TestWaitsHaveLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		handler := newServer(t, l).Handler
		for range l.Stats().MaxOpenConnections {
			connection, err := l.Conn(t.Context())
			require.NoError(t, err)
			defer func() { assert.NoError(t, connection.Close()) }()
		}
		begin := time.Now()
		assert.Equal(t, 503, status(handler, httptest.NewRequest(http.MethodGet, "/healthz", nil)))
		assert.Equal(t, 2*time.Second, time.Since(begin))
		begin = time.Now()
		assert.Equal(t, 503, status(handler, sign(t.Context(), secret, "http://receiver", "msg_1", payment(1, 1500))))
		assert.Equal(t, 15*time.Second, time.Since(begin))
	})
}

// pipes is a listener with connections in memory, so that they use the fake clock.
type pipes struct {
	net.Listener

	accepted chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	if conn, open := <-p.accepted; open {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) Close() error   { return nil }

// A client that sends slowly or not at all, or does not read, keeps its connection only until the
// limits.
func TestSlowClientsAreDisconnected(t *testing.T) {
	const begin = "POST " + path + " HTTP/1.1\r\nHost: receiver\r\n"
	signed := begin + "Content-Length: 1000000\r\nWebhook-Id: msg_1\r\nWebhook-Timestamp: 946684800\r\nWebhook-Signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n\r\n"
	read := func(stranger net.Conn) { _, _ = io.Copy(io.Discard, stranger) }
	for _, row := range []struct {
		why, sends string
		then       func(net.Conn)
		after      time.Duration
	}{
		{"nothing", "", read, 5 * time.Second},
		{"half of a header", begin, read, 5 * time.Second},
		{"half of a body, after plausible headers", signed + "{", read, 10 * time.Second},
		{"a whole request, and no second one", "GET / HTTP/1.1\r\nHost: receiver\r\n\r\n", read, time.Minute},
		{"a whole request, whose response is not read", "GET / HTTP/1.1\r\nHost: receiver\r\n\r\n", func(stranger net.Conn) {
			for err := error(nil); err == nil; { // until the server closes the connection
				_, err = stranger.Write([]byte("\n"))
			}
		}, 20 * time.Second},
		{"endless headers", begin + "X-Long: " + strings.Repeat("a", 80<<10), read, 0},
	} {
		t.Run(row.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, listener := newServer(t, newLedger(t)), pipes{nil, make(chan net.Conn)}
				var running sync.WaitGroup
				running.Go(func() { assert.ErrorIs(t, server.Serve(listener), net.ErrClosed) })
				stranger, conn := net.Pipe()
				begin := time.Now()
				listener.accepted <- conn
				running.Go(func() { _, _ = io.WriteString(stranger, row.sends) })
				synctest.Wait() // until the server stops reading
				row.then(stranger)
				assert.Equal(t, row.after, time.Since(begin).Truncate(time.Second))
				close(listener.accepted)
				assert.NoError(t, stranger.Close())
				running.Wait()
			})
		})
	}
}

// Old marks are deleted at the start and each day. Newer marks are kept.
func TestPruning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		month := 30 * 24 * time.Hour
		for message, age := range map[string]time.Duration{"old": month + time.Minute, "soon old": month - time.Hour, "young": 0} {
			_, err := l.ExecContext(t.Context(), "INSERT INTO moment_webhook_messages VALUES ($1, $2)", message, time.Now().Add(-age).Unix())
			require.NoError(t, err)
		}
		marks := func() (all string) {
			require.NoError(t, l.QueryRowContext(t.Context(), "SELECT group_concat(message_id) FROM moment_webhook_messages").Scan(&all))
			return all
		}
		ctx, stop := context.WithCancel(t.Context())
		var pruning sync.WaitGroup
		pruning.Go(func() { l.prune(ctx) })
		synctest.Wait()
		assert.Equal(t, "soon old,young", marks(), "at the start")
		time.Sleep(24*time.Hour + time.Minute) // on the fake clock
		synctest.Wait()
		assert.Equal(t, "young", marks(), "a day later")
		stop()
		pruning.Wait()
	})
}
