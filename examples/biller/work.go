package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

const batchSize = 1000 // jobs in one transaction

// queue is a run's own, so that no run works another one's jobs under another API key.
func (r run) queue() string { return fmt.Sprintf("bills_%d", r.id) }

// runFile is the command: it checks the file and stores its rows, makes a job of each, and works
// them.
func runFile(ctx context.Context, c config, stdout, stderr io.Writer) (int, error) {
	client, err := c.connect()
	if err != nil {
		return exitUsage, err
	}
	s, err := openStore(ctx, c.database)
	if err != nil {
		return exitUsage, err
	}
	defer s.close()
	r, err := s.prepare(ctx, c, client.Mode(), stderr)
	if err != nil {
		return exitUsage, err
	}
	w := &worker{run: r, store: s, client: client}
	if w.reader, err = open(c.path, c.format); err != nil {
		return exitUsage, err
	}
	defer w.reader.close()
	stopped := w.work(ctx, stderr)
	return w.finish(context.WithoutCancel(ctx), c.path, stopped, stdout)
}

// work works the open rows of a run until they are settled, ctx ends, or the settler stops it. It
// returns why it stopped before the end.
func (w *worker) work(ctx context.Context, stderr io.Writer) error {
	registered := river.NewWorkers()
	river.AddWorker(registered, w)
	jobs, err := river.NewClient(riversqlite.New(w.store.jobs), &river.Config{
		Queues:            map[string]river.QueueConfig{w.run.queue(): {MaxWorkers: workers}},
		Workers:           registered,
		FetchCooldown:     5 * time.Millisecond, // a free worker would wait for 100 ms by default
		FetchPollInterval: 50 * time.Millisecond,
		SoftStopTimeout:   30 * time.Second,
		Logger:            slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	if err := w.store.release(ctx); err != nil {
		return err
	}
	open, err := w.enqueue(ctx, jobs, stderr)
	if err != nil || open == 0 {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	s := newSettler(w.store, open, stop, stderr)
	err = w.store.rows.QueryRowContext(ctx, "SELECT count(*) FROM biller_rows WHERE run = ? AND outcome = 'rejected' AND line <= ?", w.run.id, firstRows+1).Scan(&s.early)
	if w.settle = s.settle; err == nil {
		err = jobs.Start(ctx)
	}
	if err != nil {
		stop(err)
		return err
	}
	go s.work(context.WithoutCancel(ctx))
	<-jobs.Stopped() // after ctx has ended, and the calls in flight
	close(s.in)
	if why := context.Cause(ctx); !errors.Is(why, errFinished) {
		return why
	}
	return nil
}

// enqueue makes jobs of the open rows, and returns how many these are. River skips those that have
// a job.
func (w *worker) enqueue(ctx context.Context, jobs *river.Client[*sql.Tx], stderr io.Writer) (open int, err error) {
	for last, n := int64(0), batchSize; n == batchSize; open += n {
		var params []river.InsertManyParams
		rows, err := w.store.rows.QueryContext(ctx, "SELECT id, hash FROM biller_rows WHERE run = ? AND outcome IS NULL AND id > ? ORDER BY id LIMIT ?", w.run.id, last, batchSize)
		err = each(rows, err, func(scan func(...any) error) error {
			var args raiseBill
			err := scan(&args.Row, &args.Hash)
			last = args.Row
			params = append(params, river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{Queue: w.run.queue()}})
			return err
		})
		if n = len(params); err != nil || n == 0 {
			return open, err
		}
		err = inTx(ctx, w.store.rows, func(tx *sql.Tx) error {
			results, err := jobs.InsertManyTx(ctx, tx, params)
			for i, result := range results {
				var has raiseBill
				err = errors.Join(err, json.Unmarshal(result.Job.EncodedArgs, &has))
				if result.UniqueSkippedAsDuplicate && has != params[i].Args {
					fmt.Fprintf(stderr, "warning: row %d has a job of another content\n", has.Row)
				}
			}
			return err
		})
		if err != nil {
			return open, err
		}
	}
	return open, nil
}
