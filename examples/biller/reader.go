package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/moment-billing/moment-go"
)

// format is how a file is to be read: the flags of all commands.
type format struct {
	encoding string            // windows-1252; otherwise UTF-8 or UTF-16
	columns  map[string]string // the file's name for each of our columns that has another one
	date     string            // the layout of dates, as package time has it
	comma    bool              // amounts have a decimal comma
	currency moment.Currency   // of all bills, if there is no column
}

// reader reads the rows of a file, one at a time. It is the only reader of files.
type reader struct {
	format
	file    *os.File
	lines   *lines
	comma   string // between cells
	header  []string
	columns columns
}

func open(path string, f format) (*reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &reader{format: f, file: file}
	if r.lines, err = newLines(file, f.encoding); err == nil {
		err = r.readHeader()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.Join(err, file.Close()))
	}
	return r, nil
}

var sepLine = regexp.MustCompile(`^"?sep=(.)`)

// readHeader reads the names of the columns. The separator is the one that finds most of them,
// unless a line "sep=;" names it.
func (r *reader) readHeader() error {
	first, err := r.nextLine()
	if match := sepLine.FindStringSubmatch(first.text); match != nil {
		r.comma = match[1]
		first, err = r.nextLine()
	}
	if errors.Is(err, io.EOF) {
		return errors.New("is empty: its first row must name the columns")
	}
	if err != nil {
		return err
	}
	if r.comma == "" {
		most := 0
		for _, comma := range []string{",", ";", "\t"} {
			if cells, _ := split(first.text, comma); len(cells) > most {
				r.comma, most = comma, len(cells)
			}
		}
	}
	r.header, err = split(first.text, r.comma)
	if err == nil {
		r.columns, err = newColumns(r.header, r.format)
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", first.number, err)
	}
	return nil
}

// nextLine skips blank lines.
func (r *reader) nextLine() (line, error) {
	for {
		l, err := r.lines.next()
		if err != nil || strings.TrimSpace(l.text) != "" {
			return l, err
		}
	}
}

// next returns the next row, or io.EOF. A row that is broken or wrong says why in problems. Rows of
// empty cells are skipped.
func (r *reader) next() (row, error) {
	for {
		number, cells, broken, err := r.record()
		if err != nil {
			return row{}, err
		}
		if broken != nil {
			return row{line: number, cells: cells, problems: []string{broken.Error()}}, nil //nolint:nilerr // it is the row that is broken
		}
		if strings.TrimSpace(strings.Join(cells, "")) != "" {
			return r.parse(number, cells), nil
		}
	}
}

// record returns the cells of the next row. If it is broken, the only cell is the text of its first
// line, and reading continues at its next line.
func (r *reader) record() (number int, cells []string, broken, err error) {
	first, err := r.nextLine()
	if err != nil {
		return 0, nil, nil, err
	}
	text := first.text
	var held []line // those after the first
	if broken = errLong; !first.long {
		cells, broken = split(text, r.comma)
	}
	for errors.Is(broken, errUnclosed) {
		l, err := r.lines.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, nil, nil, err
		}
		if err != nil {
			break
		}
		held = append(held, l)
		if len(text)+len(l.text) > maxRow || r.looksLikeRow(l.text) {
			break
		}
		text += "\n" + l.text
		cells, broken = split(text, r.comma)
	}
	if broken != nil {
		r.lines.pushed = append(held, r.lines.pushed...)
		cells = []string{first.text}
	}
	return first.number, cells, broken, nil
}

// looksLikeRow reports whether a line inside a quoted cell is a row: it has a reference and an
// amount where a row has them.
func (r *reader) looksLikeRow(text string) bool {
	cells, err := split(text, r.comma)
	if err != nil && !errors.Is(err, errUnclosed) {
		return false
	}
	bill, amount := r.columns.cell(cells, columnBill), r.columns.cell(cells, columnAmount)
	return moment.CheckReference(bill) == nil && startsWithDigit.MatchString(amount)
}

var startsWithDigit = regexp.MustCompile(`^[0-9]`)

func (r *reader) close() { _ = r.file.Close() }
