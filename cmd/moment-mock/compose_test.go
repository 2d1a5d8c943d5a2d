package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// The services of docs/testing.md reach each other by their names in Compose. This test replaces
// the network of the merchant's service; the rest is as documented.
func TestCompose(t *testing.T) {
	page, err := os.ReadFile("../../docs/testing.md")
	require.NoError(t, err)
	_, block, found := strings.Cut(string(page), "```yaml\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")
	fakes, merchants, found := strings.Cut(block, "\n  billing:\n")
	require.True(t, found)
	value := func(section, name string) string {
		match := regexp.MustCompile(`(?m)^ +` + name + `: (\S.*)$`).FindStringSubmatch(section)
		require.NotNil(t, match, name)
		return match[1]
	}
	e := newEndpoint(t)
	e.trust(t, value(merchants, "MOMENT_WEBHOOK_SECRET"))
	args, found := strings.CutPrefix(value(fakes, "command"), "go run ./cmd/moment-mock ")
	require.True(t, found)
	args = strings.NewReplacer("0.0.0.0:8787", "0.0.0.0:0", "http://billing:8080", e.URL).Replace(args)
	m := start(t, environment{"MOMENT_WEBHOOK_SECRET": value(fakes, "MOMENT_WEBHOOK_SECRET")}, strings.Fields(args)...)

	t.Setenv("MOMENT_BASE_URL", value(merchants, "MOMENT_BASE_URL"))
	t.Setenv("MOMENT_API_KEY", value(merchants, "MOMENT_API_KEY"))
	network := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		assert.Equal(t, "moment-mock:8787", address)
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(m.url, "http://"))
	}}}
	t.Cleanup(network.CloseIdleConnections)
	client, err := moment.NewClientFromEnv(moment.WithHTTPClient(network))
	require.NoError(t, err)
	_, err = client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR-1", Currency: moment.ZAR})
	require.NoError(t, err)
	resp, err := network.Post("http://moment-mock:8787"+paymentsPath, "application/json", strings.NewReader(`{"to": "UCR-1", "amount": "15.00"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, moment.Amount(1500), e.event(t).Data.(*moment.AmountApplied).Amount)
}
