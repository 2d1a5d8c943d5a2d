package proof_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/moment-billing/moment-go/momenttest"
)

// write is a create or an update of a payment request. Its reference names it in every request.
type write func(ctx context.Context, c *moment.Client, reference string, opts ...moment.RequestOption) (*moment.PaymentRequest, error)

// TestPaymentRequestsExactlyOnce creates and updates payment requests through a network with random
// faults. References are not unique, so only the idempotency key prevents
// the service from applying a write twice:
//
//   - a success was applied once, and the caller has the service's object;
//   - a failure that does not match [moment.ErrOutcomeUnknown] was not applied;
//   - a failure that matches it is settled with its key, or was saved as a failure under the key.
//
// The whole proof is go test ./internal/proof -run TestPaymentRequestsExactlyOnce -v -full
func TestPaymentRequestsExactlyOnce(t *testing.T) {
	testkit.SilenceNetHTTP(t)
	writes := 500
	if *full {
		writes = 5000
	}
	t.Run("creates", func(t *testing.T) {
		requestsExactlyOnce(t, writes, 1, func(*moment.Client) write {
			return func(ctx context.Context, c *moment.Client, reference string, opts ...moment.RequestOption) (*moment.PaymentRequest, error) {
				return c.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR, ExternalReference: reference}, opts...)
			}
		})
	})
	t.Run("updates", func(t *testing.T) {
		requestsExactlyOnce(t, writes, 2, func(direct *moment.Client) write {
			var ids sync.Map // by reference
			return func(ctx context.Context, c *moment.Client, reference string, opts ...moment.RequestOption) (*moment.PaymentRequest, error) {
				id, created := ids.Load(reference)
				if !created {
					r, err := direct.PaymentRequests.Create(context.WithoutCancel(ctx), moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR})
					if err != nil {
						return nil, err
					}
					id, _ = ids.LoadOrStore(reference, r.ID)
				}
				return c.PaymentRequests.Update(ctx, id.(string), moment.PaymentRequestUpdateParams{ExternalReference: &reference, Description: moment.Ptr("updated")}, opts...)
			}
		})
	})
}

func requestsExactlyOnce(t *testing.T, writes int, seed uint64, newWrite func(direct *moment.Client) write) {
	t.Helper()
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	direct := srv.Client()
	elsewhere, strayed := startStrayServer(t)
	proxy := testkit.NewProxy(srv.URL)
	t.Cleanup(proxy.Close)
	log := &writeLog{service: proxy.Service, applied: map[string]int{}, keys: map[string][]string{}}
	proxy.Service = log
	chooser := &faultChooser{seed: seed, elsewhere: elsewhere, dials: map[string]uint64{}, requests: map[string]uint64{}, met: map[string][]string{}}
	proxy.OnDial, proxy.OnRequest = chooser.onDial, chooser.onRequest
	testkit.ReplaceDefaultTransport(t, proxy.Transport())
	client := newClient(t, moment.WithBaseURL(proxy.TLSURL), moment.WithBackoff(time.Millisecond, 4*time.Millisecond), moment.WithAttemptTimeout(250*time.Millisecond),
		moment.WithRetryBudget(int(seed-1)*100))
	apply := newWrite(direct)

	jobs := make([]*requestJob, writes)
	var next atomic.Int64
	var callersDone sync.WaitGroup
	for range callers {
		callersDone.Go(func() {
			for n := next.Add(1) - 1; n < int64(writes); n = next.Add(1) - 1 {
				j := &requestJob{reference: fmt.Sprintf("UBR-%d", n), ownKey: n%2 == 0}
				if n%50 == 0 {
					j.reference += restarted
				}
				jobs[n] = j
				j.run(t.Context(), client, apply, log, rand.New(rand.NewPCG(seed, uint64(n))))
			}
		})
	}
	callersDone.Wait()
	proxy.Close() // and all late requests have arrived

	injected, ended := map[string]bool{}, map[string]int{}
	for _, j := range jobs {
		j.check(t, direct, log)
		ended[j.outcome()]++
		for _, fault := range chooser.met[j.reference] {
			injected[fault] = true
		}
	}
	t.Logf("%d writes by %d callers: %v", writes, callers, ended)
	if *full {
		for _, fault := range faults(rand.New(rand.NewPCG(0, 0)), "") {
			assert.True(t, injected[fault.Name], "%s was never injected", fault.Name)
		}
	}
	for _, outcome := range []string{"success", "not applied", "same key", "saved as a failure"} {
		assert.NotZero(t, ended[outcome], "no call ended as: %s", outcome)
	}
	assert.Zero(t, strayed.Load(), "requests that followed a redirect")
	assert.Zero(t, proxy.Open(), "connections left open")
}

