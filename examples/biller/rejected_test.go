package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/moment-billing/moment-go"
)

// A file of rejected rows that somebody has changed is not overwritten.
func TestChangedRejectedRows(t *testing.T) {
	w := interruptedRun(t)
	w.file("bills.rejected.csv", "changed")
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.Equal(t, "changed", w.read("bills.rejected.csv"))
	assert.NotContains(t, w.read("bills.rejected-2.csv"), "B1", "which may be corrected and raised")
	assert.Contains(t, w.read("bills.rejected-2.csv"), "B2")
	assert.Contains(t, w.stdout, "are in "+filepath.Join(w.dir, "bills.rejected.csv")+" (rows: 1) and "+filepath.Join(w.dir, "bills.rejected-2.csv")+" (rows: 1), with")

	w = interruptedRun(t)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.Contains(t, w.read("bills.rejected.csv"), "B1", "a file that nobody has changed gets the later rows too")
	assert.Contains(t, w.read("bills.rejected.csv"), "B2")
	assert.NoFileExists(t, filepath.Join(w.dir, "bills.rejected-2.csv"))
}

// A copy of the file in another folder is the same run, and the message names the file that exists.
func TestRejectedRowsOfACopy(t *testing.T) {
	w := newWorld(t)
	text := header + "C1,,,B1,x,ZAR,\nC2,,,B2,1.00,ZAR,\n"
	w.file("bills.csv", text)
	require.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	require.NoError(t, os.Mkdir(filepath.Join(w.dir, "copy"), 0o700))
	w.file("copy/bills.csv", text)
	path, database := filepath.Join(w.dir, "bills.rejected.csv"), filepath.Join(w.dir, "biller.db")
	assert.Equal(t, exitRejected, w.biller("run", "copy/bills.csv", "--database", database))
	assert.Contains(t, w.stdout, "The rejected rows are in "+path+" (rows: 1), with")
	assert.NoFileExists(t, filepath.Join(w.dir, "copy/bills.rejected.csv"))
	require.NoError(t, os.Remove(path))
	assert.Equal(t, exitRejected, w.biller("run", "copy/bills.csv", "--database", database))
	assert.Contains(t, w.stdout, "The rejected rows are in "+filepath.Join(w.dir, "copy/bills.rejected.csv")+" (rows: 1; some of them again, because their file is gone), with")
	require.NoError(t, os.RemoveAll(filepath.Join(w.dir, "copy")))
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.Contains(t, w.stdout, "The rejected rows are in "+path+" (rows: 1; some of them again, because their file is gone), with")
	assert.FileExists(t, path)
	require.NoError(t, os.Mkdir(filepath.Join(w.dir, "copy"), 0o700))
	w.file("copy/bills.csv", text)
	w.key = "sk_test_ANOTHER_SECRET_KEY"
	assert.Equal(t, exitRejected, w.biller("run", "copy/bills.csv", "--database", database, "--yes"))
	assert.FileExists(t, filepath.Join(w.dir, "copy/bills.rejected.csv"))
	assert.NotContains(t, w.stdout, path)
}

// Each month has its own file of rejected rows, even if a run is started again.
func TestRejectedRowsOfTheNextMonth(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,1,ZAR,\nC1,,,B2,x,ZAR,\n")
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	w.file("bills.csv", header+"C1,,,E1,1,ZAR,\nC1,,,E2,x,ZAR,\n")
	for range 2 {
		assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
		assert.Contains(t, w.stdout, "bills.rejected-2.csv")
		assert.Contains(t, w.stdout, "bills.rejected.csv has the rejected rows of an earlier bills.csv")
	}
	assert.Contains(t, w.read("bills.rejected.csv"), "B2")
	assert.Contains(t, w.read("bills.rejected-2.csv"), "E2")
	require.NoError(t, os.Remove(filepath.Join(w.dir, "bills.rejected.csv")))
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.NotContains(t, w.stdout, "an earlier", "because it is gone")
	w.file("bills.csv", header+"C1,,,B1,1,ZAR,\nC1,,,B2,x,ZAR,\n")
	w.file("other.csv", header+"C1,,,B3,x,ZAR,\n")
	for _, name := range []string{"bills.csv", "other.csv"} {
		assert.Equal(t, exitRejected, w.biller("run", name))
		assert.NotContains(t, w.stdout, "an earlier", "because those are of a later file, or of one with another name")
	}
}

