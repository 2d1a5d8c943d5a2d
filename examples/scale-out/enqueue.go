package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

const (
	batchSize  = 1000
	batchTries = 10 // where PostgreSQL ends it in favour of others: each time, one of those goes on
)

// enqueuer makes jobs of rows, a batch in one transaction. It holds no more than a batch, and
// remembers nothing: what is there, the unique jobs themselves tell.
type enqueuer struct {
	jobs      *river.Client[pgx.Tx]
	reconcile bool
	refuse    func(line int, reason string)

	batch map[string]row // by reference: one insert cannot have a unique job twice

	inserted, known, refused int
}

type row struct {
	bill Bill
	line int
}

// enqueue is the command.
func enqueue(ctx context.Context, c config, t telemetry, log *slog.Logger, stdout, stderr io.Writer) (err error) {
	file, err := os.Open(c.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	rows, err := newRows(file, c.currency)
	if err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	pool, err := openPool(ctx, c.database)
	if err != nil {
		return err
	}
	defer pool.Close()
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: log, Plugins: []rivertype.Plugin{t.ofJobs()}})
	if err != nil {
		return err
	}
	e := &enqueuer{jobs: jobs, reconcile: c.reconcile, batch: map[string]row{}}
	e.refuse = func(line int, reason string) { fmt.Fprintf(stderr, "%s: line %d: %s\n", c.path, line, reason) }
	err = e.run(ctx, rows)
	fmt.Fprintf(stdout, "%s: %d jobs inserted, %d known before, %d rows refused\n", c.path, e.inserted, e.known, e.refused)
	switch {
	case err != nil:
		return fmt.Errorf("%s: stopped, start it again to go on: %w", c.path, err)
	case e.refused > 0:
		return errRefused
	}
	return nil
}

func (e *enqueuer) run(ctx context.Context, rows *rows) error {
	for {
		b, line, err := rows.next()
		var wrong *refusal
		switch {
		case errors.Is(err, io.EOF):
			return e.flush(ctx)
		case errors.As(err, &wrong):
			e.refused++
			e.refuse(line, wrong.reason)
			continue
		case err != nil:
			return errors.Join(err, e.flush(ctx))
		}
		if _, twice := e.batch[b.Reference]; twice || len(e.batch) == batchSize {
			if err := e.flush(ctx); err != nil {
				return err
			}
		}
		e.batch[b.Reference] = row{b, line}
	}
}

// insert inserts the batch, again if it was in a deadlock: workers take jobs that are there already
// in an order of their own. Nothing of it is there then.
func (e *enqueuer) insert(ctx context.Context, params []river.InsertManyParams) (results []*rivertype.JobInsertResult, err error) {
	for range batchTries {
		results, err = e.jobs.InsertMany(ctx, params)
		ended, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || ended.Code != "40P01" && ended.Code != "40001" { // deadlock_detected, serialization_failure
			break
		}
	}
	return results, err
}

// flush inserts the batch, all of it or nothing. A row whose reference has another content in the
// job that is there is refused: it would be neither raised nor missed.
func (e *enqueuer) flush(ctx context.Context) error {
	if len(e.batch) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, 0, len(e.batch))
	for _, reference := range slices.Sorted(maps.Keys(e.batch)) { // in one order: of two files that overlap, one waits for the other
		b := e.batch[reference].bill
		if e.reconcile {
			params = append(params, river.InsertManyParams{Args: reconcileBill{b}})
		} else {
			params = append(params, river.InsertManyParams{Args: raiseBill{b}})
		}
	}
	results, err := e.insert(ctx, params)
	if err != nil {
		return err
	}
	for _, result := range results {
		if !result.UniqueSkippedAsDuplicate {
			e.inserted++
			continue
		}
		var known Bill
		if err := json.Unmarshal(result.Job.EncodedArgs, &known); err != nil {
			return err
		}
		row := e.batch[known.Reference]
		if known == row.bill {
			e.known++
			continue
		}
		e.refused++
		e.refuse(row.line, fmt.Sprintf("bill %s was enqueued with another content: %v for the customer %s",
			known.Reference, known.Amount.In(known.Currency), known.Customer))
	}
	clear(e.batch)
	return nil
}
