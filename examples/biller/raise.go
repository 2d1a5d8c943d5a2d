package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/moment-billing/moment-go"
)

// Work raises a bill, however often it is called.
func (w *worker) Work(ctx context.Context, job *river.Job[raiseBill]) error {
	var params, customerID, known string
	var bill storedBill
	err := inTxOf(ctx, w.store.rows, readOnly, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT b.hash, b.params, b.customer_id, r.token, coalesce((SELECT k.customer_id FROM biller_rows k
				WHERE k.customer = b.customer AND k.run = b.run AND k.customer_id <> '' LIMIT 1), '')
			FROM biller_rows b JOIN biller_runs r ON r.id = b.run WHERE b.id = $1 AND b.outcome IS NULL`, job.Args.Row).
			Scan(&bill.hash, &params, &customerID, &bill.token, &known)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the process was killed after the row was settled
	}
	if err == nil && known != "" && customerID == "" && job.Attempt == 1 { // later attempts must make the same call as the first
		customerID = known
		err = w.store.exec(ctx, "UPDATE biller_rows SET customer_id = $1 WHERE id = $2", known, job.Args.Row)
	}
	if err = errors.Join(err, json.Unmarshal([]byte(params), &bill)); err != nil {
		return err
	}
	res := w.raise(ctx, bill, customerID)
	if w.stop == nil && errors.Is(res.err, moment.ErrNotFound) {
		res.outcome = "" // because nobody stops the work at a wrong address, which must not reject a million bills
	}
	failure, isFailure := errors.AsType[*moment.Error](res.err)
	switch {
	case res.outcome != "":
	case ctx.Err() != nil: // the process stops
		return loggable(res.err)
	case isFailure && failure.Status == http.StatusTooManyRequests && !failure.OutcomeUnknown: // not an attempt
		return river.JobSnooze(min(max(failure.RetryAfter, time.Second), longestWait))
	}
	if err := w.settle(context.WithoutCancel(ctx), job, res); err != nil {
		return err
	}
	if res.outcome == rejected {
		return river.JobCancel(loggable(res.err))
	}
	if res.err != nil {
		return loggable(res.err)
	}
	return nil
}

// result is how an attempt ended. Without an outcome, it has failed, and the bill may be raised.
type result struct {
	outcome, customerID string
	err                 error
}

// raise creates a bill together with its customer, or finds both. The e-mail address of a customer
// who exists stays as it is, but another name may be another person's. The idempotency key is
// derived from the run and the row's content, so a job that was killed makes the same call again.
func (w *worker) raise(ctx context.Context, b storedBill, customerID string) result {
	params := moment.BillCreateParams{
		Customer: b.Customer, ExternalReference: b.Reference, Currency: b.Money.Currency, AmountDue: b.Money.Amount, DueDate: b.Due,
	}
	if customerID != "" {
		params.Customer = moment.ExistingCustomer(customerID)
	}
	var resp moment.Response
	key := moment.DeriveIdempotencyKey("raise bill", b.token, b.hash, customerID)
	bill, err := w.client.Bills.Ensure(ctx, params, moment.WithIdempotencyKey(key), moment.WithResponse(&resp))
	mismatch, isMismatch := errors.AsType[*moment.MismatchError](err)
	switch {
	case isMismatch && customerID == "" && slices.Equal(mismatch.Differences, []string{"customer.email"}):
		return w.raise(ctx, b, b.Customer.ExternalReference)
	case rejects(err):
		return result{outcome: rejected, err: err}
	case err != nil:
		return result{err: err}
	case resp.StatusCode == http.StatusCreated:
		return result{outcome: raised, customerID: bill.CustomerID}
	}
	return result{outcome: found, customerID: bill.CustomerID}
}

// rejects reports whether a row cannot be raised as it is. Only the service's own rejection says
// so, or the client's before it sends anything.
func rejects(err error) bool {
	failure, ok := errors.AsType[*moment.Error](err)
	_, isMismatch := errors.AsType[*moment.MismatchError](err)
	own := ok && failure.FromService && slices.Contains([]int{400, 402, 404, 422}, failure.Status)
	return !errors.Is(err, moment.ErrOutcomeUnknown) && (own || isMismatch || errors.Is(err, moment.ErrInvalidArgument))
}

// loggable returns an error without what the service has said, which may be about a person, because
// River stores and logs the errors of jobs.
func loggable(err error) error {
	var valuer slog.LogValuer
	if errors.As(err, &valuer) {
		return errors.New(valuer.LogValue().Resolve().String())
	}
	return fmt.Errorf("%T", err)
}
