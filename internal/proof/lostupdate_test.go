package proof_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/moment-billing/moment-go/momenttest"
)

// TestLostUpdate sets a balance to 5000 through a network that loses the response. Then a payment
// reduces the balance by 1500. A second copy of the update would undo the payment, so the client
// does not send one, and returns ErrOutcomeUnknown.
func TestLostUpdate(t *testing.T) {
	skipIfShort(t)
	testkit.SilenceNetHTTP(t)
	elsewhere, _ := startStrayServer(t)
	const after = testkit.After
	for _, fault := range []testkit.Fault{
		testkit.FaultReset(after),
		testkit.FaultStall(after),
		testkit.FaultLate(0), // applied after the client has given up, and before the payment
		testkit.FaultTruncate(0),
		testkit.FaultTruncate(30), // in the headers
		testkit.FaultTruncate(1 << 20),
		testkit.FaultContentLength(1),
		testkit.FaultContentLength(-1),
		testkit.FaultHTML(200, after),
		testkit.FaultHTML(502, after),
		testkit.FaultProblem(408, nil, after),
		testkit.FaultProblem(500, nil, after),
		testkit.FaultProblem(503, nil, after),
		testkit.FaultProblem(503, http.Header{"Retry-After": {"0"}}, after),
		testkit.FaultGateway(503, http.Header{"Retry-After": {"0"}}, after), // Varnish's
		testkit.FaultGateway(403, nil, after),                               // of a firewall that inspects responses
		testkit.FaultGateway(404, nil, after),                               // an ingress's
		testkit.FaultOtherObject(after),
		testkit.FaultFragment(after),
		testkit.FaultProblem(504, nil, after),
		testkit.FaultRedirect(307, elsewhere, after),
		testkit.FaultEndlessBody(200, after),
	} {
		for _, reused := range []bool{false, true} { // net/http has other rules for a reused connection
			t.Run(fault.Name+map[bool]string{false: ", new connection", true: ", reused connection"}[reused], func(t *testing.T) {
				srv := momenttest.NewServer()
				t.Cleanup(srv.Close)
				direct := srv.Client()
				_, err := direct.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1", Currency: moment.ZAR, Balance: moment.MinorUnits(2000)})
				require.NoError(t, err)
				setBalance := func(ctx context.Context, c *moment.Client, n int64) error {
					_, err := c.Customers.Update(ctx, "UCR1", moment.CustomerUpdateParams{Balance: moment.MinorUnits(n)})
					return err
				}

				proxy := testkit.NewProxy(srv.URL)
				t.Cleanup(proxy.Close)
				payment := &afterUpdate{service: proxy.Service, do: func() { assert.NoError(t, setBalance(context.Background(), direct, 5000-1500)) }}
				proxy.Service = payment
				proxy.OnRequest = func(r *testkit.ProxyRequest) testkit.Fault {
					if r.Method == http.MethodPatch {
						return fault
					}
					return testkit.FaultNone()
				}
				testkit.ReplaceDefaultTransport(t, proxy.Transport())
				timeout := 30 * time.Second
				if strings.HasPrefix(fault.Name, "stall") || fault.Name == "late" {
					timeout = time.Second
				}
				client := newClient(t, moment.WithBaseURL(proxy.TLSURL), moment.WithBackoff(0, 0), moment.WithAttemptTimeout(timeout))
				if reused {
					_, err := client.Customers.Get(t.Context(), "UCR1")
					require.NoError(t, err)
				}

				err = setBalance(t.Context(), client, 5000)
				assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
				assert.Equal(t, 1, attemptsOf(t, err))
				proxy.Close() // all requests have arrived
				assert.EqualValues(t, 1, payment.updates.Load(), "updates that reached the service")
				customer, err := direct.Customers.Get(t.Context(), "UCR1")
				require.NoError(t, err)
				assert.Equal(t, moment.MinorUnits(3500), customer.Balance, "the payment is not undone")
			})
		}
	}
}

// afterUpdate forwards requests to the service, and calls a function right after the first update
// was applied.
type afterUpdate struct {
	service http.RoundTripper
	do      func()
	updates atomic.Int32
}

func (a *afterUpdate) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.service.RoundTrip(r)
	if r.Method == http.MethodPatch {
		if err != nil || resp.StatusCode != http.StatusOK {
			return nil, errors.New("the update was not applied")
		}
		if a.updates.Add(1) == 1 {
			a.do()
		}
	}
	return resp, err
}
