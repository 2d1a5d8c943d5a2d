package proof_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
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

// The number of objects for each seed. go test ./... runs one seed, in a short form.
const (
	ensures    = 2000
	fewEnsures = 500
)

// TestEnsure calls Ensure through a network with random faults. Half of the objects already exist,
// or conflict with others. Processes are killed between the requests of an Ensure, and start again
// with the same key. In the end, each call has succeeded or names every difference, and the service
// has each object once, under the right customer.
//
// The service's check of references would hide a second create. So the proof also checks that no
// create of an object is sent under another key before the earlier keys have ended in a failure,
// and that no object exists after an error that does not match [moment.ErrOutcomeUnknown].
//
// The whole proof is go test ./internal/proof -run '^TestEnsure$' -v -seeds=20
func TestEnsure(t *testing.T) {
	skipIfShort(t)
	testkit.SilenceNetHTTP(t)
	ends := map[string]int{}
	for seed := 1; seed <= *seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			for _, j := range ensureAll(t, uint64(seed)) {
				ends[j.situation.name+": "+j.end]++
				ends["in all: "+j.end]++
				ends["calls"] += j.calls
				ends["killed"] += j.killed
				ends["faults"] += j.faults
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(ends)) {
		t.Logf("%7d %s", ends[name], name)
	}
	assert.Zero(t, ends["in all: "+endless])
	assert.NotZero(t, ends["killed"])
	for _, s := range situations {
		assert.NotZero(t, ends[s.name+": "+s.end()], s.name)
	}
}

// The ends of an Ensure.
const (
	ensured = "ensured"
	named   = "every difference named"
	endless = "never ended"
)

// situation has the objects that an Ensure finds. n makes its references unique.
type situation struct {
	name    string
	before  func(ctx context.Context, c *moment.Client, n string) error // creates the objects that exist before
	later   func(ctx context.Context, c *moment.Client, n string) error // creates the objects that appear after the first call
	params  func(n string) any
	differs []string
}

func (s situation) end() string {
	if s.differs != nil {
		return named
	}
	return ensured
}

func customerOf(n string) moment.CustomerCreateParams {
	return moment.CustomerCreateParams{ExternalReference: "UCR-" + n, Name: "John Doe", Currency: moment.ZAR, Balance: moment.MinorUnits(100)}
}

func accountOf(n string) moment.AccountCreateParams {
	return moment.AccountCreateParams{Customer: customerOf(n), ExternalReference: "UAR-" + n, Name: "Water"}
}

func billOf(n string) moment.BillCreateParams {
	return moment.BillCreateParams{Account: accountOf(n), ExternalReference: "UBR-" + n, Currency: moment.ZAR, AmountDue: 2000, DueDate: moment.NewDate(2025, time.January, 31)}
}

// simpleBill returns a bill of an existing customer.
func simpleBill(n string) moment.BillCreateParams {
	p := billOf(n)
	p.Account, p.Customer = nil, moment.ExistingCustomer("UCR-"+n)
	return p
}

func createCustomer(ctx context.Context, c *moment.Client, n string) error {
	_, err := c.Customers.Create(ctx, customerOf(n))
	return err
}

func createAccount(ctx context.Context, c *moment.Client, n string) error {
	_, err := c.Accounts.Create(ctx, accountOf(n))
	return err
}

func createBill(ctx context.Context, c *moment.Client, n string) error {
	_, err := c.Bills.Create(ctx, billOf(n))
	return err
}

// createOther creates the customer, and another bill with the reference.
func createOther(change func(p *moment.BillCreateParams, n string)) func(context.Context, *moment.Client, string) error {
	return func(ctx context.Context, c *moment.Client, n string) error {
		p := simpleBill(n)
		change(&p, n)
		if err := createCustomer(ctx, c, n); err != nil {
			return err
		}
		_, err := c.Bills.Create(ctx, p)
		return err
	}
}

