package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// environment is what os.Getenv asks.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

func TestWrongConfiguration(t *testing.T) {
	test, live := environment{"MOMENT_API_KEY": "sk_test_SWORDFISH"}, environment{"MOMENT_API_KEY": "sk_SWORDFISH"}
	for _, row := range []struct {
		why  string
		env  environment
		args []string
		says string
	}{
		{"no file", test, nil, "name one CSV file, after the flags: see --help (or try --demo 1000)"},
		{"flags after the file, which would not be read", test, []string{"bills.csv", "--currency", "ZAR"}, "name one CSV file, after the flags: see --help (or try --demo 1000)"},
		{"no key", environment{}, []string{"bills.csv"}, "MOMENT_API_KEY is not set: it is the sk_test_... or sk_... that Moment gave you (or try --demo 1000)"},
		{"a key that is none", environment{"MOMENT_API_KEY": "SWORDFISH"}, []string{"bills.csv"}, "MOMENT_API_KEY: secret key does not begin with sk_"},
		{"an address that is none", environment{"MOMENT_API_KEY": "sk_test_SWORDFISH", "MOMENT_BASE_URL": "moment"}, []string{"bills.csv"}, "MOMENT_BASE_URL lacks https:// in front (or http://, on this machine)"},
		{"an address as moment-mock is listening on", environment{"MOMENT_API_KEY": "sk_test_SWORDFISH", "MOMENT_BASE_URL": "127.0.0.1:8787"}, []string{"bills.csv"}, "MOMENT_BASE_URL lacks https:// in front (or http://, on this machine)"},
		{"an address without a host", environment{"MOMENT_API_KEY": "sk_test_SWORDFISH", "MOMENT_BASE_URL": "https://"}, []string{"bills.csv"}, "MOMENT_BASE_URL lacks https:// or a host: write it like https://api.momentpay.net"},
		{"a live key, perhaps by mistake", live, []string{"bills.csv"}, "MOMENT_API_KEY is a key for live mode: --live must be given for live mode, and for it alone"},
		{"a test key for a live run", test, []string{"--live", "bills.csv"}, "MOMENT_API_KEY is a key for test mode: --live must be given for live mode, and for it alone"},
		{"a currency that is none", test, []string{"--currency", "RAND", "bills.csv"}, `--currency: "RAND" is not a currency with minor units in ISO 4217, like ZAR`},
		{"no workers", test, []string{"--workers", "0", "bills.csv"}, "--workers: must be 1 to 256, not 0"},
		{"a rate at which nothing would move", test, []string{"--rate", "0.01", "bills.csv"}, "--rate: must be 1 to 1000000, not 0.01"},
		{"no rate", test, []string{"--rate", "0", "bills.csv"}, "--rate: must be 1 to 1000000, not 0"},
		{"no number", test, []string{"--rate", "NaN", "bills.csv"}, "--rate: must be 1 to 1000000, not NaN"},
		{"the input as the journal", test, []string{"--journal", "bills.csv", "bills.csv"}, "the input, --journal and --refused must be three files"},
		{"the same by another path", test, []string{"--refused", "./bills.csv", "bills.csv"}, "the input, --journal and --refused must be three files"},
		{"the same by a link", test, []string{"--refused", "link.csv", "bills.csv"}, "the input, --journal and --refused must be three files"},
		{"the journal by another path", test, []string{"--refused", "./bills.csv.journal", "bills.csv"}, "the input, --journal and --refused must be three files"},
		{"a demo of nothing", test, []string{"--demo", "0"}, "--demo takes a number of bills, and no file"},
		{"a demo on a file", test, []string{"--demo", "10", "bills.csv"}, "--demo takes a number of bills, and no file"},
		{"a live demo", live, []string{"--demo", "10", "--live"}, "--demo does not go with --live"},
		{"an unknown flag", test, []string{"--speed", "80"}, "flag provided but not defined: -speed"},
		{"no such file", test, []string{"none.csv"}, "open none.csv: no such file or directory"},
		{"a folder", test, []string{"."}, ".: must be a file: a run that is started again goes back in it"},
	} {
		t.Run(row.why, func(t *testing.T) {
			t.Chdir(t.TempDir())
			require.NoError(t, os.WriteFile("bills.csv", nil, 0o600))
			require.NoError(t, os.Symlink("bills.csv", "link.csv"))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var stdout, stderr strings.Builder
			assert.Equal(t, exitUsage, run(ctx, row.args, row.env.get, &stdout, &stderr))
			assert.Equal(t, "billing-run: "+row.says+"\n", stderr.String())
			assert.Empty(t, stdout.String())
		})
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr strings.Builder
	assert.Zero(t, run(t.Context(), []string{"--help"}, environment{}.get, &stdout, &stderr))
	assert.Equal(t, usage, stdout.String())
	assert.Empty(t, stderr.String())
}

// At a low rate there are fewer workers: else they would wait for their turn until the attempt
// times out, with an unknown outcome.
func TestWorkersAtALowRate(t *testing.T) {
	for rate, workers := range map[string]int{"1": 10, "1.5": 15, "2": 16, "50": 16} {
		c, err := configure([]string{"--rate", rate, "bills.csv"}, environment{"MOMENT_API_KEY": "sk_test_SWORDFISH"}.get)
		assert.NoError(t, err)
		assert.Equal(t, workers, c.workers, rate)
	}
}
