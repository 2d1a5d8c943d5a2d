// Package momentsql processes each of Moment's webhooks once, however often it is delivered and in
// however many processes, by remembering the messages in a PostgreSQL or SQLite database. It uses
// database/sql and brings no driver.
//
// [Store.Handler] passes each event to a function of yours, with the transaction in which the
// message is marked as processed. What the function writes and the mark are committed together, or
// not at all, wherever the process is killed:
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
//		_, err := tx.ExecContext(ctx, `INSERT INTO ledger (event_id, payment_id, obligation_id, amount, currency) VALUES ($1, $2, $3, $4, $5)`,
//			e.ID, payment.PaymentID, id, payment.Amount, payment.Currency)
//		return err
//	})
//
// The event's id is unique. A payment may have several events, because an amount may be taken back.
//
// [Store.Process] is for those who have a handler of their own. Run [Store.Prune] once a day,
// because the table grows with every message. Its window must exceed twice the verifier's
// tolerance.
//
// Work that is not in this database cannot be committed with the mark, so no package can promise
// that it happens once: make such work safe to repeat.
//
// What is committed is as durable as the database is set to be: one that loses commits when its
// machine goes down, as with synchronous_commit = off, loses payments that were acknowledged, and
// Moment does not deliver them again.
//
// Give each request a deadline, by http.TimeoutHandler, and the database a limit of connections:
// waits end with the context. [moment.WebhookVerifier.Handler] names the timeouts of the server.
//
// # PostgreSQL
//
// Of several deliveries of one message at the same time, one is processed while the others wait,
// each in a transaction with a connection of its own. If it succeeds they have nothing to do; if it
// fails, one of them tries. Transactions have the isolation that is the database's default. Where
// that is stricter than READ COMMITTED, those that have waited fail instead, and Moment delivers
// them again. A machine that is cut off in the middle of a transaction holds its message until
// PostgreSQL notices: set tcp_keepalives_idle or idle_in_transaction_session_timeout.
//
// Connect with sslmode=verify-full, because with a weaker mode the driver sends the password in
// clear text to whoever takes the server's place and asks for it.
//
// # SQLite
//
// SQLite has one writer at a time, so all messages wait for each other. Set a busy timeout: without
// one, whoever would have to wait fails, and Moment delivers again. It stands in the name that
// sql.Open gets, which drivers spell differently and do not check; for modernc.org/sqlite, with
// five seconds:
//
//	db, err := sql.Open("sqlite", "file:ledger.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
//
// In the journal mode WAL, who reads keeps nobody from writing. The busy timeout does not end with
// the context.
//
// The name ":memory:" is another database for each connection. In a test take a file in
// t.TempDir(), or db.SetMaxOpenConns(1).
package momentsql
