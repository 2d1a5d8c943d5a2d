package momentsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
	"github.com/moment-billing/moment-go/momenttest"
)

// The entry in the ledger and the mark of the message are committed together.
func ExampleStore_Handler() {
	database := &recorder{rows: 1} // a driver that records its calls; use one for PostgreSQL or SQLite
	store, err := momentsql.NewStore(sql.OpenDB(database))
	if err != nil {
		log.Fatal(err)
	}
	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	handler := store.Handler(verifier, func(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
		payment, ok := e.Data.(*moment.AmountApplied)
		if !ok {
			return nil
		}
		_, id := payment.Obligation()
		_, err := tx.ExecContext(ctx, `INSERT INTO ledger (event_id, payment_id, obligation_id, amount, currency)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (event_id) DO NOTHING`,
			e.ID, payment.PaymentID, id, payment.Amount, payment.Currency)
		return err
	})

	event := `{"id": "evt_2341234567890abcdef", "type": "obligation.amount_applied", "data": {"id": "ob_N2a38DJQWPL8K4X42354234",
		"amount": 2000, "currency": "ZAR", "payment_id": "pay_1313235234843nmafdsa", "bill_id": "bill_H4jp6KnU5cPw263v1jyz4"}}`
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, momenttest.NewWebhookRequest("/webhooks/moment", secret, event))
	fmt.Println(w.Code, database.steps)
	// Output: 204 [connect begin insert insert commit]
}

// A handler of your own calls Process, for example the handler of a queue with verified events.
func ExampleStore_Process() {
	database := &recorder{rows: 1} // a driver that records its calls; use one for PostgreSQL or SQLite
	store, err := momentsql.NewStore(sql.OpenDB(database))
	if err != nil {
		log.Fatal(err)
	}
	event := &moment.Event{MessageID: "msg_1", Data: &moment.AmountApplied{PaymentID: "pay_1", Amount: 2000, Currency: moment.ZAR}}
	err = store.Process(context.Background(), event, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ledger (message_id) VALUES ($1)`, event.MessageID)
		return err
	})
	fmt.Println(err, database.steps)
	// Output: <nil> [connect begin insert insert commit]
}

func ExampleSchema() {
	fmt.Print(momentsql.Schema(momentsql.SQLite))
	// Output:
	// CREATE TABLE IF NOT EXISTS moment_webhook_messages (
	// 	message_id   TEXT NOT NULL PRIMARY KEY,
	// 	processed_at BIGINT NOT NULL
	// ) WITHOUT ROWID;
	// CREATE INDEX IF NOT EXISTS moment_webhook_messages_processed_at ON moment_webhook_messages (processed_at);
}
