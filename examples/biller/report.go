package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"

	"github.com/moment-billing/moment-go"
)

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
		next := fmt.Sprintf("Correct them, and %s them instead of %s, unless you have done so.", verb, w.run.name)
		switch {
		case counts["open"] > 0 && w.imported:
			next = fmt.Sprintf("First wait until serve or work has raised the open rows, and import %s again.", w.run.name)
		case counts["open"] > 0:
			next = fmt.Sprintf("First run %s again, until no row is open.", w.run.name)
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

// printTotals prints and returns the number of rows with each outcome, and prints their amounts.
// open is the name of rows without an outcome. Rejected rows have no total, because their amounts
// may be wrong. In "open" are those that a worker rejected while the others were written to a file.
func (r run) printTotals(ctx context.Context, tx *sql.Tx, open string, out io.Writer) (counts map[string]int, err error) {
	counts = map[string]int{}
	var outcome string
	var n int
	var money moment.Money
	err = each(ctx, tx, []any{&outcome, &money.Currency, &n, &money.Amount}, func() {
		counts[outcome] += n
		total := ""
		if outcome != rejected {
			total = money.String()
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-9s %7d  %s", outcome, n, total), " "))
	}, `SELECT outcome, CASE WHEN outcome = 'rejected' THEN '' ELSE currency END, count(*), sum(amount)
		FROM (SELECT coalesce(CASE WHEN outcome <> 'rejected' OR written <> '' OR $1 <> 'open' THEN outcome END, $1) AS outcome, currency, amount
			FROM biller_rows WHERE run = $2) r GROUP BY 1, 2 ORDER BY 1, 2`, open, r.id)
	if err == nil && len(counts) == 0 {
		fmt.Fprintln(out, "  no rows")
	}
	return counts, err
}
