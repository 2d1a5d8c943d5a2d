package integration_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// row is a fault of Toxiproxy in every attempt of a call, and the result of the call.
type row struct {
	why     string
	toxics  []string      // in the form of Toxiproxy; none: the proxy is down, or goes down during the call
	tls     bool          // the service uses TLS, so that the toxics apply to the handshake
	timeout time.Duration // of an attempt; 0: so long that only the toxic ends the attempt
	says    string        // the error; empty: a success
	unsent  bool          // the request was never sent: the outcome is known, and even an update is retried
	arrives bool          // the request reaches the service
	least   time.Duration // of an update
}

const short = 100 * time.Millisecond // shorter than slow toxics

// note makes bodies so long that 400 bytes of a request, and 300 of a response, end in them.
var note = map[string]string{"note": strings.Repeat("x", 400)}

var rows = []row{
	{why: "no server listens", says: "connection refused", unsent: true},
	{why: "handshake truncated from the client", toxics: []string{`{"type":"limit_data","stream":"upstream","attributes":{"bytes":50}}`}, tls: true, says: "EOF", unsent: true},
	{why: "handshake truncated from the service", toxics: []string{`{"type":"limit_data","stream":"downstream","attributes":{"bytes":50}}`}, tls: true, says: "EOF", unsent: true},
	{why: "handshake reset", toxics: []string{`{"type":"reset_peer","stream":"downstream"}`}, tls: true, says: "connection reset by peer", unsent: true},
	{why: "handshake stalls", toxics: []string{`{"type":"timeout","stream":"downstream"}`}, tls: true, timeout: short, says: "no connection within the attempt timeout", unsent: true},
	{why: "request reset", toxics: []string{`{"type":"reset_peer","stream":"upstream"}`}, says: "connection reset by peer"},
	{why: "request stalls", toxics: []string{`{"type":"timeout","stream":"upstream"}`}, timeout: short, says: "no response within the attempt timeout"},
	{why: "request truncated in its headers", toxics: []string{`{"type":"limit_data","stream":"upstream","attributes":{"bytes":100}}`}, says: "no response: EOF"},
	{why: "request truncated in its body", toxics: []string{`{"type":"limit_data","stream":"upstream","attributes":{"bytes":400}}`}, says: "no response: EOF"},
	{why: "request truncated in its body, connection stays open", toxics: []string{`{"type":"limit_data","stream":"upstream","attributes":{"bytes":400}}`, `{"type":"slow_close","stream":"upstream","attributes":{"delay":10000}}`}, timeout: short, says: "no response within the attempt timeout"},
	{why: "request arrives after the attempt timeout", toxics: []string{`{"type":"latency","stream":"upstream","attributes":{"latency":1000}}`}, timeout: short, says: "no response within the attempt timeout", arrives: true},
	{why: "response reset", toxics: []string{`{"type":"reset_peer","stream":"downstream"}`}, says: "connection reset by peer", arrives: true},
	{why: "response stalls", toxics: []string{`{"type":"timeout","stream":"downstream"}`}, timeout: short, says: "no response within the attempt timeout", arrives: true},
	{why: "response truncated before its first byte", toxics: []string{`{"type":"limit_data","stream":"downstream","attributes":{"bytes":0}}`}, says: "no response: EOF", arrives: true},
	{why: "response truncated in its status line", toxics: []string{`{"type":"limit_data","stream":"downstream","attributes":{"bytes":10}}`}, says: "transport connection broken", arrives: true},
	{why: "response truncated in its headers", toxics: []string{`{"type":"limit_data","stream":"downstream","attributes":{"bytes":100}}`}, says: "transport connection broken", arrives: true},
	{why: "response truncated in its body", toxics: []string{`{"type":"limit_data","stream":"downstream","attributes":{"bytes":300}}`}, says: "truncated response: unexpected EOF", arrives: true},
	{why: "response truncated in its body, connection stays open", toxics: []string{`{"type":"limit_data","stream":"downstream","attributes":{"bytes":300}}`, `{"type":"slow_close","stream":"downstream","attributes":{"delay":10000}}`}, timeout: short, says: "within the attempt timeout", arrives: true},
	{why: "response arrives after the attempt timeout", toxics: []string{`{"type":"latency","stream":"downstream","attributes":{"latency":10000}}`}, timeout: short, says: "no response within the attempt timeout", arrives: true},
	{why: "response is slow until the attempt timeout", toxics: []string{`{"type":"slicer","stream":"downstream","attributes":{"average_size":1,"delay":10000}}`}, timeout: short, says: "within the attempt timeout", arrives: true},
	{why: "response is slower than the attempt timeout", toxics: []string{`{"type":"bandwidth","stream":"downstream","attributes":{"rate":1}}`}, timeout: short, says: "within the attempt timeout", arrives: true},
	{why: "late but in time", toxics: []string{`{"type":"latency","stream":"upstream","attributes":{"latency":20}}`, `{"type":"latency","stream":"downstream","attributes":{"latency":20}}`}, least: 40 * time.Millisecond, arrives: true},
	{why: "byte by byte but in time", toxics: []string{`{"type":"slicer","stream":"upstream","attributes":{"average_size":1,"delay":50}}`, `{"type":"slicer","stream":"downstream","attributes":{"average_size":1,"delay":50}}`}, least: 40 * time.Millisecond, arrives: true},
	{why: "slow but in time", toxics: []string{`{"type":"bandwidth","stream":"upstream","attributes":{"rate":10}}`, `{"type":"bandwidth","stream":"downstream","attributes":{"rate":10}}`}, least: 80 * time.Millisecond, arrives: true},
}

