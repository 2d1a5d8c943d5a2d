package main

import (
	"bytes"
	"cmp"
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

	"golang.org/x/sync/errgroup"

	"github.com/moment-billing/moment-go"
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

// finish prints the outcomes of all rows of a run, including those that earlier processes settled.
// It writes the file of rejected rows.
func (w *worker) finish(ctx context.Context, stopped error, stdout io.Writer) error {
	repeated := ""
	if w.bar == nil && !w.imported && stopped == nil {
		repeated = "; no row was open, so nothing was sent. The outcomes are"
	}
	fmt.Fprintf(stdout, "%s, %s mode%s:\n", w.config.input.File, w.run.mode, repeated)
	verb := "run"
	if w.imported {
		verb = "import"
	}
	var counts map[string]int
	err := inTx(ctx, w.store.rows, nil, func(tx *sql.Tx) (err error) {
		files, failed := w.writeRejected(ctx, tx)
		counts, err = w.run.printTotals(ctx, tx, "open", stdout)
		if failed != nil {
			return fmt.Errorf("the rejected rows were not written: %w", failed)
		}
		if err == nil {
			err = w.printOlder(ctx, tx, verb, stdout)
		}
		if err != nil || len(files) == 0 {
			return err
		}
		next := fmt.Sprintf("Correct them, and %s them instead of this file, unless you have done so.", verb)
		if counts["open"] > 0 {
			next = fmt.Sprintf("First %s this file again, until no row is open.", verb)
			if w.imported {
				next = "First wait until serve or work has raised the open rows, and import this file again."
			}
		}
		fmt.Fprintf(stdout, "The rejected rows are in %s, with the reasons. %s\n", strings.Join(files, " and "), next)
		return nil
	})
	if w.imported && counts["open"] > 0 && stopped == nil {
		fmt.Fprintf(stdout, "The open rows have jobs in %s.\n", cmp.Or(w.store.path, "PostgreSQL"))
	}
	switch {
	case err != nil:
		return err
	case stopped != nil && counts["open"] == 0 && !w.imported:
		return fmt.Errorf("stopped, but no row is open. If the rejected rows are right, run their file: %w", stopped)
	case stopped != nil:
		return fmt.Errorf("%w: %w", errStopped, stopped)
	case counts["open"] > 0 && !w.imported:
		hint := ""
		if !w.reached {
			hint = "check MOMENT_BASE_URL and the network, and "
		}
		return fmt.Errorf("rows still open: %d: %sstart it again to continue. The last error: %w", counts["open"], hint, w.last)
	case counts[rejected] > 0:
		return exitError{fmt.Errorf("rows rejected: %d", counts[rejected]), exitRejected}
	}
	return nil
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
			fmt.Fprintf(stdout, "%s has the rejected rows of an earlier file with this name. Do not %s it if its rows are in this file too.\n", file, verb)
		}
	}, `SELECT written FROM biller_rows b JOIN biller_runs r ON r.id = run WHERE written <> '' AND name = $1 AND run < $2
		EXCEPT SELECT written FROM biller_rows WHERE run = $2 AND written <> ''`, w.run.name, w.run.id)
}

