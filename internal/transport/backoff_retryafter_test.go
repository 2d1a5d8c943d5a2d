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
		want  time.Duration
		why   string
	}{
		{"0", 0, "no wait"},
		{"120", 2 * time.Minute, "seconds"},
		{"007", 7 * time.Second, "leading zeros"},
		{"9223372036", 9223372036 * time.Second, "the largest that fits"},
		{"9223372037", math.MaxInt64, "longer than a Duration"},
		{"99999999999999999999999", math.MaxInt64, "longer than an int64"},
		{"Fri, 31 Jan 2025 12:00:30 GMT", 30 * time.Second, "IMF-fixdate"},
		{"Friday, 31-Jan-25 12:00:30 GMT", 30 * time.Second, "RFC 850, obsolete"},
		{"Fri Jan 31 12:00:30 2025", 30 * time.Second, "asctime, obsolete"},
		{"Fri, 31 Jan 2025 11:59:00 GMT", 0, "has passed"},
		{"", 0, "no value"},
		{"soon", 0, "not in either form"},
		{"-1", 0, "not in either form"},
		{"+1", 0, "not in either form"},
		{"1.5", 0, "not in either form"},
		{" 1", 0, "net/http has already trimmed the value"},
		{"1 second", 0, "not in either form"},
		{"0x10", 0, "not in either form"},
		{"١", 0, "a digit, but not of ASCII"},
		{"2025-01-31T12:00:30Z", 0, "no HTTP date"},
	} {
		assert.Equal(t, row.want, parseRetryAfter(row.value, now()), "%q: %s", row.value, row.why)
	}
}

// A wait is never negative. It is exact for numbers, and 0 for a text that is neither a number nor
// a date.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "30", "86400", "99999999999999999999", "-1", "1.5", "soon", "Fri, 31 Jan 2025 12:00:30 GMT", "Friday, 31-Jan-25 12:00:30 GMT"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := parseRetryAfter(value, now())
		assert.GreaterOrEqual(t, got, time.Duration(0))
		date, dateErr := http.ParseTime(value)
		seconds, numberErr := strconv.ParseUint(value, 10, 32)
		switch {
		case numberErr == nil:
			assert.Equal(t, time.Duration(seconds)*time.Second, got)
		case dateErr == nil:
			assert.Equal(t, max(0, date.Sub(now())), got)
		case got > 0:
			assert.True(t, isDigits(value))
			assert.Greater(t, got, math.MaxUint32*time.Second)
		default:
			assert.Zero(t, got)
		}
	})
}
