package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxRecord is the most bytes that one row may have. Without it, a quote that is never closed would
// bring the rest of the file into memory.
const maxRecord = 8 << 10

var errTooLong = fmt.Errorf("has more than %d bytes: is there a quote that is not closed?", maxRecord)

// position is a place between two rows of the input.
type position struct {
	Offset int64 `json:"offset"`
	Line   int   `json:"line"` // from 1
}

// record is a row of the input as it stands there.
type record struct {
	at, next position // where it begins, or blank lines before it, and where it ends
	line     int      // from 1, the first of those it stands on
	cells    []string // of a broken record its text, as a single one
	places   []place  // of each cell
	broken   string   // why it cannot be told into cells; empty for a good one
}

// place is where a cell begins: in encoding/csv's count, from 1, and columns in bytes.
type place struct{ line, column int }

// input is a CSV file that is read row by row, from any position between two rows. It holds one row
// at a time.
type input struct {
	file   *os.File
	info   os.FileInfo       // from before it was read
	text   *io.SectionReader // of what was there then: what is added later may be half of a row
	size   int64
	sha256 string   // of the whole file: what a journal is about must not change
	mark   string   // of UTF-8, which Excel writes and needs; else empty
	header []string // the names of the columns, as they stand there
	first  position // where the first row begins

	at      position // where the next row begins
	base    position // where csv began
	csv     *csv.Reader
	bounded *bounded
}

func openInput(path string) (*input, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in := &input{file: file}
	if err := in.begin(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return in, nil
}

func (in *input) begin() error {
	info, err := in.file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, errors.New("must be a file: a run that is started again goes back in it"))
	}
	in.info = info
	hash := sha256.New() // takes a second for some hundred megabytes, which is nothing beside the calls
	if in.size, err = io.Copy(hash, in.file); err != nil {
		return err
	}
	in.sha256 = hex.EncodeToString(hash.Sum(nil))
	in.text = io.NewSectionReader(in.file, 0, in.size)
	start := position{Line: 1}
	beginning := make([]byte, maxRecord)
	n, _ := in.text.ReadAt(beginning, 0)
	text := string(beginning[:n])
	if is := otherForm(text); is != "" {
		return errors.New(is + ": save it as CSV with commas, in UTF-8")
	}
	const mark = "\xef\xbb\xbf"
	if strings.HasPrefix(text, mark) {
		in.mark, start.Offset = mark, int64(len(mark))
	}
	if err := in.seek(start); err != nil {
		return err
	}
	header, err := in.read()
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("is empty: its first row must name the columns")
	case err != nil:
		return err
	case header.broken != "":
		return errors.New(header.broken)
	}
	in.header, in.first = header.cells, in.at
	return in.seek(in.at)
}

// otherForm says what a file is that begins like this, if it is none that can be read.
func otherForm(text string) string {
	line, _, found := strings.Cut(text, "\n")
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return "is UTF-16"
	case strings.HasPrefix(text, "PK\x03\x04"):
		return "is a spreadsheet (.xlsx), or another ZIP file"
	case !found && strings.Contains(text, "\r"):
		return "has a carriage return alone at the end of its lines"
	case !strings.Contains(line, ",") && strings.Contains(line, ";"):
		return "has ; between its columns"
	case !strings.Contains(line, ",") && strings.Contains(line, "\t"):
		return "has tabs between its columns"
	}
	return ""
}

// errChanged ends a run whose file is not the one any more that its journal is about: starting it
// again does not help.
var errChanged = errors.New("the file was changed while it was read. Run it as it is now with another --journal: what was raised is already there then")

// unchanged is an error if the file was written to since it was opened: what is read then may not
// be what it had at that time.
func (in *input) unchanged() error {
	info, err := in.file.Stat()
	if err == nil && (info.Size() != in.info.Size() || !info.ModTime().Equal(in.info.ModTime())) {
		err = errChanged
	}
	return err
}

// seek goes to where a row begins.
func (in *input) seek(to position) error {
	in.at, in.base = to, to
	in.bounded = &bounded{r: in.text}
	in.csv = csv.NewReader(in.bounded)
	in.csv.TrimLeadingSpace = true
	in.csv.FieldsPerRecord = cmp.Or(len(in.header), -1) // -1 for the header itself: as many as it has
	_, err := in.text.Seek(to.Offset, io.SeekStart)
	return err
}