// For every fault of a foreign proxy: after a success there is exactly one bill, after a failure
// with a known outcome there is no bill, and after an unknown outcome is settled there is exactly
// one. There is never a second key, because the service would reject its bill anyway.
func TestCreatesThroughToxiproxy(t *testing.T) {
	for _, row := range rows {
		for _, toxicity := range []float32{1, 0.5} {
			t.Run(fmt.Sprintf("%s, toxicity %v", row.why, toxicity), func(t *testing.T) {
				n := start(t, row, toxicity)
				calls, callers := make([]call, 24), new(sync.WaitGroup)
				for i := range calls {
					callers.Go(func() { calls[i] = n.create(t.Context(), fmt.Sprintf("UBR%d", i)) })
				}
				callers.Wait()
				n.close()
				attempts := 0
				for _, c := range calls {
					attempts += c.Attempts
					c.check(t, n)
					if toxicity == 1 {
						row.check(t, c.err, 4)
					}
				}
				assert.True(t, row.says == "" || attempts > len(calls), "no call met a toxic")
			})
		}
	}
}

// An update sets a balance, so one that may have been sent is not sent again.
func TestUpdatesThroughToxiproxy(t *testing.T) {
	for _, row := range rows {
		t.Run(row.why, func(t *testing.T) {
			n := start(t, row, 1)
			_, err := n.direct.Bills.Create(t.Context(), bill("UBR1"))
			require.NoError(t, err)
			params := moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500), Metadata: note}
			begun := time.Now()
			_, err = n.client.Bills.Update(t.Context(), "UBR1", params, moment.WithHeader("Reference", "UBR1"))
			assert.GreaterOrEqual(t, time.Since(begun), row.least)
			row.check(t, err, 1)
			n.close()
			applied := n.applied["UBR1"] // perhaps never, if the timeout ended before the machine sent it
			assert.True(t, row.arrives == (applied == 1) || row.timeout > 0 && applied == 0, "applied %d times", applied)
		})
	}
}

// check compares the result of a call with the row. attempts is the number for a call that may have
// been sent.
func (r row) check(t *testing.T, err error, attempts int) {
	t.Helper()
	if r.says == "" {
		assert.NoError(t, err)
		return
	}
	if r.unsent {
		attempts = 4
	}
	var failure *moment.ConnectionError
	require.ErrorAs(t, err, &failure)
	assert.ErrorContains(t, err, r.says)
	assert.Equal(t, attempts, failure.Attempts, err)
	assert.Equal(t, !r.unsent, errors.Is(err, moment.ErrOutcomeUnknown), err)
}

// call is the create of a bill, and its result.
type call struct {
	moment.Response
	reference    string
	bill         *moment.Bill
	err, settled error // of the call, and after it was settled
}

// create also settles an unknown outcome. No failure is saved under the key here, so the same call
// again is enough.
func (n *network) create(ctx context.Context, reference string) call {
	c := call{reference: reference}
	params, header := bill(reference), moment.WithHeader("Reference", reference)
	c.bill, c.err = n.client.Bills.Create(ctx, params, header, moment.WithResponse(&c.Response))
	c.settled = c.err
	if errors.Is(c.err, moment.ErrOutcomeUnknown) {
		c.bill, c.settled = n.clean.Bills.Create(ctx, params, header, moment.WithIdempotencyKey(c.IdempotencyKey))
	}
	return c
}

