package main

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	throughput = flag.Bool("throughput", false, "measure TestThroughput, which takes some minutes")
	deliveries = flag.Int("deliveries", 0, "how many deliveries TestResponseTimes measures in each row")
)

// TestThroughput measures how many bills are raised and payments posted per second, and the CPUs
// that they need, for several numbers of workers.
//
//	bash .ci/postgres go -C examples/biller test -run '^TestThroughput$' -v -timeout 30m -throughput .
func TestThroughput(t *testing.T) {
	if !*throughput {
		t.Skip("this test only measures: add -throughput")
	}
	const cached = "&default_query_exec_mode=cache_statement" // this mode needs a connection without PgBouncer
	var table strings.Builder
	for _, row := range []struct {
		what  string
		param string // of DATABASE_URL
		rate  int    // requests a second of each worker
		jobs  int    // for each worker
	}{
		{"bills, 200 requests/s each", "", 200, 1500},
		{"bills, no limit", "", 1_000_000, 4000},
		{"bills, no limit, cached statements", cached, 1_000_000, 4000},
		{"payments", "", 1, 6000},
		{"payments, cached statements", cached, 1, 6000},
	} {
		for _, n := range []int{1, 2, 4} {
			b := newPostgresBase(t)
			f := newFleet(b, 0, "DATABASE_URL="+b.address+row.param)
			jobs := row.jobs * n
			if row.rate == 1 {
				b.exec(`INSERT INTO river_job (state, queue, kind, max_attempts, args) SELECT 'available', 'payments', 'post_payment', 25, jsonb_build_object('event_id', 'evt_' || i,
					'payment_id', 'pay_' || i, 'obligation_kind', 'bill', 'obligation_id', 'bill_' || i, 'amount', i, 'currency', 'ZAR') FROM generate_series(1, $1) AS i`, jobs)
			} else {
				f.importBills(writeBills(t, jobs, 100))
			}
			busy := cpu(t, "/proc/stat")
			for i := range n {
				f.start(fmt.Sprint("worker ", i), "work", "--rate", strconv.Itoa(row.rate))
			}
			until(t, 10*time.Minute, "all jobs are done", func() bool {
				time.Sleep(100 * time.Millisecond) // the query itself is slow
				return ask[int](b, "SELECT count(*) FROM river_job WHERE finalized_at IS NULL") == 0
			})
			busy = cpu(t, "/proc/stat") - busy
			ofWorkers := 0.0
			for _, p := range f.processes {
				ofWorkers += cpu(t, fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
				assert.NoError(t, p.end())
			}
			seconds := ask[float64](b, "SELECT extract(epoch FROM max(finalized_at) - min(attempted_at))::float8 FROM river_job")
			ofService := cpu(t, fmt.Sprintf("/proc/%d/stat", f.service.pid))
			fmt.Fprintf(&table, "| %s | %d | %.0f | %.2f | %.2f | %.2f |\n", row.what, n, float64(jobs)/seconds,
				ofWorkers/seconds, ofService/seconds, (busy-ofWorkers-ofService)/seconds)
		}
	}
	t.Logf("\n| | workers | jobs/s | CPUs: workers | the fake | all else |\n|---|---|---|---|---|---|\n%s", table.String())
}

// cpu returns the seconds of CPU that a process or the machine has used.
func cpu(t *testing.T, path string) float64 {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var columns []string // user and system time, in hundredths of a second
	if path == "/proc/stat" {
		columns = strings.Fields(string(text))
		columns = slices.Concat(columns[1:4], columns[6:8]) // and nice, and interrupts
	} else {
		_, rest, _ := strings.Cut(string(text), ") ")
		columns = strings.Fields(rest)[11:13]
	}
	sum := 0.0
	for _, column := range columns {
		ticks, err := strconv.ParseFloat(column, 64)
		require.NoError(t, err)
		sum += ticks / 100
	}
	return sum
}

// TestResponseTimes measures how long Moment waits for a response, for each state of the ledger.
//
//	bash .ci/postgres go -C examples/biller test -run '^TestResponseTimes$' -v -deliveries=6000 .
func TestResponseTimes(t *testing.T) {
	const perSecond, warmUp = 200, 400
	if *deliveries == 0 {
		t.Skip("this test only measures: add -deliveries=6000")
	}
	var table strings.Builder
	for _, row := range []struct {
		what    string
		workers int
		locked  bool
	}{
		{"posts payments", fleetWorkers, false},
		{"is locked: workers wait for it", fleetWorkers, true},
		{"is stopped: no workers", 0, false},
	} {
		b := newPostgresBase(t)
		f := newFleet(b, 0, "DATABASE_URL="+b.address)
		addresses := freeAddresses(t, fleetReceivers)
		proxy := startNginx(t, addresses)
		for i := range fleetReceivers {
			f.start(fmt.Sprint("receiver ", i), "receive", "--listen", addresses[i])
			awaitHealthy(t, addresses[i])
		}
		for i := range row.workers {
			f.start(fmt.Sprint("worker ", i), "work")
		}
		var lock *sql.Tx
		if row.locked {
			var err error
			lock, err = b.rows.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = lock.ExecContext(t.Context(), "SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
			require.NoError(t, err)
		}
		m := newSender("http://"+proxy, warmUp+*deliveries)
		times := make([]time.Duration, warmUp+*deliveries)
		var all sync.WaitGroup
		begun := time.Now()
		for i := range times {
			due := begun.Add(time.Duration(i) * time.Second / perSecond)
			time.Sleep(time.Until(due))
			all.Go(func() {
				assert.NoError(t, m.send(t.Context(), i))
				times[i] = time.Since(due) // including the time in a queue before it was sent
			})
		}
		all.Wait()
		m.client.CloseIdleConnections()
		entries := ask[int](b, "SELECT count(*) FROM river_job WHERE kind = 'post_payment' AND state = 'completed'")
		assert.Equal(t, row.workers > 0 && !row.locked, entries > 0, "the ledger")
		if lock != nil {
			require.NoError(t, lock.Rollback())
		}
		for _, p := range f.processes {
			assert.NoError(t, p.end())
		}
		times = times[warmUp:]
		slices.Sort(times)
		quantile := func(q float64) string {
			return times[min(len(times)-1, int(q*float64(len(times))))].Round(10 * time.Microsecond).String()
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", row.what, quantile(0.5), quantile(0.99), times[len(times)-1].Round(10*time.Microsecond))
	}
	t.Logf("%d deliveries a second through nginx\n| the ledger | median | 99th percentile | worst |\n|---|---|---|---|\n%s", perSecond, table.String())
}
