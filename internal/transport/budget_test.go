package transport

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBudget(t *testing.T) {
	b := NewBudget(2)
	assert.True(t, b.spend())
	assert.True(t, b.spend())
	assert.False(t, b.spend(), "the third of two")
	for range 9 {
		b.add(responseUnits)
	}
	assert.False(t, b.spend(), "nine tenths of a token")
	b.add(responseUnits)
	assert.True(t, b.spend(), "ten tenths")
	for range 1000 {
		b.add(responseUnits)
	}
	assert.True(t, b.spend())
	assert.True(t, b.spend())
	assert.False(t, b.spend(), "never more than at the start")
}

func TestNilBudgetHasNoLimit(t *testing.T) {
	b := NewBudget(0)
	for range 1000 {
		require.True(t, b.spend())
	}
	b.add(responseUnits)
}

func TestBudgetIsShared(t *testing.T) {
	b := NewBudget(100)
	var spent [4]int
	var all sync.WaitGroup
	for i := range spent {
		all.Go(func() {
			for range 1000 {
				if b.spend() {
					spent[i]++
				}
			}
		})
	}
	all.Wait()
	assert.Equal(t, 100, spent[0]+spent[1]+spent[2]+spent[3])
}

// A retry spends a token, and a response that is not retried restores a tenth of one.
func TestCallsAndTheirBudget(t *testing.T) {
	for _, row := range []struct {
		why         string
		idempotency Idempotency
		script      []int // statuses; 0 for no response
		max         int   // retries
		units       int   // units left of 1000
	}{
		{"a success restores, but not above the limit", Safe, []int{200}, 3, 1000},
		{"a retry costs a token, and the success after it restores a tenth", Safe, []int{503, 200}, 3, 991},
		{"the last response of a call that failed restores a tenth too", Safe, []int{503}, 3, 971},
		{"a call without a response does not restore units", Safe, []int{0}, 3, 970},
		{"a call without retries restores", Safe, []int{503}, 0, 1000},
		{"a call that must not be retried does not spend a token", None, []int{503}, 3, 1000},
		{"a 409 while the first copy may be in flight is retried at no cost", ByKey, []int{503, 409, 409, 201}, 3, 991},
	} {
		n := 0
		tr := over(func(*http.Request) (*http.Response, error) {
			status := row.script[min(n, len(row.script)-1)]
			n++
			if status == 0 {
				return nil, context.DeadlineExceeded
			}
			return reply(status, "{}"), nil
		})
		tr.MaxRetries = row.max
		tr.Budget = NewBudget(100)
		res := tr.Do(t.Context(), request("GET", "", row.idempotency))
		assert.Equal(t, row.units, tr.Budget.units, row.why)
		assert.False(t, res.BudgetEmpty, row.why)
	}
}

// A call whose context ends during the wait does not send a retry, and its token is restored.
func TestRetryThatIsNotSentCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		tr := over(func(*http.Request) (*http.Response, error) { return reply(503, "{}"), nil })
		tr.Backoff = Backoff{First: 24 * time.Hour, Max: 24 * time.Hour}
		tr.Budget = NewBudget(100)
		res := tr.Do(ctx, request("GET", "", Safe))
		require.ErrorIs(t, res.Err, context.Canceled)
		assert.Equal(t, 1000, tr.Budget.units)
	})
}

func TestEmptyBudgetEndsTheCall(t *testing.T) {
	for status, unknown := range map[int]bool{429: false, 503: true} {
		n := 0
		tr := over(func(*http.Request) (*http.Response, error) { n++; return reply(status, "{}"), nil })
		tr.Budget = NewBudget(1)
		res := tr.Do(t.Context(), request("POST", "", ByKey))
		assert.Equal(t, 2, n, "one token, one retry")
		assert.True(t, res.BudgetEmpty)
		assert.Equal(t, unknown, res.OutcomeUnknown, status)
		assert.Equal(t, 1, tr.Budget.units, "the response that was not retried restored a tenth")
	}
}