// A file that was first run with the wrong API key has one file of rejected rows, because a row in
// two of them may be corrected twice. The later run does not replace a file that somebody has
// changed, or that has other rows.
func TestRejectedRowsOfAnotherAPIKey(t *testing.T) {
	const text = header + "C1,,,B1,x,ZAR,\nC2,,,B2,1.00,ZAR,\nC3,,,B3,1.00,ZAR,\n"
	for reason, change := range map[string]func(w *world){
		"":                    func(*world) {},
		"somebody changed it": func(w *world) { w.file("bills.rejected.csv", w.read("bills.rejected.csv")+"\n") },
		"a row of it was raised": func(w *world) {
			s := w.store()
			defer s.close()
			w.exec(s, "UPDATE biller_rows SET outcome = 'rejected', reason = 'no', written = (SELECT rejected_file FROM biller_runs) WHERE bill = 'B3'")
		},
	} {
		w := newWorld(t)
		w.file("bills.csv", text)
		w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool { return respond(rw, 401, true) })
		require.Equal(t, exitFailed, w.biller("run", "bills.csv"), w.stderr)
		change(w)
		first := w.read("bills.rejected.csv")
		require.Contains(t, first, "B1")
		w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			return bytes.Contains(body, []byte("B2")) && respond(rw, 422, true)
		})
		w.key = "sk_test_ANOTHER_SECRET_KEY"
		for range 2 {
			require.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
		}
		if reason == "" {
			assert.Contains(t, w.read("bills.rejected.csv"), "B1")
			assert.Contains(t, w.read("bills.rejected.csv"), "B2")
			assert.NoFileExists(t, filepath.Join(w.dir, "bills.rejected-2.csv"))
			assert.NotContains(t, w.stdout, "earlier")
			continue
		}
		assert.Equal(t, first, w.read("bills.rejected.csv"), reason)
		assert.Contains(t, w.read("bills.rejected-2.csv"), "B2", reason)
		assert.Contains(t, w.stdout, "bills.rejected.csv has the rejected rows of an earlier bills.csv. Do not run it if its rows are in this bills.csv too.\n", reason)
		// Now both files have been changed, but the first one was restored.
		w.file("bills.rejected-2.csv", "changed")
		s := w.store()
		w.exec(s, `UPDATE biller_rows SET outcome = 'rejected', reason = 'no', written = '', cells = '["C3", "", "", "B3"]' WHERE run = 2 AND bill = 'B3'`)
		w.exec(s, "UPDATE biller_runs SET rejected_hash = $1 WHERE id = 1", hashOf(first))
		s.close()
		require.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
		assert.Equal(t, first, w.read("bills.rejected.csv"), reason)
		assert.Contains(t, w.read("bills.rejected-3.csv"), "B3", reason)
	}
}

