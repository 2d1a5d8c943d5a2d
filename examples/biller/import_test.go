package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// importBills inserts jobs for the rows of a file and an API key, and returns their queue.
func (b *base) importBills(key, rows string, flags format) (queue string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bills.csv")
	require.NoError(b, os.WriteFile(path, []byte(header+rows), 0o600))
	if flags.Decimal == "" {
		flags = format{Encoding: "utf-8", DateFormat: "YYYY-MM-DD", Decimal: "."}
	}
	c := config{input: fileFlags{format: flags, File: path}, key: key, Rate: 1000, Yes: true}
	client, err := c.connect()
	require.NoError(b, err)
	hash, err := c.fileHash()
	require.NoError(b, err)
	r, err := b.prepare(b.Context(), c, hash, client.Mode(), io.Discard)
	require.NoError(b, err)
	require.NoError(b, (&worker{run: r, store: b.store, imported: true}).enqueue(b.Context(), b.jobs, io.Discard))
	return r.sharedQueue()
}

// Moment's response decides the state of a job and the outcome of its row. A wrong API key or base
// URL rejects no row, because nobody watches a worker.
func TestImportedBill(t *testing.T) {
	const bill = "create bill"
	for _, row := range []struct {
		why     string
		faults  []momenttest.Fault
		exists  moment.Amount // a bill with this amount
		state   rivertype.JobState
		outcome string
		bills   int
	}{
		{"all is well", nil, 0, "completed", raised, 1},
		{"a gateway's 503: the client tries again", []momenttest.Fault{momenttest.Status(503).On(bill)}, 0, "completed", raised, 1},
		{"the response is lost: the bill is found", []momenttest.Fault{momenttest.DropAfterCommit().On(bill)}, 0, "completed", found, 1},
		{"the service has saved a failure: the next attempt has another key", []momenttest.Fault{momenttest.ServiceError(500).On(bill)}, 0, "retryable", "", 0},
		{"the bill exists", nil, 125000, "completed", found, 1},
		{"the bill exists with another amount: somebody has to decide", nil, 1, "cancelled", rejected, 1},
		{"400: correct the row", []momenttest.Fault{momenttest.ServiceError(400).On(bill)}, 0, "cancelled", rejected, 0},
		{"402", []momenttest.Fault{momenttest.ServiceError(402).On(bill)}, 0, "cancelled", rejected, 0},
		{"422", []momenttest.Fault{momenttest.ServiceError(422).On(bill)}, 0, "cancelled", rejected, 0},
		{"a gateway's 422 rejects nothing", []momenttest.Fault{momenttest.Status(422)}, 0, "retryable", "", 0},
		{"the API key was deleted", []momenttest.Fault{momenttest.ServiceError(401).Times(5)}, 0, "retryable", "", 0},
		{"a gateway's 403 is not about the key", []momenttest.Fault{momenttest.Status(403).Times(5)}, 0, "retryable", "", 0},
		{"the API key may not", []momenttest.Fault{momenttest.ServiceError(403).On(bill)}, 0, "retryable", "", 0},
		{"the address is wrong", []momenttest.Fault{momenttest.ServiceError(404).Times(5)}, 0, "retryable", "", 0},
		{"the service is down", []momenttest.Fault{momenttest.Status(500).Times(20)}, 0, "retryable", "", 0},
		{"rate limited after an unknown outcome: an attempt, because the bill may be raised", []momenttest.Fault{momenttest.Status(503).On(bill), momenttest.RateLimit(10 * time.Minute).Times(5)}, 0, "retryable", "", 0},
		{"rate limited: as long as it asks, and not an attempt", []momenttest.Fault{momenttest.RateLimit(10 * time.Minute).Times(5)}, 0, "scheduled", "", 0},
		{"the lookup of its customer is rate limited", []momenttest.Fault{momenttest.RateLimit(10 * time.Minute).Times(5).On("get customer")}, 125000, "scheduled", "", 1},
		{"the lookup of a bill that exists is rate limited", []momenttest.Fault{momenttest.RateLimit(10 * time.Minute).Times(5).On("get bill")}, 125000, "scheduled", "", 1},
	} {
		t.Run(row.why, func(t *testing.T) {
			b := newSQLiteBase(t)
			srv := momenttest.NewServer()
			t.Cleanup(srv.Close)
			if row.exists > 0 {
				_, err := srv.Client().Bills.Create(t.Context(), moment.BillCreateParams{
					Customer: moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "Thandi"}, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: row.exists,
				})
				require.NoError(t, err)
			}
			queue := b.importBills("sk_test_A", "UCR1,Thandi,,UBR1,1250.00,ZAR,\n", format{})
			srv.Fail(row.faults...)
			job := receiveFrom(t, "a job", b.workWith(srv.Client(), queue)).Job
			if job.State == rivertype.JobStateAvailable { // a retry within five seconds
				job.State = rivertype.JobStateRetryable
			}
			assert.Equal(t, row.state, job.State, b.log.String())
			assert.Equal(t, row.outcome, ask[string](b, "SELECT coalesce(outcome, '') FROM biller_rows"))
			assert.Len(t, srv.State().Bills, row.bills)
			if row.state == "scheduled" {
				assert.Zero(t, job.Attempt)
				assert.WithinRange(t, job.ScheduledAt, time.Now().Add(9*time.Minute), time.Now().Add(11*time.Minute))
			}
			assert.Equal(t, strings.Contains(row.why, "API key"), strings.Contains(b.log.String(), `"level":"ERROR","msg":"job fails"`),
				"a rejected key is an error at once")
			for _, failed := range job.Errors {
				assert.NotContains(t, failed.Error, "UBR1", "River shows errors")
			}
			assert.NotContains(t, string(job.EncodedArgs), "UBR1")
		})
	}
}

