//go:build !race

// The race detector drops what pools hold, and allocates itself.

package moment_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Budgets of allocations of a whole call in memory: times are noise on most machines, counts are
// not.
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

// That Verify takes no more for a large body shows that it makes no copy of it.
func TestWebhookAllocations(t *testing.T) {
	v := newVerifier(t)
	for _, size := range []int{400, 16 << 10, 1 << 20} {
		body := strings.Repeat("x", size)
		header := sign(webhookKey, "msg_p5jXN8AQM9LWM0D4loKWxJek", signedAt, body)
		content := []byte(body)
		got := testing.AllocsPerRun(20, func() { require.NoError(t, v.Verify(header, content)) })
		assert.Zero(t, got, "%d bytes", size)
	}
	header := sign(webhookKey, "msg_p5jXN8AQM9LWM0D4loKWxJek", signedAt, eventOf400Bytes)
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
