// Package merchant is a merchant's code as moment-go sees it: a module of its own that uses nothing
// but what is exported.
package merchant

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/moment-billing/moment-go"
)

// Customers is what this merchant needs of Moment. *moment.CustomersService satisfies it, and so
// does a double in a test.
type Customers interface {
	Create(ctx context.Context, params moment.CustomerCreateParams, opts ...moment.RequestOption) (*moment.Customer, error)
	Get(ctx context.Context, idOrReference string, opts ...moment.RequestOption) (*moment.Customer, error)
}

var _ Customers = (*moment.CustomersService)(nil)

// Enrol returns the customer with the reference, and creates it if there is none.
func Enrol(ctx context.Context, customers Customers, reference, name string) (*moment.Customer, error) {
	customer, err := customers.Get(ctx, reference)
	if err == nil {
		return customer, nil
	}
	var failure *moment.Error
	if !errors.As(err, &failure) || failure.Status != http.StatusNotFound || !failure.FromService { // a gateway's 404 says nothing
		return nil, fmt.Errorf("looking for %s: %w", reference, err)
	}
	return customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: reference, Name: name},
		moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("enrol", reference, name)))
}
