package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const maxRow = 64 << 10 // bytes, because an unclosed quote would otherwise swallow the rest of the file

var (
	errQuote    = errors.New(`has a quote inside a quoted cell. Write each value into its own cell. In a text editor, double the quote, as in "the ""Shop"" Ltd"`)
	errUnclosed = errors.New("has a quote that is not closed, or a line in a cell that looks like a row: write each value into its own cell, on one line")
	errLines    = errors.New("has a line in a cell that looks like a row: write the cell on one line. If the cell contains later rows, a quote before them is not closed")
	errLong     = fmt.Errorf("has more than %d KiB: shorten it. The file of rejected rows has only the beginning of this row", maxRow>>10)
	errGzip     = errors.New("the gzip file is damaged, or its end is missing: copy it again")
)

// reader reads the rows of a file. It is the only reader of files.
type reader struct {
	format

	file    *os.File
	marked  bool          // as UTF-8 by a byte order mark
	text    *bufio.Reader // as UTF-8
	line    int           // the number of the next line, from 1
	comma   string        // between cells
	header  []string
	columns map[string]int // the index of each of our columns that the file has
	rest    restOfRow
}

// eachRow calls do for each row that is not empty, and closes the file.
func (r *reader) eachRow(do func(row) error) error {
	defer func() { _ = r.file.Close() }()
	var last *row
	b, err := r.record()
	for ; err == nil; b, err = r.record() {
		if len(b.problems) == 0 {
			r.parse(&b)
			r.findRest(&b)
		}
		if last != nil {
			r.findEnd(last, &b)
			if err := do(*last); err != nil {
				return err
			}
		}
		next := b
		last = &next
	}
	switch {
	case !errors.Is(err, io.EOF):
		return exitError{fmt.Errorf("%s: %w", r.file.Name(), err), exitUsage}
	case last != nil:
		return do(*last)
	}
	return nil
}

func isEmpty(cells []string) bool { return strings.TrimSpace(strings.Join(cells, "")) == "" }

// open returns a reader that has read the header of a file.
func open(f fileFlags) (*reader, error) {
	file, err := os.Open(f.File)
	if err != nil {
		return nil, exitError{err, exitUsage}
	}
	r := &reader{format: f.format, file: file, line: 1}
	if r.text, err = r.decode(file); err == nil {
		err = r.readHeader()
	}
	if err != nil {
		return nil, exitError{fmt.Errorf("%s: %w", f.File, errors.Join(err, file.Close())), exitUsage}
	}
	return r, nil
}

var spreadsheets = map[string]string{ // by their first bytes
	"PK\x03\x04":       "a spreadsheet (.xlsx or .ods)",
	"\xd0\xcf\x11\xe0": "a spreadsheet (.xls)",
	"<":                "HTML or XML, which some programs save under the name .xls",
}

// decode detects the encoding. A byte order mark overrides the flag, because each file of rejected
// rows has one.
func (r *reader) decode(file io.Reader) (*bufio.Reader, error) {
	raw := bufio.NewReader(file)
	if head, _ := raw.Peek(2); string(head) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(raw)
		if err != nil {
			return nil, errGzip
		}
		raw = bufio.NewReader(unpacked)
	}
	head, _ := raw.Peek(4) // the first record has the error
	for begin, is := range spreadsheets {
		if bytes.HasPrefix(head, []byte(begin)) {
			return nil, fmt.Errorf("is %s: open it in a spreadsheet, and save it as CSV UTF-8", is)
		}
	}
	var decoder transform.Transformer = transform.Nop
	switch begin := string(head) + "  "; { // the first letter of a header in UTF-16 has a zero beside it
	case strings.HasPrefix(begin, "\xff\xfe"), strings.HasPrefix(begin, "\xfe\xff"):
		r.Encoding = "utf-16"
	case strings.HasPrefix(begin, "\xef\xbb\xbf"):
		r.Encoding, r.marked = "utf-8", true
	case begin[0] == 0:
		r.Encoding, decoder = "utf-16", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
	case begin[1] == 0:
		r.Encoding, decoder = "utf-16", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
	case r.Encoding == "windows-1252":
		decoder = charmap.Windows1252.NewDecoder()
	}
	return bufio.NewReaderSize(transform.NewReader(raw, unicode.BOMOverride(decoder)), 2*maxRow), nil
}

