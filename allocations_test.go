//go:build !race

// The race detector drops what pools hold, and allocates itself.

package moment_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/moment-billing/moment-go/internal/testkit"
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

// That Verify takes no more for a large body shows that it makes no copy of it.
func TestWebhookAllocations(t *testing.T) {
	v := newVerifier(t)
	for _, size := range []int{400, 16 << 10, 1 << 20} {
		body := strings.Repeat("x", size)
		header := testkit.SignWebhook(testkit.WebhookKey, "msg_p5jXN8AQM9LWM0D4loKWxJek", testkit.SignedAt, body)
		content := []byte(body)
		got := testing.AllocsPerRun(20, func() { require.NoError(t, v.Verify(header, content)) })
		assert.Zero(t, got, "%d bytes", size)
	}
	header := testkit.SignWebhook(testkit.WebhookKey, "msg_p5jXN8AQM9LWM0D4loKWxJek", testkit.SignedAt, eventOf400Bytes)
	body := []byte(eventOf400Bytes)
	decode := testing.AllocsPerRun(100, func() {
		var event struct {
			ID   string
			Type string
			Data plainPayment
		}
		require.NoError(t, json.Unmarshal(body, &event))
	})
	parse := testing.AllocsPerRun(100, func() {
		_, err := v.Parse(header, body)
		require.NoError(t, err)
	})
	assert.LessOrEqual(t, parse, decode+3, "the event, its data and its Raw")
}
