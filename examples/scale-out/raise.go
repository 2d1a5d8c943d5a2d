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
	// The service forgets keys after 24 hours. Its clock, and a call that is under way at the end,
	// are allowed an hour.
	keyLife = 23 * time.Hour

	// An attempt of a job gives up after so many keys under each of which the service has saved a
	// failure.
	maxKeys = 10
)

// raiser raises bills.
type raiser struct {
	river.WorkerDefaults[raiseBill]

	client *moment.Client
}

// Work raises a bill. However often a job runs, here or elsewhere, it makes the same calls under
// the same keys, and the service answers what it has answered before. Once it may have forgotten
// the keys, the bill is looked for before it is created. The last guard is Moment's: references are
// unique.
//
// The job is part of the keys. A row that is enqueued again after its job was cancelled is a new
// job, and is not to be answered what the service said before its cause was mended. Should both be
// worked at once, the reference keeps the second from being raised.
//
// That the customer exists is tried first: most bills are for one that does, and take one request.
func (r *raiser) Work(ctx context.Context, job *river.Job[raiseBill]) error {
	b := job.Args.Bill
	params := moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(b.Customer),
		ExternalReference: b.Reference,
		Currency:          b.Currency,
		AmountDue:         b.Amount,
		DueDate:           b.DueDate,
	}
	look := time.Since(job.CreatedAt) >= keyLife // as long as keys live, an earlier attempt needs no looking for
	var err error
	for n := range maxKeys {
		if look {
			if err := r.readBack(ctx, b); !errors.Is(err, errNotThere) {
				return err
			}
		}
		key := moment.DeriveIdempotencyKey("create bill", b.Reference, b.Customer, strconv.FormatInt(int64(b.Amount), 10), string(b.Currency), b.DueDate.String(), id(job), strconv.Itoa(n))
		_, err = r.client.Bills.Create(ctx, params, moment.WithIdempotencyKey(key))
		switch {
		case errors.Is(err, moment.ErrConflict):
			return r.readBack(ctx, b)
		case missing(err): // the customer is new
			if err := r.createCustomer(ctx, job); err != nil {
				return act(err)
			}
			look = false // what was not found was not raised
		case passing(err):
			look = true
		default:
			return act(err)
		}
	}
	return act(err)
}

// createCustomer sees to it that a customer is there. One that exists stays as it is.
func (r *raiser) createCustomer(ctx context.Context, job *river.Job[raiseBill]) error {
	b := job.Args.Bill
	params := moment.CustomerCreateParams{ExternalReference: b.Customer, Name: b.Name, Email: b.Email}
	var err error
	for n := range maxKeys {
		key := moment.DeriveIdempotencyKey("create customer", b.Customer, b.Name, b.Email, id(job), strconv.Itoa(n))
		_, err = r.client.Customers.Create(ctx, params, moment.WithIdempotencyKey(key))
		if errors.Is(err, moment.ErrConflict) {
			return nil
		}
		if !passing(err) {
			break
		}
	}
	return err
}

func id(job *river.Job[raiseBill]) string { return strconv.FormatInt(job.ID, 10) }

// passing reports whether a failure is one that the service has saved, and that may be gone under
// another key: not one that cancels the job, as it was this job that was answered so before.
func passing(err error) bool {
	var failure *moment.Error
	if !errors.As(err, &failure) || !failure.Replayed {
		return false
	}
	var cancelled *river.JobCancelError
	return !errors.As(act(err), &cancelled)
}

// readBack returns nil if the bill is there as it is to be, and errNotThere if it is not. A bill
// that is another one is not raised: somebody has to decide.
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
