package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

// The INSERT of docs/webhooks.md keeps the row of an event whose mark was pruned. Without its last
// clause, each later delivery of the event would fail.
func TestEventWhoseMarkWasPruned(t *testing.T) {
	page, err := os.ReadFile("../docs/webhooks.md")
	require.NoError(t, err)
	ledger := regexp.MustCompile("(?s)```sql\n(.*?)```").FindSubmatch(page)
	require.Len(t, ledger, 2)
	insert := regexp.MustCompile("(?s)`(INSERT INTO ledger .*?)( ON CONFLICT .*?)`").FindSubmatch(page)
	require.Len(t, insert, 3)

	for _, row := range []struct {
		why, insert string
		status      int
	}{
		{"the existing row is kept", string(insert[1]) + string(insert[2]), http.StatusNoContent},
		{"a plain INSERT fails", string(insert[1]), http.StatusInternalServerError},
	} {
		run := func(t *testing.T, dialect momentsql.Dialect) {
			t.Helper()
			store, db := newDatabase(t, dialect).store(t)
			exec := func(statement string) {
				_, err := db.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
			exec("DROP TABLE ledger")
			exec(string(ledger[1]))
			verifier, err := moment.NewWebhookVerifier(webhookSecret)
			require.NoError(t, err)
			handler := store.Handler(verifier, func(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
				applied := e.Data.(*moment.AmountApplied)
				_, id := applied.Obligation()
				_, err := tx.ExecContext(ctx, row.insert, e.ID, applied.PaymentID, id, applied.Amount, applied.Currency)
				return err
			}, moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
			deliver := func() int {
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, signed(t.Context(), "/webhooks/moment", "msg_1", payment(1095)))
				return response.Code
			}

			require.Equal(t, http.StatusNoContent, deliver())
			exec("UPDATE moment_webhook_messages SET processed_at = 0")
			pruned, err := store.Prune(t.Context(), 24*time.Hour)
			require.NoError(t, err)
			require.EqualValues(t, 1, pruned)
			assert.Equal(t, row.status, deliver())
			var entries int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM ledger").Scan(&entries))
			assert.Equal(t, 1, entries)
		}
		for _, dialect := range dialects {
			t.Run(fmt.Sprint(row.why, "/", dialect), func(t *testing.T) { run(t, dialect) })
		}
	}
}