var (
	sepLine  = regexp.MustCompile(`^"?sep=([^"])`)
	lineEnd  = regexp.MustCompile(`\r\n?|\n`)
	textLine = regexp.MustCompile(`[^\r\n]*[^\s\pZ,;"][^\r\n]*`) // the first row that is not empty
)

// readHeader reads the names of the columns. Cells are separated by the header's most frequent
// separator, unless a line "sep=;" names one.
func (r *reader) readHeader() error {
	window, _ := r.text.Peek(maxRow)
	if at := textLine.FindIndex(window); at != nil {
		r.line += len(lineEnd.FindAllIndex(window[:at[0]], -1))
		_, _ = r.text.Discard(at[0])
		window = window[at[0]:]
	}
	text := string(firstLine(window))
	r.comma = slices.MaxFunc([]string{",", ";", "\t"}, func(a, b string) int { return strings.Count(text, a) - strings.Count(text, b) })
	b, err := r.record()
	if match := sepLine.FindStringSubmatch(text); match != nil && err == nil {
		r.comma = match[1]
		b, err = r.record()
	}
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("is empty: its first row must name the columns")
	case err != nil:
		return err
	case len(b.problems) > 0:
		return fmt.Errorf("line %d %s", b.line, b.problems[0])
	}
	r.header = b.cells
	return r.findColumns()
}

// record returns the next row that is not empty, and only its cells. The only cell of a broken row
// is its first line, and reading continues at the next line.
func (r *reader) record() (b row, err error) {
	for err == nil && len(b.problems) == 0 && isEmpty(b.cells) {
		window, failed := r.text.Peek(maxRow)
		switch {
		case errors.Is(failed, io.ErrUnexpectedEOF):
			return b, errGzip
		case len(window) == 0, failed != nil && !errors.Is(failed, io.EOF):
			return b, failed
		}
		first := firstLine(window)
		cells, size, broken := r.split(window)
		lines := []string{string(first)}
		if size > len(first) {
			lines = lineEnd.Split(string(window[:size+len(firstLine(window[size:]))]), -1)
			broken = r.severalRows(lines, broken)
		}
		if len(first) == maxRow || size == maxRow && !errors.Is(broken, errUnclosed) {
			broken = errLong
			first = bytes.TrimRightFunc(first, func(r rune) bool { return r == utf8.RuneError }) // half a character
		}
		b = row{line: r.line, cells: cells, oddQuotes: broken == nil && bytes.Count(window[:size], []byte(`"`))%2 == 1}
		switch {
		case errors.Is(broken, errLines):
			b.problems = []string{broken.Error()}
		case broken != nil:
			valid := r.validRow(r.cellsWithoutQuotes(lines[0]))
			before, _, _ := r.split(first)
			if valid == nil || len(before) > r.lastNeeded() {
				r.rest = restOfRow{r.line, valid != nil}
			}
			b.Reference = r.cell(valid, "bill_reference")
			b.cells, b.problems, size, lines = []string{string(first)}, []string{broken.Error()}, len(first), lines[:1]
		}
		err = r.check(window[:size])
		r.line += len(lines)
		_, _ = r.text.Discard(size)
		r.endLine()
	}
	return b, err
}

func firstLine(text []byte) []byte {
	if i := bytes.IndexAny(text, "\r\n"); i >= 0 {
		return text[:i]
	}
	return text
}

