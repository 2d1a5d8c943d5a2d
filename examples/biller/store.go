package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// schema has the biller's own tables, beside River's. A row has cells until its bill is raised,
// because they are about people; customer and hash are hashes. A row without an outcome is open.
const schema = `
CREATE TABLE IF NOT EXISTS biller_salt (salt BLOB NOT NULL);
INSERT INTO biller_salt SELECT randomblob(32) WHERE NOT EXISTS (SELECT 1 FROM biller_salt);
CREATE TABLE IF NOT EXISTS biller_runs (
	id INTEGER PRIMARY KEY, token TEXT NOT NULL DEFAULT (hex(randomblob(16))), name TEXT NOT NULL, file_hash TEXT NOT NULL,
	key_hash TEXT NOT NULL, mode TEXT NOT NULL, service TEXT NOT NULL, rejected_hash TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS biller_rows (
	id INTEGER PRIMARY KEY, run INTEGER NOT NULL, line INTEGER NOT NULL, bill TEXT NOT NULL, hash TEXT NOT NULL,
	customer TEXT NOT NULL, customer_id TEXT NOT NULL DEFAULT '',
	amount INTEGER NOT NULL, currency TEXT NOT NULL, cells TEXT, outcome TEXT, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS biller_rows_bill ON biller_rows (run, bill);
CREATE INDEX IF NOT EXISTS biller_rows_zeros ON biller_rows (run, ltrim(bill, '0'));
CREATE INDEX IF NOT EXISTS biller_rows_customer ON biller_rows (run, customer);
CREATE INDEX IF NOT EXISTS biller_rows_known ON biller_rows (customer) WHERE customer_id <> '';
CREATE INDEX IF NOT EXISTS biller_rows_open ON biller_rows (run, id) WHERE outcome IS NULL;`

// store is the SQLite file of one process. River has a pool of its own, because each pool has one
// connection, and a transaction of the biller's must not wait for itself.
type store struct {
	lock       *flock.Flock // released when the process ends, however it ends
	rows, jobs *sql.DB
}

// openStore locks the file, and creates it and its tables.
func openStore(ctx context.Context, path string) (*store, error) {
	lock := flock.New(path + ".lock")
	locked, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !locked {
		return nil, fmt.Errorf("%s: another biller works on it: wait until it ends, or name another --database", path)
	}
	s := &store{lock: lock}
	if s.rows, err = openPool(path); err == nil {
		s.jobs, err = openPool(path)
	}
	if err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// openPool creates the file first, because SQLite would let others read it.
func openPool(path string) (*sql.DB, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	path, err = filepath.Abs(path)
	if err := errors.Join(err, file.Chmod(0o600), file.Close()); err != nil {
		return nil, err
	}
	settings := url.Values{"_pragma": {"busy_timeout(60000)", "journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
	address := url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(path), "/"), RawQuery: settings.Encode()}
	pool, err := sql.Open("sqlite", address.String())
	if err == nil {
		pool.SetMaxOpenConns(1)
	}
	return pool, err
}

func (s *store) migrate(ctx context.Context) error {
	if _, err := s.rows.ExecContext(ctx, schema); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riversqlite.New(s.jobs), nil)
	if err == nil {
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	return err
}

func (s *store) close() {
	for _, pool := range []*sql.DB{s.jobs, s.rows} {
		if pool != nil {
			_ = pool.Close()
		}
	}
	_ = s.lock.Close()
}

// release makes the jobs available that a killed process left running, and those that wait for
// another attempt. Nobody works them, because this process holds the lock. They get all of their
// attempts again, because a job that was killed has not failed.
func (s *store) release(ctx context.Context) error {
	_, err := s.jobs.ExecContext(ctx, `UPDATE river_job SET state = 'available', attempt = 0, scheduled_at = created_at
		WHERE state IN ('running', 'retryable', 'scheduled') AND queue LIKE 'bills\_%' ESCAPE '\'`)
	return err
}

func inTx(ctx context.Context, pool *sql.DB, do func(*sql.Tx) error) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// each calls do for each row of a result, which scan reads.
func each(rows *sql.Rows, err error, do func(scan func(...any) error) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := do(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