// requestJob is one write.
type requestJob struct {
	reference string
	ownKey    bool // the key is the caller's, not the client's

	key      string // of the first call
	err      error  // of the first call
	early    bool   // it was applied when the first call ended
	got      *moment.PaymentRequest
	replayed bool // the service saved a failure under the key
}

func (j *requestJob) run(ctx context.Context, client *moment.Client, apply write, log *writeLog, random *rand.Rand) {
	ctx = context.WithValue(ctx, referenceKey{}, j.reference)
	first := ctx
	if random.IntN(50) == 0 {
		var cancel context.CancelFunc
		first, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(int(5*time.Millisecond))))
		defer cancel()
	}
	var resp moment.Response
	opts := []moment.RequestOption{moment.WithResponse(&resp)}
	if j.ownKey {
		opts = append(opts, moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("request payment", j.reference)))
	}
	j.got, j.err = apply(first, client, j.reference, opts...)
	j.key, j.early = resp.IdempotencyKey, log.of(j.reference) > 0
	for err := j.err; errors.Is(j.err, moment.ErrOutcomeUnknown) && j.got == nil; {
		var failure *moment.Error
		if j.replayed = errors.As(err, &failure) && failure.Replayed; j.replayed {
			return
		}
		j.got, err = apply(ctx, client, j.reference, moment.WithIdempotencyKey(j.key))
	}
}

// check compares the result of the call with the service's actions.
func (j *requestJob) check(t *testing.T, direct *moment.Client, log *writeLog) {
	t.Helper()
	applied := log.of(j.reference)
	assert.LessOrEqual(t, applied, 1, "%s was applied twice: %v", j.reference, j.err)
	for _, key := range log.keysOf(j.reference) {
		assert.Equal(t, j.key, key, "another key")
	}
	switch {
	case j.got != nil:
		assert.Equal(t, 1, applied, "%s is lost: %v", j.reference, j.err)
		stored, err := direct.PaymentRequests.Get(t.Context(), j.got.ID)
		require.NoError(t, err)
		assert.Equal(t, stored, j.got)
	case !errors.Is(j.err, moment.ErrOutcomeUnknown):
		assert.False(t, j.early || applied > 0, "%s was applied: %v", j.reference, j.err)
	}
}

func (j *requestJob) outcome() string {
	switch {
	case j.err == nil:
		return "success"
	case j.got != nil:
		return "same key"
	case j.replayed:
		return "saved as a failure"
	default:
		return "not applied"
	}
}

// writeLog forwards requests from the proxy to the service, and counts the applied writes.
type writeLog struct {
	service http.RoundTripper

	mu      sync.Mutex
	applied map[string]int // by reference
	keys    map[string][]string
}

func (l *writeLog) of(reference string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.applied[reference]
}

func (l *writeLog) keysOf(reference string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.keys[reference])
}

func (l *writeLog) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	l.mu.Lock() // while the service responds, so that check does not see a state in between
	defer l.mu.Unlock()
	resp, err := l.service.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	reference := referenceIn(body)
	l.keys[reference] = append(l.keys[reference], r.Header.Get("Idempotency-Key"))
	if resp.StatusCode/100 == 2 && resp.Header.Get("Idempotent-Replayed") == "" {
		l.applied[reference]++
	}
	return resp, nil
}
