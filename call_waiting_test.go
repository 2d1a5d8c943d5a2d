package moment_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// onAFakeClock makes a call to a scripted service in a synctest bubble.
func onAFakeClock(t *testing.T, script []testkit.Reply, call func(ctx context.Context, c *moment.Client) error, opts ...moment.ClientOption) (*testkit.ScriptedTransport, time.Duration, error) {
	t.Helper()
	s := &testkit.ScriptedTransport{Script: script}
	var took time.Duration
	var err error
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err = call(t.Context(), clientThrough(t, s.RoundTrip, opts...))
		took = time.Since(start)
	})
	return s, took, err
}

func get(ctx context.Context, c *moment.Client) error { return calls["GET"](ctx, c) }

func post(ctx context.Context, c *moment.Client) error { return calls["POST"](ctx, c) }

func TestWaitsGrowAndAreJittered(t *testing.T) {
	ceilings := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second}
	longest := make([]time.Duration, len(ceilings))
	shortest := append([]time.Duration(nil), ceilings...)
	for range 200 {
		s, _, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(503)}, get, moment.WithMaxRetries(len(ceilings)))
		require.ErrorIs(t, err, moment.ErrServer)
		for i, wait := range s.Waits() {
			longest[i], shortest[i] = max(longest[i], wait), min(shortest[i], wait)
		}
	}
	for i, ceiling := range ceilings {
		assert.LessOrEqual(t, longest[i], ceiling, "wait %d", i)
		assert.Greater(t, longest[i], ceiling*9/10, "wait %d: uniform up to its ceiling", i)
		assert.Less(t, shortest[i], ceiling/10, "wait %d: uniform down to 0", i)
	}
}

func TestBackoffCanBeSet(t *testing.T) {
	s, _, _ := onAFakeClock(t, []testkit.Reply{testkit.Problem(503)}, get, moment.WithBackoff(time.Minute, time.Minute), moment.WithMaxRetries(20))
	var most time.Duration
	for _, wait := range s.Waits() {
		assert.LessOrEqual(t, wait, time.Minute)
		most = max(most, wait)
	}
	assert.Greater(t, most, 10*time.Second)
}

func TestRetryAfter(t *testing.T) {
	// A bubble's clock begins at 2000-01-01 00:00:00 UTC.
	for _, row := range []struct {
		why, header string
		attempts    int
		least       time.Duration // plus jitter of up to 500 ms
		reported    time.Duration
	}{
		{"the least wait, in seconds", "5", 2, 5 * time.Second, 0},
		{"the longest wait", "30", 2, 30 * time.Second, 0},
		{"as a date", "Sat, 01 Jan 2000 00:00:07 GMT", 2, 7 * time.Second, 0},
		{"a date that has passed", "Fri, 31 Dec 1999 23:59:00 GMT", 2, 0, 0},
		{"no wait", "0", 2, 0, 0},
		{"longer than a call should wait", "31", 1, 0, 31 * time.Second},
		{"a day", "86400", 1, 0, 24 * time.Hour},
		{"a date too far away", "Sat, 01 Jan 2000 01:00:00 GMT", 1, 0, time.Hour},
		{"longer than a time.Duration", "99999999999999999999", 1, 0, 1<<63 - 1},
		{"a number that cannot be parsed is ignored", "-5", 2, 0, 0},
	} {
		t.Run(row.why, func(t *testing.T) {
			s, took, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(429, "Retry-After: "+row.header), testkit.Respond(201, testkit.BillJSON)}, post)
			require.Len(t, s.Began, row.attempts)
			if row.attempts == 1 {
				var failure *moment.Error
				require.ErrorAs(t, err, &failure)
				assert.Equal(t, row.reported, failure.RetryAfter)
				assert.Zero(t, took, "returned at once")
				return
			}
			require.NoError(t, err)
			assert.GreaterOrEqual(t, took, row.least)
			assert.LessOrEqual(t, took, row.least+500*time.Millisecond)
		})
	}
}

func TestNoWaitThatWouldOutlastTheContext(t *testing.T) {
	within := func(d time.Duration) func(context.Context, *moment.Client) error {
		return func(ctx context.Context, c *moment.Client) error {
			ctx, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			return post(ctx, c)
		}
	}
	_, took, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(429, "Retry-After: 10")}, within(9*time.Second))
	var failure *moment.Error
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, 10*time.Second, failure.RetryAfter)
	assert.Zero(t, took)
	assert.NotErrorIs(t, err, context.DeadlineExceeded, "the context had not ended")

	s, took, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(429, "Retry-After: 10"), testkit.Respond(201, testkit.BillJSON)}, within(11*time.Second))
	require.NoError(t, err)
	assert.Len(t, s.Began, 2)
	assert.Less(t, took, 11*time.Second)
}

// Without a Retry-After, the jitter alone would outlast the context.
func TestNoJitterThatWouldOutlastTheContext(t *testing.T) {
	s, took, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(503)}, func(ctx context.Context, c *moment.Client) error {
		ctx, cancel := context.WithTimeout(ctx, time.Nanosecond)
		defer cancel()
		return post(ctx, c)
	}, moment.WithBackoff(time.Hour, time.Hour))
	require.ErrorIs(t, err, moment.ErrServer)
	assert.Len(t, s.Began, 1)
	assert.Zero(t, took)
}

