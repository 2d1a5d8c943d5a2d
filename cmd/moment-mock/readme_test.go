package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// The first commands of README.md do what it says, on another port.
func TestReadme(t *testing.T) {
	for _, tool := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skip(err)
		}
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	section, _, _ := strings.Cut(string(readme), "\n## TypeScript\n")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	require.Len(t, blocks, 2)

	e := newEndpoint(t)
	args, found := strings.CutPrefix(strings.TrimSpace(blocks[0][1]), "go run ./cmd/moment-mock ")
	require.True(t, found)
	args = strings.ReplaceAll(args, "http://127.0.0.1:8080", e.URL)
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
	assert.Contains(t, out, `{"id":"bill_X","external_reference":"UBR1",`)
	row := regexp.MustCompile("\\| a half-paid bill \\| `moment-mock (.*?)` \\|").FindStringSubmatch(section)
	require.NotNil(t, row)
	assert.Contains(t, masked(sh("go run ./cmd/moment-mock "+row[1])), "Paid ZAR 10.00 to bill_X, which leaves ZAR 10.00\n")
	assert.Equal(t, moment.Amount(1000), e.event(t).Data.(*moment.AmountApplied).Amount)
}
