package proof_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// The bug form asks for each field of a Response, because a report without them takes a second
// round.
func TestFieldsOfTheBugForm(t *testing.T) {
	needsTheRepository(t)
	form := sources(t, ".github/ISSUE_TEMPLATE/bug.yml")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[moment.Response]()) {
		if field.IsExported() {
			assert.Contains(t, form, "label: Response."+field.Name+"\n")
		}
	}
}

// The tests and scripts that docs/upgrading.md names for its promises exist.
func TestUpgradingHasItsChecks(t *testing.T) {
	needsTheRepository(t)
	_, table, found := strings.Cut(sources(t, "docs/upgrading.md"), "| promise | check |\n|---|---|\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	tests := sources(t, "*_test.go", "internal/*/*_test.go", "momentsql/*_test.go")
	for row := range strings.Lines(table) {
		checks := regexp.MustCompile("`(Test\\w+|\\.ci/\\w+)`").FindAllStringSubmatch(row, -1)
		assert.NotEmpty(t, checks, "a promise without a check: %s", row)
		for _, check := range checks {
			if strings.HasPrefix(check[1], "Test") {
				assert.True(t, strings.Contains(tests, "\nfunc "+check[1]+"("), check[1]) //nolint:testifylint // Contains would print all tests
				continue
			}
			_, err := os.Stat(filepath.Join(root, check[1]))
			assert.NoError(t, err)
		}
	}
}

// .ci/release and .ci/compatibility find the version by this line.
func TestVersionIsInOnePlace(t *testing.T) {
	needsTheRepository(t)
	assert.Len(t, regexp.MustCompile(`(?m)^\tversion *= "[0-9]+\.[0-9]+\.[0-9]+(-[0-9a-z.]+)?"`).FindAllString(sources(t, "*.go"), -1), 1)
}
