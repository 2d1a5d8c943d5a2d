package transport

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestCeiling(t *testing.T) {
	b := Backoff{First: 500 * time.Millisecond, Max: 8 * time.Second}
	for n, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second} {
		assert.Equal(t, want, b.ceiling(n), "retry %d", n)
	}
	assert.Equal(t, 8*time.Second, b.ceiling(1_000_000_000), "no overflow, and no long loop")
	assert.Equal(t, time.Duration(math.MaxInt64), Backoff{1, math.MaxInt64}.ceiling(100), "no overflow")
	assert.Equal(t, 3*time.Second, Backoff{2 * time.Second, 3 * time.Second}.ceiling(1))
	assert.Zero(t, Backoff{}.ceiling(5))
}

func TestJitterIsUniform(t *testing.T) {
	const n = 100_000
	var tenths [10]int
	for range n {
		d := jitter(time.Second)
		assert.Less(t, d, time.Second)
		tenths[d*10/time.Second]++
	}
	for i, count := range tenths {
		// The limits are 10 standard deviations from a fair share, so the test fails only for a
		// skewed distribution.
		assert.InDelta(t, n/10, count, n/100, "from %d tenths of a second", i)
	}
	assert.Zero(t, jitter(0))
}

func TestNextWait(t *testing.T) {
	b := Backoff{First: time.Second, Max: time.Second}
	synctest.Test(t, func(t *testing.T) {
		soon, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for _, row := range []struct {
			why   string
			ctx   context.Context
			asked time.Duration
			least time.Duration
			worth bool
		}{
			{"jitter alone", t.Context(), 0, 0, true},
			{"jitter in addition to Retry-After", t.Context(), 5 * time.Second, 5 * time.Second, true},
			{"at the cap", t.Context(), maxRetryAfter, maxRetryAfter, true},
			{"over the cap", t.Context(), maxRetryAfter + 1, 0, false},
			{"inside the context", soon, 9 * time.Second, 9 * time.Second, true},
			{"ends with the context", soon, 10 * time.Second, 0, false},
		} {
			wait, worth := b.next(row.ctx, 3, row.asked)
			assert.Equal(t, row.worth, worth, row.why)
			if worth {
				assert.GreaterOrEqual(t, wait, row.least, row.why)
				assert.Less(t, wait, row.least+time.Second, row.why)
			}
		}
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		assert.True(t, sleep(t.Context(), time.Hour))
		assert.Equal(t, time.Hour, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		assert.False(t, sleep(ctx, time.Hour))
		assert.Equal(t, time.Minute, time.Since(start))
	})
}
