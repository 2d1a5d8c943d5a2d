package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/moment-billing/moment-go"
)

var errNotThere = errors.New("there is no such bill")

// missing reports whether the service itself says that an object does not exist.
func missing(err error) bool {
	var failure *moment.Error
	return errors.As(err, &failure) && failure.Status == http.StatusNotFound && failure.FromService
}

// compare reads a bill back from Moment and says in what it differs from what it is to be, beside
// what was paid of it.
func compare(ctx context.Context, client *moment.Client, want Bill) (*moment.Bill, []string, error) {
	has, err := client.Bills.Get(ctx, want.Reference)
	if missing(err) {
		return nil, nil, errNotThere
	}
	if err != nil {
		return nil, nil, err
	}
	customer, err := client.Customers.Get(ctx, want.Customer)
	if err != nil && !missing(err) {
		return nil, nil, err
	}
	var found []string
	differs := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if customer == nil || has.CustomerID != customer.ID {
		differs("it is that of another customer")
	}
	if money := want.Amount.In(want.Currency); has.DueMoney() != money {
		differs("%v is due, and not %v", has.DueMoney(), money)
	}
	if has.DueDate != want.DueDate && !want.DueDate.IsZero() { // where the row has none, the service may have set one
		differs("it is due on %v, and not on %v", has.DueDate, want.DueDate)
	}
	if has.Status == moment.BillStatusVoided {
		differs("it is voided")
	}
	return has, found, nil
}
