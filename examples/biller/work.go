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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
	"golang.org/x/text/unicode/norm"

	"github.com/moment-billing/moment-go"
)

const (
	batchSize   = 1000 // jobs in one transaction
	maxAttempts = 4    // of a job; after that, its row stays open until the next start

	longestWait = time.Hour // the longest wait after a 429

	maxRejections = 10 // the run stops after so many rejections by the service in a row
	maxFailures   = 50 // the run stops after so many attempts without an outcome in a row
)

// raiseBill is the job of a row. It contains no names and no references, because River keeps and
// shows jobs.
type raiseBill struct {
	Row  int64  `json:"row"  river:"unique"`
	Hash string `json:"hash"` // of the row's content
}

func (raiseBill) Kind() string { return "raise_bill" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. A row can have another job after its job has
// ended.
func (raiseBill) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: maxAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByQueue: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// queue returns the name of a run's own queue, because runs must not work each other's jobs.
func (r run) queue() string { return fmt.Sprintf("bills_%d", r.id) }

// sharedQueue returns the queue of all imported files for an API key and a service, because workers
// with another API key must not work them.
func (r run) sharedQueue() string { return "bills_" + hashOf(r.keyHash, r.mode, r.service) }

// runFile checks a file, stores its rows, inserts their jobs, and works them. Other processes work
// an imported file.
func runFile(ctx context.Context, c config, imported bool, stdout, stderr io.Writer) error {
	if c.postgres != nil && !imported {
		return exitError{errors.New("run needs an SQLite file: name it with --database, or use import and work with DATABASE_URL"), exitUsage}
	}
	client, err := c.connect()
	if err != nil {
		return err
	}
	hash, err := c.fileHash()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := c.openDatabase(ctx, log)
	if err != nil {
		return err
	}
	defer s.close()
	r, err := s.prepare(ctx, c, hash, client.Mode(), stderr)
	if err != nil {
		return err
	}
	w := &worker{run: r, config: c, store: s, client: client, timeout: -1, imported: imported}
	stopped := w.work(ctx, log, stderr)
	return w.finish(context.WithoutCancel(ctx), stopped, stdout)
}

// work works the open rows until they are settled, ctx ends, or the run is stopped. If rows are
// still open, it returns the reason.
func (w *worker) work(ctx context.Context, log *slog.Logger, stderr io.Writer) error {
	jobs, err := w.store.newClient(w, w.run.queue(), w.config.workers(), log)
	if err := errors.Join(err, w.store.release(ctx)); err != nil {
		return err
	}
	if err := w.enqueue(ctx, jobs, stderr); err != nil || w.left == 0 || w.imported {
		return err
	}
	w.bar = progressbar.NewOptions(w.left, progressbar.OptionSetWriter(stderr), progressbar.OptionShowCount(),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionClearOnFinish())
	working, stop := context.WithCancelCause(ctx)
	w.stop = stop
	if err := jobs.Start(working); err != nil {
		return err
	}
	<-jobs.Stopped() // after working has ended, and the calls in flight
	return w.whyStopped(context.Cause(working), context.Cause(ctx))
}

// whyStopped returns the reason, or nil if the run is finished. interrupted is the reason of
// Ctrl+C, which does not matter if it arrives during the last calls.
func (w *worker) whyStopped(why, interrupted error) error {
	if errors.Is(why, errFinished) || w.left == 0 && errors.Is(why, interrupted) {
		return nil
	}
	return why
}

var errFinished = errors.New("all jobs have ended")

// enqueue inserts and counts the jobs of open rows. River skips rows that have a job in the queue.
func (w *worker) enqueue(ctx context.Context, jobs *river.Client[*sql.Tx], stderr io.Writer) error {
	queue, attempts := w.run.queue(), maxAttempts
	if w.imported {
		queue, attempts = w.run.sharedQueue(), river.MaxAttemptsDefault
	}
	for last := int64(0); ; {
		var params []river.InsertManyParams
		var args raiseBill
		err := w.store.read(ctx, []any{&args.Row, &args.Hash}, func() {
			params = append(params, river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{Queue: queue, MaxAttempts: attempts}})
		}, "SELECT id, hash FROM biller_rows WHERE run = $1 AND outcome IS NULL AND id > $2 ORDER BY id LIMIT $3", w.run.id, last, batchSize)
		if err != nil || len(params) == 0 {
			return err
		}
		last = args.Row
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
				fmt.Fprintf(stderr, "warning: row %d already has a job with different content\n", has.Row)
			}
		}
	}
}