// No attempt begins after the end of the context, because its outcome would always be unknown.
func TestNoAttemptAfterTheContextEnded(t *testing.T) {
	for range 100 {
		attempts := 0
		ctx, cancel := context.WithCancel(t.Context())
		c := clientThrough(t, func(*http.Request) (*http.Response, error) {
			attempts++
			cancel()
			return testkit.Response(testkit.Problem(429))
		}, moment.WithBackoff(0, 0))
		err := calls["PATCH"](ctx, c)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, moment.ErrOutcomeUnknown)
		require.Equal(t, 1, attempts)
	}
}

func TestContextEndsTheWaitAfterAFailureToConnect(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, moment.WithHTTPClient(&http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				cancel()
				return nil, refused
			},
		}}))
		err := calls["PATCH"](ctx, c)
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown, "nothing was sent")
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		c := clientThrough(t, func(*http.Request) (*http.Response, error) { return nil, refused }, moment.WithBackoff(24*time.Hour, 24*time.Hour), moment.WithMaxRetries(1000))
		err := calls["GET"](ctx, c)
		assert.EqualError(t, err, "moment: get bill: context canceled while waiting to retry: no response: dial tcp: connection refused"+attemptsNote(t, err))
	})
}

func attemptsNote(t *testing.T, err error) string {
	t.Helper()
	if n := attemptsOf(t, err); n > 1 {
		return " (" + strconv.Itoa(n) + " attempts)"
	}
	return ""
}

func TestTimedOutAttemptIsRetried(t *testing.T) {
	s, took, err := onAFakeClock(t, []testkit.Reply{nil, nil, testkit.Respond(201, testkit.BillJSON)}, post)
	require.NoError(t, err)
	assert.Len(t, s.Began, 3)
	assert.Greater(t, took, 60*time.Second, "two attempts of 30 seconds")

	_, _, err = onAFakeClock(t, []testkit.Reply{nil}, post, moment.WithAttemptTimeout(time.Second), moment.WithMaxRetries(1))
	assert.EqualError(t, err, "moment: create bill: no response within the attempt timeout of 1s: context deadline exceeded (2 attempts); the outcome is unknown")
}

func TestAttemptTimeoutDoesNotCoverTheWait(t *testing.T) {
	s, took, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(429, "Retry-After: 20"), testkit.Respond(201, testkit.BillJSON)}, post, moment.WithAttemptTimeout(time.Second))
	require.NoError(t, err)
	assert.Len(t, s.Began, 2)
	assert.Greater(t, took, 20*time.Second)
}

func TestContextEndsTheWait(t *testing.T) {
	caller := errors.New("shutting down")
	s, took, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(429, "Retry-After: 20", "X-Request-Id: req_1")}, func(ctx context.Context, c *moment.Client) error {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(3*time.Second, func() { cancel(caller) })
		return post(ctx, c)
	})
	assert.Len(t, s.Began, 1)
	assert.Equal(t, 3*time.Second, took)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, caller, "the cause is visible too")
	assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown, "429 is sent before the request is processed")
	assert.EqualError(t, err, "moment: create bill: 429 Too Many Requests: context canceled: shutting down while waiting to retry (request id req_1)")
}

func TestContextEndsAnAttempt(t *testing.T) {
	for method, unknown := range map[string]bool{"GET": false, "POST": true, "PATCH": true} {
		s, took, err := onAFakeClock(t, []testkit.Reply{nil}, func(ctx context.Context, c *moment.Client) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			return calls[method](ctx, c)
		})
		assert.Len(t, s.Began, 1, "no second attempt")
		assert.Equal(t, 2*time.Second, took)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, unknown, errors.Is(err, moment.ErrOutcomeUnknown), "%s: the request was sent", method)
	}
}

func TestContextThatHasEndedSendsNothing(t *testing.T) {
	s, _, err := onAFakeClock(t, []testkit.Reply{testkit.Respond(201, testkit.BillJSON)}, func(ctx context.Context, c *moment.Client) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return post(ctx, c)
	})
	assert.Empty(t, s.Began)
	assert.EqualError(t, err, "moment: create bill: context canceled")
	assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown)
	assert.Zero(t, attemptsOf(t, err))
}

func TestAttemptTimeoutOverARealConnection(t *testing.T) {
	stall := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for method, attempts := range map[string]int{"GET": 2, "POST": 2, "PATCH": 1} {
		s := testkit.Serve(t, stall, testkit.Respond(200, testkit.BillJSON))
		err := calls[method](t.Context(), clientOf(t, s, moment.WithAttemptTimeout(50*time.Millisecond)))
		assert.Len(t, s.Received(), attempts, method)
		assert.Equal(t, attempts == 1, errors.Is(err, moment.ErrOutcomeUnknown), method)
		if err != nil {
			assert.EqualError(t, err, "moment: update bill: no response within the attempt timeout of 50ms: context deadline exceeded; the outcome is unknown")
		}
	}
}

func TestLongRetryAfterIsNotWaitedFor(t *testing.T) {
	_, took, err := onAFakeClock(t, []testkit.Reply{testkit.Problem(503, "Retry-After: 86400")}, get)
	require.ErrorIs(t, err, moment.ErrServer)
	assert.Zero(t, took)
}
