package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

const header = "customer_reference,name,email,bill_reference,amount,currency,due_date\n"

// writeRows writes a file of n bills.
func writeRows(t *testing.T, n int) (path string) {
	t.Helper()
	var text strings.Builder
	text.WriteString(header)
	for i := range n {
		fmt.Fprintf(&text, "UCR%d,Name %d,c%d@example.com,UBR%d,%d.50,ZAR,2031-01-31\n", i, i, i, i, i+1)
	}
	return write(t, text.String())
}

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bills.csv")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// enqueue is the command, in this process.
func (w *world) enqueue(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	code = run(t.Context(), append([]string{"enqueue"}, args...), environment{"DATABASE_URL": w.address}.get, &out, &err)
	return code, out.String(), strings.ReplaceAll(err.String(), args[len(args)-1], "bills.csv")
}

func (w *world) jobs(t *testing.T) int {
	t.Helper()
	return ask[int](t, w, "SELECT count(*) FROM river_job")
}

func TestEnqueue(t *testing.T) {
	const first = "UCR1,Thandi Khumalo,thandi@example.com,UBR1,1250.00,ZAR,2031-01-31\n"
	for _, row := range []struct {
		why    string
		before string // a file that was enqueued before
		flags  []string
		file   string
		code   int
		stdout string
		stderr string // a part of it
	}{
		{"one bill", "", nil, header + first, 0, "1 jobs inserted, 0 known before, 0 rows refused", ""},
		{"again: it is not made again", header + first, nil, header + first, 0, "0 jobs inserted, 1 known before, 0 rows refused", ""},
		{"more rows: those are new", header + first, nil, header + "UCR2,,,UBR2,1.00,USD,\n" + first, 0, "1 jobs inserted, 1 known before, 0 rows refused", ""},
		{
			"another amount under a reference that is known: it would be neither raised nor missed", header + first, nil, header + strings.Replace(first, "1250", "1350", 1),
			3, "0 jobs inserted, 0 known before, 1 rows refused", "bills.csv: line 2: bill UBR1 was enqueued with another content: ZAR 1250.00 for the customer UCR1\n",
		},
		{"twice in one file, which is one insert", "", nil, header + first + first, 0, "1 jobs inserted, 1 known before, 0 rows refused", ""},
		{"twice in one file, with another amount", "", nil, header + first + strings.Replace(first, "1250", "1350", 1), 3, "1 jobs inserted, 0 known before, 1 rows refused", "line 3: bill UBR1 was enqueued with another content"},
		{"to be reconciled is another kind of job", header + first, []string{"--reconcile"}, header + first, 0, "1 jobs inserted, 0 known before, 0 rows refused", ""},
		{"a wrong row stops no other, and all that is wrong is said", "", nil, header + "UCR 1,,,UBR0,12,50,ZAR,\nUCR 1,,,bill_1,12.555,ZAR,31.1.2031\n" + first, 3, "1 jobs inserted, 0 known before, 2 rows refused", `line 3: customer_reference must not contain ' ': an external reference has only a-z, A-Z, 0-9, "_" and "-"; bill_reference "bill_1" begins like an id of Moment's; amount "12.555" has more decimals than the 2 of ZAR: round it first; due_date "31.1.2031" is not in the form`},
		{"no such currency", "", nil, header + strings.Replace(first, "ZAR", "ZZZ", 1), 3, "0 jobs inserted, 0 known before, 1 rows refused", `line 2: currency "ZZZ" is not a currency`},
		{"too much", "", nil, header + strings.Replace(first, "1250.00", "1000000.00", 1), 3, "0 jobs inserted, 0 known before, 1 rows refused", `line 2: amount ZAR 1000000.00 is out of range`},
		{"a name that is too long", "", nil, header + strings.Replace(first, "Thandi", strings.Repeat("T", 250), 1), 3, "0 jobs inserted, 0 known before, 1 rows refused", `line 2: name has 258 characters: 255 are allowed`},
		{"a NUL, which jsonb cannot hold: it stops no other row", "", nil, header + strings.Replace(first, "Thandi", "Th\x00ndi", 1) + strings.ReplaceAll(first, "1,", "2,"), 3, "1 jobs inserted, 0 known before, 1 rows refused", `line 2: name has the control character U+0000`},
		{"a line break in an address", "", nil, header + strings.Replace(first, "thandi@example.com", "\"thandi@\nexample.com\"", 1), 3, "0 jobs inserted, 0 known before, 1 rows refused", `line 2: email has the control character U+000A`},
		{"not UTF-8", "", nil, header + strings.Replace(first, "Thandi", "Th\xe4ndi", 1), 3, "0 jobs inserted, 0 known before, 1 rows refused", `line 2: name is not UTF-8`},
		{"other names for the columns, in another order, with Excel's mark", "", nil, "\ufeffBill Reference,amount,name,email,due_date,customer_reference,note,currency\nUBR1,1.00,,,,UCR1,x,ZAR\n", 0, "1 jobs inserted, 0 known before, 0 rows refused", ""},
		{"one currency for all", "", []string{"--currency", "USD"}, "bill_reference,amount,name,email,due_date,customer_reference\nUBR1,1.00,,,,UCR1\n", 0, "1 jobs inserted, 0 known before, 0 rows refused", ""},
		{"no currency", "", nil, "bill_reference,amount,name,email,due_date,customer_reference\n", 1, "", "there is no column currency"},
		{"two currencies", "", []string{"--currency", "USD"}, header, 1, "", "there is a column currency, and --currency as well"},
		{"a column that is misspelt", "", nil, strings.Replace(header, "due_date", "duedate", 1), 1, "", "there is no column due_date"},
		{"a column twice", "", nil, strings.Replace(header, "email", "name", 1), 1, "", "the column name is there twice"},
		{"nothing in it", "", nil, "", 1, "", "read the header"},
		{"a quote that is not closed: what is before it is enqueued", "", nil, header + first + `UCR2,"Shop,,UBR2,1.00,ZAR,` + "\n", 1, "1 jobs inserted, 0 known before, 0 rows refused", "extraneous or missing"},
		{"the same, in a file that does not fit into memory", "", nil, header + first + `UCR2,"Shop,,UBR2,1.00,ZAR,` + "\n" + strings.Repeat("x\n", maxRecord), 1, "1 jobs inserted, 0 known before, 0 rows refused", "is there a quote that is not closed?"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			if row.before != "" {
				code, _, _ := w.enqueue(t, write(t, row.before))
				require.Zero(t, code)
			}
			file := write(t, row.file)
			code, stdout, stderr := w.enqueue(t, append(row.flags, file)...)
			assert.Equal(t, row.code, code, stderr)
			if row.stdout != "" {
				assert.Equal(t, file+": "+row.stdout+"\n", stdout)
			}
			assert.Contains(t, stderr, strings.ReplaceAll(row.stderr, `"`, quoteIn(stderr)))
			assert.NotContains(t, stderr, "Khumalo", "people are not logged")
		})
	}
}

