//go:build !race

// The race detector empties pools, and makes allocations of its own.

package moment_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Verify does not copy the body: it allocates the same memory for a large body.
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
