package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/moment-billing/moment-go"
)

// What became of a row. A bill that is found was raised by an earlier run, or by an attempt whose
// response was lost.
const (
	raised   = "raised"
	found    = "found"
	rejected = "rejected"
)

// firstRows say whether a file is read as it is meant: a run stops if more than half are rejected.
const firstRows = 100

// loader stores the rows of a file. Nothing is sent before all are stored, because a later row may
// show that the file is not as it is meant.
type loader struct {
	tx     *sql.Tx
	run    run
	report func(string) // every problem, with its line

	rows, wrong, early int // early: of the first rows, those that are wrong
}

func (l *loader) load(ctx context.Context, path string, f format) error {
	return eachRow(path, f, func(b row) error {
		l.rows++
		outcome, reason, err := l.decide(ctx, &b)
		if err != nil {
			return err
		}
		if outcome == rejected {
			l.wrong++
			if l.rows <= firstRows {
				l.early++
			}
		}
		if outcome != "" {
			b.warnings = append(b.warnings, reason)
		}
		for _, why := range b.warnings {
			l.report(fmt.Sprintf("line %d: %s", b.line, why))
		}
		return l.insert(ctx, b, outcome, reason)
	})
}

// decide returns the outcome of a row that is not sent: a wrong one, or one whose bill is in the
// file twice. If the two are different, nobody knows which is right, and both are rejected.
func (l *loader) decide(ctx context.Context, b *row) (outcome, reason string, err error) {
	if len(b.problems) > 0 {
		b.bill = "" // another row may have it
		return rejected, strings.Join(b.problems, "; "), nil
	}
	var line int
	var hash string
	var differs bool // others of them do already
	err = l.tx.QueryRowContext(ctx, "SELECT line, hash, outcome IS 'rejected' FROM biller_rows WHERE run = ? AND bill = ? ORDER BY line LIMIT 1", l.run.id, b.bill).Scan(&line, &hash, &differs)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	if err != nil || hash == b.contentHash() && !differs {
		return found, fmt.Sprintf("is the same as line %d: the bill is raised once", line), err
	}
	const twice = "bill_reference is on line %d too, with another content: which is right?"
	changed, err := l.tx.ExecContext(ctx, "UPDATE biller_rows SET outcome = ?, reason = ? WHERE run = ? AND bill = ? AND outcome IS NOT 'rejected'",
		rejected, fmt.Sprintf(twice, b.line), l.run.id, b.bill)
	if err != nil {
		return "", "", err
	}
	n, err := changed.RowsAffected()
	l.wrong += int(n)
	return rejected, fmt.Sprintf(twice, line), err
}

func (l *loader) insert(ctx context.Context, b row, outcome, reason string) error {
	cells, err := json.Marshal(b.cells)
	if err != nil {
		return err
	}
	_, err = l.tx.ExecContext(ctx, `INSERT INTO biller_rows (run, line, bill, hash, customer, customer_hash, amount, currency, cells, outcome, reason, customer_id)
		VALUES (?, ?, ?, ?, ?, ?6, ?, ?, ?, nullif(?, ''), ?, coalesce((SELECT customer_id FROM biller_rows JOIN biller_runs ON biller_runs.id = run
			WHERE customer_hash = ?6 AND customer_id <> '' AND key_hash = ? AND mode = ? AND service = ? LIMIT 1), ''))`,
		l.run.id, b.line, b.bill, b.contentHash(), b.customer.ExternalReference, b.customerHash(), b.money.Amount, b.money.Currency, cells, outcome, reason,
		l.run.keyHash, l.run.mode, l.run.service)
	return err
}

// eachRow calls do for each row of a file.
func eachRow(path string, f format, do func(row) error) error {
	r, err := open(path, f)
	if err != nil {
		return err
	}
	defer r.close()
	for {
		b, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}

// printTotals prints how many rows of a run have each outcome, and their amounts, and returns the
// numbers by outcome. open is the name of the rows without one.
func printTotals(ctx context.Context, tx interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, r run, open string, w io.Writer,
) (map[string]int, error) {
	counts := map[string]int{}
	rows, err := tx.QueryContext(ctx, "SELECT coalesce(outcome, ?), currency, count(*), sum(amount) FROM biller_rows WHERE run = ? GROUP BY 1, 2 ORDER BY 1, 2", open, r.id)
	return counts, each(rows, err, func(scan func(...any) error) error {
		var outcome string
		var n int
		var money moment.Money
		if err := scan(&outcome, &money.Currency, &n, &money.Amount); err != nil {
			return err
		}
		if counts[outcome] += n; outcome != rejected { // whose amount may be what is wrong
			fmt.Fprintf(w, "  %-8s %8d  %v\n", outcome, n, money)
		}
		return nil
	})
}

// check is the command. It needs a database for references that are in the file twice.
func check(ctx context.Context, c config, stdout io.Writer) (code int, err error) {
	dir, err := os.MkdirTemp("", "biller")
	if err != nil {
		return exitFailed, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	pool, err := openPool(ctx, filepath.Join(dir, "check.db"), schema, "synchronous(OFF)", "journal_mode(OFF)")
	if err != nil {
		return exitFailed, err
	}
	defer func() { _ = pool.Close() }()
	l := loader{report: func(problem string) { fmt.Fprintln(stdout, problem) }}
	err = inTx(ctx, pool, func(tx *sql.Tx) error {
		l.tx = tx
		return l.load(ctx, c.path, c.format)
	})
	if err != nil {
		return exitFailed, err
	}
	fmt.Fprintf(stdout, "%s: %d rows, %d of them with problems\n", c.path, l.rows, l.wrong)
	if _, err = printTotals(ctx, pool, l.run, "to raise", stdout); err != nil || l.wrong > 0 {
		return exitFailed, err
	}
	return exitDone, nil
}
