package proof_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/moment-billing/moment-go/momenttest"
)

var seeds = flag.Int("seeds", 1, "number of seeds of TestExactlyOnce")

// The size of the proof for each seed.
const (
	creates = 5000
	callers = 32
)

// TestExactlyOnce creates bills through a network with random faults, and then compares the results
// of the calls with the service's bills:
//
//   - after a success, there is exactly one bill;
//   - after a failure that does not match [moment.ErrOutcomeUnknown], there is never a bill;
//   - after a failure that matches it, Ensure with the error's key leads to exactly one bill;
//   - the service never receives creates of two bills under one key, because its check of
//     references would hide a second one.
//
// The whole proof is go test ./internal/proof -run TestExactlyOnce -v -seeds=20
func TestExactlyOnce(t *testing.T) {
	skipIfShort(t)
	testkit.SilenceNetHTTP(t)
	table := newTally()
	for seed := 1; seed <= *seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { table.add(exactlyOnce(t, uint64(seed))) })
	}
	t.Logf("%d seeds, %d creates each, by %d callers: %d lost, %d doubled, %d unexplained\n%s",
		*seeds, creates, callers, table.wrong[lost], table.wrong[doubled], table.wrong[unexplained], table)
	for _, fault := range faults(rand.New(rand.NewPCG(0, 0)), "") {
		assert.NotZero(t, table.injected[fault.Name], "%s was never injected", fault.Name)
	}
	for _, fault := range []testkit.DialFault{testkit.DialRefuse, testkit.DialBreakHandshake, testkit.DialUntrusted} {
		assert.NotZero(t, table.injected[fault.String()], "%s was never injected", fault)
	}
	for _, outcome := range table.outcomes {
		assert.NotZero(t, table.ended[[2]string{"all", outcome}], "no call ended as: %s", outcome)
	}
}

func exactlyOnce(t *testing.T, seed uint64) []*job {
	t.Helper()
	moment1 := momenttest.NewServer()
	t.Cleanup(moment1.Close)
	direct := moment1.Client()
	customer, err := direct.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1"})
	require.NoError(t, err)
	elsewhere, strayed := startStrayServer(t)

	proxy := testkit.NewProxy(moment1.URL)
	t.Cleanup(proxy.Close)
	log := &billLog{service: proxy.Service, bills: map[string]*billed{}}
	proxy.Service = log
	chooser := &faultChooser{seed: seed, elsewhere: elsewhere, dials: map[string]uint64{}, requests: map[string]uint64{}, met: map[string][]string{}}
	proxy.OnDial, proxy.OnRequest = chooser.onDial, chooser.onRequest
	testkit.ReplaceDefaultTransport(t, proxy.Transport())
	budget := int(1-seed%2) * 100 // without a budget, more calls are retried; with one, more are settled by another call
	client := newClient(t, moment.WithBaseURL(proxy.TLSURL), moment.WithBackoff(time.Millisecond, 4*time.Millisecond), moment.WithAttemptTimeout(250*time.Millisecond),
		moment.WithRetryBudget(budget))

	jobs := make([]*job, creates)
	var next atomic.Int64
	var callersDone sync.WaitGroup
	for range callers {
		callersDone.Go(func() {
			for n := next.Add(1) - 1; n < creates; n = next.Add(1) - 1 {
				jobs[n] = &job{reference: fmt.Sprintf("UBR-%d", n), ownKey: n%2 == 0, log: log}
				if n%50 == 0 {
					jobs[n].reference += restarted
				}
				jobs[n].run(t.Context(), client, customer.ID, rand.New(rand.NewPCG(seed, uint64(n))))
			}
		})
	}
	callersDone.Wait()
	proxy.Close() // and all late requests have arrived

	for _, j := range jobs {
		j.met = append(j.met, chooser.met[j.reference]...)
		j.check(t, direct)
	}
	assert.Zero(t, strayed.Load(), "requests that followed a redirect")
	assert.Zero(t, proxy.Open(), "connections left open")
	return jobs
}