// Many starts of a file at once, with several API keys, lose no rejected row, and do not wait for
// each other for ever.
func TestRejectedRowsOfSeveralKeysAtOnce(t *testing.T) {
	b := newPostgresBase(t)
	b.exec(`INSERT INTO biller_runs (token, name, file_hash, key_hash, mode, service)
		SELECT 't', 'x.csv', 'hash ' || n / 3, 'key ' || n, 'test', '' FROM generate_series(1, 6000) n`) // so that PostgreSQL uses its indexes
	path := filepath.Join(t.TempDir(), "bills.csv")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(rows(20), "5,15.50", "5,x")), 0o600))
	var all sync.WaitGroup
	for key := range 4 {
		for range 3 {
			all.Go(func() {
				c, _, err := parseFlags([]string{"import", path, "--yes"}, io.Discard)
				require.NoError(t, err)
				c.key = fmt.Sprint("sk_test_", key)
				hash, err := c.fileHash()
				require.NoError(t, err)
				for again := range 3 {
					r, err := b.prepare(t.Context(), c.config, hash, moment.ModeTest, io.Discard)
					if !assert.NoError(t, err) {
						return
					}
					w := &worker{run: r, store: b.store, config: c.config, imported: true}
					assert.ErrorContains(t, w.finish(t.Context(), nil, io.Discard), "rows rejected")
					assert.NoError(t, b.store.exec(t.Context(), "UPDATE biller_rows SET outcome = 'rejected' WHERE run = $1 AND line = $2 AND outcome IS NULL", r.id, 3+key+again))
				}
			})
		}
	}
	all.Wait()
	var line, file string
	require.NoError(t, b.read(t.Context(), []any{&line, &file}, func() {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Contains(t, string(text), "\n"+line+",", file)
	}, "SELECT line, written FROM biller_rows WHERE written <> ''"))
}

// Names keep their own quotes in a file of rejected rows, and in one of such a file.
func TestQuotesOfRejectedRows(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,=1,,B1,x,ZAR,\nC2,'=2,,B2,x,ZAR,\nC3,''=3,,B3,x,ZAR,\nC4,'four,,B4,x,ZAR,\n")
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.Equal(t, exitRejected, w.biller("run", "bills.rejected.csv"))
	assert.Contains(t, w.read("bills.rejected.rejected.csv"), "C1,'=1,,B1,")
	w.file("bills.rejected.rejected.csv", strings.ReplaceAll(w.read("bills.rejected.rejected.csv"), ",x,ZAR", ",1,ZAR"))
	assert.Equal(t, exitDone, w.biller("run", "bills.rejected.rejected.csv"), w.stderr)
	for reference, name := range map[string]string{"C1": "=1", "C2": "'=2", "C3": "''=3", "C4": "'four"} {
		assert.Equal(t, name, customer(t, w, reference).Name)
	}
}

// A file of rejected rows can be run if the input has an unusual separator.
func TestRejectedRowsOfAnotherSeparator(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", "sep=|\n"+strings.ReplaceAll(header, ",", "|")+"C1|||B1|1,50|ZAR|\n")
	require.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	w.file("bills.rejected.csv", strings.Replace(w.read("bills.rejected.csv"), `"1,50",ZAR`, "1.50,ZAR", 1))
	assert.Equal(t, exitDone, w.biller("run", "bills.rejected.csv"), w.stderr)
}

// If the rejected rows cannot be written, no part of a file remains, and no file is named.
func TestRejectedRowsThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,x,ZAR,\n")
	require.NoError(t, os.Mkdir(filepath.Join(w.dir, "bills.rejected.csv"), 0o700))
	assert.Equal(t, exitFailed, w.biller("run", "bills.csv"))
	assert.NotContains(t, w.stdout, "Correct them")
	files, err := filepath.Glob(filepath.Join(w.dir, "*.new"))
	require.NoError(t, err)
	assert.Empty(t, files)
}

// Two processes that work in one folder do not replace each other's file.
func TestRejectedRowsOfTwoProcesses(t *testing.T) {
	for range 100 {
		base := filepath.Join(t.TempDir(), "bills.rejected")
		var processes errgroup.Group
		for _, text := range []string{"one", "two"} {
			processes.Go(func() error {
				path, err := replaceOrCreate("", base, nil, []byte(text))
				if err != nil {
					return err
				}
				has, err := os.ReadFile(path)
				assert.Equal(t, text, string(has))
				return err
			})
		}
		require.NoError(t, processes.Wait())
	}
}

