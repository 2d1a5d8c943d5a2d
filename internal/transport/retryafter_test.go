package transport

import (
	"math"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func now() time.Time { return time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC) }

func TestParseRetryAfter(t *testing.T) {
	for _, row := range []struct {
		value string
		want  retryAfter
		why   string
	}{
		{"0", retryAfter{0, true}, "at once is not the same as not given"},
		{"120", retryAfter{2 * time.Minute, true}, "seconds"},
		{"007", retryAfter{7 * time.Second, true}, "digits are digits"},
		{"9223372036", retryAfter{9223372036 * time.Second, true}, "the most that fits"},
		{"9223372037", retryAfter{math.MaxInt64, true}, "longer than a Duration"},
		{"99999999999999999999999", retryAfter{math.MaxInt64, true}, "longer than an int64"},
		{"Fri, 31 Jan 2025 12:00:30 GMT", retryAfter{30 * time.Second, true}, "IMF-fixdate"},
		{"Friday, 31-Jan-25 12:00:30 GMT", retryAfter{30 * time.Second, true}, "RFC 850, obsolete"},
		{"Fri Jan 31 12:00:30 2025", retryAfter{30 * time.Second, true}, "asctime, obsolete"},
		{"Fri, 31 Jan 2025 11:59:00 GMT", retryAfter{0, true}, "has passed"},
		{"", retryAfter{}, "not given"},
		{"soon", retryAfter{}, "not in either form"},
		{"-1", retryAfter{}, "not in either form"},
		{"+1", retryAfter{}, "not in either form"},
		{"1.5", retryAfter{}, "not in either form"},
		{" 1", retryAfter{}, "net/http has trimmed what may be trimmed"},
		{"1 second", retryAfter{}, "not in either form"},
		{"0x10", retryAfter{}, "not in either form"},
		{"١", retryAfter{}, "a digit, but not of ASCII"},
		{"2025-01-31T12:00:30Z", retryAfter{}, "no HTTP date"},
	} {
		assert.Equal(t, row.want, parseRetryAfter(row.value, now), "%q: %s", row.value, row.why)
	}
}

// FuzzRetryAfter: never negative, never given by something that is neither a number nor a date, and exact for numbers.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "30", "86400", "99999999999999999999", "-1", "1.5", "soon", "Fri, 31 Jan 2025 12:00:30 GMT", "Friday, 31-Jan-25 12:00:30 GMT"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := parseRetryAfter(value, now)
		assert.GreaterOrEqual(t, got.wait, time.Duration(0))
		date, dateErr := http.ParseTime(value)
		seconds, numberErr := strconv.ParseUint(value, 10, 32)
		switch {
		case numberErr == nil:
			assert.Equal(t, retryAfter{time.Duration(seconds) * time.Second, true}, got)
		case dateErr == nil:
			assert.Equal(t, retryAfter{max(0, date.Sub(now())), true}, got)
		case got.given:
			assert.True(t, isDigits(value))
			assert.Greater(t, got.wait, math.MaxUint32*time.Second)
		default:
			assert.Zero(t, got.wait)
		}
	})
}
