package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	maxRow = 64 << 10 // bytes of a row, because an unclosed quote would otherwise swallow the rest of the file

	windows1252 = "windows-1252"
)

// line is a physical line, from 1.
type line struct {
	number int
	text   string
	long   bool // longer than maxRow, and truncated to that
}

// lines reads the lines of a text in any of the supported encodings, as UTF-8.
type lines struct {
	r      *bufio.Reader
	form   string // the encoding
	number int
	pushed []line // to be read again, because the row before them was broken
}

// newLines finds out how a file is encoded. A byte order mark decides before encoding does, because
// files of rejected rows have one, whatever the encoding of the file that they came from.
func newLines(raw io.Reader, encoding string) (*lines, error) {
	r := bufio.NewReaderSize(raw, maxRow)
	head, _ := r.Peek(2)
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = bufio.NewReaderSize(unpacked, maxRow)
	}
	head, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for begin, is := range map[string]string{"PK\x03\x04": "a spreadsheet (.xlsx or .ods)", "\xd0\xcf\x11\xe0": "a spreadsheet (.xls)", "<": "HTML or XML, which some programs name .xls"} {
		if bytes.HasPrefix(head, []byte(begin)) {
			return nil, fmt.Errorf("is %s: open it in a spreadsheet, and save it as CSV UTF-8", is)
		}
	}
	form, skip, order := encoding, 0, unicode.LittleEndian
	switch first := slices.Concat(head, []byte{1, 1}); {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		form, skip = "utf-8", 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		form, skip = "utf-16", 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		form, skip, order = "utf-16", 2, unicode.BigEndian
	case first[0] != 0 && first[1] == 0: // the first letter of the header
		form = "utf-16"
	case first[0] == 0 && first[1] != 0:
		form, order = "utf-16", unicode.BigEndian
	}
	if _, err = r.Discard(skip); form == "utf-16" {
		r = bufio.NewReaderSize(transform.NewReader(r, unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder()), maxRow)
	}
	return &lines{r: r, form: form}, err
}

// next returns the next line, or io.EOF. Lines end with LF, CR LF, or the CR of old Macs.
func (l *lines) next() (line, error) {
	if len(l.pushed) > 0 {
		next := l.pushed[0]
		l.pushed = l.pushed[1:]
		return next, nil
	}
	var text []byte
	l.number++
	next := line{number: l.number}
	for n := 0; ; n++ {
		b, err := l.r.ReadByte()
		if errors.Is(err, io.EOF) && n > 0 || b == '\n' {
			break
		}
		if err != nil {
			return line{}, err
		}
		if b == '\r' {
			if after, _ := l.r.Peek(1); string(after) == "\n" {
				_, _ = l.r.Discard(1)
			}
			break
		}
		if next.long = n >= maxRow; !next.long {
			text = append(text, b)
		}
	}
	if next.long { // not in the middle of a character
		text = bytes.TrimRightFunc(text, func(r rune) bool { return r == utf8.RuneError })
	}
	var err error
	next.text, err = l.decode(text)
	return next, err
}

// decode returns a line as UTF-8. An error ends the command, because every name in the file may be
// wrong.
func (l *lines) decode(text []byte) (string, error) {
	hint := ""
	switch valid := utf8.Valid(text); {
	case bytes.IndexByte(text, 0) >= 0:
		hint = "it contains a NUL"
	case l.form == "utf-8" && !valid:
		hint = "if the file is from a spreadsheet on Windows, add --encoding windows-1252"
	case l.form == "utf-16" && bytes.ContainsRune(text, utf8.RuneError):
		hint = "it contains half a character"
	case l.form == windows1252 && valid && bytes.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }):
		hint = "it is UTF-8; leave out --encoding"
	case l.form == windows1252:
		text, _ = charmap.Windows1252.NewDecoder().Bytes(text) // replaces what is undefined
		if bytes.ContainsRune(text, utf8.RuneError) {
			hint = "it contains a byte that has no meaning there"
		}
	}
	if hint != "" {
		return "", fmt.Errorf("line %d is not %s: %s", l.number, l.form, hint)
	}
	return string(text), nil
}

var (
	errQuote    = errors.New(`has a quote inside a quoted cell: write "the ""Shop"" Ltd"`)
	errUnclosed = errors.New("has a quote that is not closed")
	errLong     = fmt.Errorf("has more than %d KiB", maxRow>>10)
)

// split returns the cells of a row. It is not encoding/csv because that cannot continue at the line
// after an unclosed quote. A quote inside a cell that does not begin with one is a character. The
// error is errUnclosed if the last cell may continue in the next line.
func split(text, comma string) (cells []string, err error) {
	for {
		begin := strings.TrimLeft(text, " ")
		if !strings.HasPrefix(begin, `"`) {
			cell, rest, more := strings.Cut(text, comma)
			cells = append(cells, cell)
			if !more {
				return cells, nil
			}
			text = rest
			continue
		}
		cell, end := begin[1:], 0
		for {
			i := strings.IndexByte(cell[end:], '"')
			if i < 0 {
				return append(cells, cell), errUnclosed
			}
			end += i
			if !strings.HasPrefix(cell[end:], `""`) {
				break
			}
			end += 2
		}
		cells = append(cells, strings.ReplaceAll(cell[:end], `""`, `"`))
		rest := strings.TrimLeft(cell[end+1:], " ")
		if rest == "" {
			return cells, nil
		}
		if !strings.HasPrefix(rest, comma) {
			return cells, errQuote
		}
		text = rest[len(comma):]
	}
}
