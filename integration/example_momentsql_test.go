package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

// The example of package momentsql on a database: the entry in the ledger and the mark of the
// message are committed together.
func Example_momentsql() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1) // because each connection has its own database in memory
	ctx := context.Background()
	if _, err := db.ExecContext(ctx, `CREATE TABLE ledger (event_id TEXT PRIMARY KEY, payment_id TEXT, obligation_id TEXT, amount BIGINT, currency TEXT)`); err != nil {
		log.Fatal(err)
	}
	verifier, err := moment.NewWebhookVerifier(webhookSecret)
	if err != nil {
		log.Fatal(err)
	}

	if _, err := db.ExecContext(ctx, momentsql.Schema(momentsql.SQLite)); err != nil { // or PostgreSQL; once, in a migration
		log.Fatal(err)
	}
	store, err := momentsql.NewStore(db)
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

	for range 3 { // deliveries of one message
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, signed(ctx, "/webhooks/moment", "msg_1", payment(1095)))
		fmt.Println(recorder.Code)
	}
	var entries int
	var sum moment.Amount
	if err := db.QueryRowContext(ctx, "SELECT count(*), sum(amount) FROM ledger").Scan(&entries, &sum); err != nil {
		log.Fatal(err)
	}
	fmt.Println(entries, "entry:", sum.In(moment.ZAR))
	// Output:
	// 204
	// 204
	// 204
	// 1 entry: ZAR 10.95
}
