package proof_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needsTheRepository skips a test in a download of this module, because a download does not contain
// the nested modules.
func needsTheRepository(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(root + "/testdata/consumer/go.mod"); os.IsNotExist(err) {
		t.Skip("not in a checkout of the repository")
	}
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go %s: %s%s", strings.Join(args, " "), out, stderr.String())
	return string(out)
}

// A merchant's binary links only this module and go-querystring.
func TestLinkedModules(t *testing.T) {
	for pkg, want := range map[string][]string{
		".":                     {"github.com/google/go-querystring", "github.com/moment-billing/moment-go"},
		"./momenttest":          {"github.com/google/go-querystring", "github.com/moment-billing/moment-go"},
		"./momentsql":           {"github.com/google/go-querystring", "github.com/moment-billing/moment-go"},
		"./cmd/moment-mock":     {"github.com/google/go-querystring", "github.com/moment-billing/moment-go"},
		"./examples/quickstart": {"github.com/google/go-querystring", "github.com/moment-billing/moment-go"},
		"./internal/transport":  {"github.com/moment-billing/moment-go"},
		"./internal/iso4217":    {"github.com/moment-billing/moment-go"},
		"./internal/signature":  {"github.com/moment-billing/moment-go"},
	} {
		linked := map[string]bool{}
		for module := range strings.FieldsSeq(goCommand(t, root, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", pkg)) {
			linked[module] = true
		}
		got := make([]string, 0, len(linked))
		for module := range linked {
			got = append(got, module)
		}
		assert.ElementsMatch(t, want, got, pkg)
	}
}

// No package in internal imports the root package, because a call flows one way. (The tests in
// internal/proof do.)
func TestInternalPackagesDoNotImportTheRoot(t *testing.T) {
	deps := goCommand(t, root, "list", "-deps", "./internal/...")
	assert.NotContains(t, strings.Fields(deps), "github.com/moment-billing/moment-go")
	assert.Contains(t, strings.Fields(deps), "github.com/moment-billing/moment-go/internal/transport")
}

// A merchant's module can use this one, mock it, and narrow it to an interface of its own.
func TestConsumerModule(t *testing.T) {
	needsTheRepository(t)
	const dir = root + "/testdata/consumer"
	goCommand(t, dir, "vet", "./...")
	out := goCommand(t, dir, "test", "-count=1", "-v", "./...")
	for _, test := range []string{"TestEnrolWithADouble", "TestEnrolWithHTTPMock", "TestEnrolWithMomenttest", "TestEnrolDuringAnOutage", "TestPaymentIsInTheLedger"} {
		assert.Contains(t, out, "--- PASS: "+test)
	}
}
