package proof_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Code that the tests compile and run contains the Go snippets of all pages word for word.
func TestSnippetsAreTested(t *testing.T) {
	needsTheRepository(t)
	tested := unindented(sources(t, "*_test.go", "*/*_test.go", "internal/proof/*_test.go", "testdata/consumer/*.go", "testdata/consumer/*/*.go", "examples/*/*.go"))
	snippet := regexp.MustCompile("(?s)```go\n(.*?)```")
	found := 0
	for _, name := range pages(t) {
		for _, snippet := range snippet.FindAllStringSubmatch(page(t, name), -1) {
			found++
			assert.True(t, strings.Contains(tested, unindented(snippet[1])), "%s has a snippet that is in no test:\n%s", name, snippet[1]) //nolint:testifylint // Contains would print all tests
		}
	}
	assert.Greater(t, found, 20)
}

// The first page that a reader opens leaves the details to other pages.
func TestReadmesAreShort(t *testing.T) {
	needsTheRepository(t)
	for name, lines := range map[string]int{"README.md": 200, "examples/biller/README.md": 150} {
		assert.LessOrEqual(t, strings.Count(page(t, name), "\n"), lines, name)
	}
}

// The timeouts in the documentation of Handler are those of the webhook-receiver, whose tests show
// their effect.
func TestServerTimeoutsAreDocumented(t *testing.T) {
	needsTheRepository(t)
	_, settings, found := strings.Cut(sources(t, "examples/webhook-receiver/main.go"), "&http.Server{\n")
	require.True(t, found)
	settings, _, found = strings.Cut(settings, "}\n")
	require.True(t, found)
	require.Equal(t, 6, strings.Count(settings, "\n"))
	handler := unindented(strings.ReplaceAll(sources(t, "webhooks_handler.go"), "//\t", ""))
	assert.True(t, strings.Contains(handler, unindented(strings.TrimSpace(settings))), "in no comment:\n%s", settings) //nolint:testifylint // Contains would print all of it
}

// documentedRows lists, for each row of the documented table, the rows of testkit.RetryTable that
// it summarises.
var documentedRows = map[string][]string{
	"429, from any sender":                            {"429, own", "429, foreign"},
	"408 or 5xx, but not 501 or 505":                  {"408, own", "408, foreign", "500, own", "502, foreign", "503, own", "503 with Retry-After, foreign", "507, own"},
	"no response, or none within the attempt timeout": {"no response"},
	"a success that is truncated or not JSON":         {"truncated", "200 in HTML", "200 and nothing"},
	"400, 402, 404 or 422 of the service":             {"400, own", "402, own", "404, own", "422, own"},
	"any other 4xx of the service":                    {"401, own", "403, own", "405, own", "409, own", "410, own", "418, own", "425, own"},
	"401, 405, 407, 413, 414 or 431 of a gateway":     {"401, foreign", "405, foreign", "407, foreign", "413, foreign", "414, foreign", "431, foreign"},
	"any other 4xx of a gateway":                      {"400, foreign", "402, foreign", "403, foreign", "404, foreign", "409, foreign", "422, foreign", "451, foreign"},
	"501, 505 or a redirect":                          {"501, own", "505, foreign", "302", "307"},
	"a success that is too large or another object":   {"200 too large", "200 and another object", "200 and a fragment"},
}

// The retry tables in the package's overview and in docs/idempotency.md are equal, and agree with
// testkit.RetryTable.
func TestTablesAreTheSame(t *testing.T) {
	needsTheRepository(t)
	cells := func(text, begin, end string, split *regexp.Regexp) (rows [][]string) {
		_, table, found := strings.Cut(text, begin)
		require.True(t, found)
		table, _, _ = strings.Cut(table, end)
		for line := range strings.Lines(begin + table) {
			if cells := split.Split(strings.Trim(line, "/\t| \n"), -1); len(cells) > 1 && !strings.HasPrefix(cells[0], "---") {
				rows = append(rows, cells)
			}
		}
		return rows
	}
	overview := cells(sources(t, "doc.go"), "//	what happened  ", "//\n", regexp.MustCompile(` {2,}`))
	guide := cells(page(t, "docs/idempotency.md"), "| what happened |", "\n\n", regexp.MustCompile(` *\| *`))
	require.Len(t, overview, 17)
	assert.Equal(t, overview, guide)
	tested := 0
	for _, row := range overview {
		require.Len(t, row, 5, row[0])
		for _, name := range documentedRows[row[0]] {
			i := slices.IndexFunc(testkit.RetryTable, func(r testkit.RetryRow) bool { return r.Name == name })
			require.GreaterOrEqual(t, i, 0, name)
			r := testkit.RetryTable[i]
			yes := func(cell string) string { return map[bool]string{true: "yes", false: "no"}[cell[0] == '3'] }
			assert.Equal(t, []string{yes(r.Get), yes(r.Post), yes(r.Patch)}, row[1:4], name)
			assert.Equal(t, row[4] == "yes", strings.HasSuffix(r.Post, "?") && strings.HasSuffix(r.Patch, "?"), name)
			assert.Equal(t, row[4] == "no, settled", !strings.HasSuffix(r.PostAfterDoubt, "?"), name)
			tested++
		}
	}
	assert.Equal(t, 44, tested, "rows of TestRetryTable")
}

