package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

var ours = moment.RawWebhookSecret([]byte("the secret of these tests"))

// endpoint is a merchant's endpoint, which verifies signatures.
type endpoint struct {
	*httptest.Server

	events  chan *moment.Event
	handler atomic.Pointer[http.Handler]
}

// newEndpoint starts one that has no secret yet: see trust.
func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{events: make(chan *moment.Event, 100)}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*e.handler.Load()).ServeHTTP(w, r) }))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) trust(t *testing.T, secret string) {
	t.Helper()
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	handler := verifier.Handler(func(_ context.Context, event *moment.Event) error {
		e.events <- event
		return nil
	})
	e.handler.Store(&handler)
}

// event returns the one event that was received.
func (e *endpoint) event(t *testing.T) *moment.Event {
	t.Helper()
	require.Len(t, e.events, 1)
	return <-e.events
}

func (m *running) client(t *testing.T) *moment.Client {
	t.Helper()
	client, err := moment.NewClient(anyKey, moment.WithBaseURL(m.url))
	require.NoError(t, err)
	return client
}

var (
	madeUp     = regexp.MustCompile(`\b(bcus|bacc|bill|ob|pay|evt|msg|req)_[A-Z2-7]{21}`)
	clockTime  = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} `)
	duration   = regexp.MustCompile(` \d+(\.\d+)?(µs|ms|s)\b`)
	timestamp  = regexp.MustCompile(`"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`)
	listenPort = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	shortPort  = regexp.MustCompile(` :\d+`)
)

// masked is text without what differs from run to run.
func masked(text string) string {
	text = madeUp.ReplaceAllString(text, "${1}_X")
	text = clockTime.ReplaceAllString(text, "TIME ")
	text = duration.ReplaceAllString(text, " DURATION")
	text = timestamp.ReplaceAllString(text, `"NOW"`)
	text = listenPort.ReplaceAllString(text, "ADDRESS")
	return shortPort.ReplaceAllString(text, " :PORT")
}

// A whole session: the test uses the printed exports, creates a bill and pays it twice, and
// receives each event.
func TestSession(t *testing.T) {
	e := newEndpoint(t)
	m := start(t, nil, "--forward-to", e.URL+"/webhooks/moment?token=swordfish")
	e.trust(t, m.secret)
	assert.Equal(t, `A fake of the Moment Billing API. The key and the secret work only here.

  URL              http://ADDRESS
  Console          the same URL, in a browser
  API key          sk_test_YOUR_SECRET_KEY or any other that begins with sk_test_
  Webhook secret   `+m.secret+`
  Events go to     http://ADDRESS/webhooks/moment?token=swordfish
  Data is kept     in memory only: see --state

For programs in another terminal:

  export MOMENT_BASE_URL=http://ADDRESS
  export MOMENT_API_KEY=sk_test_YOUR_SECRET_KEY
  export MOMENT_WEBHOOK_SECRET=`+m.secret+`

To pay a bill, run moment-mock pay bill_… 15.00. For all commands, see moment-mock --help

`, masked(m.stdout.String()))

	client := m.client(t)
	params := moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "Jane Roe"},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000,
	}
	bill, err := client.Bills.Create(t.Context(), params, moment.WithIdempotencyKey("the-key-of-this-call"))
	require.NoError(t, err)
	again, err := client.Bills.Create(t.Context(), params, moment.WithIdempotencyKey("the-key-of-this-call"))
	require.NoError(t, err)
	require.Equal(t, bill, again)

	code, stdout, stderr := execute(t, nil, "pay", "--url", m.url+"/", bill.ID, "15.00")
	assert.Zero(t, code)
	assert.Empty(t, stderr)
	assert.Equal(t, `Paid ZAR 15.00 to bill_X, which leaves ZAR 5.00
Event msg_X: 204 at attempt 1
{
  "id": "evt_X",
  "type": "obligation.amount_applied",
  "data": {
    "id": "ob_X",
    "amount": 1500,
    "currency": "ZAR",
    "payment_id": "pay_X",
    "bill_id": "bill_X",
    "created_at": "NOW",
    "updated_at": "NOW"
  }
}
`, masked(stdout))
	event := e.event(t)
	assert.Contains(t, stdout, "Event "+event.MessageID+":")
	assert.Contains(t, stdout, event.ID)
	payment := event.Data.(*moment.AmountApplied)
	assert.Equal(t, bill.ID, payment.BillID)
	assert.Equal(t, moment.Amount(1500), payment.Amount)

	code, stdout, stderr = execute(t, environment{"MOMENT_BASE_URL": m.url}, "pay", "UBR1234567890", "5")
	assert.Zero(t, code)
	assert.Empty(t, stderr)
	assert.True(t, strings.HasPrefix(masked(stdout), "Paid ZAR 5.00 to bill_X, which leaves ZAR 0.00\nEvent msg_X: 204 at attempt 1\n{\n"), stdout)
	assert.Equal(t, moment.Amount(500), e.event(t).Data.(*moment.AmountApplied).Amount)

	bill, err = client.Bills.Get(t.Context(), "UBR1234567890")
	require.NoError(t, err)
	assert.Equal(t, moment.BillStatusPaid, bill.Status)
	_, err = client.Bills.Get(t.Context(), "none")
	require.ErrorIs(t, err, moment.ErrNotFound)
	m.end()
	assert.Zero(t, m.wait(t))
	assert.Equal(t, `TIME POST /billing/bills 201 DURATION req_X
TIME POST /billing/bills 201 DURATION req_X replayed
TIME → evt_X to :PORT/webhooks/moment 204, attempt 1 of 6
TIME POST /_mock/payments 200 DURATION
TIME → evt_X to :PORT/webhooks/moment 204, attempt 1 of 6
TIME POST /_mock/payments 200 DURATION
TIME GET /billing/bills/UBR1234567890 200 DURATION req_X
TIME GET /billing/bills/none 404 DURATION req_X
`, masked(m.stderr.String()))
}

