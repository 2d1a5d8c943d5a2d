package proof_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	proseWords      = "internal/proof/testdata/prose/words.txt"
	proseExceptions = "internal/proof/testdata/prose/exceptions.txt"
	commentColumns  = 100
)

// The prose of the repository follows the word list, and no comment is wider than 100 columns.
func TestProse(t *testing.T) {
	needsTheRepository(t)
	words, exceptions := readProseWords(t), map[string][]string{}
	for _, row := range proseRows(t, proseExceptions) {
		exceptions[row[0]] = append(exceptions[row[0]], row[1])
	}
	files := 0
	require.NoError(t, fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "node_modules"}, entry.Name()):
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		text := proseOf(name, page(t, name))
		for _, phrase := range exceptions[name] {
			assert.NotEmpty(t, words.find(phrase), "%s: %s: “%s” is no longer a finding", proseExceptions, name, phrase)
			assert.True(t, strings.Contains(text, phrase), "%s: %s does not contain “%s”", proseExceptions, name, phrase) //nolint:testifylint // Contains would print the file
			text = strings.ReplaceAll(text, phrase, "")
		}
		delete(exceptions, name)
		for _, f := range words.find(text) {
			t.Errorf("%s:%d: “%s”: write “%s”", name, f.line, f.found, f.plain)
		}
		for _, line := range wideComments(name, page(t, name)) {
			t.Errorf("%s:%d: the comment is wider than %d columns: wrap it", name, line, commentColumns)
		}
		files++
		return nil
	}))
	assert.Greater(t, files, 100)
	assert.Empty(t, exceptions, "exceptions for files that do not exist or are not checked")
}

// Each pattern finds its example, and each allowed phrase passes.
func TestProseWords(t *testing.T) {
	needsTheRepository(t)
	words := readProseWords(t)
	for _, row := range proseRows(t, proseWords) {
		found := words.find(row[2])
		if row[1] == "allowed" {
			assert.Empty(t, found, row[2])
		} else if assert.Len(t, found, 1, row[2]) {
			assert.Equal(t, row[1], found[0].plain, row[2])
		}
	}
}

// The check reads prose, and neither code nor data.
func TestProseOf(t *testing.T) {
	words := proseWordList{patterns: []*regexp.Regexp{prosePattern("misspelt"), prosePattern("two words")}, plain: []string{"a", "b"}}
	for _, row := range []struct {
		name, text string
		line       int // of the finding, or 0 for none
		why        string
	}{
		{"a.go", "package a\n\n// a misspelt name\n", 3, "a comment"},
		{"a.go", "package a\n\n// in two\n// words\n", 3, "a phrase that is wrapped"},
		{"a.go", "package a\n\nvar a = 1 // two\nvar b = 2 // words\n", 0, "two comments beside code"},
		{"a.go", "package a\n\nvar a = \"misspelt\"\n", 3, "a string"},
		{"a.go", "package a\n\nvar a = `\n\nmisspelt`\n", 5, "a raw string"},
		{"a.go", "package a\n\nvar misspelt = 1\n", 0, "an identifier"},
		{"a.go", "package a\n\n// a.Misspelt, misspelt_a and misspeltA\n", 0, "identifiers in a comment"},
		{"a.go", "package a\n\n//	misspelt\n", 0, "code in a comment"},
		{"a.go", "package a\n\nvar a int `json:\"misspelt\"`\n", 0, "a tag"},
		{"a.md", "Two\nwords.\n", 1, "a paragraph"},
		{"a.md", "Two\n\nwords.\n", 0, "two paragraphs"},
		{"a.md", "```go\nmisspelt\n```\n\n`misspelt`\n", 0, "code"},
		{"a.md", "```go\n```\nmisspelt\n", 3, "a paragraph after code"},
		{"a.yaml", "misspelt: 1\ndescription: >\n  It is\n  misspelt\nx: misspelt\n", 4, "a description in a block"},
		{"a.yaml", "misspelt: 1\nsummary: misspelt\n", 2, "a summary"},
		{"a.yaml", "x: y # misspelt\n", 1, "a comment"},
		{".ci/a", "misspelt x # y\n", 0, "a command"},
		{".ci/a", "x # misspelt\n", 1, "a comment"},
		{".ci/a", "step 'x is misspelt'\n", 1, "a message"},
		{"a.csv", "misspelt\n", 0, "data"},
	} {
		line := 0
		if found := words.find(proseOf(row.name, row.text)); len(found) > 0 {
			line = found[0].line
		}
		assert.Equal(t, row.line, line, "%s: %s", row.name, row.why)
	}
	wide := strings.Repeat("x", commentColumns-4)
	assert.Equal(t, []int{2}, wideComments("a.go", "// "+wide+"\n\t// "+wide+"\nvar s = `"+wide+"//`\n"))
	assert.Empty(t, wideComments("a.go", "// Output:\n// "+wide+"xxx\n"))
	assert.Equal(t, []int{1}, wideComments("a.yml", "# "+wide+"xxx\n# "+wide+"\n"))
}