// Two imports of one file do not write at the same time, because one of them could replace the
// file with an older one.
func TestImportsOverlap(t *testing.T) {
	b := newPostgresBase(t)
	b.importBills("sk_test_A", "UCR2,,,UBR2,x,ZAR,\n", format{})
	dir := t.TempDir()
	w := &worker{run: run{id: ask[int64](b, "SELECT id FROM biller_runs"), header: `["customer_reference"]`}, store: b.store, config: config{input: fileFlags{File: dir + "/bills.csv"}}, imported: true}
	other, err := b.rows.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = other.ExecContext(t.Context(), "UPDATE biller_runs SET rejected_file = $1, rejected_hash = $2", dir+"/other.csv", hashOf("other"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/other.csv", []byte("other"), 0o600))
	ended := make(chan error, 1)
	go func() { ended <- w.finish(t.Context(), nil, io.Discard) }()
	untilTransactionWaits(t, b.rows)
	require.NoError(t, other.Commit())
	require.ErrorContains(t, receiveFrom(t, "the end", ended), "rows rejected: 1")
	text, err := os.ReadFile(dir + "/other.csv")
	require.NoError(t, err)
	assert.Contains(t, string(text), "UCR2", "it replaces the file of the other one")
}

// A rejected API key fails all jobs of a backlog, so that a line for each would hide the others.
func TestOneLineForARejectedKey(t *testing.T) {
	b := newSQLiteBase(t)
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	srv.Fail(momenttest.ServiceError(401).Times(3))
	events := b.workWith(srv.Client(), b.importBills("sk_test_A", "UCR1,,,UBR1,1.00,ZAR,\nUCR2,,,UBR2,1.00,ZAR,\nUCR3,,,UBR3,1.00,ZAR,\n", format{}))
	for range 3 {
		assert.Equal(t, river.EventKindJobFailed, receiveFrom(t, "a job", events).Kind)
	}
	assert.Equal(t, 1, strings.Count(b.log.String(), `"msg":"job fails"`), b.log.String())
	assert.Contains(t, b.log.String(), "the API key is rejected")
}

// Workers use the flags of the import, and do not need the file.
func TestImportedFile(t *testing.T) {
	onBoth(t, func(b *base) {
		srv := momenttest.NewServer()
		b.Cleanup(srv.Close)
		queue := b.importBills("sk_test_A", "UCR1,Thandi,t@example.com,UBR1,\"1250,5\",ZAR,31/12/2031\n",
			format{Encoding: "utf-8", DateFormat: "DD/MM/YYYY", Decimal: ","})
		assert.Equal(b, queue, b.importBills("sk_test_A", strings.Repeat("UCR2,Naledi,,UBR2,7.00,ZAR,\n", 2)+"UCR3,,,,7.00,ZAR,\n", format{}))
		events := b.workWith(srv.Client(), queue)
		for range 2 {
			assert.Equal(b, river.EventKindJobCompleted, receiveFrom(b, "a job", events).Kind)
		}
		bills := srv.State().Bills
		require.Len(b, bills, 2)
		if bills[0].ExternalReference != "UBR1" {
			bills[0], bills[1] = bills[1], bills[0]
		}
		assert.Equal(b, moment.Amount(125050), bills[0].AmountDue)
		assert.Equal(b, "2031-12-31", bills[0].DueDate.String())
		assert.Equal(b, "duplicate 1, raised 2, rejected 1", ask[string](b, `SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome)
			FROM (SELECT outcome, count(*) AS n FROM biller_rows GROUP BY outcome) AS counted`))
		assert.Zero(b, ask[int](b, "SELECT count(*) FROM biller_rows WHERE cells IS NOT NULL AND outcome = 'raised'"), "names are removed")
	})
}

// The first bill of a customer creates it, in one request. Further bills need one request each.
func TestCustomerOfManyBills(t *testing.T) {
	b := newSQLiteBase(t)
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	queue := b.importBills("sk_test_A", "UCR1,Thandi,,UBR1,1.00,ZAR,\nUCR1,Thandi,,UBR2,2.00,ZAR,\nUCR1,Thandi,,UBR3,3.00,ZAR,\n", format{})
	jobs, err := b.newClient(&worker{store: b.store, client: srv.Client(), timeout: time.Minute}, queue, 1, b.logger())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	require.NoError(t, jobs.Start(ctx))
	until(t, patience, "all are raised", func() bool { return len(srv.State().Bills) == 3 })
	stop()
	<-jobs.Stopped()
	assert.Len(t, srv.Requests(), 3)
}

// A second import of a file inserts no second jobs, neither before the first ones end nor after.
func TestImportedAgain(t *testing.T) {
	onBoth(t, func(b *base) {
		const rows = "UCR1,,,UBR1,1.00,ZAR,\nUCR2,,,UBR2,2.00,ZAR,\n"
		queue := b.importBills("sk_test_A", rows, format{})
		b.importBills("sk_test_A", rows, format{})
		assert.Equal(b, 2, ask[int](b, "SELECT count(*) FROM river_job"))
		srv := momenttest.NewServer()
		b.Cleanup(srv.Close)
		events := b.workWith(srv.Client(), queue)
		for range 2 {
			receiveFrom(b, "a job", events)
		}
		b.importBills("sk_test_A", rows, format{})
		assert.Equal(b, 2, ask[int](b, "SELECT count(*) FROM river_job"))
		assert.Len(b, srv.State().Bills, 2)
	})
}

// Two companies share a database: no worker works the jobs of another API key.
func TestOwners(t *testing.T) {
	onBoth(t, func(b *base) {
		ours := b.importBills("sk_test_A", "UCR1,,,UBR1,1.00,ZAR,\n", format{})
		theirs := b.importBills("sk_test_B", "UCR2,,,UBR2,2.00,ZAR,\n", format{})
		assert.NotEqual(b, ours, theirs)
		srv := momenttest.NewServer()
		b.Cleanup(srv.Close)
		events := b.workWith(srv.Client(), ours)
		receiveFrom(b, "a job", events)
		assert.Equal(b, 1, ask[int](b, "SELECT count(*) FROM river_job WHERE state = 'available' AND queue = $1", theirs))
		assert.Len(b, srv.State().Bills, 1)
		hasNewCustomer := func(bill string) bool { // its first request
			for _, req := range srv.Requests() {
				if strings.Contains(string(req.Body), bill) {
					return strings.Contains(string(req.Body), "UCR1")
				}
			}
			return false
		}
		b.importBills("sk_test_A", "UCR1,,,UBR3,1.00,ZAR,\n", format{})
		receiveFrom(b, "a job", events)
		assert.True(b, hasNewCustomer("UBR1"))
		assert.False(b, hasNewCustomer("UBR3"), "a customer of an earlier file is known")
		b.importBills("sk_test_B", "UCR1,,,UBR4,1.00,ZAR,\n", format{})
		require.NoError(b, b.warnOfOthers(b.Context(), ours, b.logger()))
		assert.Contains(b, b.log.String(), `"level":"WARN","msg":"ignores bills of another API key or base URL, or of biller run","queue":"`+theirs+`","bills":2`)
		whose, err := b.owner(b.Context(), config{key: "sk_test_A"}, moment.ModeTest)
		require.NoError(b, err)
		assert.Equal(b, ours, whose.sharedQueue(), "as workers find it")
		assert.NotContains(b, whose.keyHash, "sk_test")
		events = b.workWith(srv.Client(), theirs)
		receiveFrom(b, "a job", events)
		receiveFrom(b, "a job", events)
		assert.True(b, hasNewCustomer("UBR4"), "but not to another company")
		for bill, change := range map[string]string{"UBR5": "mode = 'live'", "UBR6": "mode = 'test', service = 'https://elsewhere.example'"} {
			b.exec("UPDATE biller_runs SET " + change)
			b.importBills("sk_test_B", "UCR1,,,"+bill+",1.00,ZAR,\n", format{})
			receiveFrom(b, "a job", events)
			assert.True(b, hasNewCustomer(bill), "nor in another mode or at another service")
		}
	})
}

// The error that ends a process is in its log too, because a log collector reads the level.
func TestFailureIsLogged(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("MOMENT_API_KEY", "sk_test_A")
	t.Setenv("MOMENT_WEBHOOK_SECRET", secret)
	t.Setenv("DATABASE_URL", "")
	var stdout, stderr logs
	assert.Equal(t, exitFailed, start(t.Context(), []string{"serve", "--listen", "127.0.0.1:99999"}, &stdout, &stderr))
	assert.Contains(t, stderr.String(), `"level":"ERROR","msg":"failed","error":"listen tcp: address 99999: invalid port"`)
}

// A file that run has begun can be imported, and an imported file can be run.
func TestRunAfterImport(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"UCR1,,,UBR1,1.00,ZAR,\nUCR2,,,UBR2,2.00,ZAR,\n")
	assert.Equal(t, exitDone, w.biller("import", "bills.csv"), w.stderr)
	assert.Contains(t, w.stdout, "open")
	assert.Empty(t, w.bills())
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.ElementsMatch(t, []string{"UBR1", "UBR2"}, w.bills())
	assert.Equal(t, exitDone, w.biller("import", "bills.csv"), w.stderr)
	assert.NotContains(t, w.stdout, "  open")
}

// Two processes import a file at once: each row has one job, and both succeed.
func TestImportedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(2000))
	b := newPostgresBase(t)
	w.Setenv("DATABASE_URL", b.address)
	w.Setenv("MOMENT_API_KEY", w.key)
	w.Setenv("MOMENT_BASE_URL", w.url)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			var stdout, stderr strings.Builder
			assert.Equal(t, exitDone, start(t.Context(), []string{"import", filepath.Join(w.dir, "bills.csv")}, &stdout, &stderr), stderr.String())
		})
	}
	all.Wait()
	assert.Equal(t, 2000, ask[int](b, "SELECT count(*) FROM river_job"))
}

// A large file is imported while PostgreSQL has the statistics of a small one. PostgreSQL must not
// compare each row with all others.
func TestImportWithOldStatistics(t *testing.T) {
	const n = 3000
	w := newWorld(t)
	w.file("small.csv", regexp.MustCompile(`\nC[0-9]*`).ReplaceAllString(rows(500), "\nC1")) // one customer
	w.file("large.csv", strings.NewReplacer("\nC", "\nD", ",B", ",E").Replace(rows(n)))
	b := newPostgresBase(t)
	w.Setenv("DATABASE_URL", b.address)
	require.Equal(t, exitDone, w.biller("import", "small.csv"), w.stderr)
	_, err := b.rows.ExecContext(t.Context(), "ANALYSE biller.biller_rows")
	require.NoError(t, err)
	visited := func() int {
		return ask[int](b, "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'biller_rows'")
	}
	before := visited()
	require.Equal(t, exitDone, w.biller("import", "large.csv"), w.stderr)
	until(t, patience, "the last session has reported", func() bool { return visited() >= before+n })
	assert.Less(t, visited()-before, 50*n)
}
