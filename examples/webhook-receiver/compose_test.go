package main

import (
	"bufio"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// The services of compose.yaml run here with their commands and environments. The test
// replaces only the addresses and the volume of the ledger, which Compose sets.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	fakes, receivers, found := strings.Cut(string(text), "\n  receiver:\n")
	require.True(t, found)
	value := func(section, name string) string {
		match := regexp.MustCompile(`(?m)^ +` + name + `: (\S.*)$`).FindStringSubmatch(section)
		require.NotNil(t, match, name)
		return match[1]
	}

	require.Equal(t, "go run .", value(receivers, "command"))
	require.Equal(t, "/moment-go/examples/webhook-receiver", value(receivers, "working_dir"))
	require.Equal(t, "0.0.0.0:8080", value(receivers, "LISTEN"))
	require.Equal(t, "/ledger/ledger.db", value(receivers, "LEDGER"))
	require.Contains(t, value(receivers, "volumes"), `"ledger:/ledger"`)
	p := start(t, filepath.Join(t.TempDir(), "ledger.db"), "MOMENT_WEBHOOK_SECRET="+value(receivers, "MOMENT_WEBHOOK_SECRET"))

	require.Equal(t, "/moment-go", value(fakes, "working_dir"))
	args, found := strings.CutPrefix(value(fakes, "command"), "go run ./cmd/moment-mock --listen 0.0.0.0:8787 ")
	require.True(t, found)
	require.Contains(t, args, "http://receiver:8080")
	program := filepath.Join(t.TempDir(), "moment-mock")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/moment-billing/moment-go/cmd/moment-mock").CombinedOutput()
	require.NoError(t, err, string(out))
	fake := exec.CommandContext(t.Context(), program, append([]string{"--listen", "127.0.0.1:0"}, strings.Fields(strings.ReplaceAll(args, "receiver:8080", p.address))...)...)
	fake.Env = []string{"MOMENT_WEBHOOK_SECRET=" + value(fakes, "MOMENT_WEBHOOK_SECRET")}
	stdout, err := fake.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, fake.Start())
	t.Cleanup(func() {
		assert.NoError(t, fake.Process.Kill())
		_ = fake.Wait() // reports that it was killed
	})
	var base string
	for lines := bufio.NewScanner(stdout); base == "" && lines.Scan(); {
		_, base, _ = strings.Cut(lines.Text(), "export MOMENT_BASE_URL=")
	}
	_, err = url.Parse(base)
	require.NoError(t, err)

	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithBaseURL(base))
	require.NoError(t, err)
	_, err = client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Currency: moment.ZAR, Balance: moment.MinorUnits(2000)})
	require.NoError(t, err)
	// It succeeds only if the receiver acknowledged the event.
	out, err = exec.CommandContext(t.Context(), program, "pay", "--url", base, "UCR1234567890", "15.00").CombinedOutput()
	require.NoError(t, err, string(out))
}
