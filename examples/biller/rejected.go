package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// formulaSigns are the first characters of cells that a spreadsheet would evaluate. biller writes a
// quote before them and their own quotes, and the reader removes it.
const formulaSigns = "=+-@\t\r"

const rejectedLine = "rejected_line" // the first column of a file of rejected rows

// inputCells returns cells without those of the two columns that a file of rejected rows adds.
func inputCells(header, cells []string) []string {
	if header[0] != rejectedLine {
		return cells
	}
	return cells[min(2, len(cells)-1):]
}

// writeRejected writes the rejected rows to a file beside the input, and returns the paths of all
// files that have some. If it may replace no file, it writes only the rows that are in none yet,
// because the others may be corrected and raised. Only the owner can read the file, because rows
// contain names.
func (w *worker) writeRejected(ctx context.Context, tx *sql.Tx) (files []string, err error) {
	base, err := filepath.Abs(strings.TrimSuffix(w.config.input.File, ".gz"))
	if err != nil {
		return nil, err
	}
	base = strings.TrimSuffix(base, filepath.Ext(base)) + ".rejected"
	// Other starts of the input then wait, also those with another API key.
	_, err = tx.ExecContext(ctx, `UPDATE biller_runs SET rejected_file = rejected_file
		WHERE id = (SELECT min(id) FROM biller_runs WHERE file_hash = (SELECT file_hash FROM biller_runs WHERE id = $1))`, w.run.id)
	if err != nil {
		return nil, err
	}
	again, err := w.markRows(ctx, tx)
	if err != nil {
		return nil, err
	}
	path, err := w.fileToReplace(ctx, tx, filepath.Dir(base))
	if err != nil {
		return nil, err
	}
	text, err := w.rejectedRows(ctx, tx, path)
	if err != nil {
		return nil, err
	}
	if text != nil {
		var file string
		taken := map[string]bool{}
		err = each(ctx, tx, []any{&file}, func() { taken[file] = true },
			"SELECT DISTINCT written FROM biller_rows WHERE written <> '' AND run <> $1", w.run.id)
		if err != nil {
			return nil, err
		}
		if path, err = replaceOrCreate(path, base, taken, text); err != nil {
			return nil, fmt.Errorf("%w: make room, or make the folder writable, and start it again", err)
		}
		_, err = tx.ExecContext(ctx, "UPDATE biller_rows SET written = $1 WHERE run = $2 AND written = '*'", path, w.run.id)
		if err != nil {
			return nil, err
		}
		_, err = tx.ExecContext(ctx, "UPDATE biller_runs SET rejected_file = $1, rejected_hash = $2 WHERE id = $3", path, hashOf(string(text)), w.run.id)
		if err != nil {
			return nil, err
		}
	}
	var file string
	var rows int
	err = each(ctx, tx, []any{&file, &rows}, func() {
		note := ""
		if file == path {
			note = again
		}
		files = append(files, fmt.Sprintf("%s (rows: %d%s)", file, rows, note))
	}, "SELECT written, count(*) FROM biller_rows WHERE run = $1 AND written <> '' GROUP BY written ORDER BY min(id)", w.run.id)
	return files, err
}

// printOlder names the files of rejected rows of earlier runs with the same name, because a person
// may have corrected their rows in the input.
func (w *worker) printOlder(ctx context.Context, tx *sql.Tx, verb string, stdout io.Writer) error {
	input, err := filepath.Abs(w.config.input.File)
	if err != nil {
		return err
	}
	var file string
	return each(ctx, tx, []any{&file}, func() {
		if _, err := os.Stat(file); err == nil && filepath.Dir(file) == filepath.Dir(input) {
			fmt.Fprintf(stdout, "%s has the rejected rows of an earlier %[3]s. Do not %[2]s it if its rows are in this %[3]s too.\n", file, verb, w.run.name)
		}
	}, `SELECT written FROM biller_rows b JOIN biller_runs r ON r.id = run WHERE written <> '' AND name = $1 AND run < $2
		EXCEPT SELECT written FROM biller_rows WHERE run = $2 AND written <> ''`, w.run.name, w.run.id)
}

