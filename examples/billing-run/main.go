// Command billing-run raises the bills of a CSV file, each exactly once. See README.md; billing-run
// --demo 10000 shows what it does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	exitDone    = 0
	exitFailed  = 1 // or stopped: start it again
	exitUsage   = 2 // nothing was sent
	exitRefused = 3
)

func main() {
	if os.Getenv(fakeEnv) != "" { // the demo's other process
		os.Exit(fake(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	c, err := configure(args, getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil:
		fmt.Fprintln(stderr, "billing-run:", err)
		return exitUsage
	case c.demo > 0:
		return demo(ctx, c, stdout, stderr)
	}
	return bill(ctx, c, stdout, stderr)
}

// bill is a billing run. It returns the exit code.
func bill(ctx context.Context, c config, stdout, stderr io.Writer) int {
	begun := time.Now()
	r, err := prepare(c)
	if err != nil {
		fmt.Fprintln(stderr, "billing-run:", err)
		return exitUsage
	}
	err = r.work(ctx, c, stderr)
	var text strings.Builder
	report(&text, c, r, err, time.Since(begun))
	_, unsaid := io.WriteString(stdout, text.String())
	if unsaid != nil {
		fmt.Fprintln(stderr, "billing-run: write the report:", unsaid, "(start it again to see it)")
	}
	switch {
	case err != nil, unsaid != nil, r.journal.progress.count[open] > 0:
		return exitFailed
	case r.journal.progress.count[refused] > 0:
		return exitRefused
	default:
		return exitDone
	}
}

// prepare does all that can fail before anything is sent.
func prepare(c config) (*runner, error) {
	client, pace, err := c.connect()
	if err != nil {
		return nil, err
	}
	in, err := openInput(c.path)
	if err != nil {
		return nil, err
	}
	columns, err := newColumns(in.header, c.currency)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.path, errors.Join(err, in.file.Close()))
	}
	journal, err := openJournal(c.journal, subject{in.sha256, c.currency, c.baseURL, client.Mode()}, in.at)
	if err != nil {
		return nil, errors.Join(err, in.file.Close())
	}
	r := &runner{
		input: in, columns: columns, journal: journal, pace: pace,
		raise:   (&biller{client: client, pace: pace, input: in.sha256, wait: c.wait}).raise,
		workers: c.workers, window: window,
	}
	r.left, err = r.anyLeft()
	if err == nil && r.left {
		err = checkRefused(c.refused, journal)
	}
	if err != nil {
		return nil, errors.Join(err, journal.close(), in.file.Close())
	}
	return r, nil
}

// anyLeft reports whether there is anything left to do.
func (r *runner) anyLeft() (bool, error) {
	if len(r.journal.progress.open) > 0 {
		return true, nil
	}
	if err := r.input.seek(r.journal.progress.done); err != nil {
		return false, err
	}
	_, err := r.input.read()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return true, err
}

// work does what is left of a run, showing how far it is, and writes the file of refused rows.
// Where nothing was left, that file stays as it is: somebody may be correcting it.
func (r *runner) work(ctx context.Context, c config, stderr io.Writer) error {
	screen := newScreen(stderr, r.input.size, isTerminal(stderr))
	r.show, r.complain, r.say = screen.show, screen.complain, screen.say
	if p := r.journal.progress; r.left && p.done != r.input.first {
		screen.say(fmt.Sprintf("going on at line %d: %d raised, %d already there, %d refused, %d open before", p.done.Line, p.count[raised], p.count[there], p.count[refused], p.count[open]))
	}
	err := r.run(ctx)
	screen.close()
	if _, missing := os.Stat(c.refused); r.journal.progress.count[refused] > 0 && (r.journal.added > 0 || missing != nil) {
		err = first(err, writeRefused(c.refused, r.journal, r.input))
	}
	return first(err, errors.Join(r.journal.close(), r.input.file.Close()))
}
