package proof_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

var outageMinutes = flag.Float64("outage", 0.1, "minutes of each part of the outage in TestOutage; the last part is half as long")

// The size of the simulation: each caller makes a call every 50 milliseconds, whether or not the
// previous one has ended.
const (
	outageCallers  = 256
	outageInterval = time.Second / 20
)

// TestOutage simulates an outage on a fake clock: for a while, every request fails, then every
// second one, then none. It counts the requests that a client sends for each call. Afterwards, it
// settles the writes whose outcome is unknown.
//
// The whole proof is go test ./internal/proof -run TestOutage -v -outage=2
func TestOutage(t *testing.T) {
	skipIfShort(t)
	part := time.Duration(*outageMinutes * float64(time.Minute))
	for _, row := range []struct {
		name   string
		method string
		fails  func() (*http.Response, error)
		budget int
		part   time.Duration
	}{
		{"GET, 503", "GET", unavailable, 100, part},
		{"POST, 503", "POST", unavailable, 100, part},
		{"POST, no response", "POST", silence, 100, part},
		{"GET, 503, no budget, for comparison", "GET", unavailable, 0, min(part, 10*time.Second)},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &outage{method: row.method, fails: row.fails, applied: map[string]int{}, keys: map[string]bool{}}
				o.client = clientThrough(t, o.RoundTrip, moment.WithRetryBudget(row.budget))
				all := o.run(1, row.part, row.budget > 0)
				half := o.run(0.5, row.part, false)
				none := o.run(0, row.part/2, false)
				o.calls.Wait()
				unknown, settled := len(o.unknown), o.settle(t)
				t.Logf("requests per call: %.4f while all fail, %.4f while half fail, %.4f afterwards; %d of %d calls had an unknown outcome, and %d were settled by one call",
					all, half, none, unknown, o.made, settled)
				if row.budget == 0 {
					assert.Greater(t, all, 3.0, "requests per call while all fail")
					return
				}
				assert.LessOrEqual(t, all, 1.1001, "requests per call while all fail, once the budget is empty")
				assert.LessOrEqual(t, half, 1.2, "requests per call while half fail")
				assert.LessOrEqual(t, none, 1.05, "requests per call after the outage")
				assert.Equal(t, unknown, settled)
				assert.Equal(t, row.method == "POST", unknown > 0)
			})
		})
	}
}

func unavailable() (*http.Response, error) { return testkit.Response(testkit.Gateway(503)) }

func silence() (*http.Response, error) { return nil, errors.New("connection reset by peer") }

// outage is a service that sometimes fails, and its callers. It creates customers under their
// idempotency keys.
type outage struct {
	method string
	fails  func() (*http.Response, error)
	client *moment.Client
	calls  sync.WaitGroup
	made   int

	mu       sync.Mutex
	share    float64 // the share of requests that fail
	requests int
	empty    bool            // the budget has been empty
	applied  map[string]int  // the number of times that a customer was created, by reference
	keys     map[string]bool // the keys under which a customer was created
	unknown  []unknownCustomer
}

type unknownCustomer struct{ reference, key string }

// run makes calls for a time while a share of the requests fails, and returns the requests per
// call. It can wait until the budget is empty before it counts.
func (o *outage) run(share float64, d time.Duration, untilEmpty bool) float64 {
	o.mu.Lock()
	o.share, o.requests = share, 0
	o.mu.Unlock()
	calls := 0
	for range int(d / outageInterval) {
		for range outageCallers {
			calls++
			o.made++
			reference := fmt.Sprintf("UCR%d", o.made)
			o.calls.Go(func() { o.call(reference) })
		}
		time.Sleep(outageInterval) // on the bubble's clock
		o.mu.Lock()
		if untilEmpty && o.empty {
			untilEmpty, o.requests, calls = false, 0, 0
		}
		o.mu.Unlock()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return float64(o.requests) / float64(calls)
}

func (o *outage) call(reference string) {
	ctx := context.Background()
	var resp moment.Response
	var err error
	if o.method == http.MethodGet {
		_, err = o.client.Customers.Get(ctx, reference)
	} else {
		_, err = o.client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: reference}, moment.WithResponse(&resp))
	}
	var failure *moment.Error
	var lost *moment.ConnectionError
	o.mu.Lock()
	defer o.mu.Unlock()
	o.empty = o.empty || errors.As(err, &failure) && failure.RetryBudgetEmpty || errors.As(err, &lost) && lost.RetryBudgetEmpty
	if errors.Is(err, moment.ErrOutcomeUnknown) {
		o.unknown = append(o.unknown, unknownCustomer{reference, resp.IdempotencyKey})
	}
}

// settle makes each call whose outcome is unknown once more with its key, and returns the number of
// successes.
func (o *outage) settle(t *testing.T) (settled int) {
	t.Helper()
	for _, u := range o.unknown {
		_, err := o.client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: u.reference}, moment.WithIdempotencyKey(u.key))
		if err == nil && o.applied[u.reference] == 1 {
			settled++
		}
	}
	return settled
}

func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	reference := path.Base(r.URL.Path)
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		reference = referenceIn(body)
	}
	o.mu.Lock()
	o.requests++
	fails := rand.Float64() < o.share
	key := r.Header.Get("Idempotency-Key")
	if (!fails || rand.IntN(2) == 0) && !o.keys[key] { // a request that fails may have been applied before
		o.keys[key] = key != ""
		o.applied[reference]++
	}
	o.mu.Unlock()
	if fails {
		return o.fails()
	}
	return testkit.Response(testkit.Respond(200, `{"id":"bcus_1","external_reference":"`+reference+`"}`))
}