// markRows marks the rejected rows that no file has. Only these are written, because workers may
// reject more rows meanwhile. It also marks the rows of files that are gone, because these may have
// been on another machine, and returns a note about that.
func (w *worker) markRows(ctx context.Context, tx *sql.Tx) (again string, err error) {
	var file string
	from := []string{""}
	err = each(ctx, tx, []any{&file}, func() {
		if _, err := os.Stat(file); err != nil {
			from, again = append(from, file), "; some of them again, because their file is gone"
		}
	}, "SELECT DISTINCT written FROM biller_rows WHERE run = $1 AND written <> ''", w.run.id)
	for _, file := range from {
		if err == nil {
			_, err = tx.ExecContext(ctx, "UPDATE biller_rows SET written = '*' WHERE run = $1 AND outcome = 'rejected' AND written = $2", w.run.id, file)
		}
	}
	return again, err
}

// fileToReplace returns the last file of this run, or that of another run of the input if all of
// its rows are marked, so that no row is corrected twice. Without such a file in the folder, or if
// somebody has changed it, it returns nothing.
func (w *worker) fileToReplace(ctx context.Context, tx *sql.Tx, dir string) (path string, err error) {
	var file, hash string
	err = each(ctx, tx, []any{&file, &hash}, func() {
		if filepath.Dir(file) != dir { // it is of a copy of the input
			return
		}
		if has, _ := os.ReadFile(file); hashOf(string(has)) == hash {
			path = file
		}
	}, `SELECT r.rejected_file, r.rejected_hash FROM biller_runs r JOIN biller_runs own ON own.file_hash = r.file_hash
		WHERE own.id = $1 AND (r.id = $1 OR NOT EXISTS (
			SELECT line FROM biller_rows WHERE run = r.id AND written = r.rejected_file AND written <> ''
			EXCEPT SELECT line FROM biller_rows WHERE run = $1 AND written = '*'))
		ORDER BY r.id = $1, r.id`, w.run.id) // the run's own file is the last one
	return path, err
}

// replaceOrCreate writes the file at path. Without a path, it creates a file, or finds one with the
// same text, and returns its path. It creates no file with the path of another run's, even if that
// is gone, because the other run may write its rows again.
func replaceOrCreate(path, base string, taken map[string]bool, text []byte) (string, error) {
	temporary, err := os.CreateTemp(filepath.Dir(base), filepath.Base(base)+".*.new")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Close()); err != nil {
		return "", err
	}
	free := base + ".csv"
	for n := 2; path == ""; n++ {
		has, err := os.ReadFile(free)
		if err == nil && bytes.Equal(has, text) {
			path = free
		} else if errors.Is(err, fs.ErrNotExist) && !taken[free] {
			var file *os.File
			if file, err = os.OpenFile(free, os.O_CREATE|os.O_EXCL, 0o600); err == nil { // other processes then use another name
				path, err = free, file.Close()
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		free = fmt.Sprintf("%s-%d.csv", base, n)
	}
	return path, os.Rename(temporary.Name(), path)
}

// rejectedRows returns the content of the file at path, with the rows that no file has yet, or
// nil without any row. It has the columns of the input after two of its own. It begins with a byte
// order mark, because spreadsheets do not recognise UTF-8 without one.
func (w *worker) rejectedRows(ctx context.Context, tx *sql.Tx, path string) ([]byte, error) {
	var header []string
	if err := json.Unmarshal([]byte(w.run.header), &header); err != nil {
		return nil, err
	}
	text := bytes.NewBufferString("\ufeff")
	out := csv.NewWriter(text)
	if strings.ContainsAny(w.run.comma, ";\t") { // otherwise a comma, because biller writes no line "sep="
		out.Comma = rune(w.run.comma[0])
	}
	write := func(line, reason string, cells []string) error {
		cells = inputCells(header, cells)
		quotes := "'"
		if header[0] == rejectedLine { // the input is such a file itself, and its cells have their quotes
			quotes = ""
		}
		row := slices.Grow([]string{line, reason}, len(cells))
		for _, cell := range cells {
			if strings.IndexAny(strings.TrimLeft(cell, quotes), formulaSigns) == 0 {
				cell = "'" + cell
			}
			row = append(row, cell)
		}
		return out.Write(row)
	}
	_ = write(rejectedLine, "rejected_reason", header) // it cannot fail, because it writes into memory
	var line, reason string
	var cells []byte
	var failed error
	err := each(ctx, tx, []any{&line, &cells, &reason}, func() {
		var texts []string
		failed = errors.Join(failed, json.Unmarshal(cells, &texts), write(line, reason, texts))
	}, "SELECT line, cells, reason FROM biller_rows WHERE run = $1 AND outcome = 'rejected' AND written <> '' AND written IN ('*', $2) ORDER BY id", w.run.id, path)
	if line == "" {
		return nil, err
	}
	out.Flush()
	return text.Bytes(), errors.Join(err, failed, out.Error())
}
