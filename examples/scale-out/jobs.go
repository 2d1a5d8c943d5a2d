package main

import (
	"math"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/moment-billing/moment-go"
)

// Each kind of job has a queue of its own, so that a million bills keep no payment from the ledger.
const (
	queuePayments  = "payments"
	queueBills     = "bills"
	queueReconcile = "reconcile"
)

// postPayment is the job that enters a payment into the ledger. It is made once for each event, by
// momentsql.
type postPayment struct {
	EventID        string          `json:"event_id"`
	PaymentID      string          `json:"payment_id"`
	ObligationKind string          `json:"obligation_kind"`
	ObligationID   string          `json:"obligation_id"`
	Amount         moment.Amount   `json:"amount"`
	Currency       moment.Currency `json:"currency"`
}

// Kind implements [river.JobArgs].
func (postPayment) Kind() string { return "post_payment" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. A payment is tried as often as River can
// count, as it was acknowledged and is nowhere else.
func (postPayment) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queuePayments, MaxAttempts: math.MaxInt16}
}

// Bill is a row of a file. Name and Email are people's: that is why done jobs are removed after a
// day. Its name is exported because River does not see the tag in it otherwise, and takes all
// fields for the unique ones.
type Bill struct {
	Reference string          `json:"reference" river:"unique"`
	Customer  string          `json:"customer"` // its reference
	Name      string          `json:"name,omitempty"`
	Email     string          `json:"email,omitempty"`
	Amount    moment.Amount   `json:"amount"`
	Currency  moment.Currency `json:"currency"`
	DueDate   moment.Date     `json:"due_date,omitzero"`
}

// raiseBill is the job that raises a bill. There is one for each reference, done ones included
// until they are removed, but not those that were cancelled: once the row is corrected, it can be
// enqueued again.
type raiseBill struct{ Bill }

// Kind implements [river.JobArgs].
func (raiseBill) Kind() string { return "raise_bill" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (raiseBill) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBills, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// reconcileBill is the job that compares a bill with Moment's. There is one at a time for each
// reference.
type reconcileBill struct{ Bill }

// Kind implements [river.JobArgs].
func (reconcileBill) Kind() string { return "reconcile_bill" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (reconcileBill) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueReconcile, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}
