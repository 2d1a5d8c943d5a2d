package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/moment-billing/moment-go/momentsql"
)

// The ledger has a row for each payment that was applied, also for one that was taken back, whose
// amount is negative. Amounts are in minor units. The unique event is the last guard against a
// payment that is posted twice: momentsql forgets events after a month.
const ledgerSchema = `
CREATE TABLE IF NOT EXISTS ledger (
	event_id        TEXT   COLLATE "C" PRIMARY KEY,
	payment_id      TEXT   NOT NULL,
	obligation_kind TEXT   NOT NULL,
	obligation_id   TEXT   NOT NULL,
	amount          BIGINT NOT NULL,
	currency        TEXT   NOT NULL,
	posted_at       BIGINT NOT NULL -- Unix seconds
);
CREATE INDEX IF NOT EXISTS ledger_obligation_id ON ledger (obligation_id);
`

const startTimeout = 30 * time.Second // to connect, and to wait for another process that makes the tables

// endSessions lets PostgreSQL end what a machine that went away has left open: its transactions
// would hold their locks, and with one of them River rescues no jobs at all. What the address says
// goes before.
func endSessions(c *pgx.ConnConfig) {
	for name, value := range map[string]string{
		"idle_in_transaction_session_timeout": "60s", // in which no statement runs: ours go from one to the next
		"tcp_keepalives_idle":                 "30",  // seconds; what follows as well
		"tcp_keepalives_interval":             "10",
		"tcp_keepalives_count":                "3",
	} {
		if _, given := c.RuntimeParams[name]; !given {
			c.RuntimeParams[name] = value
		}
	}
}

// migrate makes the tables of River, of momentsql and of the ledger, or brings River's up to date.
// Where River's and momentsql's are there it neither needs the ledger nor makes one: it may be
// locked, or have another name while somebody works on it, and payments must not go into an empty
// one meanwhile.
func migrate(ctx context.Context, address string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	pool, err := openPool(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	// It is asked first whether anything is to be done, as doing it needs more rights.
	state, err := migrator.Validate(ctx, nil)
	var made bool
	if missing := pool.QueryRow(ctx, madeQuery).Scan(&made); missing == nil && err == nil && made && state.OK {
		return nil
	}
	// Of processes that start at once one waits here for the other. The number only has to be the
	// same in all of them.
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_lock(7215504202)"); err != nil {
		return err
	}
	defer func() {
		_, unlock := lock.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(7215504202)")
		err = errors.Join(err, unlock)
	}()
	if err := pool.QueryRow(ctx, madeQuery).Scan(&made); err != nil { // again, as another process may have made them
		return err
	}
	if !made { // before River's, so that there is a ledger once those are there
		if _, err := pool.Exec(ctx, momentsql.Schema(momentsql.PostgreSQL)+ledgerSchema); err != nil {
			return err
		}
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// madeQuery tells whether the tables are there. It asks the catalog, which does not wait for
// whoever has locked a table.
const madeQuery = "SELECT to_regclass('river_job') IS NOT NULL AND to_regclass('moment_webhook_messages') IS NOT NULL"
