package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// The columns that the file of rejected rows has before those of the input. They are not read when
// that file is run.
const (
	columnLine   = "rejected_line"
	columnReason = "rejected_reason"
)

// formulaSigns begin a cell that a spreadsheet would take for a formula. The reader removes the
// quote again.
const formulaSigns = "=+-@\t\r"

// complaints prints the first problems of rows.
type complaints struct {
	to io.Writer
	n  int
}

func (c *complaints) add(text string) {
	switch c.n++; {
	case c.n <= 20:
		fmt.Fprintln(c.to, text)
	case c.n == 21:
		fmt.Fprintln(c.to, "and more: biller check shows all")
	}
}

// finish prints what became of the rows of a run, in this process and in earlier ones, and writes
// the file of rejected rows. It returns the exit code.
func (w *worker) finish(ctx context.Context, input string, stopped error, stdout io.Writer) (int, error) {
	fmt.Fprintf(stdout, "%s, %s mode:\n", input, w.run.mode)
	counts, err := printTotals(ctx, w.store.rows, w.run, "open", stdout)
	if err != nil {
		return exitFailed, err
	}
	if n := counts[rejected]; n > 0 {
		path, err := w.writeRejected(ctx, input)
		if err != nil {
			return exitFailed, err
		}
		fmt.Fprintf(stdout, "  %-8s %8d  correct them in %s, and run that file\n", rejected, n, path)
	}
	switch {
	case stopped != nil:
		return exitFailed, fmt.Errorf("stopped; start it again to continue: %w", stopped)
	case counts["open"] > 0:
		return exitFailed, fmt.Errorf("%d rows have no definite response: start it again", counts["open"])
	case counts[rejected] > 0:
		return exitRejected, nil
	}
	return exitDone, nil
}

// writeRejected writes the file of rejected rows beside the input, in one go, and returns its path.
// It replaces a file only if this run has written it and nobody has changed it since; otherwise it
// takes another name. The file is for its owner alone, because rows have names.
func (w *worker) writeRejected(ctx context.Context, input string) (path string, err error) {
	base := strings.TrimSuffix(input, ".gz")
	base = strings.TrimSuffix(base, filepath.Ext(base)) + ".rejected"
	text, err := w.rejectedRows(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	hash := hex.EncodeToString(sum[:])
	path = base + ".csv"
	for n := 2; ; n++ {
		has, err := os.ReadFile(path)
		is := sha256.Sum256(has)
		if errors.Is(err, fs.ErrNotExist) || err == nil && slices.Contains([]string{hash, w.run.rejectedHash}, hex.EncodeToString(is[:])) {
			break
		}
		if err != nil {
			return "", err
		}
		path = fmt.Sprintf("%s-%d.csv", base, n)
	}
	temp := path + ".new"
	if err := errors.Join(os.WriteFile(temp, text, 0o600), os.Rename(temp, path)); err != nil {
		return "", err
	}
	_, err = w.store.rows.ExecContext(ctx, "UPDATE biller_runs SET rejected_hash = ? WHERE id = ?", hash, w.run.id)
	return path, err
}

// rejectedRows returns the content of that file, as the input has its rows. It begins with a byte
// order mark, without which spreadsheets do not read UTF-8.
func (w *worker) rejectedRows(ctx context.Context) ([]byte, error) {
	text := bytes.NewBufferString("\ufeff")
	out := csv.NewWriter(text)
	out.Comma, _ = utf8.DecodeRuneInString(w.reader.comma)
	skip := 0 // the columns of an earlier rejection
	if w.reader.header[0] == columnLine {
		skip = 2
	}
	write := func(line, reason string, cells []string) error {
		row := slices.Grow([]string{line, reason}, len(cells))
		for _, cell := range cells[min(skip, len(cells)-1):] {
			if cell != "" && strings.ContainsRune(formulaSigns, rune(cell[0])) {
				cell = "'" + cell
			}
			row = append(row, cell)
		}
		return out.Write(row)
	}
	if err := write(columnLine, columnReason, w.reader.header); err != nil {
		return nil, err
	}
	rows, err := w.store.rows.QueryContext(ctx, "SELECT line, cells, reason FROM biller_rows WHERE run = ? AND outcome = 'rejected' ORDER BY id", w.run.id)
	err = each(rows, err, func(scan func(...any) error) error {
		var line, cells, reason string
		var texts []string
		err := errors.Join(scan(&line, &cells, &reason), json.Unmarshal([]byte(cells), &texts))
		return errors.Join(err, write(line, reason, texts))
	})
	out.Flush()
	return text.Bytes(), errors.Join(err, out.Error())
}
