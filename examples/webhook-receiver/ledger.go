package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

// The ledger has a row for each payment that was applied, also for one that was taken back, whose
// amount is negative. Amounts are in minor units. momentsql sees to it that no message is processed
// twice for as long as it remembers them; the unique event guards what is older, or told under
// another message id. A payment may be told of by more than one event.
const ledgerSchema = `
CREATE TABLE IF NOT EXISTS ledger (
	payment_id      TEXT   NOT NULL,
	event_id        TEXT   NOT NULL UNIQUE,
	obligation_kind TEXT   NOT NULL,
	obligation_id   TEXT   NOT NULL,
	amount          BIGINT NOT NULL,
	currency        TEXT   NOT NULL,
	received_at     BIGINT NOT NULL -- Unix seconds
);
`

// tablesQuery fails if the tables are not there.
const tablesQuery = "SELECT 1 FROM ledger, moment_webhook_messages LIMIT 1"

const (
	maxConnections = 10               // each delivery that is processed has one
	startTimeout   = 30 * time.Second // to connect, and to wait for another replica that makes the tables
	busyTimeout    = 5 * time.Second  // for other writers on SQLite, whatever the context of a delivery says
)

// enter puts a payment into the ledger, in the transaction that marks the event as processed. It is
// what to replace for a ledger of your own: do all of it with tx, and nothing that cannot be rolled
// back.
func enter(ctx context.Context, tx *sql.Tx, e *moment.Event, payment *moment.AmountApplied) error {
	if e.ID == "" || payment.PaymentID == "" {
		return errors.New("the event has no id or no payment_id")
	}
	kind, id := payment.Obligation()
	_, err := tx.ExecContext(ctx, `INSERT INTO ledger
		(payment_id, event_id, obligation_kind, obligation_id, amount, currency, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (event_id) DO NOTHING`,
		payment.PaymentID, e.ID, string(kind), id, int64(payment.Amount), string(payment.Currency), time.Now().Unix())
	return err
}

// ledger is the database with the ledger and the marks of what was processed.
type ledger struct {
	*sql.DB

	store   *momentsql.Store
	dialect momentsql.Dialect
}

// openLedger connects to a database and makes the tables if they are not there yet.
func openLedger(ctx context.Context, address string) (*ledger, error) {
	driver, dialect := "pgx", momentsql.PostgreSQL
	if !isPostgres(address) {
		driver, dialect, address = "sqlite", momentsql.SQLite, sqliteName(address)
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	store, err := momentsql.NewStore(db)
	if err == nil && !tablesExist(ctx, db) {
		err = createTables(ctx, db, dialect)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return &ledger{db, store, dialect}, nil
}

// sqliteName makes a path what the driver opens. Writers wait for each other; in the journal mode
// WAL, who reads keeps nobody from writing.
func sqliteName(path string) string {
	escaped := (&url.URL{Path: filepath.ToSlash(filepath.Clean(path))}).EscapedPath()
	return fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(wal)", escaped, busyTimeout.Milliseconds())
}

// tablesExist is asked before anything is created, as that needs more rights, and waits for
// deliveries that other replicas process.
func tablesExist(ctx context.Context, db *sql.DB) bool {
	_, err := db.ExecContext(ctx, tablesQuery)
	return err == nil
}

func createTables(ctx context.Context, db *sql.DB, dialect momentsql.Dialect) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after the commit it does nothing
	if dialect == momentsql.PostgreSQL {
		// Of two replicas that start at once one waits here: with IF NOT EXISTS alone, PostgreSQL
		// may refuse it. The number only has to be the same in all of them.
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(7215504201)"); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, momentsql.Schema(dialect)+ledgerSchema); err != nil {
		return err
	}
	return tx.Commit()
}

// entry is a row of the ledger. Those who print it know when they received it.
type entry struct {
	payment, event string
	obligation     string // kind and id
	amount         moment.Amount
	currency       moment.Currency
}

// entries returns what is in the ledger of the events whose ids begin with prefix.
func (l *ledger) entries(ctx context.Context, prefix string) ([]entry, error) {
	rows, err := l.QueryContext(ctx, `SELECT payment_id, event_id, obligation_kind || ' ' || obligation_id, amount, currency
		FROM ledger WHERE substr(event_id, 1, $1) = $2 ORDER BY event_id`, len(prefix), prefix)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []entry
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.payment, &e.event, &e.obligation, &e.amount, &e.currency); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, rows.Err()
}