var situations = []situation{
	{name: "a new customer", params: func(n string) any { return customerOf(n) }},
	{name: "a customer that exists", before: createCustomer, params: func(n string) any { return customerOf(n) }},
	{
		name: "another customer", before: createCustomer, differs: []string{"name", "email"},
		params: func(n string) any {
			p := customerOf(n)
			p.Name, p.Email = "Jane Roe", "jane.roe@example.com"
			return p
		},
	},
	{name: "a new account and customer", params: func(n string) any { return accountOf(n) }},
	{name: "a new account of an inline customer that exists", before: createCustomer, params: func(n string) any { return accountOf(n) }},
	{name: "an account that exists", before: createAccount, params: func(n string) any { return accountOf(n) }},
	{
		name: "an account under another customer", before: createAccount, differs: []string{"customer"},
		params: func(n string) any {
			p := accountOf(n)
			p.Customer = moment.CustomerCreateParams{ExternalReference: "UCR-" + n + "-other"}
			return p
		},
	},
	{name: "a new bill, account and customer", params: func(n string) any { return billOf(n) }},
	{name: "a new bill of an inline customer that exists", before: createCustomer, params: func(n string) any { return billOf(n) }},
	{name: "a new bill of an inline account that exists", before: createAccount, params: func(n string) any { return billOf(n) }},
	{name: "a bill that exists", before: createBill, params: func(n string) any { return billOf(n) }},
	{
		name: "a bill of an account under another customer", before: createAccount, differs: []string{"account.customer"},
		params: func(n string) any {
			p, a := billOf(n), accountOf(n)
			a.Customer = moment.CustomerCreateParams{ExternalReference: "UCR-" + n + "-other"}
			p.Account = a
			return p
		},
	},
	{name: "a customer that appears later", later: createCustomer, params: func(n string) any { return simpleBill(n) }},
	{
		name: "another bill", differs: []string{"currency", "amount_due", "due_date"}, params: func(n string) any { return simpleBill(n) },
		before: createOther(func(p *moment.BillCreateParams, _ string) {
			p.Currency, p.AmountDue, p.DueDate = moment.USD, 1, moment.Date{}
		}),
	},
	{
		name: "another customer's bill", differs: []string{"customer"}, params: func(n string) any { return simpleBill(n) },
		before: createOther(func(p *moment.BillCreateParams, n string) {
			p.Customer = moment.CustomerCreateParams{ExternalReference: "UCR-" + n + "-other"}
		}),
	},
	{
		name: "a voided bill", differs: []string{"status"}, params: func(n string) any { return billOf(n) },
		before: func(ctx context.Context, c *moment.Client, n string) error {
			err := createBill(ctx, c, n)
			_, voidErr := c.Bills.Void(ctx, "UBR-"+n)
			return errors.Join(err, voidErr)
		},
	},
}

// ensuring is an object that one or more calls of Ensure create.
type ensuring struct {
	n         string
	situation situation
	random    *rand.Rand

	doubt                 bool // an earlier call left the outcome unknown
	object                any
	end                   string
	calls, killed, faults int
}

func ensureAll(t *testing.T, seed uint64) []*ensuring {
	t.Helper()
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	direct := srv.Client()
	elsewhere, strayed := startStrayServer(t)
	proxy := testkit.NewProxy(srv.URL)
	t.Cleanup(proxy.Close)
	network := &network{seed: seed, elsewhere: elsewhere, requests: map[string]uint64{}, kill: map[string]func() bool{}, keys: map[string]map[string]bool{}, running: map[string]int{}, copies: map[string]int{}}
	network.service, proxy.Service = proxy.Service, network
	proxy.OnRequest = network.onRequest
	testkit.ReplaceDefaultTransport(t, proxy.Transport())
	client := newClient(t, moment.WithBaseURL(proxy.TLSURL), moment.WithBackoff(time.Millisecond, 4*time.Millisecond), moment.WithAttemptTimeout(250*time.Millisecond),
		moment.WithRetryBudget(int(1-seed%2)*100))

	count := int64(ensures)
	if *seeds == 1 {
		count = fewEnsures
	}
	all := make([]*ensuring, count)
	var next atomic.Int64
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			for n := next.Add(1) - 1; n < count; n = next.Add(1) - 1 {
				j := &ensuring{n: strconv.Itoa(int(n)), situation: situations[int(n)%len(situations)], random: rand.New(rand.NewPCG(seed, uint64(n)))}
				all[n] = j
				j.run(t, client, direct, network)
			}
		})
	}
	done.Wait()
	proxy.Close() // and all late requests have arrived

	assert.Empty(t, network.hasty, "creates that were sent under another key too early")
	state := newLedger(t, srv.State())
	for _, j := range all {
		j.faults = int(network.requests[j.n+" faults"])
		state.check(t, j)
	}
	assert.Zero(t, strayed.Load(), "requests that followed a redirect")
	return all
}

