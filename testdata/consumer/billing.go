// Package merchant is the code of a merchant: a separate module that uses only the exported names
// of moment-go.
package merchant

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/moment-billing/moment-go"
)

// Customers has the calls that this merchant makes. *moment.CustomersService implements it, and so
// does a double in a test.
type Customers interface {
	Create(ctx context.Context, params moment.CustomerCreateParams, opts ...moment.RequestOption) (*moment.Customer, error)
	Get(ctx context.Context, idOrReference string, opts ...moment.RequestOption) (*moment.Customer, error)
}

var _ Customers = (*moment.CustomersService)(nil)

// Enrol returns the customer with the reference, and creates it if it does not exist.
func Enrol(ctx context.Context, customers Customers, reference, name string) (*moment.Customer, error) {
	customer, err := customers.Get(ctx, reference)
	if err == nil {
		return customer, nil
	}
	var failure *moment.Error
	if !errors.As(err, &failure) || failure.Status != http.StatusNotFound || !failure.FromService { // a gateway's 404 does not show that the customer is missing
		return nil, fmt.Errorf("looking for %s: %w", reference, err)
	}
	return customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: reference, Name: name},
		moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("enrol", reference, name)))
}