// Wherever the limit of a row comes in it, the row is read as a whole or not at all, and not with
// the amount that is left of it.
func TestRowIsNotCut(t *testing.T) {
	const head, tail = "customer_reference,name,email,bill_reference,due_date,note,amount\n", ",1250.00\n"
	cut := 0
	for _, around := range []int{maxRecord, maxRecord + len(head), maxRecord + 4096} { // 4096 bytes may have been read ahead
		for size := around - 2*len(tail); size <= around+2*len(tail); size++ {
			start := "UCR1,,,UBR1,,"
			note := strings.Repeat("x", size-len(head)-len(start)-len(tail))
			r, err := newRows(strings.NewReader(head+start+note+tail), "ZAR")
			require.NoError(t, err)
			b, _, err := r.next()
			if err != nil {
				assert.ErrorContains(t, err, "a row has more than 65536 bytes")
				cut++
				continue
			}
			assert.Equal(t, moment.Amount(125000), b.Amount, size)
		}
	}
	assert.NotZero(t, cut)
}

// quoteIn is how a quotation mark stands in what was written: as it is, or in JSON.
func quoteIn(text string) string {
	if strings.HasPrefix(text, "{") {
		return `\"`
	}
	return `"`
}

// The row is in the job as it is in the file.
func TestEnqueuedContent(t *testing.T) {
	w := newWorld(t)
	code, _, stderr := w.enqueue(t, write(t, header+"UCR1,Thandi Khumalo,thandi@example.com,UBR1,1250.00,ZAR,2031-01-31\nUCR2,,,UBR2,1200,JPY,\n"))
	require.Zero(t, code, stderr)
	assert.Equal(t, []string{
		`bills raise_bill {"name": "Thandi Khumalo", "email": "thandi@example.com", "amount": 125000, "currency": "ZAR", "customer": "UCR1", "due_date": "2031-01-31", "reference": "UBR1"}`,
		`bills raise_bill {"amount": 1200, "currency": "JPY", "customer": "UCR2", "reference": "UBR2"}`,
	}, ask[[]string](t, w, "SELECT array_agg(concat(queue, ' ', kind, ' ', args) ORDER BY id) FROM river_job"))
}

