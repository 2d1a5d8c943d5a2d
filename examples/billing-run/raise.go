package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/moment-billing/moment-go"
)

const (
	tries    = 3 // of a call that ends without a definite answer; each of them is up to four attempts of the client
	failures = 3 // that the service has saved under one key after the other
	keys     = 50

	callLimit = 5 * time.Minute // with all attempts of the client and what the service asks to wait between them
)

// The forms of the call, as a part of its idempotency key.
const (
	withNew   = "new customer"
	withKnown = "existing customer"
)

// biller raises bills.
type biller struct {
	client *moment.Client
	pace   *pace
	input  string        // the SHA-256 of the file: rows of another one have other keys
	wait   time.Duration // before a call is tried again

	existing atomic.Bool // the last customer of whom nothing was known was there: the next one may be as well
}

// result is what became of a row.
type result struct {
	row     *row
	outcome outcome
	why     error
	fatal   bool // no row can be raised like this
}

// raise raises the bill of a row: in one call with its customer if that is new, else for the
// customer that is there. Nobody can know which of the two it is. So where the one is a conflict,
// the other is tried: a bill is raised at most once, as its reference is unique. If both are, the
// reference must be taken, and it is looked up by whom. The form that was right for the row before
// goes first: in most files, all customers are new or none is.
//
// Both are tried before looking, as a bill that is there may have been raised by one of them,
// before the process was killed: its key then gives the success again, and the bill is counted
// where it belongs.
//
// When ctx ends, the call that is under way is finished.
func (b *biller) raise(ctx context.Context, r *row, known bool) result {
	forms := []string{withNew, withKnown}
	if known || b.existing.Load() {
		forms = []string{withKnown, withNew}
	}
	var err, unknown error
	var lost *moment.ConnectionError
	for _, form := range forms {
		err = b.create(ctx, r, form)
		if errors.Is(err, moment.ErrOutcomeUnknown) {
			unknown = err // a conflict too: the service may be at this very call, for a run that was killed or gave up waiting
		}
		switch {
		case err == nil:
			if !known {
				b.existing.Store(form == withKnown)
			}
			return result{row: r, outcome: raised}
		case errors.Is(err, moment.ErrConflict):
		case errors.Is(err, moment.ErrNotFound) && form == withKnown: // the customer
		case errors.Is(err, moment.ErrNotFound):
			return result{row: r, why: fmt.Errorf("is the base URL right? %w", err), fatal: true} // there is nothing else it can miss
		case errors.As(err, &lost) && !lost.OutcomeUnknown && !b.pace.reached(): // nor would any other row get there
			return result{row: r, why: fmt.Errorf("is the service there? %w", err), fatal: true}
		default:
			res := judge(r, err)
			if res.outcome == refused && unknown != nil {
				return judge(r, fmt.Errorf("%w; and then %w", unknown, err))
			}
			return res
		}
	}
	return b.compare(ctx, r, first(unknown, err))
}

// create makes the call in one of its forms. The key says which row of which file it is for, so
// that another row with the same content is told apart, and so is the same row once it comes in a
// corrected file.
func (b *biller) create(ctx context.Context, r *row, form string) error {
	params := r.params(r.customer)
	if form == withKnown {
		params = r.params(moment.ExistingCustomer(r.customer.ExternalReference))
	}
	var err error
	for n, failed := 0, 0; n < keys && failed < failures; n++ {
		parts := append([]string{"create bill", r.bill, form}, r.content()...)
		key := moment.DeriveIdempotencyKey(append(parts, b.input, strconv.FormatInt(r.at.Offset, 10), strconv.Itoa(n))...)
		err = b.repeat(ctx, func(ctx context.Context) error {
			_, err := b.client.Bills.Create(ctx, params, moment.WithIdempotencyKey(key))
			return err
		})
		var failure *moment.Error
		if !errors.As(err, &failure) || !failure.Replayed || failure.Status == 409 {
			return err
		}
		// The service has saved a failure under this key, whose cause may be gone. With another key
		// it tries again; if a bill was raised all the same, its reference is taken. (A conflict
		// stays one: nothing can be deleted.)
		if failure.Attempts > 1 { // it came in this call, and not in an earlier run
			failed++
		}
	}
	return err
}

