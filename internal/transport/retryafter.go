package transport

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter is the longest Retry-After that is waited for; a longer one is reported to the
// caller instead.
const maxRetryAfter = 30 * time.Second

// parseRetryAfter reads the two forms of a Retry-After header (RFC 9110, section 10.2.3): whole
// seconds, or a date. Any other value asks for no wait.
func parseRetryAfter(value string, now func() time.Time) time.Duration {
	if value == "" {
		return 0 // nearly always, and ParseTime needs 3 allocations to find out
	}
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(math.MaxInt64/time.Second) {
			return math.MaxInt64 // longer than a Duration
		}
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now()))
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