// job is a bill to be created.
type job struct {
	reference string
	ownKey    bool // the key is the caller's, not the client's
	log       *billLog

	key      string // of the first call
	bill     *moment.Bill
	err      error // of the first call
	applied  bool  // the service had the bill when the first call ended
	attempts int   // of the first call
	settled  bool
	met      []string // the faults of its requests
	wrong    string   // the result of check; empty if the job is correct
}

// The failures of a job.
const (
	lost        = "lost"        // the caller has a bill that the service does not have
	doubled     = "doubled"     // the service received two creates
	unexplained = "unexplained" // the error said that the bill does not exist, but it does; or the outcome was never settled
)

func (j *job) run(ctx context.Context, client *moment.Client, customer string, random *rand.Rand) {
	ctx = context.WithValue(ctx, referenceKey{}, j.reference)
	first, restart := ctx, strings.HasSuffix(j.reference, restarted)
	if !restart && random.IntN(50) == 0 {
		j.met = append(j.met, "context ended")
		var cancel context.CancelFunc
		first, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(int(5*time.Millisecond))))
		defer cancel()
	}
	params := moment.BillCreateParams{Customer: moment.ExistingCustomer(customer), ExternalReference: j.reference, Currency: moment.ZAR, AmountDue: 2000}
	var resp moment.Response
	opts := []moment.RequestOption{moment.WithResponse(&resp)}
	if j.ownKey {
		opts = append(opts, moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("raise", j.reference)))
	}
	if restart {
		before, end := context.WithTimeout(ctx, 20*time.Millisecond)
		_, _ = client.Bills.Create(before, params, opts...) // its result is lost with the program
		end()
	}
	j.bill, j.err = client.Bills.Create(first, params, opts...)
	j.key, j.attempts = resp.IdempotencyKey, resp.Attempts
	j.applied = j.log.of(j.reference).created > 0
	if !errors.Is(j.err, moment.ErrOutcomeUnknown) {
		return
	}
	for range 100 {
		var err error
		if j.bill, err = client.Bills.Ensure(ctx, params, moment.WithIdempotencyKey(j.key)); err == nil {
			j.settled = true
			return
		}
	}
}

// check compares the result of the call with the service's bills.
func (j *job) check(t *testing.T, direct *moment.Client) {
	t.Helper()
	entry := j.log.of(j.reference)
	stored, err := direct.Bills.Get(t.Context(), j.reference)
	switch succeeded, secondKey := j.err == nil || j.settled, !j.serviceError() && (j.newKey() || entry.rejected > 0); {
	case entry.created > 1, secondKey:
		j.wrong = doubled
	case succeeded && (err != nil || !assert.ObjectsAreEqual(stored, j.bill)):
		j.wrong = lost
	case !succeeded && (j.applied || !errors.Is(err, moment.ErrNotFound) || errors.Is(j.err, moment.ErrOutcomeUnknown)):
		j.wrong = unexplained
	}
	assert.Empty(t, j.wrong, "%s (%v): %v", j.reference, j.met, j.err)
	assert.LessOrEqual(t, j.attempts, 4, j.err)
}

// serviceError reports whether a failure was saved under the job's key, so that only another key
// creates the bill.
func (j *job) serviceError() bool {
	return slices.ContainsFunc(j.met, func(fault string) bool { return strings.HasPrefix(fault, "ServiceError") })
}

// newKey reports whether the service received a create of the bill under a key that is not the
// first call's.
func (j *job) newKey() bool {
	return slices.ContainsFunc(j.log.of(j.reference).keys, func(key string) bool { return key != j.key })
}

func (j *job) outcome() string {
	switch {
	case j.err == nil:
		return "success"
	case !j.settled:
		return "not applied"
	case j.newKey():
		return "new key"
	case j.log.of(j.reference).lookedUp:
		return "by reference"
	default:
		return "same key"
	}
}

