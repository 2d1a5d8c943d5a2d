// Command webhook-receiver receives Moment's webhooks and enters each payment into a ledger,
// exactly once, in an SQLite file or a PostgreSQL database. See README.md; webhook-receiver --demo
// shows what it does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program, until ctx ends. It returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	c, err := configure(args, getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "webhook-receiver:", err)
		return 2
	}
	level := slog.LevelInfo
	if c.demo {
		level = slog.LevelError // the forgeries are refused on purpose
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	if err := start(ctx, c, stdout, log); err != nil {
		log.Error("failed", slog.String("error", err.Error()))
		return 1
	}
	return 0
}

func start(ctx context.Context, c config, stdout io.Writer, log *slog.Logger) (err error) {
	if c.database == "" { // a demo that was given none
		dir, err := os.MkdirTemp("", "webhook-receiver")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		c.database = filepath.Join(dir, "ledger.db")
	}
	ledger, err := openLedger(ctx, c.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return err
	}
	r := newReceiver(c.verifier, ledger, log)
	if c.demo {
		return demo(ctx, r, listener, c.demoSecret, stdout)
	}
	return r.serve(ctx, listener)
}