// repeat makes a call again, under the same key, for as long as there is no definite answer, and
// ctx has not ended.
func (b *biller) repeat(ctx context.Context, call func(context.Context) error) error {
	err := errInterrupted
	for n := 1; ; n++ {
		if !b.pace.wait(ctx) {
			return err
		}
		err = inTime(ctx, call)
		var failure *moment.Error
		if errors.As(err, &failure) && failure.RetryAfter > 0 {
			b.pace.hold(failure.RetryAfter)
		}
		if n == tries || !transient(err) {
			return err
		}
		select {
		case <-time.After(b.wait):
		case <-ctx.Done():
			return err
		}
	}
}

// inTime makes a call that ends in time, but not with ctx: it would have no outcome.
func inTime(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	return call(ctx)
}

// transient reports whether a call may end in another way next time.
func transient(err error) bool {
	var failure *moment.Error
	var lost *moment.ConnectionError
	switch {
	case errors.As(err, &failure) && failure.Replayed:
		return false
	case errors.Is(err, moment.ErrUnauthorized), errors.Is(err, moment.ErrForbidden):
		return false
	default:
		return errors.As(err, &lost) || errors.Is(err, moment.ErrOutcomeUnknown) || errors.Is(err, moment.ErrRateLimited) || errors.Is(err, moment.ErrServer)
	}
}

// judge says what a failed call means for its row.
func judge(r *row, err error) result {
	var failure *moment.Error
	var lost *moment.ConnectionError
	switch {
	case errors.Is(err, moment.ErrUnauthorized), errors.Is(err, moment.ErrForbidden):
		return result{row: r, why: err, fatal: true}
	case errors.As(err, &lost), errors.Is(err, moment.ErrOutcomeUnknown), errors.Is(err, moment.ErrRateLimited), errors.Is(err, moment.ErrServer):
		return result{row: r, outcome: open, why: err}
	case errors.As(err, &failure) && failure.FromService, errors.Is(err, moment.ErrInvalidArgument):
		return result{row: r, outcome: refused, why: err}
	default:
		return result{row: r, outcome: open, why: err}
	}
}

// missing reports whether the service itself says that an object does not exist.
func missing(err error) bool {
	var failure *moment.Error
	return errors.As(err, &failure) && failure.Status == http.StatusNotFound && failure.FromService
}

// compare looks at the bill that has a row's reference.
func (b *biller) compare(ctx context.Context, r *row, conflict error) result {
	bill, err := b.get(ctx, r)
	switch {
	case missing(err):
		return judge(r, conflict) // something else is in the way
	case err != nil:
		return judge(r, err)
	}
	var customer *moment.Customer
	err = b.repeat(ctx, func(ctx context.Context) (err error) {
		customer, err = b.client.Customers.Get(ctx, r.customer.ExternalReference)
		return err
	})
	if err != nil && !missing(err) {
		return judge(r, err)
	}
	is := func(format string, args ...any) result {
		return result{row: r, outcome: refused, why: fmt.Errorf("the bill %s exists, "+format, append([]any{r.bill}, args...)...)}
	}
	switch {
	case customer == nil || bill.CustomerID != customer.ID:
		return is("of another customer")
	case bill.DueMoney() != r.money:
		return is("with %v", bill.DueMoney())
	case bill.DueDate != r.due && bill.DueDate.IsZero():
		return is("without a due date")
	case bill.DueDate != r.due && !r.due.IsZero(): // where the row has none, the service may have set one
		return is("due on %v", bill.DueDate)
	case bill.Status == moment.BillStatusVoided:
		return is("and is voided")
	}
	return result{row: r, outcome: there}
}

func (b *biller) get(ctx context.Context, r *row) (bill *moment.Bill, err error) {
	err = b.repeat(ctx, func(ctx context.Context) error {
		bill, err = b.client.Bills.Get(ctx, r.bill)
		return err
	})
	return bill, err
}
