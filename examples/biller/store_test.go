package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Jobs that a killed process left running are worked at once. Jobs in other queues do not change.
func TestJobsOfAKilledProcess(t *testing.T) {
	w, s := stored(t, 4)
	for n, state := range []string{"running", "retryable", "scheduled"} {
		w.exec(s, "UPDATE river_job SET state = ?, attempt = max_attempts, attempted_at = '2031-01-31 00:00:00', scheduled_at = '2031-01-31 00:00:00' WHERE id = ?", state, n+1)
	}
	w.exec(s, "INSERT INTO river_job (kind, queue, state, max_attempts) VALUES ('other', 'other', 'running', 4), ('other', 'billsX1', 'running', 4)")
	require.NoError(t, s.release(t.Context()))
	assert.Equal(t, "4", w.ask(s, "SELECT count(*) FROM river_job WHERE queue = 'bills_1' AND state = 'available' AND max_attempts = attempt + 4 AND scheduled_at = created_at"))
	assert.Equal(t, "2", w.ask(s, "SELECT count(*) FROM river_job WHERE state = 'running'"))
	s.close()
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Len(t, w.bills(), 4)
	assert.Equal(t, "4", w.ask(w.store(), "SELECT count(*) FROM river_job WHERE kind = 'raise_bill'"), "no job is made twice")
}

// Only one process works a file, and the file survives a power failure because of its settings.
func TestStore(t *testing.T) {
	w := newWorld(t)
	w.file("biller.db", "")
	require.NoError(t, os.Chmod(filepath.Join(w.dir, "biller.db"), 0o644)) //nolint:gosec // openStore must change it
	s := w.store()
	info, err := os.Stat(s.path)
	require.NoError(t, err)
	assert.Equal(t, "-rw-------", info.Mode().String(), "an existing file too")
	_, err = openStore(t.Context(), filepath.Join(w.dir, "biller.db"))
	assert.ErrorContains(t, err, "another biller works on it")
	link := filepath.Join(t.TempDir(), "link.db")
	if os.Symlink(s.path, link) == nil { // Windows may not allow it
		_, err = openStore(t.Context(), link)
		assert.ErrorContains(t, err, "another biller works on it")
	}
	assert.NotSame(t, s.rows, s.jobs)
	assert.Equal(t, "wal", w.ask(s, "PRAGMA journal_mode"))
	for _, pool := range []*store{s, {rows: s.jobs}} {
		assert.Equal(t, "2", w.ask(pool, "PRAGMA synchronous"), "FULL")
		assert.Equal(t, "60000", w.ask(pool, "PRAGMA busy_timeout"))
	}
	s.close()
	again, err := openStore(t.Context(), filepath.Join(w.dir, "biller.db"))
	require.NoError(t, err)
	again.close()
}

// An SQLite file is the one that was named, even if its name has a meaning for SQLite or in a URL.
func TestNameOfTheStore(t *testing.T) {
	t.Chdir(t.TempDir())
	paths := []string{"biller.db", "a b+c#d%41&e=f.db", filepath.Join(t.TempDir(), "a b+c#d%41.db")}
	if runtime.GOOS != "windows" { // which has no such names
		paths = append(paths, ":memory:")
	}
	for _, path := range paths {
		s, err := openStore(t.Context(), path)
		require.NoError(t, err, path)
		s.close()
		info, err := os.Stat(path)
		require.NoError(t, err, path)
		assert.NotZero(t, info.Size(), path)
		assert.Equal(t, path, s.path)
	}
}

// A run ends with the error of its database. Its exit code is not that of wrong usage, because the
// command may be started again.
func TestFailureOfTheDatabase(t *testing.T) {
	for _, row := range []struct{ why, statement, says string }{
		{"a row cannot be read, so its outcome would never arrive", "UPDATE biller_rows SET params = '{' WHERE id = 2", "unexpected end of JSON input"},
		{"the run cannot be read", "ALTER TABLE biller_runs RENAME COLUMN token TO elsewhere", "token"},
	} {
		w, s := stored(t, 3)
		w.exec(s, row.statement)
		s.close()
		assert.Equal(t, exitFailed, w.biller("run", "bills.csv"), row.why)
		assert.Contains(t, w.stderr, row.says, row.why)
	}
}

// An error of a database says what to do about it, once.
func TestExplain(t *testing.T) {
	for text, want := range map[string]string{
		"permission denied for table biller_rows":    "permission denied for table biller_rows: run the GRANT statements that biller migrate --print prints. Run migrate itself as the owner of the tables",
		"no schema has been selected to create in":   "no schema has been selected to create in: run the GRANT statements that biller migrate --print prints. Run migrate itself as the owner of the tables",
		"open bills.rejected.csv: permission denied": "open bills.rejected.csv: permission denied",
		"b.db: database or disk is full (13)":        "b.db: database or disk is full (13): make room in the folder of the database, and start it again. No bill is raised twice",
	} {
		assert.EqualError(t, explain(explain(errors.New(text))), want)
	}
	assert.NoError(t, explain(nil))
}

// A database that cannot be opened is wrong usage, because another start would not help.
func TestWrongDatabase(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(1))
	w.file("text.db", strings.Repeat("no database\n", 100))
	for database, says := range map[string]string{
		"text.db": "file is not a database", ".": "is a directory", "missing/biller.db": "the folder must exist, and be writable",
	} {
		assert.Equal(t, exitUsage, w.biller("run", "bills.csv", "--database", filepath.Join(w.dir, database)))
		assert.Contains(t, w.stderr, says)
	}
	assert.Zero(t, w.requests.Load())
}
