package momentsql_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
	"github.com/moment-billing/moment-go/momenttest"
)

var secret = moment.RawWebhookSecret([]byte("an example key, not a secret one"))

const event = `{"id": "evt_2341234567890abcdef", "type": "obligation.amount_applied", "data": {"id": "ob_N2a38DJQWPL8K4X42354234",
	"amount": 2000, "currency": "ZAR", "payment_id": "pay_1313235234843nmafdsa", "bill_id": "bill_H4jp6KnU5cPw263v1jyz4"}}`

func newVerifier(t *testing.T) *moment.WebhookVerifier {
	t.Helper()
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	return verifier
}

func TestHandlerProcessesEachEventOnce(t *testing.T) {
	processed := []string{"connect", "begin", "insert", "update", "commit"}
	rolledBack := []string{"connect", "begin", "insert", "update", "rollback"}
	for _, row := range []struct {
		why    string
		signer string
		fails  string // a step of the driver
		rows   int64  // rows that the claim affects
		err    error  // of the function
		status int
		steps  []string
	}{
		{"a new event: the function's statement is committed with the mark", secret, "", 1, nil, 204, processed},
		{"an event that was processed before: the function is not called", secret, "", 0, nil, 204, []string{"connect", "begin", "insert", "rollback"}},
		{"the function fails: the mark is rolled back, so that Moment delivers again", secret, "", 1, errFunction, 500, rolledBack},
		{"the commit fails: the event is not acknowledged", secret, "commit", 1, nil, 500, processed},
		{"an event that Moment did not sign does not reach the database", moment.RawWebhookSecret([]byte("somebody else's key")), "", 1, nil, 400, nil},
	} {
		t.Run(row.why, func(t *testing.T) {
			r := &recorder{fails: row.fails, rows: row.rows}
			var log strings.Builder
			handler := newStore(t, r).Handler(newVerifier(t), func(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
				assert.Equal(t, "evt_2341234567890abcdef", e.ID)
				if _, err := tx.ExecContext(ctx, "UPDATE ledger"); err != nil {
					return err
				}
				return row.err
			}, moment.WithHandlerLogger(slog.New(slog.NewTextHandler(&log, nil))))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, momenttest.NewWebhookRequest("/webhooks/moment", row.signer, event))
			assert.Equal(t, row.status, w.Code)
			assert.Equal(t, row.steps, r.steps)
			assert.Equal(t, row.status != http.StatusNoContent, log.Len() > 0, "the options reach the handler: its logger logs failures")
		})
	}
}

func TestHandlerPanicsForBadArguments(t *testing.T) {
	store, verifier := newStore(t, &recorder{}), newVerifier(t)
	process := func(context.Context, *sql.Tx, *moment.Event) error { return nil }
	for _, row := range []struct {
		why, says string
		make      func()
	}{
		{"no verifier", "moment: the WebhookVerifier of a handler was not made by NewWebhookVerifier", func() { store.Handler(nil, process) }},
		{"the zero verifier", "moment: the WebhookVerifier of a handler was not made by NewWebhookVerifier", func() { store.Handler(&moment.WebhookVerifier{}, process) }},
		{"no function: every delivery would fail", "momentsql: the function of a webhook handler is nil", func() { store.Handler(verifier, nil) }},
		{"the zero Store: every delivery would fail", "momentsql: the Store of a webhook handler was not made by NewStore", func() { (&momentsql.Store{}).Handler(verifier, process) }},
		{"no Store", "momentsql: the Store of a webhook handler was not made by NewStore", func() { (*momentsql.Store)(nil).Handler(verifier, process) }},
		{"the zero option", "moment: an option of a webhook handler is the zero HandlerOption", func() { store.Handler(verifier, process, moment.HandlerOption{}) }},
	} {
		t.Run(row.why, func(t *testing.T) { assert.PanicsWithValue(t, row.says, row.make) })
	}
}

// An observer of the handler sees duplicates.
func TestHandlerReportsDuplicates(t *testing.T) {
	for rows, want := range map[int64]moment.DeliveryOutcome{1: moment.DeliveryProcessed, 0: moment.DeliveryDuplicate} {
		var got moment.DeliveryOutcome
		observer := func(context.Context, moment.Delivery) (context.Context, func(moment.DeliveryResult)) {
			return nil, func(r moment.DeliveryResult) { got = r.Outcome }
		}
		handler := newStore(t, &recorder{rows: rows}).Handler(newVerifier(t), func(context.Context, *sql.Tx, *moment.Event) error { return nil }, moment.WithHandlerObserver(observer))
		handler.ServeHTTP(httptest.NewRecorder(), momenttest.NewWebhookRequest("/webhooks/moment", secret, event))
		assert.Equal(t, want, got)
	}
}