func bill(reference string) moment.BillCreateParams {
	return moment.BillCreateParams{Customer: moment.CustomerCreateParams{ExternalReference: "UCR-" + reference}, ExternalReference: reference, Currency: moment.ZAR, AmountDue: 2000, Metadata: note}
}

// check compares the result of the call with the service's actions and objects.
func (c *call) check(t *testing.T, n *network) {
	t.Helper()
	stored, err := n.direct.Bills.Get(t.Context(), c.reference)
	if c.err != nil && !errors.Is(c.err, moment.ErrOutcomeUnknown) {
		assert.ErrorIs(t, err, moment.ErrNotFound, c.err)
		assert.Empty(t, n.keys[c.reference], c.err)
		return
	}
	require.NoError(t, errors.Join(c.settled, err))
	assert.Equal(t, stored, c.bill, c.err)
	assert.Equal(t, 1, n.applied[c.reference], c.err)
	assert.Subset(t, []string{c.IdempotencyKey}, n.keys[c.reference], c.err)
}

// network is a service with a record of its requests, and three clients of it: without the record,
// without the proxy, and through the proxy.
type network struct {
	direct, clean, client *moment.Client
	onResponse            func() // called after the service has responded, and before the response is sent
	close                 func() // waits for late requests
	mu                    sync.Mutex
	applied               map[string]int      // by the header Reference: the number of requests that the service applied
	keys                  map[string][]string // by the same: the keys of the requests
}

// newNetwork starts a service. The caller starts the proxy to it, which records what passes.
func newNetwork(t *testing.T) (n *network, service *momenttest.Server, front *httptest.Server) {
	t.Helper()
	service = momenttest.NewServer()
	t.Cleanup(service.Close)
	n = &network{direct: service.Client(), onResponse: func() {}, applied: map[string]int{}, keys: map[string][]string{}}
	quiet := log.New(io.Discard, "", 0)
	rewrite := func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", strings.TrimPrefix(service.URL, "http://")
	}
	front = httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: rewrite, Transport: n, ErrorLog: quiet})
	front.Config.ErrorLog = quiet
	return n, service, front
}

func start(t *testing.T, row row, toxicity float32) *network {
	t.Helper()
	n, service, front := newNetwork(t)
	var open atomic.Int32
	front.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		open.Add(map[http.ConnState]int32{http.StateNew: 1, http.StateClosed: -1}[state])
	}
	if row.tls {
		front.StartTLS()
	} else {
		front.Start()
	}
	toxics, address := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), front.Listener.Addr().String()
	proxy := toxiproxy.NewProxy(toxics, "moment", "127.0.0.1:0", address)
	for _, text := range row.toxics {
		toxic, err := proxy.Toxics.AddToxicJson(strings.NewReader(text))
		require.NoError(t, err)
		toxic.Toxicity = toxicity
	}
	require.NoError(t, proxy.Start())
	n.close = func() {
		assert.Eventually(t, func() bool { return !row.arrives || open.Load() == 0 }, time.Minute, time.Millisecond)
		proxy.Stop()
		front.Close()
	}
	t.Cleanup(n.close)
	if row.toxics == nil && toxicity == 1 {
		proxy.Stop()
	} else if row.toxics == nil {
		n.onResponse = sync.OnceFunc(proxy.Stop) // some calls then wait for their responses, and others have not connected yet
	}

	// Each attempt has a new connection, because Toxiproxy decides once for each, and net/http does
	// not resend a request on a new one. DisableKeepAlives would not work, because the service
	// would close the connection after the response, which ends a stall.
	front.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = -1
	n.clean = service.Client(moment.WithHTTPClient(front.Client()), moment.WithBaseURL(front.URL))
	proxied, timeout := strings.Replace(front.URL, address, proxy.Listen, 1), cmp.Or(row.timeout, time.Minute)
	n.client = service.Client(moment.WithHTTPClient(front.Client()), moment.WithBaseURL(proxied), moment.WithAttemptTimeout(timeout))
	return n
}

// RoundTrip forwards a request to the service, even if the client no longer waits, and records it.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	if err != nil {
		return nil, err
	}
	defer n.onResponse()
	n.mu.Lock()
	defer n.mu.Unlock()
	reference, key := r.Header.Get("Reference"), r.Header.Get("Idempotency-Key")
	n.keys[reference] = append(n.keys[reference], key)
	if resp.StatusCode < 300 && resp.Header.Get("Idempotent-Replayed") == "" {
		n.applied[reference]++
	}
	return resp, nil
}
