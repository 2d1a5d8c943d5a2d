package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/moment-billing/moment-go"
)

const usage = `Usage: webhook-receiver [--listen address] [--database address]
       webhook-receiver --demo

Receives Moment's webhooks at POST /webhooks/moment and enters each payment into a ledger,
exactly once. GET /healthz tells whether the database can be reached. SIGTERM or SIGINT
ends it, after what is being processed.

  --listen address     where to listen; or LISTEN in the environment. Default: 127.0.0.1:8080
  --database address   postgres://..., or the path of an SQLite file; or DATABASE_URL in the
                       environment. Default: ledger.db
  --demo               sends itself payments, duplicates and forgeries, and prints the ledger;
                       needs no set-up. It uses a temporary database, or what --database says,
                       where its payments stay; not DATABASE_URL, where a real ledger may be

Secrets are taken from the environment alone:
  MOMENT_WEBHOOK_SECRET       whsec_..., as Moment gave it to you. Required
  MOMENT_WEBHOOK_OLD_SECRET   the one before, while Moment changes from it to the new one

Exit codes: 0 ended as asked, 1 failed, 2 wrong configuration.
`

type config struct {
	demo       bool
	demoSecret string
	verifier   *moment.WebhookVerifier
	listen     string
	database   string // the address of a PostgreSQL database or the path of an SQLite file; a demo may have none
}

// configure reads the configuration, and checks what can be checked without a network. Its errors
// are one line, and show no secret, nor the address of a database, in which a password may be.
func configure(args []string, getenv func(string) string) (config, error) {
	var c config
	flags := flag.NewFlagSet("webhook-receiver", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error, or the usage
	flags.BoolVar(&c.demo, "demo", false, "")
	flags.StringVar(&c.listen, "listen", cmp.Or(getenv("LISTEN"), "127.0.0.1:8080"), "")
	flags.StringVar(&c.database, "database", "", "")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	}
	if !c.demo {
		c.database = cmp.Or(c.database, getenv("DATABASE_URL"), "ledger.db")
	}
	if err := checkDatabase(c.database); err != nil {
		return c, err
	}
	if c.demo {
		c.listen = "127.0.0.1:0"
		c.demoSecret = moment.RawWebhookSecret([]byte(rand.Text()))
		return c, c.verifyWith(c.demoSecret, "")
	}
	if err := checkListen(c.listen); err != nil {
		return c, err
	}
	return c, c.verifyWith(getenv("MOMENT_WEBHOOK_SECRET"), getenv("MOMENT_WEBHOOK_OLD_SECRET"))
}

func (c *config) verifyWith(secret, oldSecret string) error {
	if secret == "" {
		return errors.New("MOMENT_WEBHOOK_SECRET is not set: it is the whsec_... that Moment signs webhooks with (or try --demo)")
	}
	name := "MOMENT_WEBHOOK_SECRET"
	verifier, err := moment.NewWebhookVerifier(secret)
	if err == nil && oldSecret != "" {
		name = "MOMENT_WEBHOOK_OLD_SECRET"
		verifier, err = moment.NewWebhookVerifier(secret, moment.WithAdditionalSecret(oldSecret))
	}
	c.verifier = verifier
	var bad *moment.ArgumentError
	if errors.As(err, &bad) {
		return fmt.Errorf("%s: %s", name, bad.Reason)
	}
	return err
}

func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("LISTEN or --listen: must be host:port, like 127.0.0.1:8080, not %q", address)
	}
	return nil
}

func checkDatabase(address string) error {
	switch {
	case isPostgres(address):
		// What pgx says may quote the password.
		if _, err := pgx.ParseConfig(address); err != nil {
			return errors.New("DATABASE_URL or --database: is not a PostgreSQL address that can be used: postgres://user:password@host:5432/database")
		}
	case address == ":memory:", strings.HasPrefix(address, "file:"), strings.Contains(address, "://"), strings.Contains(address, "="):
		// In memory, each connection would have a ledger of its own, and lose it. PostgreSQL's
		// other form, with host= and password=, would become a file of that name.
		return errors.New("DATABASE_URL or --database: must be postgres://user:password@host:5432/database or the path of an SQLite file")
	}
	return nil
}

func isPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}