// What others send is one line of the log, without what they may have to keep secret.
func TestLogIsOneLineWithoutSecrets(t *testing.T) {
	m := start(t, nil)
	for _, row := range []struct{ request, want string }{
		{"GET /billing/customers/a%0Ab%20c?key=swordfish", "GET /billing/customers/a%0Ab%20c 404 DURATION req_X"},
		{"GET /billing/customers/<\xff>", "GET /billing/customers/%3C%FF%3E 404 DURATION req_X"},
		{"GET //billing/../x", "GET //billing/../x 404 DURATION req_X"},
		{"POST /billing/customers", "POST /billing/customers 201 DURATION req_X"},
		{"DELETE /billing/customers", "DELETE /billing/customers 405 DURATION req_X"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(m.url, "http://"))
		require.NoError(t, err)
		body := fmt.Sprintf(`{"external_reference": "a", "name": "swordfish %d"}`, len(row.request))
		_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer sk_test_swordfish\r\nIdempotency-Key: swordfish\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", row.request, len(body), body)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, conn)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		log := strings.TrimSuffix(m.stderr.String(), "\n")
		assert.Equal(t, "TIME "+row.want, masked(log[strings.LastIndex(log, "\n")+1:]))
	}
	assert.Equal(t, 5, strings.Count(m.stderr.String(), "\n"))
	assert.NotContains(t, m.stderr.String(), "swordfish")
}

// The secret is that of the environment, if there is one; it may be a real one, and is not printed.
func TestSecretOfTheEnvironment(t *testing.T) {
	e := newEndpoint(t)
	e.trust(t, ours)
	m := start(t, environment{"MOMENT_WEBHOOK_SECRET": ours}, "--forward-to", e.URL)
	createCustomer(t, m)
	code, _, stderr := execute(t, nil, "pay", "--url", m.url, "UCR-1", "15.00")
	assert.Zero(t, code, stderr)
	e.event(t)
	assert.Contains(t, m.stdout.String(), "  Webhook secret   the one in MOMENT_WEBHOOK_SECRET\n")
	assert.NotContains(t, m.stdout.String(), "whsec_")
	one, other := start(t, nil), start(t, nil)
	assert.NotEqual(t, one.secret, other.secret, "otherwise, each run makes one")
}

// createCustomer creates UCR-1, who can be paid.
func createCustomer(t *testing.T, m *running) {
	t.Helper()
	_, err := m.client(t).Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR-1", Currency: moment.ZAR, Balance: moment.MinorUnits(2000)})
	require.NoError(t, err)
}

func TestPasswordOfTheEndpointIsNotPrinted(t *testing.T) {
	m := start(t, nil, "--forward-to", "http://user:swordfish@127.0.0.1:1/")
	createCustomer(t, m)
	code, stdout, stderr := execute(t, nil, "pay", "--url", m.url, "UCR-1", "15.00")
	assert.Equal(t, 1, code)
	for _, text := range []string{stdout, stderr, m.stdout.String(), m.stderr.String()} {
		assert.NotContains(t, text, "swordfish")
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { assert.NoError(t, taken.Close()) }()
	code, stdout, stderr := execute(t, nil, "--listen", taken.Addr().String())
	assert.Equal(t, 1, code)
	assert.Empty(t, stdout)
	assert.Regexp(t, `^moment-mock: listen tcp `+taken.Addr().String()+`: .*: choose another address with --listen, like 127.0.0.1:0\n$`, stderr)
}

// An address that clients cannot use is not printed.
func TestReachable(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8787":   "127.0.0.1:8787",
		"0.0.0.0:8787":     "127.0.0.1:8787",
		"[::]:8787":        "127.0.0.1:8787",
		"[::1]:8787":       "[::1]:8787",
		"192.168.1.2:8787": "192.168.1.2:8787",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", address)
		require.NoError(t, err)
		assert.Equal(t, want, reachable(tcp))
	}
}

// A signal ends the program at once, although an endpoint does not respond. The payment gets its
// response, and the next run delivers the event.
func TestSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM")
	}
	delivering, release := make(chan string, 10), make(chan bool)
	e := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		delivering <- r.Header.Get("Webhook-Id")
		<-release
		w.WriteHeader(http.StatusNoContent)
	}))
	defer e.Close()
	path := filepath.Join(t.TempDir(), "mock.json")
	m := launch(t, "--forward-to", e.URL, "--state", path)
	createCustomer(t, m)
	paid := make(chan string, 1)
	go func() {
		_, stdout, stderr := execute(t, nil, "pay", "--url", m.url, "UCR-1", "15.00")
		paid <- stdout + stderr
	}()
	first := <-delivering
	m.end()
	assert.Zero(t, m.wait(t))
	assert.Contains(t, <-paid, "Paid ZAR 15.00 to bcus_")
	close(release)
	launch(t, "--forward-to", e.URL, "--state", path)
	assert.Equal(t, first, <-delivering)
}
