//go:build !race

// The race detector empties pools, and makes allocations of its own.

package moment_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The test counts allocations of a whole call in memory, because times vary between machines and
// counts do not.
func TestCallAllocations(t *testing.T) {
	client, _ := inMemoryClients(t)
	ctx := context.Background()
	for _, row := range []struct {
		name string
		most float64
		call func() error
	}{
		{"create", 52, func() error { _, err := client.Customers.Create(ctx, newCustomerParams); return err }},
		{"get", 42, func() error { _, err := client.Customers.Get(ctx, "UCR1234567890"); return err }},
	} {
		got := testing.AllocsPerRun(200, func() { require.NoError(t, row.call()) })
		assert.LessOrEqual(t, got, row.most, row.name)
	}
}