// endLine reads to the end of the line: LF, CR LF, or the CR of old Macs.
func (r *reader) endLine() {
	var b byte
	for err := error(nil); err == nil && b != '\n' && b != '\r'; {
		b, err = r.text.ReadByte()
	}
	if after, _ := r.text.Peek(1); b == '\r' && string(after) == "\n" {
		_, _ = r.text.Discard(1)
	}
}

// check returns an error for text that is not in the encoding. It ends the command, because every
// name in the file may be wrong.
func (r *reader) check(text []byte) error {
	var hint string
	switch {
	case bytes.IndexByte(text, 0) >= 0:
		hint = "it contains a NUL; export it as CSV UTF-8"
	case !utf8.Valid(text) && r.marked:
		hint = "export it as CSV UTF-8"
	case !utf8.Valid(text):
		hint = "export it as CSV UTF-8, or add --encoding windows-1252 if the file is from a spreadsheet in a Western European language"
	case r.Encoding != "utf-8" && bytes.ContainsRune(text, utf8.RuneError):
		hint = "it contains bytes that are not characters; export it as CSV UTF-8"
	case r.Encoding == "windows-1252" && wasUTF8(text):
		hint = "it is UTF-8; leave out --encoding. If other lines are not, export the file as CSV UTF-8 again"
	default:
		return nil
	}
	return fmt.Errorf("line %d is not %s: %s", r.line, r.Encoding, hint)
}

// wasUTF8 reports whether text was UTF-8 before it was decoded as Windows-1252.
func wasUTF8(text []byte) bool {
	encoded, err := charmap.Windows1252.NewEncoder().Bytes(text)
	return err == nil && !bytes.Equal(encoded, text) && utf8.Valid(encoded)
}

var unquote = strings.NewReplacer(`""`, `"`, "\r\n", "\n")

// split returns the cells of the first row in text, and its size. encoding/csv cannot continue at
// the line after an unclosed quote. A quote is an ordinary character in a cell that does not begin
// with one.
func (r *reader) split(text []byte) (cells []string, size int, err error) {
	for tail := text; ; tail = tail[len(r.comma):] {
		trimmed := bytes.TrimLeft(tail, " ")
		end := 0 // of a quoted cell
		for bytes.HasPrefix(trimmed[end:], []byte(`"`)) {
			length := bytes.IndexByte(trimmed[end+1:], '"')
			if length < 0 {
				return cells, 0, errUnclosed
			}
			end += length + 2
		}
		if end > 0 {
			cells = append(cells, unquote.Replace(string(trimmed[1:end-1])))
			tail = bytes.TrimLeft(trimmed[end:], " ")
		} else {
			cell, _, _ := bytes.Cut(firstLine(tail), []byte(r.comma))
			cells = append(cells, string(cell))
			tail = tail[len(cell):]
		}
		size = len(text) - len(tail)
		if len(firstLine(tail)) == 0 {
			return cells, size, nil
		}
		if !bytes.HasPrefix(tail, []byte(r.comma)) {
			return cells, size, errQuote
		}
	}
}

