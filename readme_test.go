package moment_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The Go snippets of the README stand, word for word, in code that is compiled and run by the tests.
func TestReadmeSnippetsAreTested(t *testing.T) {
	needsTheRepository(t)
	var tested strings.Builder
	for _, pattern := range []string{"*_test.go", "testdata/consumer/*.go", "testdata/consumer/*/*.go", "examples/*/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			tested.WriteString(unindented(string(source)))
		}
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, snippets)
	for _, snippet := range snippets {
		assert.True(t, strings.Contains(tested.String(), unindented(snippet[1])), "in no test:\n%s", snippet[1]) //nolint:testifylint // Contains would print all tests
	}
}

// unindented is text without the white space at the ends of its lines.
func unindented(text string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(strings.TrimSpace(line) + "\n")
	}
	return lines.String()
}
