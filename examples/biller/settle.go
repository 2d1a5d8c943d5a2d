package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/moment-billing/moment-go"
)

const (
	maxRejections = 10 // in a row, by the service
	maxFailures   = 50 // in a row, without an outcome
)

// settler stores the results of all workers, and stops a run that does harm or gets nowhere. Results
// that arrive together are one transaction, because each one waits for the disk, and for River's.
type settler struct {
	store *store
	in    chan result
	bar   *progressbar.ProgressBar
	stop  context.CancelCauseFunc // of the run

	left                 int  // jobs without an end
	reached              bool // the service itself has responded
	rejections, failures int  // in a row
	early                int  // rejections among the first rows
}

func newSettler(s *store, open int, stop context.CancelCauseFunc, stderr io.Writer) *settler {
	file, ok := stderr.(*os.File)
	bar := progressbar.NewOptions(open, progressbar.OptionSetWriter(stderr), progressbar.OptionSetVisibility(ok && term.IsTerminal(int(file.Fd()))), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	return &settler{store: s, in: make(chan result, workers), bar: bar, stop: stop, left: open}
}

// settle returns when a result is stored. A failed attempt is only counted.
func (s *settler) settle(res result) error {
	res.done = make(chan error, 1)
	s.in <- res
	return <-res.done
}

// work runs until in is closed.
func (s *settler) work(ctx context.Context) {
	for first := range s.in {
		batch := []result{first}
		for len(s.in) > 0 {
			batch = append(batch, <-s.in)
		}
		err := s.save(ctx, batch)
		if err != nil {
			s.stop(err)
		}
		for _, res := range batch {
			s.count(res)
			res.done <- err
		}
	}
}

func (s *settler) save(ctx context.Context, batch []result) error {
	return inTx(ctx, s.store.rows, func(tx *sql.Tx) error {
		for _, res := range batch {
			_, err := tx.ExecContext(ctx, "UPDATE biller_rows SET outcome = ?1, reason = ?2, customer_id = ?3, cells = CASE WHEN ?1 = 'rejected' THEN cells END WHERE id = ?4 AND ?1 <> ''",
				res.outcome, res.reason, res.customerID, res.row)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// count counts a result, and decides whether the run goes on.
func (s *settler) count(res result) {
	failure, isFailure := errors.AsType[*moment.Error](res.err)
	connection, isConnection := errors.AsType[*moment.ConnectionError](res.err)
	switch {
	case errors.Is(res.err, moment.ErrUnauthorized), isFailure && failure.FromService && failure.Status == 403:
		s.stop(fmt.Errorf("is the API key right? %w", res.err))
	case s.reached || res.err == nil:
	case isFailure && !failure.FromService && failure.Status >= 400 && failure.Status < 500 && failure.Status != 429:
		s.stop(fmt.Errorf("is the base URL right? %w", res.err))
	case isConnection && !connection.OutcomeUnknown:
		s.stop(fmt.Errorf("is the service there? %w", res.err))
	}
	s.reached = s.reached || res.err == nil || isFailure && failure.FromService
	switch res.outcome {
	case "":
		if s.failures++; s.failures == maxFailures {
			s.stop(fmt.Errorf("%d attempts failed in a row: %w", maxFailures, res.err))
		}
	case rejected:
		if s.rejections++; s.rejections == maxRejections {
			s.stop(fmt.Errorf("the service rejected %d bills in a row: %w", maxRejections, res.err))
		}
		if res.line <= firstRows+1 {
			s.early++
		}
		if s.early == firstRows/2+1 {
			s.stop(errEarly)
		}
		s.failures = 0
	default:
		s.rejections, s.failures = 0, 0
	}
	if res.outcome == "" && !res.last {
		return
	}
	_ = s.bar.Add(1)
	if s.left--; s.left == 0 {
		s.stop(errFinished)
	}
}

var errFinished = errors.New("all jobs have ended")

var errEarly = errors.New("more than half of the first hundred rows are rejected: is the file read as it is meant?")
