package transport

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter is the longest Retry-After that is waited for; a longer one is reported to the caller instead.
const maxRetryAfter = 30 * time.Second

// retryAfter is what the service asked for in a Retry-After header. given tells a wait of 0 from no header.
type retryAfter struct {
	wait  time.Duration
	given bool
}

// parseRetryAfter reads the two forms of RFC 9110, section 10.2.3: whole seconds, or a date. Anything else counts
// as not given.
func parseRetryAfter(value string, now func() time.Time) retryAfter {
	if value == "" {
		return retryAfter{} // which ParseTime takes 3 allocations to find out
	}
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(math.MaxInt64/time.Second) {
			return retryAfter{math.MaxInt64, true} // longer than can be said
		}
		return retryAfter{time.Duration(seconds) * time.Second, true}
	}
	if date, err := http.ParseTime(value); err == nil {
		return retryAfter{max(0, date.Sub(now())), true}
	}
	return retryAfter{}
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
