package integration_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// nginxConf has a URI in proxy_pass, so nginx decodes and normalises the path before it passes it
// on.
const nginxConf = `
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path .;
  proxy_temp_path .;
  fastcgi_temp_path .;
  uwsgi_temp_path .;
  scgi_temp_path .;
  server {
    listen %s;
    location /x/ {
      proxy_pass http://%s/;
    }
  }
}
`

// The identifier "UBR1/void", escaped as net/http sends it, voids the bill UBR1. The client must
// prevent this.
func TestEscapedSlashThroughNginxVoidsABill(t *testing.T) {
	n := startNginx(t)
	_, err := n.direct.Bills.Create(t.Context(), bill("UBR1"))
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.url+"/billing/bills/UBR1%2Fvoid", nil)
	require.NoError(t, err)
	require.Equal(t, "/x/billing/bills/UBR1%2Fvoid", req.URL.RequestURI(), "sent escaped")
	req.Header.Set("Authorization", "Bearer "+anyTestKey)
	req.Header.Set("Idempotency-Key", moment.NewIdempotencyKey())
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, []string{"POST /billing/bills/UBR1/void"}, n.received())
	voided, err := n.direct.Bills.Get(t.Context(), "UBR1")
	require.NoError(t, err)
	assert.Equal(t, moment.BillStatusVoided, voided.Status)
}

// identifierCalls are all operations with an identifier in their path.
var identifierCalls = []struct {
	op, method, path string // path is a pattern for the identifier
	call             func(context.Context, *moment.Client, string) error
}{
	{"get customer", "GET", "/billing/customers/%s", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Customers.Get(ctx, id)
		return err
	}},
	{"update customer", "PATCH", "/billing/customers/%s", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Customers.Update(ctx, id, moment.CustomerUpdateParams{Name: moment.Ptr("Jane Roe")})
		return err
	}},
	{"get account", "GET", "/billing/accounts/%s", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Accounts.Get(ctx, id)
		return err
	}},
	{"update account", "PATCH", "/billing/accounts/%s", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Accounts.Update(ctx, id, moment.AccountUpdateParams{Name: moment.Ptr("Primary Account")})
		return err
	}},
	{"get bill", "GET", "/billing/bills/%s", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Bills.Get(ctx, id)
		return err
	}},
	{"update bill", "PATCH", "/billing/bills/%s", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Bills.Update(ctx, id, moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1)})
		return err
	}},
	{"void bill", "POST", "/billing/bills/%s/void", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Bills.Void(ctx, id)
		return err
	}},
}

func TestNoIdentifierReachesAnotherEndpointThroughNginx(t *testing.T) {
	n := startNginx(t)
	_, err := n.direct.Bills.Create(t.Context(), bill("UBR1"))
	require.NoError(t, err)
	for _, id := range []string{
		"UBR1/void", "UBR1%2Fvoid", "UBR1%2fvoid", "UBR1%252Fvoid", "/UBR1", "UBR1/", "UBR1//void", `UBR1\void`, "UBR1%5Cvoid",
		".", "..", "%2e", "%2E%2e", "%2e%2e", "../bills/UBR1/void", "..%2fbills%2fUBR1%2fvoid", "x/../UBR1/void", "..%2f", `..\`,
		"UBR1?a=b", "UBR1%3Fa", "UBR1#a", "UBR1%23", "UBR1;a", "UBR1%3B", "UBR1%00", "UBR1\x00", "UBR1\r\n\r\nPOST /", "UBR1%0d%0a", "",
	} {
		for _, row := range identifierCalls {
			var bad *moment.ArgumentError
			if assert.ErrorAs(t, row.call(t.Context(), n.client, id), &bad, "%s %q", row.op, id) {
				assert.Equal(t, row.op, bad.Op)
			}
		}
	}
	assert.Empty(t, n.received(), "nothing is sent")
}

// A request that the client sends reaches its endpoint with the same identifier, whether that is a
// valid reference or one that the service rejects.
func TestIdentifiersArriveUnchangedThroughNginx(t *testing.T) {
	n := startNginx(t)
	for _, id := range []string{
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", "bill_1", "-", "_", "--", "void", "bills", strings.Repeat("a", 255),
		"...", ".a", "a..", "a.b", "a b", "a+b", "a:b", "a&b=c", "a,b", "a@b", "~", "*", "!$'()", "{bill}", "|^`\"<>[]", "é", "\u2024\u2024", "\uff0f", "\u2215",
	} {
		for _, row := range identifierCalls {
			err := row.call(t.Context(), n.client, id)
			assert.ErrorIs(t, err, moment.ErrNotFound, "%s %q", row.op, id)
			assert.Equal(t, []string{row.method + " " + fmt.Sprintf(row.path, id)}, n.received())
		}
	}
}

// nginx is the fake service behind nginx.
type nginx struct {
	url            string
	client, direct *moment.Client

	mu       sync.Mutex
	requests []string // method and decoded path of the requests from nginx
}

// received returns the requests since it was last called.
func (n *nginx) received() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	requests := n.requests
	n.requests = nil
	return requests
}

func startNginx(t *testing.T) *nginx {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/nginx") // its path on Debian
	}
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "nginx is not installed")
		t.Skip("no nginx: bash .ci/nginx installs it")
	}
	service := momenttest.NewServer()
	t.Cleanup(service.Close)
	n := &nginx{direct: service.Client()}
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.requests = append(n.requests, r.Method+" "+r.URL.Path)
		n.mu.Unlock()
		service.ServeHTTP(w, r)
	}))
	t.Cleanup(behind.Close)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	dir := t.TempDir()
	conf := fmt.Sprintf(nginxConf, address, behind.Listener.Addr())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
	cmd := exec.Command(program, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log("nginx:", out.String())
		}
	})
	n.url = "http://" + address + "/x"
	n.client = service.Client(moment.WithBaseURL(n.url))
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		return err == nil && connection.Close() == nil
	}, patience, time.Millisecond)
	return n
}