func (j *ensuring) run(t *testing.T, client, direct *moment.Client, network *network) {
	t.Helper()
	if j.situation.before != nil {
		require.NoError(t, j.situation.before(t.Context(), direct, j.n), j.situation.name)
	}
	key := moment.DeriveIdempotencyKey("ensure", j.n)
	random := j.random.IntN(3) == 0 // the first key is random, and later calls use the error's
	if random {
		key = ""
	}
	j.end = endless
	for range 200 {
		j.calls++
		ctx, cancel := context.WithCancel(t.Context())
		if !random && j.random.IntN(2) == 0 { // the process is killed at one of its requests
			left := 1 + j.random.IntN(6)
			network.killAt(j.n, func() bool {
				left--
				if left == 0 {
					j.killed++
					cancel()
				}
				return left == 0
			})
		}
		opts := []moment.RequestOption{moment.WithHeader("X-Job", j.n)}
		if key != "" {
			opts = append(opts, moment.WithIdempotencyKey(key))
		}
		object, err := j.ensure(ctx, client, opts...)
		key = cmp.Or(key, keyOf(err))
		j.checkError(t, direct, err)
		network.killAt(j.n, nil)
		cancel()
		if j.calls == 1 && j.situation.later != nil {
			require.NoError(t, j.situation.later(t.Context(), direct, j.n))
		}
		var mismatch *moment.MismatchError
		switch {
		case err == nil:
			j.object, j.end = object, ensured
			return
		case errors.As(err, &mismatch):
			j.end = fmt.Sprint(mismatch.Differences)
			if slices.Equal(mismatch.Differences, j.situation.differs) {
				j.end = named
			}
			return
		}
	}
}

func (j *ensuring) ensure(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
	switch p := j.situation.params(j.n).(type) {
	case moment.CustomerCreateParams:
		return c.Customers.Ensure(ctx, p, opts...)
	case moment.AccountCreateParams:
		return c.Accounts.Ensure(ctx, p, opts...)
	case moment.BillCreateParams:
		return c.Bills.Ensure(ctx, p, opts...)
	}
	return nil, errors.New("no params")
}

// keyOf returns the idempotency key of a failed call.
func keyOf(err error) string {
	var failure *moment.Error
	if errors.As(err, &failure) {
		return failure.IdempotencyKey
	}
	var connection *moment.ConnectionError
	if errors.As(err, &connection) {
		return connection.IdempotencyKey
	}
	return ""
}

// checkError fails if an object exists after an error that does not match ErrOutcomeUnknown.
func (j *ensuring) checkError(t *testing.T, direct *moment.Client, err error) {
	t.Helper()
	j.doubt = j.doubt || errors.Is(err, moment.ErrOutcomeUnknown)
	if err == nil || j.doubt || j.situation.before != nil {
		return
	}
	var getErr error
	switch j.situation.params(j.n).(type) {
	case moment.CustomerCreateParams:
		_, getErr = direct.Customers.Get(t.Context(), "UCR-"+j.n)
	case moment.AccountCreateParams:
		_, getErr = direct.Accounts.Get(t.Context(), "UAR-"+j.n)
	case moment.BillCreateParams:
		_, getErr = direct.Bills.Get(t.Context(), "UBR-"+j.n)
	}
	assert.ErrorIs(t, getErr, moment.ErrNotFound, "%s %s: there is an object after: %v", j.situation.name, j.n, err)
}

// network chooses the faults by the seed, the job and the number of the job's earlier requests.
type network struct {
	seed      uint64
	elsewhere string

	mu       sync.Mutex
	requests map[string]uint64
	kill     map[string]func() bool // called at each request of a job

	service http.RoundTripper
	keys    map[string]map[string]bool // the keys of an object's creates, and whether they have ended in a failure
	running map[string]int             // requests with a key whose response is pending
	copies  map[string]int             // requests with a key
	hasty   []string                   // creates under another key before that
}

