package transport

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Backoff waits between attempts with full jitter: uniform between 0 and min(Max, First·2ⁿ), so
// that clients which failed at the same time do not retry at the same time.
type Backoff struct {
	First, Max time.Duration
}

// next returns the wait before retry n (from 0), and whether to retry. A call is not retried if the
// response asked for a longer wait than the cap, or if the context would end first.
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
		return ctx.Err() == nil // because select chooses at random if both are ready
	case <-ctx.Done():
		return false
	}
}

// maxRetryAfter is the longest Retry-After that a call waits for. A longer one is reported to the
// caller.
const maxRetryAfter = 30 * time.Second

// parseRetryAfter parses the two forms of a Retry-After header (RFC 9110, section 10.2.3): whole
// seconds, or a date. It returns 0 for any other value.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(math.MaxInt64/time.Second) {
			return math.MaxInt64 // longer than a Duration
		}
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
