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
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/moment-billing/moment-go"
)

const (
	workers     = 32 // jobs at the same time
	maxAttempts = 4  // of a job; then its row stays open until the next start
)

// raiseBill is the job of a row. It holds no name and no reference, because River keeps and shows
// jobs.
type raiseBill struct {
	Row  int64  `json:"row"  river:"unique"`
	Hash string `json:"hash"` // of the row's content
}

// Kind implements [river.JobArgs].
func (raiseBill) Kind() string { return "raise_bill" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. Jobs that have ended do not block another
// one of the same row.
func (raiseBill) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: maxAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// worker raises the bills of a run.
type worker struct {
	river.WorkerDefaults[raiseBill]

	run    run
	store  *store
	reader *reader // for its columns
	client *moment.Client
	settle func(result) error
}

// result is what became of an attempt of a job. Without an outcome, it has failed.
type result struct {
	row                         int64
	line                        int
	outcome, reason, customerID string
	err                         error
	last                        bool // no attempt follows
	done                        chan error
}

// Work raises a bill, however often it is called. The idempotency key is derived from the run and
// the row's content, so a job that was killed makes the same call again.
func (w *worker) Work(ctx context.Context, job *river.Job[raiseBill]) error {
	res := result{row: job.Args.Row, last: job.Attempt >= job.MaxAttempts}
	var hash, knownID, cells string
	err := w.store.rows.QueryRowContext(ctx, "SELECT line, hash, customer_id, cells FROM biller_rows WHERE id = ? AND outcome IS NULL", res.row).
		Scan(&res.line, &hash, &knownID, &cells)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the process was killed after the row was settled
	}
	var b row
	var texts []string
	if err = errors.Join(err, json.Unmarshal([]byte(cells), &texts)); err == nil {
		b = w.reader.parse(res.line, texts)
	}
	if err == nil && (hash != job.Args.Hash || hash != b.contentHash()) {
		err, res.last = fmt.Errorf("row %d has another content than its job", res.row), true
	}
	var bill *moment.Bill
	var created bool
	if err == nil {
		bill, created, err = w.raise(ctx, b, knownID)
	}
	failure, isFailure := errors.AsType[*moment.Error](err)
	switch {
	case err == nil:
		res.outcome, res.customerID = found, bill.CustomerID
		if created {
			res.outcome = raised
		}
	case rejects(err):
		res.outcome, res.reason, res.last = rejected, reasonOf(err), true
	case ctx.Err() != nil: // the process stops
		return loggable(err)
	case isFailure && failure.Status == http.StatusTooManyRequests && !failure.OutcomeUnknown: // not an attempt
		return river.JobSnooze(min(max(failure.RetryAfter, time.Second), 5*time.Minute))
	}
	if res.err = err; err != nil && res.last {
		err = river.JobCancel(loggable(err))
	}
	if failed := w.settle(res); failed != nil {
		return failed
	}
	return loggable(err)
}

// NextRetry is soon, because somebody waits for the run.
func (w *worker) NextRetry(job *river.Job[raiseBill]) time.Time {
	return time.Now().Add(time.Duration(1+job.Attempt) * time.Second)
}

// Timeout turns off River's timeout, because each attempt of a call has its own, and because a job
// may wait for the rate limit.
func (w *worker) Timeout(*river.Job[raiseBill]) time.Duration { return -1 }

// raise creates a bill together with its customer, or finds both. A customer whom an earlier run
// has seen is named, which saves three requests. The e-mail address of a customer who exists stays
// as it is, but another name may be another person's.
func (w *worker) raise(ctx context.Context, b row, knownID string) (bill *moment.Bill, created bool, err error) {
	if knownID != "" {
		bill, created, err = w.ensure(ctx, b, moment.ExistingCustomer(knownID), knownID)
		if !isMissing(err) {
			return bill, created, err
		}
	}
	bill, created, err = w.ensure(ctx, b, b.customer, "new")
	if mismatch, ok := errors.AsType[*moment.MismatchError](err); ok && slices.Equal(mismatch.Differences, []string{"customer.email"}) {
		return w.ensure(ctx, b, moment.ExistingCustomer(b.customer.ExternalReference), "existing")
	}
	return bill, created, err
}

// ensure derives the idempotency key from form too, because the service rejects a key with another
// body.
func (w *worker) ensure(ctx context.Context, b row, customer moment.CustomerRef, form string) (*moment.Bill, bool, error) {
	var resp moment.Response
	key := moment.DeriveIdempotencyKey("raise bill", w.run.token, b.contentHash(), form)
	bill, err := w.client.Bills.Ensure(ctx, b.params(customer), moment.WithIdempotencyKey(key), moment.WithResponse(&resp))
	return bill, resp.StatusCode == http.StatusCreated, err
}

// isMissing reports whether the service itself says that a customer does not exist.
func isMissing(err error) bool {
	failure, ok := errors.AsType[*moment.Error](err)
	return ok && failure.FromService && failure.Status == http.StatusNotFound && !failure.OutcomeUnknown
}

// rejects reports whether a row cannot be raised as it is. Only the service's own rejection says
// so, or the client's before it sends anything.
func rejects(err error) bool {
	failure, ok := errors.AsType[*moment.Error](err)
	_, isMismatch := errors.AsType[*moment.MismatchError](err)
	own := ok && failure.FromService && slices.Contains([]int{400, 402, 404, 422}, failure.Status)
	return !errors.Is(err, moment.ErrOutcomeUnknown) && (own || isMismatch || errors.Is(err, moment.ErrInvalidArgument))
}

// reasonOf is for the person who corrects the row.
func reasonOf(err error) string {
	mismatch, ok := errors.AsType[*moment.MismatchError](err)
	if !ok {
		return strings.TrimPrefix(err.Error(), "moment: ")
	}
	differences := strings.Join(mismatch.Differences, " and ")
	if slices.Contains(mismatch.Differences, "status") {
		return "bill_reference is that of a bill that was voided: a bill needs a new reference"
	}
	if strings.HasPrefix(differences, "customer.") {
		return "customer_reference is that of a customer with another " + strings.ReplaceAll(differences, "customer.", "") +
			": is it the right customer? Leave the cell empty to keep the one at Moment"
	}
	return "bill_reference is that of a bill at Moment with another " + differences
}

// loggable returns an error without what the service has said, which may be about a person, because
// River stores and logs the errors of jobs.
func loggable(err error) error {
	var cancelled *river.JobCancelError
	if err == nil || errors.As(err, &cancelled) {
		return err
	}
	var valuer slog.LogValuer
	if errors.As(err, &valuer) {
		return errors.New(valuer.LogValue().Resolve().String())
	}
	return fmt.Errorf("%T", err)
}
