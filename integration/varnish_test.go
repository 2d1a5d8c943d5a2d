package integration_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// TestLostUpdateThroughVarnish is TestLostUpdate of the root package with a real cache as the
// network. The service commits the update, and the connection between Varnish and the service
// breaks before the response. Varnish then responds with 503, Retry-After and HTML, as if the
// service had rejected the update.
func TestLostUpdateThroughVarnish(t *testing.T) {
	for _, row := range backendConnections {
		t.Run(row.why, func(t *testing.T) {
			v := startVarnish(t, row.reused)
			ctx := t.Context()
			_, err := v.direct.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1", Currency: moment.ZAR, Balance: moment.MinorUnits(2000)})
			require.NoError(t, err)
			v.loseNextWrite()
			v.onResponse = sync.OnceFunc(func() { // a payment of 1500, right after the update
				_, err := v.direct.Customers.Update(ctx, "UCR1", moment.CustomerUpdateParams{Balance: moment.MinorUnits(5000 - 1500)})
				assert.NoError(t, err)
			})

			var resp moment.Response
			_, err = v.client.Customers.Update(ctx, "UCR1", moment.CustomerUpdateParams{Balance: moment.MinorUnits(5000)},
				moment.WithHeader("Reference", "UCR1"), moment.WithResponse(&resp))
			assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
			var failure *moment.Error
			if assert.ErrorAs(t, err, &failure) {
				assert.Equal(t, 503, failure.Status)
				assert.Equal(t, 1, failure.Attempts)
				assert.Equal(t, 5*time.Second, failure.RetryAfter)
				assert.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
			}
			v.close()
			assert.Equal(t, 1, v.applied["UCR1"], "updates that the service applied")
			assert.Len(t, v.keys["UCR1"], 1, "updates that reached the service")
			customer, err := v.direct.Customers.Get(ctx, "UCR1")
			require.NoError(t, err)
			assert.Equal(t, moment.Amount(3500), *customer.Balance, "the payment is not undone")
		})
	}
}

// A create is settled by its idempotency key. The client does not retry here, because Varnish asks
// for a wait of 5 seconds.
func TestCreateThroughVarnish(t *testing.T) {
	for _, row := range backendConnections {
		t.Run(row.why, func(t *testing.T) {
			v := startVarnish(t, row.reused)
			v.client = v.newClient(moment.WithMaxRetries(0))
			v.clean = v.client
			v.loseNextWrite()
			c := v.create(t.Context(), "UBR1")
			assert.ErrorIs(t, c.err, moment.ErrOutcomeUnknown)
			v.close()
			c.check(t, v.network)
			assert.Len(t, v.keys["UBR1"], 2, "creates that reached the service: the lost one, and the one that settles it")
		})
	}
}

// Varnish 7.1 itself sends a void again when a reused connection to the service breaks, because a
// void has no body. It does not do so with a create or an update. The second copy has the same
// idempotency key, so the service applies the void once.
func TestVoidThroughVarnish(t *testing.T) {
	for _, row := range backendConnections {
		t.Run(row.why, func(t *testing.T) {
			v := startVarnish(t, row.reused)
			_, err := v.direct.Bills.Create(t.Context(), bill("UBR1"))
			require.NoError(t, err)
			client, key := v.newClient(moment.WithMaxRetries(0)), moment.WithIdempotencyKey(moment.NewIdempotencyKey())
			v.loseNextWrite()
			for range 2 { // the second call settles the first
				_, err = client.Bills.Void(t.Context(), "UBR1", key, moment.WithHeader("Reference", "UBR1"))
				assert.True(t, err == nil || errors.Is(err, moment.ErrOutcomeUnknown), err)
			}
			assert.NoError(t, err)
			v.close()
			t.Logf("%d voids reached the service", len(v.keys["UBR1"]))
			assert.Equal(t, 1, v.applied["UBR1"], "voids that the service applied")
		})
	}
}

// varnish is a network whose client uses Varnish.
type varnish struct {
	*network
	newClient     func(...moment.ClientOption) *moment.Client
	loseNextWrite func() // the response to the next POST or PATCH does not reach Varnish
}

// backendConnections are rows because Varnish treats a failure on a reused connection differently.
var backendConnections = []struct {
	why    string
	reused bool
}{
	{"new connection to the service", false},
	{"reused connection to the service", true},
}

// startVarnish starts Varnish without a configuration. Its backend is a proxy to the service that
// records what passes.
func startVarnish(t *testing.T, reused bool) *varnish {
	t.Helper()
	program, err := exec.LookPath("varnishd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/varnishd") // where Debian has it
	}
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "varnishd is not installed")
		t.Skip("no varnishd: bash .ci/varnish installs it")
	}
	n, service, front := newNetwork(t)
	var losing atomic.Bool
	proxy := front.Config.Handler.(*httputil.ReverseProxy)
	proxy.ModifyResponse = func(resp *http.Response) error {
		if resp.Request.Method != http.MethodGet && losing.CompareAndSwap(true, false) {
			return errors.New("lost")
		}
		return nil
	}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {
		panic(http.ErrAbortHandler) // closes the connection without a response
	}
	front.Start()
	n.close = front.Close
	t.Cleanup(n.close)

	// With -d, Varnish reads commands from its standard input and ends when that is closed, even if
	// this process is killed.
	cmd := exec.CommandContext(t.Context(), program, "-d", "-n", t.TempDir(), "-a", "127.0.0.1:0", "-b", front.Listener.Addr().String())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Cancel, cmd.WaitDelay = stdin.Close, patience
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Wait()
		if t.Failed() {
			t.Log("varnishd:", stderr.String())
		}
	})
	_, err = fmt.Fprint(stdin, "start\ndebug.listen_address\n")
	require.NoError(t, err)
	port := 0 // the system chooses it
	for lines := bufio.NewScanner(stdout); port == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "a0 127.0.0.1 %d", &port)
	}
	require.NotZero(t, port, "varnishd does not listen")
	newClient := func(opts ...moment.ClientOption) *moment.Client {
		return service.Client(append(opts, moment.WithBaseURL(fmt.Sprint("http://127.0.0.1:", port)))...)
	}
	n.client = newClient()
	if reused {
		_, err := n.client.Customers.Get(t.Context(), "UCR0")
		require.ErrorIs(t, err, moment.ErrNotFound)
	}
	return &varnish{n, newClient, func() { losing.Store(true) }}
}