// worker raises the bills of a run, or those of all imported files.
type worker struct {
	river.WorkerDefaults[raiseBill]

	store   *store
	client  *moment.Client
	timeout time.Duration // of a job; -1 for a run, because its jobs may wait for the rate limit

	run      run
	config   config
	imported bool // other processes work the run
	bar      *progressbar.ProgressBar
	stop     context.CancelCauseFunc // of the run; nil for imported files

	mu                   sync.Mutex // guards the fields below
	left                 int        // the number of jobs that have not ended
	last                 error      // of the last attempt without an outcome
	reached              bool       // the service itself has responded
	rejections, failures int        // in a row
}

// NextRetry returns a time within seconds for a run, because a person waits. Otherwise it returns
// the zero time, which selects River's policy of retries over weeks.
func (w *worker) NextRetry(job *river.Job[raiseBill]) time.Time {
	if w.stop == nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(1+job.Attempt) * time.Second)
}

// settle stores and counts a result. It stops a run that does harm or makes no progress.
func (w *worker) settle(ctx context.Context, job *river.Job[raiseBill], res result) error {
	if w.stop == nil {
		return w.save(ctx, job.Args.Row, res)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if wrong := misconfigured(res.err); wrong != "" && (!w.reached || rejectsKey(res.err)) {
		w.stop(fmt.Errorf("check %s: %w", wrong, res.err))
	}
	failure, isFailure := errors.AsType[*moment.Error](res.err)
	w.reached = w.reached || res.err == nil || isFailure && failure.FromService
	switch res.outcome {
	case "":
		w.last = res.err
		w.failures++
		if w.failures == maxFailures {
			w.stop(fmt.Errorf("%d attempts failed in a row: %w", maxFailures, res.err))
		}
		if job.Attempt < job.MaxAttempts {
			return nil
		}
	case rejected:
		w.failures = 0
		if _, mismatch := errors.AsType[*moment.MismatchError](res.err); mismatch || w.config.Yes {
			break
		}
		w.rejections++
		if w.rejections == maxRejections {
			w.stop(fmt.Errorf("the service rejected %d bills in a row (--yes turns this check off): %w", maxRejections, res.err))
		}
		if res.line <= lastEarly {
			w.run.early++
		}
		if w.run.tooManyEarly() {
			w.stop(errEarly)
		}
	default:
		w.rejections, w.failures = 0, 0
	}
	if err := w.save(ctx, job.Args.Row, res); err != nil {
		return w.fail(err)
	}
	_ = w.bar.Add(1)
	if w.left--; w.left == 0 {
		w.stop(errFinished)
	}
	return nil
}

// fail stops a run, because the run would otherwise wait for the outcome of this job for ever.
func (w *worker) fail(err error) error {
	if w.stop != nil {
		w.stop(err)
	}
	return err
}

func (w *worker) save(ctx context.Context, id int64, res result) error {
	return w.store.exec(ctx, `UPDATE biller_rows SET outcome = $1, reason = $2, customer_id = $3, params = NULL,
		cells = CASE WHEN $1 = 'rejected' THEN cells END WHERE id = $4 AND outcome IS NULL AND $1 <> ''`,
		res.outcome, res.reason, res.customerID, id)
}

// reasonOf returns the reason why a row is rejected, for the file of rejected rows.
func reasonOf(err error, name string) string {
	mismatch, isMismatch := errors.AsType[*moment.MismatchError](err)
	if !isMismatch {
		return strings.TrimPrefix(err.Error(), "moment: ")
	}
	if customer, ok := mismatch.Existing.(*moment.Customer); ok {
		hint := ""
		if normal(norm.NFKC.String(customer.Name)) == normal(norm.NFKC.String(name)) {
			hint = " They differ only in letter case, spaces, hyphens, underscores or the encoding of characters."
		}
		return fmt.Sprintf(`customer_reference has the name "%s" at Moment, not "%s".%s If it is the same person, write that name or leave it empty. `+
			"Otherwise use another customer_reference", customer.Name, name, hint)
	}
	bill, due := mismatch.Existing.(*moment.Bill), "" //nolint:forcetypeassert // biller creates no accounts
	if !bill.DueDate.IsZero() {
		due = ", due on " + bill.DueDate.String()
	}
	advice := "If it is the same bill, change it at Moment, and remove the row. Otherwise use another bill_reference"
	if bill.Status == moment.BillStatusVoided { // for ever
		advice = "Remove the row, or use another bill_reference"
	}
	return fmt.Sprintf("bill_reference exists at Moment, but differs in %s: the bill at Moment is %v, %s%s. %s",
		strings.ReplaceAll(strings.Join(mismatch.Differences, " and "), "amount_due", "amount"), bill.DueMoney(), bill.Status, due, advice)
}

// Work raises a bill exactly once, even if it is called again.
func (w *worker) Work(ctx context.Context, job *river.Job[raiseBill]) error {
	defer func() {
		if reason := recover(); reason != nil {
			panic(w.fail(fmt.Errorf("panic: %v", reason))) // River logs it
		}
	}()
	var line int
	var token, hash, params, customerID, known string
	var b bill
	isOpen := false
	err := w.store.read(ctx, []any{&line, &hash, &params, &customerID, &token, &known}, func() { isOpen = true },
		`SELECT b.line, b.hash, b.params, b.customer_id, r.token, coalesce((
			SELECT k.customer_id FROM biller_rows k JOIN biller_runs e ON e.id = k.run
			WHERE k.customer = b.customer AND k.customer_id <> '' AND (e.key_hash, e.mode, e.service) = (r.key_hash, r.mode, r.service)
			ORDER BY k.run DESC LIMIT 1), '')
		FROM biller_rows b JOIN biller_runs r ON r.id = b.run WHERE b.id = $1 AND b.outcome IS NULL`, job.Args.Row)
	if err == nil && !isOpen {
		return nil // the process was killed after the row was settled
	}
	if err == nil && known != "" && customerID == "" && job.Attempt == 1 { // later attempts must make the same call as the first
		customerID = known
		err = w.store.exec(ctx, "UPDATE biller_rows SET customer_id = $1 WHERE id = $2", known, job.Args.Row)
	}
	if err = errors.Join(err, json.Unmarshal([]byte(params), &b)); err != nil {
		return w.fail(err)
	}
	res := w.raise(ctx, b, token+hash, customerID)
	res.line = line
	if w.stop == nil && errors.Is(res.err, moment.ErrNotFound) {
		res.outcome = "" // because the address may be wrong, and no person stops this process
	}
	switch {
	case res.outcome != "":
	case ctx.Err() != nil: // the process stops
		return loggable(res.err)
	case res.wait > 0: // it does not count as an attempt
		return river.JobSnooze(res.wait)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := w.settle(ctx, job, res); err != nil {
		return err
	}
	if res.outcome == rejected {
		return river.JobCancel(loggable(res.err))
	}
	if res.err != nil {
		return loggable(res.err)
	}
	return nil
}

// result is the result of an attempt. An attempt without an outcome has failed, but may have raised
// the bill.
type result struct {
	line                int
	outcome, customerID string
	reason              string // why the row is rejected
	err                 error
	wait                time.Duration // the time that a 429 asks for
}

// raise creates a bill and its customer, or finds them. It does not change an existing customer.
// Another name is a mismatch, because it may be another person. The idempotency key is derived from
// the run and the row, so a killed job makes the same call again.
func (w *worker) raise(ctx context.Context, b bill, seed, customerID string) result {
	params := moment.BillCreateParams{
		Customer: b.Customer, ExternalReference: b.Reference, Currency: b.Money.Currency, AmountDue: b.Money.Amount, DueDate: b.Due,
	}
	if customerID != "" {
		params.Customer = moment.ExistingCustomer(customerID)
	}
	var resp moment.Response
	key := moment.DeriveIdempotencyKey("raise bill", seed, customerID)
	bill, err := w.client.Bills.Ensure(ctx, params, moment.WithIdempotencyKey(key), moment.WithResponse(&resp))
	mismatch, isMismatch := errors.AsType[*moment.MismatchError](err)
	failure, isFailure := errors.AsType[*moment.Error](err)
	switch {
	case isMismatch && customerID == "" && isSamePerson(mismatch):
		return w.raise(ctx, b, seed, b.Customer.ExternalReference)
	case rejects(err):
		return result{outcome: rejected, reason: reasonOf(err, b.Customer.Name), err: err}
	case isFailure && (resp.StatusCode == http.StatusTooManyRequests || failure.RetryAfter > 0) &&
		(errors.Is(err, moment.ErrConflict) || !errors.Is(err, moment.ErrOutcomeUnknown)):
		// The create was limited, or it was rejected and a lookup was limited. No request is in
		// flight.
		return result{err: err, wait: min(max(failure.RetryAfter, time.Second), longestWait)}
	case err != nil:
		return result{err: err}
	case resp.StatusCode == http.StatusCreated:
		return result{outcome: raised, customerID: bill.CustomerID}
	}
	return result{outcome: found, customerID: bill.CustomerID}
}

// isSamePerson reports whether only a customer differs, and may be the same person: it has the same
// name at Moment, or none.
func isSamePerson(mismatch *moment.MismatchError) bool {
	customer, is := mismatch.Existing.(*moment.Customer)
	return is && (customer.Name == "" || !slices.Contains(mismatch.Differences, "customer.name"))
}

// rejects reports whether a row cannot be raised: the service itself rejected it, or the client did
// before it sent anything.
func rejects(err error) bool {
	_, isMismatch := errors.AsType[*moment.MismatchError](err)
	own := serviceResponded(err, 400, 402, 404, 422)
	return !errors.Is(err, moment.ErrOutcomeUnknown) && (own || isMismatch || errors.Is(err, moment.ErrInvalidArgument))
}

// rejectsKey reports whether the service itself rejected the API key of a call.
func rejectsKey(err error) bool { return serviceResponded(err, 401, 403) }

// misconfigured returns the name of the variable that an error says is wrong, or nothing.
func misconfigured(err error) string {
	failure, isFailure := errors.AsType[*moment.Error](err)
	switch {
	case rejectsKey(err):
		return "MOMENT_API_KEY"
	case isFailure && !failure.FromService && failure.Status/100 == 4 && failure.Status != 429:
		return "MOMENT_BASE_URL"
	}
	return ""
}

// serviceResponded reports whether the service's own response has one of these statuses.
func serviceResponded(err error, statuses ...int) bool {
	failure, ok := errors.AsType[*moment.Error](err)
	return ok && failure.FromService && slices.Contains(statuses, failure.Status)
}

var errKey = errors.New("the API key is rejected")

// loggable returns an error without the service's text, which may contain personal data, because
// River stores and logs the errors of jobs.
func loggable(err error) error {
	text := fmt.Sprintf("%T", err)
	var valuer slog.LogValuer
	if errors.As(err, &valuer) {
		text = valuer.LogValue().Resolve().String()
	}
	if rejectsKey(err) {
		return fmt.Errorf("%w: %s", errKey, text)
	}
	return errors.New(text)
}
