package main

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestUsage(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(1))
	for _, row := range []struct {
		args string
		code int
		says string
	}{
		{"", exitUsage, "biller --help explains the commands and flags"},
		{"run --help", exitDone, ""},
		{"raise bills.csv", exitUsage, "unexpected argument raise"},
		{"run", exitUsage, `expected "<file>"`},
		{"run bills.csv --columns foo=bar", exitUsage, "OURS is one of customer_reference"},
		{"run bills.csv --columns amount=", exitUsage, "only name, email, due_date may be missing"},
		{"run bills.csv --columns currency=", exitUsage, "--columns currency=: only"},
		{"run bills.csv --columns currency= --currency ZAR", exitUsage, "MOMENT_API_KEY"},
		{"run bills.csv --date-format DD/MM", exitUsage, "must have a year"},
		{"run bills.csv --date-format DD/MM/YYYYThh:mm", exitUsage, "and no time"},
		{"run bills.csv --decimal ;", exitUsage, "must be a point or a comma"},
		{"run bills.csv --encoding latin1", exitUsage, "must be one of"},
		{"run bills.csv --currency R", exitUsage, "currency"},
		{"run bills.csv --rate 0", exitUsage, "--rate"},
		{"run bills.csv", exitUsage, "MOMENT_API_KEY"},
		{"demo many", exitUsage, "expected a valid 64 bit int"},
		{"check missing.csv", exitUsage, "no such file"},
	} {
		var stdout, stderr strings.Builder
		assert.Equal(t, row.code, start(t.Context(), strings.Fields(row.args), &stdout, &stderr), row.args)
		assert.Contains(t, stderr.String(), row.says)
	}
}

// Wrong usage is reported before anything is opened, and without the password.
func TestServerUsage(t *testing.T) {
	for _, row := range []struct {
		why         string
		environment map[string]string
		args        []string
		says        string
	}{
		{"many processes on a file", nil, []string{"work"}, "use serve, or set DATABASE_URL"},
		{"no secret", map[string]string{"MOMENT_API_KEY": "sk_test_A"}, []string{"serve"}, "MOMENT_WEBHOOK_SECRET is missing"},
		{"a wrong old secret", map[string]string{"MOMENT_API_KEY": "sk_test_A", "MOMENT_WEBHOOK_SECRET": secret, "MOMENT_WEBHOOK_OLD_SECRET": "whsec_hunter2"}, []string{"serve"}, "MOMENT_WEBHOOK_OLD_SECRET has another form"},
		{"no key", map[string]string{"MOMENT_WEBHOOK_SECRET": secret}, []string{"serve"}, "MOMENT_API_KEY"},
		{"no time", nil, []string{"serve", "--job-timeout", "1ms"}, "--job-timeout"},
		{"a mistyped database", map[string]string{"DATABASE_URL": "postgress://u:hunter2@h/d", "MOMENT_API_KEY": "sk_test_A"}, []string{"work"}, "write postgres://"},
		{"a mistyped address to listen to", map[string]string{"DATABASE_URL": "postgres://u:p@localhost/d", "MOMENT_API_KEY": "sk_test_A"}, []string{"work", "--listen-url", "hunter2"}, "--listen-url or DATABASE_LISTEN_URL: write postgres://"},
		{"an address as a file", nil, []string{"run", "bills.csv", "--database", "postgres://u:hunter2@h/d"}, "read from DATABASE_URL"},
		{"an address as an argument", nil, []string{"work", "postgres://u:hunter2@h/d"}, "read from DATABASE_URL"},
		{"a run on PostgreSQL", map[string]string{"DATABASE_URL": "postgres://u:p@localhost/d"}, []string{"run", "bills.csv"}, "use import and work"},
		{"a mistyped address to listen to in the environment", map[string]string{"DATABASE_URL": "postgres://u:p@localhost/d", "MOMENT_API_KEY": "sk_test_A", "DATABASE_LISTEN_URL": "hunter2"}, []string{"work"}, "DATABASE_LISTEN_URL: write postgres://"},
		{"an address without a scheme as an argument", nil, []string{"work", "u:hunter2@h/d"}, "read from DATABASE_URL"},
		{"an address to listen to, which work does not", nil, []string{"work", "--listen", ":8080"}, "unknown flag --listen"},
		{"a flag for files, which receive does not read", nil, []string{"receive", "--decimal", ","}, "unknown flag --decimal"},
		{"a file too many", nil, []string{"serve", "bills.csv"}, "unexpected argument bills.csv"},
		{"no database to migrate", nil, []string{"migrate"}, "DATABASE_URL is not set"},
	} {
		t.Run(row.why, func(t *testing.T) {
			for _, name := range []string{"DATABASE_URL", "MOMENT_API_KEY", "MOMENT_WEBHOOK_SECRET", "MOMENT_WEBHOOK_OLD_SECRET", "MOMENT_BASE_URL", "DATABASE_LISTEN_URL"} {
				t.Setenv(name, row.environment[name])
			}
			var stdout, stderr logs
			assert.Equal(t, exitUsage, start(t.Context(), row.args, &stdout, &stderr))
			assert.Contains(t, stderr.String(), row.says)
			assert.NotContains(t, stdout.String()+stderr.String(), "hunter2")
		})
	}
}

// A process limits its rate, lowers the limit at each 429, and restores it within a minute.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 200
		p := newPace(100, roundTripper(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: status}, nil }))
		seconds := func(n int) float64 {
			begun := time.Now()
			for range n {
				_, err := p.RoundTrip(&http.Request{})
				assert.NoError(t, err)
			}
			return time.Since(begun).Seconds()
		}
		assert.InDelta(t, 1, seconds(100), 0.02)
		status = 429
		seconds(2)
		status = 200
		assert.InDelta(t, 1/0.81, seconds(100), 0.02)
		seconds(100 * 60)
		assert.InDelta(t, 1, seconds(100), 0.02)
		status = 429
		seconds(200)
		assert.InDelta(t, maxBills/5.0, float64(p.limiter.Limit()), 0.1, "the least")
	})
}

// At a low rate, no request waits for its turn for longer than its attempt may last.
func TestCallsAtALowRate(t *testing.T) {
	for rate, want := range map[float64]int{1: 5, 2.5: 12, 50: maxBills} {
		assert.Equal(t, want, config{Rate: rate}.workers())
	}
}