type proseFinding struct {
	line         int
	found, plain string
}

type proseWordList struct {
	allowed  []*regexp.Regexp
	patterns []*regexp.Regexp
	plain    []string
}

func readProseWords(t *testing.T) (words proseWordList) {
	t.Helper()
	for _, row := range proseRows(t, proseWords) {
		pattern := prosePattern(row[0])
		if row[1] == "allowed" {
			words.allowed = append(words.allowed, pattern)
			continue
		}
		words.patterns, words.plain = append(words.patterns, pattern), append(words.plain, row[1])
	}
	return words
}

// prosePattern matches whole words, also where a line ends between them. A question may end in a
// question mark.
func prosePattern(words string) *regexp.Regexp {
	end := `\b`
	if strings.HasSuffix(words, `\?`) {
		end = ""
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.ReplaceAll(words, " ", `(?:[ \t]+|[ \t]*\n[ \t]*)`) + `)` + end)
}

// proseRows returns the rows of a file of three columns, which tabs separate.
func proseRows(t *testing.T, name string) (rows [][]string) {
	t.Helper()
	for line := range strings.Lines(page(t, name)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row := regexp.MustCompile(`\t+`).Split(line, -1)
		require.Len(t, row, 3, "%s: %s", name, line)
		rows = append(rows, row)
	}
	return rows
}

func (w proseWordList) find(text string) (found []proseFinding) {
	for _, allowed := range w.allowed {
		text = allowed.ReplaceAllStringFunc(text, func(phrase string) string {
			return "|" + strings.Repeat("\n", strings.Count(phrase, "\n"))
		})
	}
	for i, pattern := range w.patterns {
		for _, at := range pattern.FindAllStringIndex(text, -1) {
			phrase := strings.Join(strings.Fields(text[at[0]:at[1]]), " ")
			found = append(found, proseFinding{1 + strings.Count(text[:at[0]], "\n"), phrase, w.plain[i]})
		}
	}
	return found
}

var (
	codeInProse = regexp.MustCompile("`[^`\n]*`" + `|\w+(?:\.\w+)+|\w+\(|\w*[a-z][A-Z]\w*|\w*_\w*`)
	yamlText    = regexp.MustCompile(`^( *)(?:- )?(?:description|summary|title): *(.*)$`)
	yamlComment = regexp.MustCompile(`(?:^|\s)#\s(.*)$`)
	shellText   = regexp.MustCompile(`(?:^|\s)(?:#|step|echo)\s(.*)$`)
)

