package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/moment-billing/moment-go"
)

const (
	workers     = 32   // jobs at the same time
	batchSize   = 1000 // jobs in one transaction
	maxAttempts = 4    // of a job; then its row stays open until the next start

	longestWait = time.Hour // after a 429

	maxRejections = 10 // in a row, by the service; then the run stops
	maxFailures   = 50 // in a row, without an outcome; then the run stops
)

// raiseBill is the job of a row. It holds no name and no reference, because River keeps and shows
// jobs.
type raiseBill struct {
	Row  int64  `json:"row"  river:"unique"`
	Hash string `json:"hash"` // of the row's content
}

// Kind implements [river.JobArgs].
func (raiseBill) Kind() string { return "raise_bill" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. Jobs that have ended do not block another
// one of the same row.
func (raiseBill) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: maxAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByQueue: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// queue is a run's own, so that no run works another one's jobs.
func (r run) queue() string { return fmt.Sprintf("bills_%d", r.id) }

// sharedQueue has the jobs of all files that are imported for an API key and a service, so that no
// worker works the jobs of another API key.
func (r run) sharedQueue() string { return "bills_" + hashOf(r.keyHash, r.mode, r.service) }

// runFile is the command: it checks the file and stores its rows, makes a job of each, and works
// them. An imported file is worked by others.
func runFile(ctx context.Context, c config, imported bool, stdout, stderr io.Writer) (int, error) {
	if c.postgres != nil && !imported {
		return exitUsage, errors.New("run works on an SQLite file: name it with --database, or use import and work with DATABASE_URL")
	}
	client, err := c.connect()
	if err != nil {
		return exitUsage, err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := c.openDatabase(ctx, log)
	if err != nil {
		return exitUsage, err
	}
	defer s.close()
	w, err := s.newRun(ctx, c, client, stderr)
	if err != nil {
		return exitUsage, err
	}
	w.imported = imported
	stopped := w.work(ctx, log, stderr)
	return w.finish(context.WithoutCancel(ctx), c.path, stopped, stdout)
}

func (s *store) newRun(ctx context.Context, c config, client *moment.Client, stderr io.Writer) (*worker, error) {
	header, closeFile, err := open(c.path, c.format)
	if err != nil {
		return nil, err
	}
	closeFile()
	r, err := s.prepare(ctx, c, client.Mode(), stderr)
	return &worker{run: r, store: s, client: client, reader: header, timeout: -1}, err
}

// work works the open rows of a run until they are settled, or ctx ends, or the run does harm or
// gets nowhere. It returns why it stopped before the end.
func (w *worker) work(ctx context.Context, log *slog.Logger, stderr io.Writer) error {
	jobs, err := w.store.newClient(w, w.run.queue(), workers, log)
	if err != nil {
		return err
	}
	if err := w.store.release(ctx); err != nil {
		return err
	}
	if err := w.enqueue(ctx, jobs, stderr); err != nil || w.left == 0 || w.imported {
		return err
	}
	w.bar = progressbar.NewOptions(w.left, progressbar.OptionSetWriter(stderr), progressbar.OptionShowCount(),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionClearOnFinish())
	ctx, w.stop = context.WithCancelCause(ctx)
	if err := jobs.Start(ctx); err != nil {
		return err
	}
	<-jobs.Stopped() // after ctx has ended, and the calls in flight
	if why := context.Cause(ctx); !errors.Is(why, errFinished) {
		return why
	}
	return nil
}

var errFinished = errors.New("all jobs have ended")

// enqueue makes jobs of the open rows, and counts them. River skips those that have a job in the
// queue.
func (w *worker) enqueue(ctx context.Context, jobs *river.Client[*sql.Tx], stderr io.Writer) error {
	queue, attempts := w.run.queue(), maxAttempts
	if w.imported {
		queue, attempts = w.run.sharedQueue(), river.MaxAttemptsDefault
	}
	for last := int64(0); ; {
		var params []river.InsertManyParams
		err := inTxOf(ctx, w.store.rows, readOnly, func(tx *sql.Tx) error {
			return each(ctx, tx, func(scan func(...any) error) error {
				var args raiseBill
				err := scan(&args.Row, &args.Hash)
				last = args.Row
				params = append(params, river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{Queue: queue, MaxAttempts: attempts}})
				return err
			}, "SELECT id, hash FROM biller_rows WHERE run = $1 AND outcome IS NULL AND id > $2 ORDER BY id LIMIT $3", w.run.id, last, batchSize)
		})
		if err != nil || len(params) == 0 {
			return err
		}
		w.left += len(params)
		results, err := jobs.InsertMany(ctx, params)
		if err != nil {
			return err
		}
		for i, result := range results {
			var has raiseBill
			if err := json.Unmarshal(result.Job.EncodedArgs, &has); err != nil {
				return err
			}
			if result.UniqueSkippedAsDuplicate && has != params[i].Args {
				fmt.Fprintf(stderr, "warning: row %d has a job of another content\n", has.Row)
			}
		}
	}
}

// worker raises the bills of a run, or those of all imported files.
type worker struct {
	river.WorkerDefaults[raiseBill]

	store   *store
	client  *moment.Client
	timeout time.Duration // of a job

	run      run
	reader   *reader // for its columns
	imported bool    // the run is worked by others
	bar      *progressbar.ProgressBar
	stop     context.CancelCauseFunc // of the run; nil for imported files

	mu                   sync.Mutex // guards what follows
	left                 int        // jobs without an end
	reached              bool       // the service itself has responded
	rejections, failures int        // in a row
}

// NextRetry is soon for a run, because somebody waits for it. Otherwise it is River's, over weeks.
func (w *worker) NextRetry(job *river.Job[raiseBill]) time.Time {
	if w.stop == nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(1+job.Attempt) * time.Second)
}

