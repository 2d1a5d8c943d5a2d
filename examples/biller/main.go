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
	"slices"
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
func start(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	commands := map[string]func(config) (int, error){
		"demo":      func(c config) (int, error) { return demo(ctx, c, stdout, stderr) },
		"check":     func(c config) (int, error) { return check(ctx, c, stdout) },
		"run":       func(c config) (int, error) { return runFile(ctx, c, stdout, stderr) },
		"reconcile": func(c config) (int, error) { return reconcile(ctx, c, stdout) },
	}
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		fmt.Fprint(stdout, usage)
		if len(args) == 0 {
			return exitUsage
		}
		return exitDone
	}
	command, found := commands[args[0]]
	if !found {
		fmt.Fprintf(stderr, "biller: there is no command %.40q: see biller help\n", args[0])
		return exitUsage
	}
	c, err := parseFlags(args[0], args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitDone
	}
	code := exitUsage
	if err == nil {
		c.key, c.baseURL = getenv("MOMENT_API_KEY"), getenv("MOMENT_BASE_URL")
		code, err = command(c)
	}
	if err != nil {
		fmt.Fprintln(stderr, "biller:", err)
	}
	return code
}
