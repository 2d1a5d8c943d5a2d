package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newTestRunner has the rows raised by a function of the test's.
func newTestRunner(t *testing.T, rows string, raise func(context.Context, *row, bool) result) (*runner, config) {
	t.Helper()
	w := newWorld(t, rows)
	r, err := prepare(w.config)
	require.NoError(t, err)
	r.raise = raise
	return r, w.config
}

// What is in memory is bounded, and does not grow with the rows: while the first row hangs, no more
// than the window are read.
func TestWindow(t *testing.T) {
	const rows = 3 * window
	r, c := newTestRunner(t, good(rows), nil)
	synctest.Test(t, func(t *testing.T) {
		release, raising := make(chan struct{}), make(chan string, rows)
		r.raise = func(_ context.Context, b *row, _ bool) result {
			raising <- b.bill
			if b.bill == "UBR0" {
				<-release
			}
			return result{row: b, outcome: raised}
		}
		done := make(chan error, 1)
		go func() { done <- r.work(t.Context(), c, io.Discard) }()
		synctest.Wait()
		assert.Len(t, raising, window)
		close(release)
		require.NoError(t, <-done)
		assert.Equal(t, rows, r.journal.progress.count[raised])
		assert.Equal(t, r.input.size, r.journal.progress.done.Offset)
	})
}

// Of one customer, one row is under way at a time, in the order of the file; rows of others do not
// wait for it.
func TestOrderOfOneCustomer(t *testing.T) {
	rows := strings.ReplaceAll(good(8), "UCR1,", "UCR0,") // UBR0 and UBR1
	rows = strings.ReplaceAll(rows, "UCR2,", "UCR0,")
	type call struct {
		bill  string
		known bool
	}
	calls, outcomes := make(chan call, 8), make(chan outcome)
	r, c := newTestRunner(t, rows, func(_ context.Context, b *row, known bool) result {
		calls <- call{b.bill, known}
		if b.customer.ExternalReference != "UCR0" {
			return result{row: b, outcome: raised}
		}
		return result{row: b, outcome: <-outcomes, why: io.EOF}
	})
	done := make(chan error, 1)
	go func() { done <- r.work(t.Context(), c, io.Discard) }()
	seen := make([]call, 0, 6)
	for range 6 {
		seen = append(seen, <-calls)
	}
	assert.Contains(t, seen, call{"UBR0", false})
	assert.NotContains(t, seen, call{"UBR1", false})
	outcomes <- refused
	assert.Equal(t, call{"UBR1", false}, <-calls, "the customer may not have been created")
	outcomes <- raised
	assert.Equal(t, call{"UBR2", true}, <-calls)
	outcomes <- there
	require.NoError(t, <-done)
}

// A report that nobody has got is no success: with standard output on a full disk, say.
func TestReportIsLost(t *testing.T) {
	w := newWorld(t, fine)
	closed, err := os.Open(w.path) // for reading alone
	require.NoError(t, err)
	var stderr strings.Builder
	assert.Equal(t, exitFailed, bill(t.Context(), w.config, closed, &stderr))
	assert.Contains(t, stderr.String(), "billing-run: write the report: write ")
	require.NoError(t, closed.Close())
	w.run(t).check(t, exitDone, map[outcome]int{raised: 1})
}

// A 429 halves the rate, once for all that were under way; other answers let it grow back within
// minutes.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 200
		p := newPace(100, 16, roundTripper(func() int { return status }))
		send := func(d time.Duration) (n int) {
			for begun := time.Now(); time.Since(begun) < d; n++ {
				p.get(t)
			}
			return n
		}
		assert.InDelta(t, 1000, send(10*time.Second), 2)
		status = 429
		p.get(t)
		p.get(t)
		assert.InDelta(t, 50, float64(p.limiter.Limit()), 0.1)
		status = 200
		assert.InDelta(t, 50, send(time.Second), 3)
		send(time.Minute)
		assert.InDelta(t, 100, float64(p.limiter.Limit()), 0.1, "back at the top, and not above it")
		status = 429
		send(time.Hour)
		assert.InDelta(t, 1.6, float64(p.limiter.Limit()), 0.01, "16 workers wait for no longer than ten seconds")
		assert.Greater(t, p.slowdowns(), 5)
	})
}

// get sends a request, and waits for its turn.
func (p *pace) get(t *testing.T) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", nil)
	require.NoError(t, err)
	resp, err := p.RoundTrip(req)
	require.NoError(t, err)
	assert.NoError(t, resp.Body.Close())
}

// roundTripper answers with a status.
func roundTripper(status func() int) answering {
	return func() *http.Response { return &http.Response{StatusCode: status(), Body: http.NoBody} }
}

// answering is a service without a network.
type answering func() *http.Response

func (f answering) RoundTrip(*http.Request) (*http.Response, error) { return f(), nil }
