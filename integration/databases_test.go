package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/signature"
	"github.com/moment-billing/moment-go/momentsql"
)

// database is a database with the table of momentsql and a ledger, for one test. Its fields are
// passed to other processes as JSON.
type database struct {
	Dialect momentsql.Dialect
	Driver  string
	DSN     string
}

var dialects = []momentsql.Dialect{momentsql.PostgreSQL, momentsql.SQLite}

func newDatabase(t *testing.T, dialect momentsql.Dialect) database {
	t.Helper()
	var d database
	if dialect == momentsql.PostgreSQL {
		d = database{dialect, "pgx", newPostgresSchema(t)}
	} else {
		// Writers wait for each other. Sync is off, because the tests kill processes and not the
		// machine.
		pragmas := "?_pragma=busy_timeout(30000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)"
		d = database{dialect, "sqlite", "file:" + filepath.Join(t.TempDir(), "merchant.db") + pragmas}
	}
	db := d.open(t)
	// The ledger has no constraint against a payment that is entered twice.
	for _, statement := range []string{momentsql.Schema(dialect), momentsql.Schema(dialect), "CREATE TABLE ledger (payment_id TEXT NOT NULL, amount BIGINT NOT NULL)"} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	return d
}

var schemas atomic.Int64

// newPostgresSchema returns the DSN of a schema that is dropped when the test ends.
func newPostgresSchema(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("MOMENT_POSTGRES_DSN")
	if dsn == "" {
		require.Empty(t, os.Getenv("CI"), "MOMENT_POSTGRES_DSN is not set")
		t.Skip("no PostgreSQL: MOMENT_POSTGRES_DSN is not set. .ci/postgres starts one: bash .ci/postgres go -C integration test ./...")
	}
	u, err := url.Parse(dsn)
	require.NoError(t, err, "MOMENT_POSTGRES_DSN must be a URL")
	schema := fmt.Sprintf("moment_test_%d_%d", os.Getpid(), schemas.Add(1))
	db := database{momentsql.PostgreSQL, "pgx", dsn}.open(t)
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience) // because an open transaction would block
		defer cancel()
		_, err := db.ExecContext(ctx, "DROP SCHEMA "+schema+" CASCADE")
		assert.NoError(t, err)
	})
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

// open returns a new pool of connections, like that of another process.
func (d database) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.Driver, d.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func (d database) store(t *testing.T) (*momentsql.Store, *sql.DB) {
	t.Helper()
	db := d.open(t)
	store, err := momentsql.NewStore(db)
	require.NoError(t, err)
	return store, db
}

// enter stores a payment, as a merchant does.
func enter(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
	payment, ok := e.Data.(*moment.AmountApplied)
	if !ok {
		return nil
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO ledger (payment_id, amount) VALUES ($1, $2)", payment.PaymentID, int64(payment.Amount))
	return err
}

// count returns the one number that a query selects.
func count(t *testing.T, db *sql.DB, query string) int {
	t.Helper()
	var n int
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

const (
	inLedger = "SELECT count(*) FROM ledger"
	marked   = "SELECT count(*) FROM moment_webhook_messages"
)

var (
	webhookSecret = moment.RawWebhookSecret([]byte("a secret of 24 bytes or so"))
	webhookKey, _ = signature.ParseSecret(webhookSecret)
)

// payment returns the body of a webhook that reports the payment pay_n.
func payment(n int) string {
	return fmt.Sprintf(`{"id":"evt_%d","type":"obligation.amount_applied","data":{"id":"ob_%d","amount":%d,"currency":"ZAR","payment_id":"pay_%d","bill_id":"bill_1"}}`, n, n, n, n)
}

// signed returns a delivery of Moment. Each has its own timestamp.
func signed(ctx context.Context, url, messageID, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Webhook-Id", messageID)
	r.Header.Set("Webhook-Timestamp", timestamp)
	r.Header.Set("Webhook-Signature", webhookKey.Sign(messageID, timestamp, []byte(body)))
	return r
}
