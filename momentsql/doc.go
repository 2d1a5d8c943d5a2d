// Package momentsql processes each of Moment's webhooks once, even with several processes and
// several deliveries. It stores the processed messages in a PostgreSQL or SQLite database. It uses
// database/sql and includes no driver.
//
// [Store.Handler] passes each event to a function, with the transaction that marks the message as
// processed. The function's writes and the mark are committed together or not at all, even if the
// process is killed:
//
//	_, err := db.ExecContext(ctx, momentsql.Schema(momentsql.PostgreSQL)) // the table, once
//	…
//	store, err := momentsql.NewStore(db)
//	…
//	handler := store.Handler(verifier, func(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
//		payment, ok := e.Data.(*moment.AmountApplied)
//		if !ok {
//			return nil
//		}
//		_, id := payment.Obligation()
//		_, err := tx.ExecContext(ctx, `INSERT INTO ledger (event_id, payment_id, obligation_id, amount, currency)
//			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (event_id) DO NOTHING`,
//			e.ID, payment.PaymentID, id, payment.Amount, payment.Currency)
//		return err
//	})
//
// Make the event's id the unique key of the ledger, and not the payment's id. A payment may have
// several events, because an amount may be reversed.
//
// Call [Store.Prune] once a day, because the table grows with every message. If an event arrives
// again after its mark was pruned, the function is called again. ON CONFLICT then keeps the
// existing row; without it, the INSERT would fail at each delivery.
//
// To write your own handler, call [Store.Process] in it.
//
// Make work outside this database idempotent, because it cannot be committed with the mark and may
// be done twice.
//
// Configure the database for durable commits. If a crash loses commits, as with synchronous_commit
// = off, it loses acknowledged payments, and Moment does not deliver them again.
//
// Set a deadline for each request with http.TimeoutHandler, because waits end with the context.
// Limit the connections to the database. [moment.WebhookVerifier.Handler] names the timeouts of the
// server.
//
// # PostgreSQL
//
// If several deliveries of one message arrive at the same time, one is processed while the others
// wait. Each waits in a transaction with its own connection. If the first succeeds, the others do
// nothing. If it fails, one of the others is processed.
//
// Transactions use the database's default isolation level. If that is stricter than READ COMMITTED,
// the deliveries that waited fail instead, and Moment delivers them again.
//
// Set tcp_keepalives_idle or idle_in_transaction_session_timeout. If a machine loses its connection
// in the middle of a transaction, its message stays locked until PostgreSQL detects the loss.
//
// Connect with sslmode=verify-full, because in a weaker mode the driver may send the password in
// clear text to an impostor.
//
// # SQLite
//
// SQLite allows one writer at a time, so deliveries wait for each other. Set a busy timeout.
// Without one, a delivery fails instead of waiting, and Moment delivers it again. The timeout is
// part of the data source name. Drivers spell it differently and do not check it. For
// modernc.org/sqlite, with five seconds:
//
//	db, err := sql.Open("sqlite", "file:ledger.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
//
// In the journal mode WAL, readers do not block writers. The wait for the busy timeout does not end
// with the context.
//
// The name ":memory:" opens a separate database for each connection. In a test, use a file in
// t.TempDir() or db.SetMaxOpenConns(1).
package momentsql