// Two runs with the same rejected rows share a file, also after a person has corrected it.
func TestRejectedRowsOfTwoRuns(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,1,ZAR,\nC2,,,B 2,1,ZAR,\n")
	w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool { return respond(rw, 401, true) })
	require.Equal(t, exitFailed, w.biller("run", "bills.csv"))
	w.setFront(nil)
	w.key = "sk_test_THE_RIGHT_KEY"
	require.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	for _, text := range []string{w.read("bills.rejected.csv"), "corrected"} {
		w.file("bills.rejected.csv", text)
		assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
		assert.Contains(t, w.stdout, "bills.rejected.csv (rows: 1), with the reasons.")
		assert.NoFileExists(t, filepath.Join(w.dir, "bills.rejected-2.csv"))
	}
}

// Another run does not use the name of a file that is gone, because its rows are written again.
func TestRejectedRowsOfAFileThatIsGone(t *testing.T) {
	w := newWorld(t)
	january, february := header+"C1,,,B1,x,ZAR,\n", header+"C1,,,E1,x,ZAR,\n"
	w.file("bills.csv", january)
	require.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	require.NoError(t, os.Remove(filepath.Join(w.dir, "bills.rejected.csv")))
	w.file("bills.csv", february)
	require.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	require.Contains(t, w.read("bills.rejected-2.csv"), "E1")
	w.file("bills.csv", january)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.Contains(t, w.stdout, "bills.rejected.csv (rows: 1; some of them again, because their file is gone), with the reasons.")
	assert.Contains(t, w.read("bills.rejected.csv"), "B1")
}

// A row that a worker rejects while import writes the rejected rows is written by the next import.
func TestRowsThatAreRejectedMeanwhile(t *testing.T) {
	b := newPostgresBase(t)
	b.importBills("sk_test_A", "UCR1,,,UBR1,1.00,ZAR,\nUCR2,,,UBR2,x,ZAR,\n", format{})
	dir := t.TempDir()
	r := run{name: "bills.csv"}
	require.NoError(t, b.read(t.Context(), []any{&r.id, &r.header}, func() {}, "SELECT id, header FROM biller_runs"))
	finish := func() string {
		var out strings.Builder
		w := &worker{run: r, store: b.store, config: config{input: fileFlags{File: dir + "/bills.csv"}}, imported: true}
		assert.ErrorContains(t, w.finish(t.Context(), nil, &out), "rows rejected: ")
		return out.String()
	}
	// import waits for the pipe when it looks for a free name.
	require.NoError(t, exec.Command("mkfifo", dir+"/bills.rejected.csv").Run())
	first := make(chan string, 1)
	go func() { first <- finish() }()
	pipe, err := os.OpenFile(dir+"/bills.rejected.csv", os.O_WRONLY, 0)
	require.NoError(t, err)
	b.exec("UPDATE biller_rows SET outcome = 'rejected', reason = 'by Moment' WHERE outcome IS NULL")
	require.NoError(t, pipe.Close())
	out := receiveFrom(t, "the end", first)
	assert.Contains(t, out, "bills.rejected-2.csv (rows: 1), with the reasons. First wait until serve or work has raised the open rows, and import bills.csv again.")
	assert.Contains(t, out, "open            1", "it does not say that all rejected rows are in a file")
	require.NoError(t, os.Remove(dir+"/bills.rejected.csv"))
	assert.Contains(t, finish(), "bills.rejected-2.csv (rows: 2), with")
	text, err := os.ReadFile(dir + "/bills.rejected-2.csv")
	require.NoError(t, err)
	assert.Contains(t, string(text), "UBR1")
}

// import writes only rows that it has marked, because it would write others again.
func TestRowsThatAreNotMarked(t *testing.T) {
	b := newSQLiteBase(t)
	b.importBills("sk_test_A", "UCR2,,,UBR2,x,ZAR,\n", format{})
	w := &worker{run: run{id: 1, header: `["amount"]`}, store: b.store}
	require.NoError(t, inTx(t.Context(), b.rows, nil, func(tx *sql.Tx) error {
		for _, path := range []string{"", "/bills.rejected.csv"} {
			text, err := w.rejectedRows(t.Context(), tx, path)
			assert.Nil(t, text, path)
			assert.NoError(t, err)
		}
		return nil
	}))
}
