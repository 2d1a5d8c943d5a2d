package moment_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// All calls of a client share its budget, and an empty one ends a call with its last error.
func TestRetryBudget(t *testing.T) {
	for _, row := range []struct {
		why     string
		opts    []moment.ClientOption
		calls   int
		retries int
	}{
		{"100 tokens by default", nil, 200, 100 + 200/10},
		{"fewer", []moment.ClientOption{moment.WithRetryBudget(1)}, 20, 1 + 20/10},
		{"0 is no limit", []moment.ClientOption{moment.WithRetryBudget(0)}, 200, 600},
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

func TestNegativeRetryBudget(t *testing.T) {
	_, err := moment.NewClient(testkit.SecretKey, moment.WithRetryBudget(-1))
	assert.EqualError(t, err, "moment: new client: retry budget: is negative; 0 means no limit")
}

// Do reads up to 2 MiB, because it may list what has no method yet; the other calls read up to 256
// KiB.
func TestLimitsOfSuccesses(t *testing.T) {
	text := func(size int) string { return fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", size-len(`{"a":""}`))) }
	for _, row := range []struct {
		size int
		says string
	}{
		{2 << 20, ""},
		{2<<20 + 1, "moment: GET /x: 200 OK: the response is larger than 2 MiB"},
	} {
		var out struct{ A string }
		err := clientOf(t, testkit.Serve(t, testkit.Respond(200, text(row.size)))).Do(t.Context(), "GET", "/x", nil, &out)
		if row.says == "" {
			require.NoError(t, err)
			continue
		}
		assert.EqualError(t, err, row.says)
	}
	padded := func(size int) string { return testkit.BillJSON + strings.Repeat(" ", size-len(testkit.BillJSON)) }
	require.NoError(t, calls["GET"](t.Context(), clientOf(t, testkit.Serve(t, testkit.Respond(200, padded(256<<10))))))
	assert.EqualError(t, calls["GET"](t.Context(), clientOf(t, testkit.Serve(t, testkit.Respond(200, padded(256<<10+1))))),
		"moment: get bill: 200 OK: the response is larger than 256 KiB")
}
