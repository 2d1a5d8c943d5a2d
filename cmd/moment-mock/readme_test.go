package main

import (
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

// The commands of the README do what it says, on another port and with another folder.
func TestReadme(t *testing.T) {
	for _, tool := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skip(err)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(readme), "\n## Without Go\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	require.Len(t, blocks, 3)

	e := newEndpoint(t)
	state := filepath.Join(t.TempDir(), "mock.json")
	args, found := strings.CutPrefix(strings.TrimSpace(blocks[0][1]), "go run ./cmd/moment-mock ")
	require.True(t, found)
	args = strings.NewReplacer("http://127.0.0.1:8080", e.URL, "mock.json", state).Replace(args)
	m := start(t, nil, strings.Fields(args)...)
	e.trust(t, m.secret)

	sh := func(script string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", strings.NewReplacer(defaultURL, m.url, "go run ./cmd/moment-mock", `"$MOCK"`).Replace(script))
		cmd.Env = append(os.Environ(), mainEnv+"=1", "MOCK="+os.Args[0], "MOMENT_BASE_URL="+m.url)
		out, err := cmd.Output()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	out := masked(sh(blocks[1][1]))
	assert.Contains(t, out, `{"id":"bill_X","external_reference":"UBR1234567890",`)
	assert.Contains(t, out, "Paid ZAR 15.00 to bill_X, which leaves ZAR 5.00\nEvent msg_X: answered 204, attempt 1\n")
	assert.Equal(t, moment.Amount(1500), e.event(t).Data.(*moment.AmountApplied).Amount)
	out = masked(sh(blocks[2][1]))
	assert.Contains(t, out, `{"to":"bill_X","money":"ZAR 5.00","remaining":"ZAR 0.00","message_id":"msg_X","attempts":1,"acknowledged":true,"status":204,"event":{`)
	assert.Equal(t, moment.Amount(500), e.event(t).Data.(*moment.AmountApplied).Amount)
	assert.Len(t, readState(t, state).Payments, 2)
}