// severalRows returns the reason why the lines of a row are more than one row, or may be. Otherwise
// it returns broken. If all lines are rows with the same number of cells, the first one has a wrong
// quote, unless the quote is in the last column. With two wrong quotes, a line inside the cell is a
// row, or the last line is a row and a line before it has the rest of the first row. The last line
// alone may look like a row, because it has the cells after an address.
func (r *reader) severalRows(lines []string, broken error) error {
	first := r.validRow(r.cellsWithoutQuotes(lines[0])) != nil
	before, _, _ := r.split([]byte(lines[0])) // the cells before the one of several lines
	needs := r.lastNeeded() - len(before)     // the number of cells after it
	isRow := func(text string) bool {         // without a currency, a line of an address may have a reference and an amount too
		cells := strings.Split(text, r.comma)
		return (len(cells) == len(r.header) || r.Currency == "") && r.validRow(cells) != nil
	}
	inside := isRow(lines[0][strings.LastIndex(lines[0], `"`)+1:]) // the first line of the cell
	all, last := first && len(before)+1 < len(r.header), false
	hasRest := needs > 0 && strings.Count(lines[0], r.comma) >= r.lastNeeded()
	for i, line := range lines[1:] {
		text, _, _ := strings.Cut(line, `"`) // of the cell, if this is the last line
		inside = inside || last || isRow(text)
		cells, _, _ := r.split([]byte(line))
		last = r.validRow(cells) != nil
		all = all && last && strings.Count(line, r.comma) == strings.Count(lines[0], r.comma)
		hasRest = hasRest || needs > 0 && i < len(lines)-2 && strings.Count(line, r.comma) >= needs
	}
	switch {
	case broken != nil && (inside || last), all:
		return errUnclosed
	case broken == nil && (inside || last && hasRest || first && len(before) <= r.lastNeeded()):
		return errLines
	}
	return broken
}

// lastNeeded returns the index of the last column that each row needs.
func (r *reader) lastNeeded() int {
	return max(r.columns["customer_reference"], r.columns["bill_reference"], r.columns["amount"])
}

func (r *reader) cellsWithoutQuotes(line string) []string {
	return strings.Split(strings.ReplaceAll(line, `"`, ""), r.comma)
}

// validRow returns the cells of a row that has a valid reference and a valid amount in their
// columns, or nil. It leaves out the first cells if there are too many, because a cell may have
// been split at a comma.
func (r *reader) validRow(cells []string) []string {
	for _, cells := range [][]string{cells, cells[max(0, len(cells)-len(r.header)):]} {
		var b row
		_ = b.reference("bill_reference", r.cell(cells, "bill_reference"))
		b.parseMoney(r.cell(cells, "amount"), r.cell(cells, "currency"), r.format)
		if len(b.problems) == 0 {
			return cells
		}
	}
	return nil
}

// restOfRow is where the rest of a row may be. A bill of it would be for a wrong customer.
type restOfRow struct {
	after          int  // the line of the row; 0 if there is no such row
	needsOddQuotes bool // it has an odd number of quotes, because the row has so too, or has all of its cells
}

const rest = "may be the rest of the row on line %d: correct that row, and remove this one if it is its rest"

// findRest rejects a row that may be the rest of an earlier one. It remembers rejected rows.
func (r *reader) findRest(b *row) {
	isRest := r.rest.after > 0 && (!r.rest.needsOddQuotes || b.oddQuotes)
	isValid := len(b.problems) == 0
	switch after := r.rest.after; {
	case isValid:
		r.rest = restOfRow{}
		if isRest {
			b.rejectf(rest, after)
		}
	case isRest && len(b.cells) <= r.lastNeeded():
		b.warnings = append(b.warnings, fmt.Sprintf(rest, after))
	case after == 0:
		r.rest = restOfRow{b.line, true}
	}
}

// findEnd rejects a row whose last cells may be in the next row, or whose first cells may be in the
// one before, if that other row is rejected. If an export has no quotes, a line end in a cell makes
// two rows of one. A rejected row with a single problem is a row of its own.
func (r *reader) findEnd(b, next *row) {
	areOne := len(b.cells)+len(next.cells) == len(r.header)+1
	switch isValid, nextIsValid := len(b.problems) == 0, len(next.problems) == 0; {
	case isValid && !nextIsValid && (next.oddQuotes || areOne && len(b.cells) < len(r.header) && len(next.problems) > 1):
		b.rejectf("may continue on line %d: correct it, and remove that line if it is the rest of this row", next.line)
		next.warnings = append(next.warnings, fmt.Sprintf(rest, b.line))
	case !isValid && nextIsValid && areOne && len(b.cells) <= r.lastNeeded() && !strings.ContainsAny(b.cells[0], `"`+r.comma):
		next.rejectf(rest, b.line)
	}
}