// referenceKey is the key of the context value with the reference of the bill.
type referenceKey struct{}

// restarted is the suffix of the references of a program that ends while its request is in flight,
// starts again, and sends the same key during the first request.
const restarted = "-restarted"

// faultChooser chooses the faults, and records the faults of each bill. A choice depends on the
// seed, the bill, and the number of its earlier requests, so that it does not depend on the order
// in which the callers run.
type faultChooser struct {
	seed      uint64
	elsewhere string

	mu              sync.Mutex
	dials, requests map[string]uint64 // by reference
	met             map[string][]string
}

// random returns the source of the n-th choice for a bill.
func (tr *faultChooser) random(reference string, n uint64) *rand.Rand {
	h := fnv.New64a()
	_, _ = io.WriteString(h, reference)
	return rand.New(rand.NewPCG(tr.seed<<32+n, h.Sum64()))
}

func (tr *faultChooser) onDial(ctx context.Context) testkit.DialFault {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	reference, _ := ctx.Value(referenceKey{}).(string)
	tr.dials[reference]++
	fault := testkit.DialAccept
	switch n := tr.random(reference, -tr.dials[reference]).IntN(100); {
	case strings.HasSuffix(reference, restarted):
		return fault
	case n < 6:
		fault = testkit.DialRefuse
	case n < 12:
		fault = testkit.DialBreakHandshake
	case n < 14:
		fault = testkit.DialUntrusted
	default:
		return fault
	}
	tr.met[reference] = append(tr.met[reference], fault.String())
	return fault
}

func (tr *faultChooser) onRequest(r *testkit.ProxyRequest) testkit.Fault {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	reference := referenceIn(r.Body)
	if r.Method == http.MethodGet {
		reference = path.Base(r.URI)
	}
	tr.requests[reference]++
	random := tr.random(reference, tr.requests[reference])
	var fault testkit.Fault
	switch {
	case strings.HasSuffix(reference, restarted):
		if tr.requests[reference] > 1 {
			return testkit.FaultNone()
		}
		fault = testkit.FaultLate(time.Duration(random.IntN(int(20 * time.Millisecond))))
	case random.IntN(100) < 60:
		return testkit.FaultNone()
	default:
		all := faults(random, tr.elsewhere)
		fault = all[random.IntN(len(all))]
	}
	tr.met[reference] = append(tr.met[reference], fault.Name)
	return fault
}

// faults returns all faults of requests, with random details.
func faults(random *rand.Rand, elsewhere string) []testkit.Fault {
	const before = testkit.Before
	once := []testkit.Fault{
		testkit.FaultLate(time.Duration(random.IntN(int(10 * time.Millisecond)))),
		testkit.FaultTruncate(random.IntN(700)),
		testkit.FaultTrickle(0),
		testkit.FaultInformational(3),
		testkit.FaultContentLength(1 + random.IntN(100)),
		testkit.FaultContentLength(-1 - random.IntN(100)),
		testkit.FaultCloseIdle(),
		// Faults that reject a request before it reaches the service. They do not settle an earlier
		// copy.
		testkit.FaultProblem(401, nil, before),
		testkit.FaultProblem(403, nil, before),
		testkit.FaultProblem(409, nil, before),
		testkit.FaultProblem(429, nil, before),
		testkit.FaultGateway(405, nil, before),
	}
	either := func(when testkit.When) []testkit.Fault {
		return []testkit.Fault{
			testkit.FaultReset(when),
			testkit.FaultStall(when),
			testkit.FaultHTML([]int{200, 502}[random.IntN(2)], when),
			testkit.FaultRedirect(302, elsewhere, when),
			testkit.FaultRedirect(307, elsewhere, when),
			testkit.FaultRedirect(308, elsewhere, when),
			testkit.FaultEndlessBody([]int{201, 500}[random.IntN(2)], when),
			testkit.FaultServiceError(when),
			testkit.FaultProblem(500, nil, when),
			// Faults after which it is unknown whether the service received the request.
			testkit.FaultProblem(503, http.Header{"Retry-After": {"0"}}, when),
			testkit.FaultGateway(503, http.Header{"Retry-After": {"0"}}, when),
			testkit.FaultGateway(400, nil, when),
			testkit.FaultGateway(402, nil, when),
			testkit.FaultGateway(403, nil, when),
			testkit.FaultGateway(404, nil, when),
			testkit.FaultGateway(409, nil, when),
			testkit.FaultGateway(422, nil, when),
			testkit.FaultOtherObject(when),
			testkit.FaultFragment(when),
		}
	}
	return slices.Concat(once, either(before), either(testkit.After))
}

