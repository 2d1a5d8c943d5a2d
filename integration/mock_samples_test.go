package integration_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The samples of the README of moment-mock run as printed, but for the ports.
func TestMockSamples(t *testing.T) {
	page, err := os.ReadFile("../cmd/moment-mock/README.md")
	require.NoError(t, err)
	sample := func(language string) string {
		found := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(string(page))
		require.NotNil(t, found, language)
		return found[1]
	}
	for _, row := range []struct {
		language, file string
		run            func(t *testing.T, m *mockProcess, folder string) *exec.Cmd
	}{
		{"ts", "bill.mts", runTypeScript},
		{"python", "bill.py", func(t *testing.T, _ *mockProcess, _ string) *exec.Cmd {
			t.Helper()
			python, err := exec.LookPath("python3")
			needs(t, err, "python3 is not there")
			return exec.Command(python, "bill.py")
		}},
	} {
		t.Run(row.language, func(t *testing.T) {
			free, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			_, port, err := net.SplitHostPort(free.Addr().String())
			require.NoError(t, err)
			require.NoError(t, free.Close())
			m := startMock(t, "--forward-to=:"+port+"/webhooks/moment")
			folder := t.TempDir()
			program := sample(row.language)
			require.Equal(t, 1, strings.Count(program, "8080"))
			require.NoError(t, os.WriteFile(filepath.Join(folder, row.file), []byte(strings.Replace(program, "8080", port, 1)), 0o600))
			cmd := row.run(t, m, folder)
			cmd.Dir, cmd.Env = folder, append(os.Environ(), "MOMENT_BASE_URL="+m.url, "MOMENT_API_KEY="+anyTestKey, "MOMENT_WEBHOOK_SECRET="+m.secret)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Contains(t, string(out), "ZAR 5.00 remaining; 1500 received\n")
			assert.Contains(t, string(page), "prints `ZAR 5.00 remaining; 1500 received`:\n\n```"+row.language)
		})
	}

	// The seed of the README is one.
	seed := filepath.Join(t.TempDir(), "seed.json")
	require.NoError(t, os.WriteFile(seed, []byte(sample("json")), 0o600))
	m := startMock(t, "--seed="+seed)
	resp, err := http.Post(m.url+"/_mock/payments", "application/json", strings.NewReader(`{"to": "UBR1", "amount": "4.99"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode, "its payment rules are in force")
}

// runTypeScript generates the types, as the README does, and checks the sample against them.
func runTypeScript(t *testing.T, m *mockProcess, folder string) *exec.Cmd {
	t.Helper()
	modules, err := filepath.Abs("testdata/mock/node_modules")
	require.NoError(t, err)
	_, err = os.Stat(modules)
	needs(t, err, "the npm packages of testdata/mock are not there: bash .ci/node installs them")
	require.NoError(t, os.Symlink(modules, filepath.Join(folder, "node_modules")))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "package.json"), []byte(`{"type": "commonjs"}`), 0o600)) // as npm init writes it
	for _, args := range [][]string{
		{"openapi-typescript", m.url + "/openapi.yaml", "-o", "moment.d.ts"},
		{"openapi-typescript", m.url + "/_mock/openapi.yaml", "-o", "mock.d.ts"},
		{"tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "--allowImportingTsExtensions", "bill.mts"},
	} {
		cmd := exec.Command(filepath.Join(modules, ".bin", args[0]), args[1:]...)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return exec.Command(filepath.Join(modules, ".bin", "tsx"), "bill.mts")
}

// needs skips a test whose tool is missing, but fails it in CI.
func needs(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(text, err)
	default:
		t.Skip(text, err)
	}
}