// writeRejected writes the rejected rows to a file beside the input, and returns the paths of all
// files that have some. It replaces the last file of this run, or that of another run of the input
// if all of its rows are rejected again, so that no row is corrected twice. If somebody has changed
// that file, it writes the rows that no file has yet to another one, because the others may be
// corrected and raised. Only the owner can read the file, because rows contain names.
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
	// Rows of a file that is gone are written again, because it may have been on another machine.
	var path, file, hash string
	toWrite, again := []string{""}, ""
	err = each(ctx, tx, []any{&file}, func() {
		if _, err := os.Stat(file); err != nil {
			toWrite, again = append(toWrite, file), "; some of them again, because their file is gone"
		}
	}, "SELECT DISTINCT written FROM biller_rows WHERE run = $1 AND written <> ''", w.run.id)
	if err != nil {
		return nil, err
	}
	for _, from := range toWrite { // only marked rows are written, because workers may reject more rows meanwhile
		_, err = tx.ExecContext(ctx, "UPDATE biller_rows SET written = '*' WHERE run = $1 AND outcome = 'rejected' AND written = $2", w.run.id, from)
		if err != nil {
			return nil, err
		}
	}
	err = each(ctx, tx, []any{&file, &hash}, func() {
		if filepath.Dir(file) != filepath.Dir(base) { // it is of a copy of the input
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
	if err != nil {
		return nil, err
	}
	text, err := w.rejectedRows(ctx, tx, path)
	if err != nil {
		return nil, err
	}
	if text != nil {
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

// reconcile compares the rows of a file with the bills at Moment. The first failed call ends it,
// because the others are likely to fail too.
func reconcile(ctx context.Context, c config, stdout io.Writer) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	ledger := &store{} // empty for an SQLite file, because serve may have locked it
	if c.postgres != nil {
		if ledger, err = openPostgres(ctx, c.postgres, nil); err != nil {
			return err
		}
	}
	defer ledger.close()
	turn := make(chan struct{}) // closed when it is the next row's turn to be printed
	close(turn)
	same, paid, differing := 0, 0, 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.workers())
	file, err := open(c.input)
	if err != nil {
		return err
	}
	err = file.eachRow(func(b row) error {
		before, after := turn, make(chan struct{})
		turn = after
		group.Go(func() error {
			defer close(after)
			bill, differences, err := compare(ctx, client, ledger, b)
			<-before
			if err != nil {
				return err
			}
			if len(differences) > 0 {
				differing++
				fmt.Fprintf(stdout, "line %d: %s\n", b.line, strings.Join(differences, "; "))
			} else {
				same++
				if bill.Status == moment.BillStatusPaid {
					paid++
				}
			}
			return nil
		})
		return ctx.Err()
	})
	if failed := group.Wait(); failed != nil {
		err = failed
	}
	if wrong := misconfigured(err); wrong != "" {
		err = fmt.Errorf("check %s: %w", wrong, err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: rows that agree with their bills: %d (%d paid); that differ: %d\n", c.input.File, same, paid, differing)
	if differing > 0 {
		return exitError{fmt.Errorf("rows that differ: %d", differing), exitRejected}
	}
	return nil
}

// compare returns a row's bill, and the differences between them.
func compare(ctx context.Context, client *moment.Client, ledger *store, b row) (bill *moment.Bill, differences []string, err error) {
	if len(b.problems) > 0 {
		return nil, b.problems, nil
	}
	bill, err = client.Bills.Get(ctx, b.Reference)
	if errors.Is(err, moment.ErrNotFound) && rejects(err) {
		return nil, []string{"the bill does not exist at Moment"}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	customer, err := client.Customers.Get(ctx, bill.CustomerID)
	if err != nil {
		return nil, nil, err
	}
	report := func(differs bool, text string) {
		if differs {
			differences = append(differences, text)
		}
	}
	report(customer.ExternalReference != b.Customer.ExternalReference,
		fmt.Sprintf("the customer is %q at Moment, but %q in the file", customer.ExternalReference, b.Customer.ExternalReference))
	report(bill.DueMoney() != b.Money, fmt.Sprintf("the amount is %v at Moment, but %v in the file", bill.DueMoney(), b.Money))
	report(!b.Due.IsZero() && bill.DueDate != b.Due, fmt.Sprintf("the due date is %v at Moment, but %v in the file", bill.DueDate, b.Due))
	report(bill.Status == moment.BillStatusVoided, "the bill is voided at Moment")
	if ledger.rows != nil {
		entered := moment.Money{Currency: bill.Currency}
		err = ledger.read(ctx, []any{&entered.Amount}, func() {},
			"SELECT coalesce(sum(amount), 0) FROM ledger WHERE obligation_id = $1 AND currency = $2", bill.ID, string(bill.Currency))
		report(entered != bill.PaidMoney(), fmt.Sprintf("the payments are %v at Moment, but %v in the ledger", bill.PaidMoney(), entered))
	}
	return bill, differences, err
}
