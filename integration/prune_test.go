package integration_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

// docs/webhooks.md says how the ledger that it shows reacts to an event whose mark was pruned.
func TestEventWhoseMarkWasPruned(t *testing.T) {
	page, err := os.ReadFile("../docs/webhooks.md")
	require.NoError(t, err)
	ledger := regexp.MustCompile("(?s)```sql\n(.*?)```").FindSubmatch(page)
	require.Len(t, ledger, 2)
	insert := regexp.MustCompile("`(INSERT INTO ledger .*?)`").FindSubmatch(page)
	require.Len(t, insert, 2)
	ending := regexp.MustCompile("`INSERT … (ON CONFLICT .*?)`").FindSubmatch(page)
	require.Len(t, ending, 2)

	for _, row := range []struct {
		why, insert string
		status      int
	}{
		{"the entry exists", string(insert[1]), http.StatusInternalServerError},
		{"the entry that exists is kept", string(insert[1]) + " " + string(ending[1]), http.StatusNoContent},
	} {
		t.Run(row.why, func(t *testing.T) {
			db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "ledger.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, db.Close()) })
			exec := func(statement string) {
				_, err := db.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
			exec(momentsql.Schema(momentsql.SQLite))
			exec(string(ledger[1]))
			store, err := momentsql.NewStore(db)
			require.NoError(t, err)
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
		})
	}
}