// RoundTrip forwards a request from the proxy to the service. It records the keys that have ended
// in a failure.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	key := r.Header.Get("Idempotency-Key")
	n.count(key, 1)
	resp, err := n.service.RoundTrip(r)
	alone := n.count(key, -1) == 0 // otherwise the response may be a 409 for a key in flight
	if err == nil && key != "" && resp.StatusCode >= 400 && (alone || resp.Header.Get("Idempotent-Replayed") != "") {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.keys[referenceIn(body)][key] = true
	}
	return resp, err
}

func (n *network) count(key string, by int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running[key] += by
	return n.running[key]
}

// arrives records the key of a create.
func (n *network) arrives(r *testkit.ProxyRequest) {
	key, object := r.Header.Get("Idempotency-Key"), referenceIn(r.Body)
	if key == "" {
		return
	}
	if n.keys[object] == nil {
		n.keys[object] = map[string]bool{}
	}
	if _, seen := n.keys[object][key]; !seen {
		for _, ended := range n.keys[object] {
			if !ended {
				n.hasty = append(n.hasty, object)
			}
		}
		n.keys[object][key] = false
	}
	n.copies[key]++
}

func (n *network) killAt(job string, f func() bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kill[job] = f
}

func (n *network) onRequest(r *testkit.ProxyRequest) testkit.Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arrives(r)
	job := r.Header.Get("X-Job")
	n.requests[job]++
	if f := n.kill[job]; f != nil && f() {
		return testkit.FaultLate(time.Millisecond) // it arrives after its process has ended
	}
	random := (&faultChooser{seed: n.seed}).random(job, n.requests[job])
	if random.IntN(100) < 70 {
		return testkit.FaultNone()
	}
	n.requests[job+" faults"]++
	all := faults(random, n.elsewhere)
	fault := all[random.IntN(len(all))]
	switch key := r.Header.Get("Idempotency-Key"); {
	case key == "":
	case strings.HasPrefix(fault.Name, "ServiceError") && n.copies[key] > 1:
		return testkit.FaultNone() // because the service may have saved another response
	case fault.Name == "409, before" && n.copies[key] == 1, // the only request with the key was rejected like a request of the service
		strings.HasPrefix(fault.Name, "ServiceError"): // the proxy replays it
		n.keys[referenceIn(r.Body)][key] = true
	}
	return fault
}

// ledger has the service's objects at the end, by external reference.
type ledger struct {
	customers map[string]moment.Customer
	accounts  map[string]moment.Account
	bills     map[string]moment.Bill
	ids       map[string]string // of customers, by their references
}

func newLedger(t *testing.T, s momenttest.State) *ledger {
	t.Helper()
	l := &ledger{map[string]moment.Customer{}, map[string]moment.Account{}, map[string]moment.Bill{}, map[string]string{}}
	for _, c := range s.Customers {
		assert.NotContains(t, l.customers, c.ExternalReference)
		l.customers[c.ExternalReference], l.ids[c.ExternalReference] = c, c.ID
	}
	for _, a := range s.Accounts {
		assert.NotContains(t, l.accounts, a.ExternalReference)
		l.accounts[a.ExternalReference] = a
	}
	for _, b := range s.Bills {
		assert.NotContains(t, l.bills, b.ExternalReference)
		l.bills[b.ExternalReference] = b
	}
	return l
}

// check compares the result of the call with the service's objects.
func (l *ledger) check(t *testing.T, j *ensuring) {
	t.Helper()
	assert.Equal(t, j.situation.end(), j.end, "%s %s after %d calls", j.situation.name, j.n, j.calls)
	if j.end != ensured {
		return
	}
	customer := l.ids["UCR-"+j.n]
	switch object := j.object.(type) {
	case *moment.Customer:
		assert.Equal(t, l.customers["UCR-"+j.n], *object)
	case *moment.Account:
		assert.Equal(t, l.accounts["UAR-"+j.n], *object)
		assert.Equal(t, customer, object.CustomerID, j.situation.name)
	case *moment.Bill:
		assert.Equal(t, l.bills["UBR-"+j.n], *object)
		assert.Equal(t, customer, object.CustomerID, j.situation.name)
		assert.Equal(t, moment.Amount(2000), object.AmountDue)
		if object.AccountID != "" {
			assert.Equal(t, l.accounts["UAR-"+j.n].ID, object.AccountID)
		}
	}
}