// Workers take locks in the order of their own: PostgreSQL ends one of two that wait for each
// other, and it may be the batch.
func TestEnqueueIsInADeadlock(t *testing.T) {
	w := newWorld(t)
	file := write(t, header+"UCR1,,,UBR1,1.00,ZAR,\nUCR1,,,UBR2,1.00,ZAR,\nUCR1,,,UBR3,1.00,ZAR,\n")
	for _, reference := range []string{"UBR1", "UBR2"} {
		w.insert(t, raiseBill{Bill{Reference: reference, Customer: "UCR1", Amount: 100, Currency: "ZAR"}})
	}
	other, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(context.Background()) }()
	lock := func(reference string) {
		_, err := other.Exec(t.Context(), "UPDATE river_job SET priority = 2 WHERE args->>'reference' = $1", reference)
		require.NoError(t, err)
	}
	_, err = other.Exec(t.Context(), "SET LOCAL deadlock_timeout = '1min'") // so that it is not the one to be ended
	require.NoError(t, err)
	lock("UBR2")
	said := make(chan string, 1)
	go func() {
		code, stdout, stderr := w.enqueue(t, file)
		said <- fmt.Sprint(code, strings.TrimPrefix(stdout, file), stderr)
	}()
	w.until(t, "the batch waits", func() bool {
		return ask[int](t, w, "SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
	})
	lock("UBR1") // which the batch has
	require.NoError(t, other.Commit(t.Context()))
	assert.Equal(t, "0: 1 jobs inserted, 2 known before, 0 rows refused\n", await(t, "the end", said))
}

// What PostgreSQL ends again and again is an error at last.
func TestEnqueueTriesABatchAgain(t *testing.T) {
	for _, row := range []struct {
		why    string
		code   string
		fail   int // so many times
		exit   int
		stdout string
	}{
		{"a deadlock", "40P01", batchTries - 1, exitDone, "1 jobs inserted, 0 known before"},
		{"it could not be serialized", "40001", 1, exitDone, "1 jobs inserted, 0 known before"},
		{"a deadlock each time", "40P01", batchTries, exitFailed, "0 jobs inserted, 0 known before"},
		{"what would be the same the next time", "23514", 1, exitFailed, "0 jobs inserted, 0 known before"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			w.exec(t, "CREATE SEQUENCE tries")
			w.exec(t, fmt.Sprintf(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
				'BEGIN IF nextval(''tries'') <= %d THEN RAISE EXCEPTION USING ERRCODE = ''%s''; END IF; RETURN NEW; END'`, row.fail, row.code))
			w.exec(t, "CREATE TRIGGER fail BEFORE INSERT ON river_job FOR EACH ROW EXECUTE FUNCTION fail()")
			code, stdout, stderr := w.enqueue(t, writeRows(t, 1))
			assert.Equal(t, row.exit, code, stderr)
			assert.Contains(t, stdout, row.stdout)
		})
	}
}

// The command is killed in the middle and started again, until it has come to the end: each bill
// has one job.
func TestEnqueueIsKilled(t *testing.T) {
	const bills, kills = 20 * batchSize, 3
	w := newWorld(t)
	path, last := writeRows(t, bills), 0
	start := func() (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "enqueue", path)
		cmd.Env = append(os.Environ(), mainEnv+"=1", "DATABASE_URL="+w.address)
		out := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		require.NoError(t, cmd.Start())
		return cmd, out
	}
	for range kills {
		cmd, _ := start()
		w.until(t, "some more batches", func() bool { return w.jobs(t) >= last+2*batchSize })
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		require.Equal(t, -1, cmd.ProcessState.ExitCode(), "it was done before it was killed")
		last = w.jobs(t)
		assert.Zero(t, last%batchSize, "a batch is there as a whole")
	}
	require.Less(t, last, bills)
	cmd, out := start()
	require.NoError(t, cmd.Wait(), out)
	assert.Contains(t, out.String(), " known before, 0 rows refused")
	assert.Equal(t, bills, w.jobs(t))
	assert.Equal(t, bills, ask[int](t, w, "SELECT count(DISTINCT args->>'reference') FROM river_job"))
}
