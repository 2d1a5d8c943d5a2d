//go:build !race

// The race detector drops what pools hold, and allocates itself.

package moment_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Budgets of allocations, beside code that somebody would write by hand for one call: times are
// noise on most machines, counts are not. What the SDK adds is a context for the attempt with its
// timeout, eyes on the connection, and a key.
func TestCallAllocations(t *testing.T) {
	client, byHand := inMemoryClients(t)
	ctx := context.Background()
	for _, row := range []struct {
		name     string
		more     float64
		hand, us func() error
	}{
		{
			"create", 4,
			func() error {
				return byHand.do(ctx, http.MethodPost, "/billing/customers", newCustomerParams, new(plainCustomer))
			},
			func() error { _, err := client.Customers.Create(ctx, newCustomerParams); return err },
		},
		{
			"get", 3,
			func() error {
				return byHand.do(ctx, http.MethodGet, "/billing/customers/UCR1234567890", nil, new(plainCustomer))
			},
			func() error { _, err := client.Customers.Get(ctx, "UCR1234567890"); return err },
		},
	} {
		count := func(call func() error) float64 {
			return testing.AllocsPerRun(200, func() { require.NoError(t, call()) })
		}
		assert.LessOrEqual(t, count(row.us), count(row.hand)+row.more, row.name)
	}
}
