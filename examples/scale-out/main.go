// Command scale-out is Moment on many machines: receivers that acknowledge events as soon as these
// are stored, workers that post payments, raise bills and reconcile them, and a command that makes
// jobs of a CSV file. The jobs are River's, in one PostgreSQL database. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

const telemetryTimeout = 3 * time.Second // to send what is left: with stopTimeout less than the 30 seconds after which Kubernetes kills

var errRefused = errors.New("rows were refused")

func main() {
	if os.Getenv(fakeEnv) != "" { // the demo's other process
		os.Exit(fake(os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if os.Getenv(demoEnv) != "" {
		signal.Ignore(os.Interrupt) // which a terminal sends to all processes of the demo: that tells the others
	}
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program, until it is done or ctx ends. It returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	c, err := configure(args, getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil:
		fmt.Fprintln(stderr, "scale-out:", err)
		return exitUsage
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	return exitCode(ctx, c.command, start(ctx, c, getenv, stdout, stderr, log), log)
}

func exitCode(ctx context.Context, command string, err error, log *slog.Logger) int {
	switch {
	case errors.Is(err, errRefused):
		return exitRefused
	case errors.Is(err, context.Canceled) && ctx.Err() != nil && command != "enqueue": // it was asked to end while it began
		return exitDone
	case err != nil:
		log.Error("failed", slog.String("command", command), slog.String("error", err.Error()))
		return exitFailed
	}
	return exitDone
}

func start(ctx context.Context, c config, getenv func(string) string, stdout, stderr io.Writer, log *slog.Logger) error {
	// Whatever becomes of traces and metrics, what is to be done is done.
	t, err := newTelemetry(ctx, c.command, getenv, stdout)
	if err != nil {
		log.WarnContext(ctx, "no traces and no metrics", slog.String("error", err.Error()))
		t = exportTo(nil, nil, nil)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), telemetryTimeout)
		defer cancel()
		if err := t.stop(ctx); err != nil {
			log.WarnContext(ctx, "traces or metrics not sent", slog.String("error", err.Error()))
		}
	}()
	if c.command == "demo" {
		if err := checkUnused(ctx, c.database); err != nil { // before anything is changed in it
			return err
		}
	}
	if err := migrate(ctx, c.database); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	switch c.command {
	case "receiver":
		return receive(ctx, c, t, log)
	case "worker":
		return work(ctx, c, t, log)
	case "enqueue":
		return enqueue(ctx, c, t, log, stdout, stderr)
	default:
		return demo(ctx, c, stdout, stderr)
	}
}