// read returns the next row, which may be broken, or io.EOF. Rows without anything in them, which
// Excel leaves behind, belong to the row that follows, as blank lines do.
func (in *input) read() (record, error) {
	at := in.at
	for {
		r, err := in.one()
		if changed := in.unchanged(); changed != nil {
			return r, changed
		}
		if err != nil || strings.Trim(strings.Join(r.cells, ""), ", ") != "" {
			r.at = at
			return r, err
		}
	}
}

func (in *input) one() (record, error) {
	in.bounded.end = in.csv.InputOffset() + maxRecord
	cells, err := in.csv.Read()
	var quote *csv.ParseError
	switch {
	case err == nil, errors.Is(err, csv.ErrFieldCount):
	case errors.Is(err, errTooLong):
		return in.breakOff(": " + err.Error())
	case !errors.As(err, &quote):
		return record{}, err
	case quote.Line != quote.StartLine: // it was looked for in the lines that follow
		return in.breakOff(": has a quote that is not closed: " + doubled)
	default:
		return in.breakOff(fmt.Sprintf(", column %d: has a quote where none can be: %s", quote.Column, doubled))
	}
	r := record{cells: cells, places: make([]place, len(cells))}
	for i := range cells {
		line, column := in.csv.FieldPos(i)
		r.places[i] = place{in.base.Line + line - 1, column}
	}
	last := len(cells) - 1
	r.line = r.places[0].line
	r.next = position{in.base.Offset + in.csv.InputOffset(), r.places[last].line + strings.Count(cells[last], "\n") + 1}
	if err != nil {
		text := make([]byte, r.next.Offset-in.at.Offset) // the cells have lost their quotes
		if _, err := in.text.ReadAt(text, in.at.Offset); err != nil {
			return record{}, err
		}
		r.broken = fmt.Sprintf("line %d: has %d columns where the header has %d", r.line, len(cells), len(in.header))
		r.cells = []string{strings.Trim(string(text), "\r\n")}
	}
	in.at = r.next
	return r, nil
}

const doubled = `write "the ""Shop"" Ltd"`

// breakOff makes a broken record of the next line alone, and goes on after it: where a quote is not
// closed, encoding/csv takes the rows that follow for a part of the cell, and they are not to
// suffer.
func (in *input) breakOff(why string) (record, error) {
	r := record{next: in.at}
	for blank := true; blank; { // encoding/csv skips blank lines
		text, length, err := in.lineAt(r.next.Offset)
		if err != nil {
			return r, err
		}
		blank = text == ""
		r.line, r.cells = r.next.Line, []string{text}
		r.next = position{r.next.Offset + length, r.next.Line + 1}
	}
	r.broken = fmt.Sprintf("line %d%s", r.line, why)
	return r, in.seek(r.next)
}

// lineAt returns the line at an offset, cut off where it is too long for a row, and how many bytes
// it has in the file.
func (in *input) lineAt(offset int64) (text string, length int64, err error) {
	var line []byte
	buffer := make([]byte, 4096)
	for {
		n, err := in.text.ReadAt(buffer, offset+length)
		if n == 0 && err != nil && (!errors.Is(err, io.EOF) || length == 0) {
			return "", 0, err
		}
		part, _, found := bytes.Cut(buffer[:n], []byte("\n"))
		length += int64(len(part))
		if len(line) < maxRecord {
			line = append(line, part...)
		}
		if found {
			length++
		}
		if found || n == 0 {
			return strings.TrimRight(string(line), "\r"), length, nil
		}
	}
}

func (p place) String() string { return fmt.Sprintf("line %d, column %d", p.line, p.column) }

// bounded reads to an end, which is a place and not a number of bytes from now: how much of a row
// was read with the one before it depends on where reading began, and whether the row is too long
// must not.
type bounded struct {
	r       io.Reader
	at, end int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.at >= b.end {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.end-b.at)])
	b.at += int64(n)
	return n, err
}
