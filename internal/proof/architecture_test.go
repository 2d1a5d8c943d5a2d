package proof_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// repository is the root of the repository.
var repository = os.DirFS(root)

// The table of files in docs/architecture.md has a row for each source file of the root package and
// of internal/transport, and each of its rows is about something that is there.
func TestTableOfFiles(t *testing.T) {
	needsTheRepository(t)
	table := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| [a-zA-Z]+ \\| `([^`]+)` \\|").FindAllStringSubmatch(page(t, "docs/architecture.md"), -1) {
		assert.False(t, table[row[1]], "a second row for %s", row[1])
		table[row[1]] = true
		_, err := fs.Stat(repository, row[1])
		assert.NoError(t, err)
	}
	for _, pattern := range []string{"*.go", "internal/transport/*.go"} {
		files, err := fs.Glob(repository, pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			assert.True(t, table[file] || strings.HasSuffix(file, "_test.go"), "no row for %s", file)
		}
	}
}

// Each test that the pages for maintainers name is there, and the index has each decision.
func TestPagesForMaintainers(t *testing.T) {
	needsTheRepository(t)
	const index = "docs/decisions/README.md"
	tests := testNames(t)
	for _, name := range append(glob(t, "docs/decisions/*.md"), "docs/architecture.md", "AGENTS.md", "CONTRIBUTING.md") {
		text := page(t, name)
		if path.Dir(name) == path.Dir(index) && name != index {
			assert.Contains(t, page(t, index), "("+path.Base(name)+")", "the index")
			assert.Contains(t, text, "**Proved by** `", name)
		}
		for _, test := range regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z]\\w+)`").FindAllStringSubmatch(text, -1) {
			assert.True(t, tests[test[1]], "%s names %s, which is not there", name, test[1])
		}
	}
}

// Each function, method and type that docs/architecture.md names is declared.
func TestNamesInTheArchitecture(t *testing.T) {
	needsTheRepository(t)
	var code strings.Builder
	for _, pattern := range []string{"*.go", "internal/*/*.go"} {
		files, err := fs.Glob(repository, pattern)
		require.NoError(t, err)
		for _, file := range files {
			code.WriteString(page(t, file))
		}
	}
	// Names with a dot or a capital, because others are also the names of folders.
	names := regexp.MustCompile("`(?:(\\w+)\\.)?(\\w+)`").FindAllStringSubmatch(page(t, "docs/architecture.md"), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		owner, declaration := name[1], `(?m)^(func|type|var|const|\t) ?`+name[2]+`\b`
		switch {
		case owner == "http", name[2] == "go", strings.ToLower(name[2]) == name[2] && owner == "":
			continue
		case owner != "" && owner != "transport":
			declaration = `(?m)^func \(\w+ \*?` + owner + `(\[.*\])?\) ` + name[2] + `[(\[]`
		}
		assert.True(t, regexp.MustCompile(declaration).MatchString(code.String()), "%s is not declared", name[0])
	}
}

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(repository, name)
	require.NoError(t, err)
	return string(text)
}

// testNames are the names of all tests of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w+)\(`)
	walk(t, func(name string) {
		if strings.HasSuffix(name, "_test.go") {
			for _, test := range declaration.FindAllStringSubmatch(page(t, name), -1) {
				names[test[1]] = true
			}
		}
	})
	return names
}

// walk calls visit with the path of each file of the repository.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	require.NoError(t, fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "node_modules"}, entry.Name()):
			return fs.SkipDir
		case !entry.IsDir():
			visit(name)
		}
		return nil
	}))
}
