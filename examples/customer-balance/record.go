package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/moment-billing/moment-go"
)

// record stores a payment and subtracts it from the customer's balance. PostgreSQL computes the new
// balance under the row's lock, so that concurrent payments are all subtracted. The new version
// marks the row to be pushed.
func record(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
	payment, ok := e.Data.(*moment.AmountApplied)
	if !ok {
		return nil
	}
	_, id := payment.Obligation()
	stored, err := affected(tx.ExecContext(ctx, `INSERT INTO payments (event_id, payment_id, obligation_id, amount, currency)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (event_id) DO NOTHING`,
		e.ID, payment.PaymentID, id, int64(payment.Amount), string(payment.Currency)))
	switch {
	case err != nil:
		return err
	case !stored: // it was stored before: under another message id, or longer ago than momentsql remembers
		return nil
	case payment.CustomerID == "": // Moment updates bills; to keep balances of accounts, update them here
		return nil
	}
	found, err := affected(tx.ExecContext(ctx, `UPDATE balances SET balance = balance - $1, version = version + 1
		WHERE customer_id = $2 AND currency = $3`, int64(payment.Amount), payment.CustomerID, string(payment.Currency)))
	if err == nil && !found {
		err = errors.New("the customer has no balance in the currency of the payment, which Moment will deliver again")
	}
	return err
}

// affected reports whether a statement has changed a row.
func affected(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}
