package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
	"github.com/moment-billing/moment-go/momenttest"
)

const (
	patience = 30 * time.Second // enough for a busy machine
	opening  = 100_000          // the balance at the start of each test, ZAR 1,000.00
)

var secret = moment.RawWebhookSecret([]byte("the secret of these tests"))

var schemas atomic.Int64

// newAddress returns the address of a schema that is dropped when the test ends.
func newAddress(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("MOMENT_POSTGRES_DSN")
	if dsn == "" {
		require.Empty(t, os.Getenv("CI"), "MOMENT_POSTGRES_DSN is not set")
		t.Skip("no PostgreSQL: MOMENT_POSTGRES_DSN is not set. .ci/postgres starts one: bash .ci/postgres go -C examples/customer-balance test ./...")
	}
	address, err := url.Parse(dsn)
	require.NoError(t, err, "MOMENT_POSTGRES_DSN must be a URL")
	name := fmt.Sprintf("customer_balance_test_%d_%d", os.Getpid(), schemas.Add(1))
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := db.ExecContext(context.Background(), "DROP SCHEMA "+name+" CASCADE")
		assert.NoError(t, err)
	})
	query := address.Query()
	query.Set("search_path", name)
	address.RawQuery = query.Encode()
	return address.String()
}

// books has a merchant's database, and the balances at Moment.
type books struct {
	*sql.DB

	address string
	handler http.Handler // that receives webhooks
	fake    *momenttest.Server
}

func newBooks(t *testing.T) books {
	t.Helper()
	address := newAddress(t)
	db, err := openDatabase(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	store, err := momentsql.NewStore(db)
	require.NoError(t, err)
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	fake := momenttest.NewServer()
	t.Cleanup(fake.Close)
	return books{db, address, newServer(store, verifier).Handler, fake}
}

// open creates a customer at Moment, with a balance that the books keep.
func (b books) open(t *testing.T, reference string) (customer string) {
	t.Helper()
	created, err := b.fake.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{
		ExternalReference: reference, Currency: moment.ZAR, Balance: moment.MinorUnits(opening),
	})
	require.NoError(t, err)
	b.exec(t, "INSERT INTO balances (customer_id, currency, balance, pushed) VALUES ($1, 'ZAR', $2, 1)", created.ID, opening)
	return created.ID
}

func (b books) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := b.ExecContext(t.Context(), statement, args...)
	require.NoError(t, err)
}

// count returns the one number that a query selects.
func (b books) count(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, b.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// atMoment returns a customer's balance at Moment.
func (b books) atMoment(t *testing.T, customer string) int {
	t.Helper()
	c, err := b.fake.Client().Customers.Get(t.Context(), customer)
	require.NoError(t, err)
	require.NotNil(t, c.Balance)
	return int(*c.Balance)
}

// payment returns the event of a customer's payment, as in Moment's reference. The amount is in
// cents.
func payment(n, amount int, customer string) string {
	return fmt.Sprintf(`{"id":"evt_%d","type":"obligation.amount_applied","data":{"id":"ob_%d","amount":%d,"currency":"ZAR","payment_id":"pay_%d","customer_id":%q}}`, n, n, amount, n, customer)
}

// sign returns a request that delivers a message, signed now.
func sign(ctx context.Context, url, message, body string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, url+"/webhooks/moment", strings.NewReader(body))
	r.RequestURI = "" // so that a client sends it
	r.Header = momenttest.SignWebhook(secret, message, time.Now(), []byte(body))
	return r
}

// deliver returns the status of a delivery to this process.
func (b books) deliver(t *testing.T, message, body string) int {
	t.Helper()
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, sign(t.Context(), "http://receiver", message, body))
	return w.Code
}
