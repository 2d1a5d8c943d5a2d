package moment_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// All calls of a client share its budget. An empty budget ends a call with its last error.
func TestRetryBudget(t *testing.T) {
	for _, row := range []struct {
		why     string
		opts    []moment.ClientOption
		calls   int
		retries int
	}{
		{"100 tokens by default", nil, 200, 100 + 200/10},
		{"fewer", []moment.ClientOption{moment.WithRetryBudget(1)}, 20, 1 + 20/10},
		{"0 means no limit", []moment.ClientOption{moment.WithRetryBudget(0)}, 200, 600},
	} {
		s := testkit.Serve(t, testkit.Gateway(503))
		c := clientOf(t, s, row.opts...)
		for range row.calls {
			require.ErrorIs(t, calls["GET"](t.Context(), c), moment.ErrServer)
		}
		assert.InDelta(t, row.calls+row.retries, len(s.Received()), 2, row.why) // the last tenth of a token
	}
}

func TestErrorOfAnEmptyBudget(t *testing.T) {
	s := testkit.Serve(t, testkit.Gateway(503), testkit.Gateway(503), testkit.Gateway(503), testkit.HangUp)
	c := clientOf(t, s, moment.WithRetryBudget(1), ownConnections)
	err := calls["POST"](t.Context(), c)
	assert.EqualError(t, err, "moment: create bill: 503 Service Unavailable (2 attempts); not the service's own response (a gateway or a mock?); "+
		"not retried because the retry budget is empty; the outcome is unknown")
	var failure *moment.Error
	require.ErrorAs(t, err, &failure)
	assert.True(t, failure.RetryBudgetEmpty)
	assert.Equal(t, 2, failure.Attempts)

	require.Error(t, calls["GET"](t.Context(), c))
	err = calls["GET"](t.Context(), c)
	assert.ErrorContains(t, err, "; not retried because the retry budget is empty")
	var lost *moment.ConnectionError
	require.ErrorAs(t, err, &lost)
	assert.True(t, lost.RetryBudgetEmpty)
	assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown)

	require.ErrorAs(t, calls["PATCH"](t.Context(), c), &lost)
	assert.False(t, lost.RetryBudgetEmpty, "it would not be retried in any case")
}
