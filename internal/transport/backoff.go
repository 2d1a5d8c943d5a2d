package transport

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff waits between attempts with full jitter: uniform between 0 and min(Max, First·2ⁿ), so
// that clients which failed together do not come back together.
type Backoff struct {
	First, Max time.Duration
}

// next returns the wait before retry n (from 0), and whether it is worth waiting at all: it is not
// if the response asked for more than the cap, or if the context would end first.
func (b Backoff) next(ctx context.Context, n int, retryAfter time.Duration) (time.Duration, bool) {
	if retryAfter > maxRetryAfter {
		return 0, false
	}
	wait := retryAfter + jitter(b.ceiling(n)) // Retry-After is the minimum wait
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return 0, false
	}
	return wait, true
}

func (b Backoff) ceiling(n int) time.Duration {
	d := b.First
	for range n {
		if d > b.Max/2 {
			return b.Max
		}
		d *= 2
	}
	return min(d, b.Max)
}

func jitter(ceiling time.Duration) time.Duration {
	if ceiling <= 0 {
		return 0
	}
	return rand.N(ceiling)
}

// sleep waits for d and reports true, or false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil // both may be ready, and select would choose at random
	case <-ctx.Done():
		return false
	}
}
