// Package momentsql processes each of Moment's webhooks once, however often it is delivered and in however many processes,
// by remembering the messages in a PostgreSQL or SQLite database. It uses database/sql and brings no driver.
//
// [Store.Process] runs a function of yours in the transaction in which the message is marked as processed. What the
// function writes and the mark are committed together, or not at all, wherever the process is killed:
//
//	store, err := momentsql.NewStore(db, momentsql.PostgreSQL) // its table: momentsql.Schema(momentsql.PostgreSQL)
//	…
//	handler := verifier.Handler(func(ctx context.Context, e *moment.Event) error {
//		return store.Process(ctx, e, func(ctx context.Context, tx *sql.Tx) error {
//			payment, ok := e.Data.(*moment.AmountApplied)
//			if !ok {
//				return nil
//			}
//			_, err := tx.ExecContext(ctx, `INSERT INTO ledger (payment_id, amount, currency) VALUES ($1, $2, $3)`,
//				payment.PaymentID, int64(payment.Amount), string(payment.Currency))
//			return err
//		})
//	})
//
// For work that is not in this database there is [Store.Once], which makes a Store a [moment.Deduplicator] and promises less.
//
// # PostgreSQL
//
// Of several deliveries of one message at the same time, one is processed while the others wait, each in a transaction with
// a connection of its own. If it succeeds they have nothing to do; if it fails, one of them tries. Transactions have the
// isolation that is the database's default. Where that is stricter than READ COMMITTED, those that have waited fail instead,
// and Moment delivers them again.
//
// # SQLite
//
// SQLite has one writer at a time, so all messages wait for each other. Set a busy timeout (of some seconds, in the name that
// sql.Open gets): without one, whoever would have to wait fails, and Moment delivers again.
package momentsql
