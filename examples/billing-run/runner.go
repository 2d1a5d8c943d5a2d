package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// window is how many rows may be in memory. One that takes long holds up those that come so far
// behind it.
const window = 1024

// maxOpen is how many rows may end without an outcome before a run gives up: the service, or the
// way to it, is in trouble.
const maxOpen = 100

var errInterrupted = errors.New("interrupted")

// runner takes the rows of an input to workers and their results to a journal. All but the calls
// happens in one goroutine, which holds a window of rows: what is read and not done, and what is
// done behind a row that is not.
type runner struct {
	input   *input
	columns columns
	journal *journal
	pace    *pace
	raise   func(ctx context.Context, r *row, known bool) result
	workers int
	window  int
	left    bool // there are rows that are not done

	show     func(progress)
	complain func(why string) // of each row that is refused or stays open
	say      func(line string)

	ready  []job             // rows that may be sent
	behind map[string][]*row // rows behind one of the same customer that is not done: it may create the customer
	held   int               // how many rows are read and not done
	sent   int               // and how many of them are with the workers
	ended  bool              // the input
}

// job is a row that may be sent.
type job struct {
	row   *row
	known bool // a row before has seen its customer
}

// run ends when each row of the input has its entry in the journal, or with the reason why it was
// stopped. Then it finishes what was sent.
func (r *runner) run(ctx context.Context) error {
	jobs, results := make(chan job), make(chan result)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(jobs)
	for range r.workers {
		workers.Go(func() {
			for j := range jobs {
				results <- r.raise(ctx, j.row, j.known)
			}
		})
	}
	r.behind = map[string][]*row{}
	stop := r.reopen()
	done := ctx.Done()
	for {
		for stop == nil && !r.ended && (r.held == 0 || r.held+len(r.journal.progress.ahead) < r.window) {
			stop = r.readRow()
		}
		if r.sent == 0 && (stop != nil || r.held == 0) {
			return stop
		}
		to, next := chan job(nil), job{}
		if stop == nil && len(r.ready) > 0 {
			to, next = jobs, r.ready[0]
		}
		select {
		case to <- next:
			r.ready = r.ready[1:]
			r.sent++
		case res := <-results:
			r.sent--
			stop = first(stop, r.finish(res))
		case <-done:
			done, stop = nil, first(stop, errInterrupted)
			r.say(fmt.Sprintf("interrupted: finishing the %d rows that are under way; again to end at once", r.sent))
		}
	}
}

// reopen reads the rows that an earlier run had to leave open.
func (r *runner) reopen() error {
	for _, e := range slices.SortedFunc(maps.Values(r.journal.progress.open), func(a, b entry) int { return cmp.Compare(a.At.Offset, b.At.Offset) }) {
		if err := r.input.seek(e.At); err != nil {
			return err
		}
		rec, err := r.input.read()
		if err != nil {
			return err
		}
		row := r.columns.row(rec)
		if len(row.wrong) > 0 { // it was sent, so it was good, and may have been raised: it is not to be refused now
			return fmt.Errorf("a row without an outcome cannot be read any more: %s", strings.Join(row.wrong, "; "))
		}
		r.hold(row)
	}
	return r.input.seek(r.journal.progress.done)
}

// readRow reads one row, and keeps it unless it is done.
func (r *runner) readRow() error {
	rec, err := r.input.read()
	switch {
	case errors.Is(err, io.EOF):
		r.ended = true
		return nil
	case errors.Is(err, errChanged):
		return err
	case err != nil:
		return fmt.Errorf("read the input: %w", err)
	case r.journal.progress.has(rec.at.Offset): // it was done in an earlier run, and a row before it was not
		return nil
	}
	row := r.columns.row(rec)
	if len(row.wrong) > 0 {
		return r.enter(result{row: row, outcome: refused, why: errors.New(strings.Join(row.wrong, "; "))})
	}
	r.hold(row)
	return nil
}

// hold puts a row in line.
func (r *runner) hold(b *row) {
	r.held++
	customer := b.customer.ExternalReference
	if line, ok := r.behind[customer]; ok {
		r.behind[customer] = append(line, b)
		return
	}
	r.behind[customer] = nil
	r.ready = append(r.ready, job{row: b})
}

// finish enters the result of a row, and lets the next one of the customer go.
func (r *runner) finish(res result) error {
	r.held--
	customer := res.row.customer.ExternalReference
	if line := r.behind[customer]; len(line) > 0 {
		r.behind[customer] = line[1:]
		r.ready = append(r.ready, job{line[0], res.outcome == raised || res.outcome == there})
	} else {
		delete(r.behind, customer)
	}
	if res.fatal {
		return fmt.Errorf("line %d: %w", res.row.line, res.why)
	}
	return r.enter(res)
}

func (r *runner) enter(res result) error {
	b := res.row
	e := entry{At: b.at, Next: b.next, Outcome: res.outcome}
	switch res.outcome {
	case raised, there:
		e.Amount, e.Currency = b.money.Amount, b.money.Currency
	default:
		e.Line, e.Why = b.line, res.why.Error()
		if len(b.wrong) == 0 {
			e.Why = fmt.Sprintf("line %d: %s", b.line, e.Why) // what is wrong with a row says its line itself
		}
		if res.outcome == refused {
			for _, cell := range b.cells {
				e.Cells = append(e.Cells, []byte(cell))
			}
		}
		r.complain(string(res.outcome) + ": " + e.Why)
	}
	if err := r.journal.add(e); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	r.show(r.journal.progress)
	if res.outcome == open && len(r.journal.progress.open) >= maxOpen {
		return fmt.Errorf("%d rows have no outcome: the service, or the way to it, is in trouble", maxOpen)
	}
	return nil
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
