// Command moment-mock is a fake of the Moment Billing API that listens on a loopback port, for
// programs in any language to be developed and tested against. It is package momenttest with a
// request log, an admin API, commands and a web page that call it, and optional storage on disk.
// See moment-mock --help.
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// A command runs with arguments that have been parsed.
type command func(ctx context.Context, stdout, stderr io.Writer) error

// A reader parses the arguments of a command.
type reader struct {
	read func(args []string, getenv func(string) string) (command, error)
	help string
}

// commands are the commands by name. Without a name, moment-mock serves.
var commands = map[string]reader{
	"pay":     {readPay, payUsage},
	"events":  {readEvents, eventsUsage},
	"resend":  {readResend, resendUsage},
	"fail":    {readFail, failUsage},
	"clock":   {readClock, clockUsage},
	"reset":   {readReset, resetUsage},
	"health":  {readHealth, healthUsage},
	"version": {readVersion, versionUsage},
}

// run is the program, until it is done or ctx ends. It returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	name, args := findCommand(args)
	r, ok := commands[name]
	if !ok {
		r = reader{readServe, usage}
	}
	start, err := r.read(args, getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, r.help)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "moment-mock: %v: see moment-mock %s--help\n", err, prefixed(name))
		return 2
	}
	if err := start(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "moment-mock:", err)
		return 1
	}
	return 0
}

func prefixed(name string) string {
	if name == "" {
		return ""
	}
	return name + " "
}
