package momenttest_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// newInProcess is called inside a synctest bubble, which fails with a deadlock if a goroutine is
// left at its end, and whose time does not pass while a goroutine waits for a socket.
func newInProcess(t *testing.T) *momenttest.Server {
	t.Helper()
	srv := momenttest.NewServer(momenttest.InProcess())
	t.Cleanup(srv.Close)
	return srv
}

var newCustomerParams = moment.CustomerCreateParams{ExternalReference: "new", Currency: moment.ZAR}

func TestInProcess(t *testing.T) {
	for _, row := range []struct {
		why      string
		faults   []momenttest.Fault
		opts     []moment.ClientOption
		attempts int
		least    time.Duration
		most     time.Duration
		err      error
	}{
		{why: "a create", attempts: 1},
		{
			why: "a retry waits for Retry-After, without real time", faults: []momenttest.Fault{momenttest.Status(503).RetryAfter(29 * time.Second)},
			attempts: 2, least: 29 * time.Second, most: 29*time.Second + time.Millisecond,
		},
		{
			why: "waits of an hour between retries", faults: []momenttest.Fault{momenttest.DropBeforeCommit().Times(3)},
			opts: []moment.ClientOption{moment.WithBackoff(time.Hour, time.Hour)}, attempts: 4, least: time.Second, most: 3 * time.Hour,
		},
		{why: "a delay", faults: []momenttest.Fault{momenttest.Delay(29 * time.Second)}, attempts: 1, least: 29 * time.Second, most: 29 * time.Second},
		{
			why: "an attempt timeout", faults: []momenttest.Fault{momenttest.Delay(time.Hour)}, opts: []moment.ClientOption{moment.WithMaxRetries(0)},
			attempts: 1, least: 30 * time.Second, most: 30 * time.Second, err: context.DeadlineExceeded,
		},
		{
			why: "after a timeout, the key is in flight until the first attempt has run", faults: []momenttest.Fault{momenttest.Delay(31 * time.Second)},
			opts: []moment.ClientOption{moment.WithMaxRetries(1), moment.WithBackoff(0, 0)}, attempts: 2, least: 30 * time.Second, most: 30 * time.Second, err: moment.ErrConflict,
		},
		{why: "a lost response", faults: []momenttest.Fault{momenttest.DropAfterCommit()}, attempts: 2, most: time.Millisecond},
		{why: "a truncated response", faults: []momenttest.Fault{momenttest.Truncate()}, attempts: 2, most: time.Millisecond},
	} {
		t.Run(row.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newInProcess(t)
				srv.Fail(row.faults...)
				start := time.Now()
				var resp moment.Response
				customer, err := srv.Client(row.opts...).Customers.Create(t.Context(), newCustomerParams, moment.WithResponse(&resp))
				require.ErrorIs(t, err, row.err)
				if row.err == nil {
					assert.Equal(t, "new", customer.ExternalReference)
					assert.Len(t, srv.State().Customers, 1)
				}
				assert.Len(t, srv.Requests(), row.attempts)
				assert.GreaterOrEqual(t, time.Since(start), row.least)
				assert.LessOrEqual(t, time.Since(start), row.most)
			})
		})
	}
	t.Run("many callers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := newInProcess(t)
			srv.Fail(momenttest.Delay(time.Second).Times(20))
			client := srv.Client()
			start := time.Now()
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					_, err := client.Customers.Get(t.Context(), "nobody")
					assert.ErrorIs(t, err, moment.ErrNotFound)
				})
			}
			wg.Wait()
			assert.Equal(t, time.Second, time.Since(start), "they wait side by side")
		})
	})
	t.Run("idempotency keys expire by the clock of the bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := newInProcess(t)
			_, err := srv.Client().Customers.Create(t.Context(), newCustomerParams)
			require.NoError(t, err)
			require.Len(t, srv.State().Responses, 1)
			time.Sleep(24 * time.Hour)
			require.Empty(t, srv.State().Responses)
		})
	})
	t.Run("outside a bubble too", func(t *testing.T) {
		_, err := newInProcess(t).Client().Customers.Create(t.Context(), newCustomerParams)
		require.NoError(t, err)
	})
}

func TestInProcessClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newInProcess(t)
		srv.Fail(momenttest.Delay(time.Hour))
		client := srv.Client(moment.WithMaxRetries(0))
		ended := make(chan error)
		go func() {
			_, err := client.Customers.Create(t.Context(), newCustomerParams)
			ended <- err
		}()
		synctest.Wait() // until it is delayed
		start := time.Now()
		srv.Close()
		require.ErrorIs(t, <-ended, moment.ErrOutcomeUnknown, "its connection ends")
		require.Less(t, time.Since(start), time.Second)
		require.Empty(t, srv.State().Customers)
		_, err := client.Customers.Get(t.Context(), "new")
		require.ErrorIs(t, err, http.ErrServerClosed)
		srv.Close() // it can be closed twice
	})
}

// Payments reach a handler inside the bubble, signed at the time of the bubble.
func TestSetWebhookHandler(t *testing.T) {
	for _, row := range []struct {
		why      string
		path     string
		endpoint func(http.Handler) http.Handler // the handler around the verifier
		attempts int
		status   int
		err      string
		takes    time.Duration
		events   int
	}{
		{"acknowledged", "/webhooks/moment", func(h http.Handler) http.Handler { return h }, 1, 204, "", 0, 1},
		{"another path", "/elsewhere", func(h http.Handler) http.Handler { return h }, 3, 404, "", 0, 0},
		{"a failure is delivered again", "/webhooks/moment", failFirst, 2, 204, "", 0, 1},
		{"a panic is not a response", "/webhooks/moment", func(http.Handler) http.Handler { return http.HandlerFunc(abort) }, 3, 0, "EOF", 0, 0},
		{"an endpoint that does not respond", "/webhooks/moment", func(http.Handler) http.Handler { return http.HandlerFunc(hang) }, 3, 0, "context deadline exceeded", 30 * time.Second, 0},
	} {
		t.Run(row.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newInProcess(t)
				verifier, err := moment.NewWebhookVerifier(webhookSecret)
				require.NoError(t, err)
				events := 0
				mux := http.NewServeMux()
				mux.Handle("POST /webhooks/moment", verifier.Handler(func(ctx context.Context, e *moment.Event) error {
					events++
					payment := e.Data.(*moment.AmountApplied)
					_, err := srv.Client().Customers.Get(ctx, payment.CustomerID)
					return err
				}))
				srv.SetWebhookHandler(row.endpoint(mux), row.path, webhookSecret)
				_, err = srv.Client().Customers.Create(t.Context(), newCustomerParams)
				require.NoError(t, err)
				start := time.Now()
				delivery, err := srv.Pay(t.Context(), momenttest.Payment{Customer: "new", Amount: 1})
				require.NoError(t, err)
				assert.Equal(t, row.attempts, delivery.Attempts, delivery)
				assert.Equal(t, row.status, delivery.Status)
				if row.err == "" {
					require.NoError(t, delivery.Err)
				} else {
					require.ErrorContains(t, delivery.Err, row.err)
				}
				assert.Equal(t, row.events, events)
				assert.Equal(t, row.takes, time.Since(start))
			})
		})
	}
	srv := newServer(t)
	for want, set := range map[string]func(){
		"momenttest: the webhook handler is nil":                                                                                 func() { srv.SetWebhookHandler(nil, "/", webhookSecret) },
		`momenttest: webhook path: "webhooks" does not begin with a slash`:                                                       func() { srv.SetWebhookHandler(http.NotFoundHandler(), "webhooks", webhookSecret) },
		"momenttest: the webhook secret is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes": func() { srv.SetWebhookHandler(http.NotFoundHandler(), "/", "?") },
	} {
		assert.PanicsWithValue(t, want, set)
	}
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang reads the body first, because net/http does not watch the connection before.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func failFirst(h http.Handler) http.Handler {
	failed := false
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !failed {
			failed = true
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		h.ServeHTTP(w, r)
	})
}