// billLog forwards requests from the proxy to the service, and records the service's actions.
type billLog struct {
	service http.RoundTripper

	mu    sync.Mutex
	bills map[string]*billed
}

type billed struct {
	created  int      // the number of times that the service created it
	rejected int      // the number of creates that it rejected because the reference existed
	lookedUp bool     // it was looked up by its reference
	keys     []string // of its creates
}

func (b *billLog) of(reference string) billed {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *b.entry(reference)
}

func (b *billLog) entry(reference string) *billed {
	if b.bills[reference] == nil {
		b.bills[reference] = new(billed)
	}
	return b.bills[reference]
}

func (b *billLog) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	// Recorded while the service responds, so that check does not see a state in between.
	b.mu.Lock()
	defer b.mu.Unlock()
	resp, err := b.service.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet {
		b.entry(path.Base(r.URL.Path)).lookedUp = true
		return resp, nil
	}
	entry := b.entry(referenceIn(body))
	entry.keys = append(entry.keys, r.Header.Get("Idempotency-Key"))
	if resp.Header.Get("Idempotent-Replayed") == "" {
		switch resp.StatusCode {
		case http.StatusCreated:
			entry.created++
		case http.StatusConflict:
			entry.rejected++
		}
	}
	return resp, nil
}

func referenceIn(body []byte) string {
	var params struct {
		Reference string `json:"external_reference"`
	}
	_ = json.Unmarshal(body, &params)
	return params.Reference
}

// tally counts the outcomes of the calls for each fault.
type tally struct {
	outcomes []string
	injected map[string]int
	calls    map[string]int
	retries  map[string]int
	ended    map[[2]string]int // by fault and outcome
	wrong    map[string]int
}

func newTally() *tally {
	return &tally{
		outcomes: []string{"success", "not applied", "same key", "by reference", "new key"},
		injected: map[string]int{}, calls: map[string]int{}, retries: map[string]int{}, ended: map[[2]string]int{}, wrong: map[string]int{},
	}
}

func (y *tally) add(jobs []*job) {
	for _, j := range jobs {
		for _, fault := range j.met {
			y.injected[fault]++
		}
		met := slices.Compact(slices.Sorted(slices.Values(j.met)))
		for _, row := range append(met, "all") {
			y.calls[row]++
			y.retries[row] += max(0, j.attempts-1)
			y.ended[[2]string{row, j.outcome()}]++
		}
		y.injected["all"] += len(j.met)
		y.wrong[j.wrong]++
	}
}

func (y *tally) String() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "fault\tinjected\tcalls\tretries\t"+strings.Join(y.outcomes, "\t")+"\t")
	for _, row := range slices.Sorted(maps.Keys(y.calls)) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t", row, y.injected[row], y.calls[row], y.retries[row])
		for _, outcome := range y.outcomes {
			fmt.Fprintf(w, "%d\t", y.ended[[2]string{row, outcome}])
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	return out.String()
}

// startStrayServer starts a server that must not receive requests, and counts the requests.
func startStrayServer(t *testing.T) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(server.Close)
	return server.URL, requests
}