// The relative links of all pages lead to files and headings that exist.
func TestLinks(t *testing.T) {
	needsTheRepository(t)
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	found := 0
	for _, name := range pages(t) {
		for _, link := range link.FindAllStringSubmatch(prose(page(t, name)), -1) {
			found++
			target := name
			if link[1] != "" {
				target = path.Join(path.Dir(name), link[1])
			}
			_, err := fs.Stat(repository, target)
			if assert.NoError(t, err, "a link of %s", name) && link[2] != "" {
				assert.Contains(t, anchors(page(t, target)), link[2], "a link of %s to %s", name, target)
			}
		}
	}
	assert.Greater(t, found, 50)
}

// anchors returns the anchors that GitHub makes of the headings of a page.
func anchors(text string) []string {
	headings := regexp.MustCompile(`(?m)^#+ +(.*)$`).FindAllStringSubmatch(prose(text), -1)
	found := make([]string, 0, len(headings))
	for _, heading := range headings {
		anchor := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		found = append(found, strings.ReplaceAll(anchor, " ", "-"))
	}
	return found
}

// The exported names in the pages for users exist.
func TestNamesInThePages(t *testing.T) {
	needsTheRepository(t)
	exported := map[string]bool{}
	for _, name := range regexp.MustCompile(`\w+`).FindAllString(page(t, "api/exported.txt"), -1) {
		exported[name] = true
	}
	// Code such as `Create`, `Client.Do`, `moment.Ptr(v)` and `srv.Pay(ctx, …)`.
	code := regexp.MustCompile("`(?:\\*?(?:moment|momenttest|momentsql|momentotel|client|srv)\\.)?([A-Z]\\w*[a-z]\\w*(?:\\.[A-Z]\\w*)*)(?:\\([^`]*)?`")
	found := 0
	for _, name := range append(glob(t, "docs/*.md"), "README.md", "SECURITY.md") {
		if name == "docs/architecture.md" { // see TestNamesInTheArchitecture
			continue
		}
		for _, span := range code.FindAllStringSubmatch(prose(page(t, name)), -1) {
			if regexp.MustCompile(`^(Test|Fuzz)[A-Z]`).MatchString(span[1]) { // see TestPromisesHaveTheirTests
				continue
			}
			for part := range strings.SplitSeq(span[1], ".") {
				found++
				assert.True(t, exported[part] || slices.Contains(foreignNames, part), "%s names %s", name, span[0])
			}
		}
	}
	assert.Greater(t, found, 100)
}

// foreignNames are names of Go's packages, and of the merchant's code, in the pages for users.
var foreignNames = []string{
	"AddDate", "Enrol", "MaxConnsPerHost", "MaxResponseHeaderBytes", "RoundTripper", "Set", "TLSHandshakeTimeout", "Timeout",
}

// The tests that SECURITY.md names for its promises exist.
func TestPromisesHaveTheirTests(t *testing.T) {
	needsTheRepository(t)
	tests := sources(t, "*_test.go", "integration/*_test.go", "internal/*/*_test.go", "momentsql/*_test.go")
	for line := range strings.Lines(sources(t, "SECURITY.md")) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || strings.Contains(line, "---") || strings.Contains(line, "| promise |") {
			continue
		}
		names := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[2], -1)
		assert.NotEmpty(t, names, "a promise without a test: %s", cells[1])
		for _, name := range names {
			assert.True(t, strings.Contains(tests, "\nfunc "+name[1]+"("), name[1]) //nolint:testifylint // Contains would print all tests
		}
	}
}

// pages returns the paths of all Markdown files.
func pages(t *testing.T) []string {
	t.Helper()
	var names []string
	walk(t, func(name string) {
		if path.Ext(name) == ".md" {
			names = append(names, name)
		}
	})
	return names
}

// prose returns a page without its blocks of code.
func prose(text string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(text, "")
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := fs.Glob(repository, pattern)
	require.NoError(t, err)
	require.NotEmpty(t, names, pattern)
	return names
}

// root is the path of the repository's root from here.
const root = "../.."

// sources returns the text of all files that match a pattern, relative to the root.
func sources(t *testing.T, patterns ...string) string {
	t.Helper()
	var text strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			text.Write(source)
		}
	}
	return text.String()
}

// unindented returns text without the white space at the beginning and end of its lines.
func unindented(text string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(strings.TrimSpace(line) + "\n")
	}
	return lines.String()
}
