package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// longestPause is between two attempts to post a payment. When the ledger is back after days, it is
// to have all of them soon.
const longestPause = 15 * time.Minute

// poster posts payments to the ledger.
type poster struct {
	river.WorkerDefaults[postPayment]

	pool *pgxpool.Pool
}

// NextRetry is River's, as long as that is soon.
func (p *poster) NextRetry(job *river.Job[postPayment]) time.Time {
	next, last := (&river.DefaultClientRetryPolicy{}).NextRetry(job.JobRow), time.Now().Add(longestPause)
	if next.After(last) {
		return last
	}
	return next
}

// Work enters a payment, in the transaction in which the job is done. It is what to replace for a
// ledger of your own. Where that is not in this database, a job that is worked again after a kill
// enters its payment again: the ledger must know it by its event then.
func (p *poster) Work(ctx context.Context, job *river.Job[postPayment]) error {
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after the commit it does nothing
	payment := []any{
		job.Args.EventID, job.Args.PaymentID, job.Args.ObligationKind, job.Args.ObligationID, int64(job.Args.Amount), string(job.Args.Currency),
	}
	inserted, err := tx.Exec(ctx, `INSERT INTO ledger
		(event_id, payment_id, obligation_kind, obligation_id, amount, currency, posted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (event_id) DO NOTHING`,
		append(payment, time.Now().Unix())...)
	if err != nil {
		return err
	}
	if inserted.RowsAffected() == 0 { // it is there; as another payment, it would be lost without a word
		var same bool
		err := tx.QueryRow(ctx, `SELECT (event_id, payment_id, obligation_kind, obligation_id, amount, currency) = ($1, $2, $3, $4, $5::bigint, $6)
			FROM ledger WHERE event_id = $1`, payment...).Scan(&same)
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("the ledger has another entry for the event %s", job.Args.EventID)
		}
	}
	if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