// Timeout turns off River's timeout for a run, because each attempt of a call has its own, and
// because a job may wait for the rate limit.
func (w *worker) Timeout(*river.Job[raiseBill]) time.Duration { return w.timeout }

// settle stores and counts a result, and stops a run that does harm or gets nowhere.
func (w *worker) settle(ctx context.Context, job *river.Job[raiseBill], res result) error {
	if w.stop == nil {
		return w.save(ctx, job.Args.Row, res)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	failure, isFailure := errors.AsType[*moment.Error](res.err)
	if isFailure && !w.reached && !failure.FromService && failure.Status/100 == 4 && failure.Status != 429 {
		w.stop(fmt.Errorf("is the base URL right? %w", res.err))
	}
	if isFailure && failure.FromService && (failure.Status == http.StatusUnauthorized || failure.Status == http.StatusForbidden) {
		w.stop(fmt.Errorf("is the API key right? %w", res.err))
	}
	w.reached = w.reached || res.err == nil || isFailure && failure.FromService
	switch w.failures++; res.outcome {
	case "":
		if w.failures == maxFailures {
			w.stop(fmt.Errorf("%d attempts failed in a row: %w", maxFailures, res.err))
		}
		if job.Attempt < job.MaxAttempts {
			return nil
		}
	case rejected:
		w.failures = 0
		if w.rejections++; w.rejections == maxRejections {
			w.stop(fmt.Errorf("the service rejected %d bills in a row: %w", maxRejections, res.err))
		}
	default:
		w.rejections, w.failures = 0, 0
	}
	if err := w.save(ctx, job.Args.Row, res); err != nil {
		w.stop(err)
		return err
	}
	_ = w.bar.Add(1)
	if w.left--; w.left == 0 {
		w.stop(errFinished)
	}
	return nil
}

func (w *worker) save(ctx context.Context, id int64, res result) error {
	reason := ""
	if res.err != nil {
		reason = strings.TrimPrefix(res.err.Error(), "moment: ")
	}
	return inTx(ctx, w.store.rows, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE biller_rows SET outcome = $1, reason = $2, customer_id = $3, params = NULL,
			cells = CASE WHEN $1 = 'rejected' THEN cells END WHERE id = $4 AND $1 <> ''`, res.outcome, reason, res.customerID, id)
		if err != nil || res.outcome != rejected || w.stop == nil {
			return err
		}
		var early int
		err = tx.QueryRowContext(ctx, earlyRejections, w.run.id, firstRows+1).Scan(&early)
		if early == firstRows/2+1 {
			w.stop(errEarly)
		}
		return err
	})
}
