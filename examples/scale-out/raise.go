package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/moment-billing/moment-go"
)

const (
	// The service forgets keys after 24 hours. Its clock, and a call that is under way at the end, are allowed an hour.
	keyLife = 23 * time.Hour

	// Failures that the service has saved, one key after the other, that an attempt of a job passes.
	maxKeys = 10
)

// raiser raises bills.
type raiser struct {
	river.WorkerDefaults[raiseBill]

	client *moment.Client
	now    func() time.Time
}

// Work raises a bill, after its customer. However often it runs, here or elsewhere, it makes the same calls under the same keys, and
// the service answers what it has answered before. Once it has forgotten the keys, the bill is looked for before it is created under
// another. The last guard is Moment's: references are unique.
func (r *raiser) Work(ctx context.Context, job *river.Job[raiseBill]) error {
	b := job.Args.Bill
	if err := r.createCustomer(ctx, b); err != nil {
		return act(err)
	}
	return r.createBill(ctx, b, int(r.now().Sub(job.CreatedAt)/keyLife))
}

// createCustomer sees to it that a customer is there. One that exists stays as it is.
func (r *raiser) createCustomer(ctx context.Context, b Bill) error {
	params := moment.CustomerCreateParams{ExternalReference: b.Customer, Name: b.Name, Email: b.Email}
	var err error
	for n := range maxKeys {
		key := moment.DeriveIdempotencyKey("create customer", b.Customer, b.Name, b.Email, strconv.Itoa(n))
		_, err = r.client.Customers.Create(ctx, params, moment.WithIdempotencyKey(key))
		if errors.Is(err, moment.ErrConflict) {
			return nil
		}
		if !passing(err) {
			return err
		}
	}
	return err
}

// createBill creates a bill, or finds that it is there. An era is the time in which keys live: in the first, nobody can have raised
// the bill under another key.
func (r *raiser) createBill(ctx context.Context, b Bill, era int) error {
	params := moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(b.Customer),
		ExternalReference: b.Reference,
		Currency:          b.Currency,
		AmountDue:         b.Amount,
		DueDate:           b.DueDate,
	}
	var err error
	for n := range maxKeys {
		if era > 0 || n > 0 { // under the key of before, it may have been raised
			if err := r.readBack(ctx, b); !errors.Is(err, errNotThere) {
				return err
			}
		}
		key := moment.DeriveIdempotencyKey("create bill", b.Reference, b.Customer, strconv.FormatInt(int64(b.Amount), 10), string(b.Currency), b.DueDate.String(),
			strconv.Itoa(era), strconv.Itoa(n))
		_, err = r.client.Bills.Create(ctx, params, moment.WithIdempotencyKey(key))
		if errors.Is(err, moment.ErrConflict) {
			return r.readBack(ctx, b)
		}
		if !passing(err) {
			break
		}
	}
	return act(err)
}

// passing reports whether a failure is one that the service has saved, and whose cause may be gone. Under another key it tries again.
func passing(err error) bool {
	var failure *moment.Error
	if !errors.As(err, &failure) || !failure.Replayed {
		return false
	}
	var cancelled *river.JobCancelError
	return !errors.As(act(err), &cancelled)
}

// readBack returns nil if the bill is there as it is to be, and errNotThere if it is not. A bill that is another one is not raised:
// somebody has to decide.
func (r *raiser) readBack(ctx context.Context, b Bill) error {
	_, found, err := compare(ctx, r.client, b)
	switch {
	case errors.Is(err, errNotThere):
		return err // a conflict without a bill is a call that is under way elsewhere: try again
	case err != nil:
		return act(err)
	case len(found) > 0:
		return river.JobCancel(fmt.Errorf("the bill %s exists: %s", b.Reference, strings.Join(found, "; ")))
	}
	return nil
}
