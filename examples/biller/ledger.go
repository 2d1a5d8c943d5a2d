package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"

	"github.com/moment-billing/moment-go"
)

// paymentColumns are the columns of a payment. Amounts are in minor units. The primary key event_id
// prevents a second entry even after a month, when the marks of messages are removed.
const paymentColumns = `event_id TEXT COLLATE "C" PRIMARY KEY, payment_id TEXT NOT NULL, obligation_kind TEXT NOT NULL,
	obligation_id TEXT NOT NULL, amount BIGINT NOT NULL, currency TEXT NOT NULL`

// ledgerSchema is the schema of the ledger. It has an entry for each payment, and one with a
// negative amount for each reversal.
const ledgerSchema = `
CREATE TABLE IF NOT EXISTS ledger (` + paymentColumns + `, posted_at BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS ledger_obligation ON ledger (obligation_id);
CREATE TABLE IF NOT EXISTS ledger_conflicts (` + paymentColumns + `, found_at BIGINT NOT NULL);`

const queuePayments = "payments"

// postPayment is the job that posts a payment. River keeps one job for each event, so a receiver
// finds a second payment under the same event.
type postPayment struct {
	EventID        string          `json:"event_id"        river:"unique"`
	PaymentID      string          `json:"payment_id"`
	ObligationKind string          `json:"obligation_kind"`
	ObligationID   string          `json:"obligation_id"`
	Amount         moment.Amount   `json:"amount"`
	Currency       moment.Currency `json:"currency"`
}

func (postPayment) Kind() string { return "post_payment" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. A job is never discarded, because its
// payment was acknowledged and is stored only in the job.
func (postPayment) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queuePayments, MaxAttempts: math.MaxInt16, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// errConflict is retried until a person resolves it.
var errConflict = errors.New("another payment has the same event: see Alerts in deployment.md")

// recordConflict logs a payment that was not posted, and stores it for /healthz of all processes.
func (s *store) recordConflict(ctx context.Context, log *slog.Logger, p postPayment, err error) {
	if !errors.Is(err, errConflict) {
		return
	}
	log.ErrorContext(ctx, "conflict in the ledger", slog.String("event", p.EventID),
		slog.String("payment", p.PaymentID), slog.Any("amount", p.Amount.In(p.Currency)))
	err = s.exec(ctx, `INSERT INTO ledger_conflicts (event_id, payment_id, obligation_kind, obligation_id, amount, currency, found_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (event_id) DO NOTHING`,
		p.EventID, p.PaymentID, p.ObligationKind, p.ObligationID, int64(p.Amount), string(p.Currency), time.Now().Unix())
	if err != nil {
		log.ErrorContext(ctx, "conflict not recorded", slog.String("error", err.Error()))
	}
}

// poster posts payments to the ledger.
type poster struct {
	river.WorkerDefaults[postPayment]

	store *store
	log   *slog.Logger
}

// longestPause is the longest time between two attempts. It is short, because all payments must be
// posted soon after the ledger is available again.
const longestPause = 15 * time.Minute

// NextRetry follows River's policy up to longestPause.
func (p *poster) NextRetry(job *river.Job[postPayment]) time.Time {
	next := new(river.DefaultClientRetryPolicy).NextRetry(job.JobRow)
	return time.Now().Add(min(time.Until(next), longestPause))
}

// Work posts a payment, and completes its job in the same transaction.
func (p *poster) Work(ctx context.Context, job *river.Job[postPayment]) error {
	err := inTx(ctx, p.store.rows, nil, func(tx *sql.Tx) error {
		if err := errors.Join(enter(ctx, tx, job.Args), p.store.inPlace()); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[riverdriver.Driver[*sql.Tx]](ctx, tx, job)
		return err
	})
	p.store.recordConflict(ctx, p.log, job.Args, err)
	return err
}

// enter inserts the entry of a payment. Replace it to post to your own ledger. A ledger outside
// this database must accept each event once, because a killed job enters its payment again. The
// statement changes one row if the entry is new or identical.
func enter(ctx context.Context, tx *sql.Tx, p postPayment) error {
	changed, err := tx.ExecContext(ctx, `INSERT INTO ledger (event_id, payment_id, obligation_kind, obligation_id, amount, currency, posted_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (event_id) DO UPDATE SET event_id = excluded.event_id
		WHERE (ledger.payment_id, ledger.obligation_kind, ledger.obligation_id, ledger.amount, ledger.currency)
			= (excluded.payment_id, excluded.obligation_kind, excluded.obligation_id, excluded.amount, excluded.currency)`,
		p.EventID, p.PaymentID, p.ObligationKind, p.ObligationID, int64(p.Amount), string(p.Currency), time.Now().Unix())
	if err != nil {
		return err
	}
	if n, err := changed.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return errConflict
}