// proseOf returns the prose of a file, each line in its place.
func proseOf(name, source string) string {
	lines := strings.Split(source, "\n")
	switch {
	case path.Ext(name) == ".go":
		lines = goProse(source, len(lines))
	case path.Ext(name) == ".md":
		code := false
		for i, line := range lines {
			fence := strings.HasPrefix(strings.TrimSpace(line), "```")
			if code = code != fence; code || fence {
				lines[i] = ""
			}
			if lines[i] == "" {
				lines[i] = "|"
			}
		}
	case path.Ext(name) == ".yaml" || path.Ext(name) == ".yml":
		yamlProse(lines)
	case path.Dir(name) == ".ci":
		matchLines(lines, shellText)
	case path.Ext(name) == ".mod" || path.Ext(name) == ".js":
		matchLines(lines, regexp.MustCompile(`(?:^|\s)//\s(.*)$`))
	case path.Ext(name) == ".conf" || path.Base(name) == ".gitignore":
		matchLines(lines, yamlComment)
	default:
		return ""
	}
	return codeInProse.ReplaceAllString(strings.Join(lines, "\n"), "|")
}

func matchLines(lines []string, text *regexp.Regexp) {
	for i, line := range lines {
		if lines[i] = ""; text.MatchString(line) {
			lines[i] = text.FindStringSubmatch(line)[1]
		}
	}
}

func goProse(source string, n int) []string {
	lines := make([]string, n)
	file := token.NewFileSet().AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, []byte(source), nil, scanner.ScanComments)
	previous := 0 // the last line of the previous token
	for pos, tok, literal := s.Scan(); tok != token.EOF; pos, tok, literal = s.Scan() {
		if tok == token.SEMICOLON && literal == "\n" {
			continue
		}
		at := file.Line(pos)
		alone := at != previous // nothing precedes it on its line
		switch {
		case tok == token.COMMENT && strings.HasPrefix(literal, "//\t"):
		case tok == token.COMMENT:
			text := strings.TrimPrefix(literal, "//")
			if !alone || strings.HasPrefix(text, "nolint") {
				text = "|" + text + "|"
			}
			lines[at-1] += text
		case tok == token.STRING && (strings.Contains(literal, `json:"`) || strings.Contains(literal, `url:"`)):
		case tok == token.STRING:
			text, err := strconv.Unquote(literal)
			if err != nil || literal[0] == '"' {
				text = strings.ReplaceAll(text, "\n", "|")
			}
			for i, part := range strings.Split("|"+text+"|", "\n") {
				lines[at-1+i] += part
			}
		}
		previous = at + strings.Count(literal, "\n")
	}
	return lines
}

func yamlProse(lines []string) {
	block := -1 // the indentation of the description whose block the line may belong to
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		text := yamlText.FindStringSubmatch(line)
		switch {
		case block >= 0 && (indent > block || strings.TrimSpace(line) == ""):
		case text != nil:
			block, lines[i] = len(text[1]), text[2]
		default:
			block = -1
			if lines[i] = ""; yamlComment.MatchString(line) {
				lines[i] = yamlComment.FindStringSubmatch(line)[1]
			}
		}
	}
}

// wideComments returns the lines whose comment is too wide. A comment beside code may begin in any
// column, because code is not wrapped. The output of an example is not wrapped either.
func wideComments(name, source string) (wide []int) {
	marker := regexp.MustCompile(`^\s*(?:#|//) `)
	beside := regexp.MustCompile(`\s(?:#|//) .*$`)
	switch ext := path.Ext(name); {
	case ext == ".go" || ext == ".js" || ext == ".mod" || ext == ".yml" || ext == ".yaml" || ext == ".conf" || path.Dir(name) == ".ci":
	default:
		return nil
	}
	output := false
	for i, line := range strings.Split(source, "\n") {
		output = strings.HasPrefix(strings.TrimSpace(line), "//") && (output || strings.Contains(line, "// Output:"))
		comment := strings.TrimSpace(beside.FindString(line))
		if marker.MatchString(line) {
			comment = strings.ReplaceAll(line, "\t", "    ")
		}
		if len([]rune(comment)) > commentColumns && !output {
			wide = append(wide, i+1)
		}
	}
	return wide
}
