// Command biller raises the bills of a CSV file, each exactly once. See README.md; biller demo shows
// what it does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitDone     = 0
	exitFailed   = 1 // or stopped: start it again. For check: there are problems
	exitUsage    = 2 // wrong usage, configuration or file, or a warning: nothing was sent
	exitRejected = 3 // finished, and rows were rejected, or differ
)

func main() {
	if os.Getenv(fakeEnv) != "" { // the demo's other process
		if err := fake(os.Stdin, os.Stdout); err != nil {
			os.Exit(exitFailed)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(start(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// start is the program. It returns the exit code.
func start(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (code int) {
	c, err := parseFlags(args)
	c.key, c.baseURL = getenv("MOMENT_API_KEY"), getenv("MOMENT_BASE_URL")
	switch code = exitUsage; {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil:
	case c.command == "demo":
		code, err = demo(ctx, c, stdout, stderr)
	case c.command == "check":
		code, err = check(ctx, c, stdout)
	case c.command == "run":
		code, err = runFile(ctx, c, stdout, stderr)
	case c.command == "reconcile":
		code, err = reconcile(ctx, c, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "biller:", err)
	}
	return code
}
