package main

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

var (
	fleetEvents  = flag.Int("events", 2000, "how many events TestKillFleet and TestKillServe deliver, up to three times each")
	fleetBills   = flag.Int("fleet-bills", 2000, "how many bills they raise")
	fleetKills   = flag.Int("kills", 3, "how many processes they kill")
	usePgBouncer = flag.Bool("pgbouncer", false, "TestKillFleet reaches PostgreSQL through PgBouncer")
)

const (
	fleetWorkers   = 3
	fleetReceivers = 2
	senders        = 16               // concurrent deliveries
	drainTime      = 90 * time.Second // after the last delivery; killed jobs are retried within a minute

	killJobTimeout = 2 * time.Second // killed jobs may be retried after twice this time
)

// fleet is a set of processes that work while they are killed, and the service.
type fleet struct {
	*base

	program   string
	service   *service
	env       []string
	importing []string // flags
	processes []*process
}

func newFleet(b *base, dropEvery int, env ...string) *fleet {
	b.Helper()
	f := &fleet{base: b, program: build(b.T), service: startService(b.T, dropEvery)}
	f.env = append(f.env, env...)
	f.env = append(f.env, "MOMENT_BASE_URL="+f.service.url, "MOMENT_API_KEY=sk_test_YOUR_SECRET_KEY", "MOMENT_WEBHOOK_SECRET="+secret)
	return f
}

func (f *fleet) start(name string, args ...string) {
	f.Helper()
	f.processes = append(f.processes, startProcess(f.T, f.program, name, f.env, args...))
}

// importBills imports a file of bills.
func (f *fleet) importBills(path string) {
	f.Helper()
	cmd := exec.CommandContext(f.Context(), f.program, append(f.importing, "import", path)...)
	cmd.Env = append(os.Environ(), f.env...)
	out, err := cmd.CombinedOutput()
	require.NoError(f, err, string(out))
}

// Three workers and two receivers, which are behind nginx, are killed at random by SIGKILL and
// started again. PostgreSQL is restarted too. At the end, each payment is in the ledger once, each
// bill is raised once, and no acknowledged event is lost. The full test is
//
//	bash .ci/postgres go -C examples/biller test -run '^TestKillFleet$' -v -timeout 30m -events=20000 -fleet-bills=20000 -kills=10 .
func TestKillFleet(t *testing.T) {
	b := newPostgresBase(t)
	reached := b.address
	listen := []string{"--listen-url", b.address}
	if *usePgBouncer {
		reached, listen = startPgBouncer(t, b.address), nil
	}
	f := newFleet(b, 1000, "DATABASE_URL="+reached)
	addresses := freeAddresses(t, fleetReceivers)
	proxy := startNginx(t, addresses)
	for i := range fleetWorkers {
		f.start(fmt.Sprint("worker ", i), append([]string{"work", "--rate", "100000", "--job-timeout", killJobTimeout.String()}, listen...)...)
	}
	for i := range fleetReceivers {
		f.start(fmt.Sprint("receiver ", i), "receive", "--listen", addresses[i])
		awaitHealthy(t, addresses[i])
	}
	begun := time.Now()
	f.importBills(writeBills(t, *fleetBills, *fleetBills))
	f.killAndCheck("http://"+proxy, begun, func() {
		// The workers are restarted when all killed jobs may be rescued, because a new leader
		// rescues jobs at once, and then only every 30 seconds.
		time.Sleep(2*killJobTimeout + time.Second)
		for _, p := range f.processes[:fleetWorkers] {
			p.restart(f.T)
		}
	})
	assert.Positive(t, ask[int](b, "SELECT count(*) FROM river_job WHERE array_to_string(errors, ' ') LIKE '%Stuck job rescued%'"), "no kill of a worker hit a job")
}

// One process on an SQLite file receives and works while it is killed. The full test is
//
//	go -C examples/biller test -run '^TestKillServe$' -v -timeout 30m -events=20000 -fleet-bills=20000 -kills=5 .
func TestKillServe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "biller.db")
	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	s.close()
	f := newFleet(&base{T: t}, 1000)
	f.importing = []string{"--database", path}
	begun := time.Now()
	f.importBills(writeBills(t, *fleetBills, *fleetBills))
	address := freeAddresses(t, 1)[0]
	f.start("biller", "serve", "--database", path, "--rate", "100000", "--listen", address)
	awaitHealthy(t, address)
	reader, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(60000)") // while another process has the lock
	require.NoError(t, err)
	defer func() { assert.NoError(t, reader.Close()) }()
	f.store = &store{rows: reader}
	f.killAndCheck("http://"+address, begun, func() {})
}

// killAndCheck delivers events while it kills processes, and checks the tables at the end.
func (f *fleet) killAndCheck(url string, begun time.Time, delivered func()) {
	f.Helper()
	m := newSender(url, *fleetEvents)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.deliver(f.T)
	}()
	hits := f.killAtRandom(m)
	<-ended
	delivered()
	until(f, drainTime, "all jobs are done", func() bool {
		return ask[int](f.base, "SELECT count(*) FROM river_job WHERE finalized_at IS NULL") == 0
	})
	elapsed := time.Since(begun)

	assert.EqualValues(f, *fleetEvents, m.acknowledged.Load(), "events acknowledged")
	assert.Equal(f, *fleetEvents, ask[int](f.base, "SELECT count(*) FROM ledger"), "entries")
	assert.Equal(f, *fleetEvents, ask[int](f.base, "SELECT count(DISTINCT payment_id) FROM ledger"), "payments")
	assert.Equal(f, *fleetEvents*(*fleetEvents+1)/2, ask[int](f.base, "SELECT CAST(sum(amount) AS bigint) FROM ledger"), "money")
	assert.Equal(f, *fleetEvents, ask[int](f.base, "SELECT count(*) FROM moment_webhook_messages"), "marks")
	assert.Equal(f, *fleetEvents, ask[int](f.base, "SELECT count(*) FROM river_job WHERE kind = 'post_payment' AND state = 'completed'"), "payments posted")
	assert.Equal(f, *fleetBills, ask[int](f.base, "SELECT count(*) FROM biller_rows WHERE outcome IN ('raised', 'found')"), "rows")
	assert.Zero(f, ask[int](f.base, "SELECT count(*) FROM river_job WHERE state <> 'completed'"), "jobs that were given up")
	assert.Zero(f, ask[int](f.base, "SELECT count(*) FROM ledger_conflicts"))
	tally := f.service.tallyAll(f.T)
	assert.Equal(f, *fleetBills, tally.Bills, "bills of the service")
	assert.Equal(f, moment.Amount(*fleetBills*(*fleetBills+1)/2), tally.Money, "money of the bills")
	assert.Zero(f, tally.OtherKeys, "a bill was sent with two idempotency keys: only its reference would prevent a second bill")
	f.Logf("%d events and %d bills, each once, in %v: %d deliveries, %d of them without an acknowledgement; killed: %s; %d of %d requests to Moment lost their response",
		*fleetEvents, *fleetBills, elapsed.Round(time.Millisecond), m.sent.Load(), m.failed.Load(), strings.Join(hits, ", "), tally.Dropped, tally.Requests)
	for _, p := range f.processes { // each ends without an error when it is asked to
		assert.NoError(f, p.end(), p.name)
	}
}

// killAtRandom kills processes, and restarts PostgreSQL in the middle. It divides the work into
// shares, and acts at a random moment in each. It returns the names of the killed processes.
func (f *fleet) killAtRandom(m *sender) (hits []string) {
	f.Helper()
	all := *fleetEvents + *fleetBills
	done := func() int { return int(m.acknowledged.Load()) + f.service.tally(f.T).Raised }
	share := all * 9 / 10 / *fleetKills
	for i := range *fleetKills {
		at := i*share + rand.IntN(share)
		until(f, 10*time.Minute, "work goes on", func() bool { return done() >= at })
		require.Less(f, done(), all, "all was done before the kill")
		victim := f.processes[rand.IntN(len(f.processes))]
		if i == 0 {
			victim = f.processes[rand.IntN(min(len(f.processes), fleetWorkers))] // the first victim is a worker, so that jobs are rescued
		}
		victim.signal(syscall.SIGKILL, false)
		hits = append(hits, victim.name)
		if i == *fleetKills/2 && f.address != "" && restartPostgres(f.T) {
			f.checkStored(m)
			hits = append(hits, "PostgreSQL restarted")
		}
	}
	return hits
}

// checkStored checks at once that each acknowledged event is stored, because a later delivery would
// hide a lost event.
func (f *fleet) checkStored(m *sender) {
	f.Helper()
	acknowledged := map[string]bool{}
	for i := range m.known {
		if m.known[i].Load() {
			acknowledged[fmt.Sprint("evt_", i)] = true
		}
	}
	require.NotEmpty(f, acknowledged, "nothing was acknowledged before the restart")
	until(f, patience, "PostgreSQL responds", func() bool { // the old connections are broken
		var event string
		return f.read(f.Context(), []any{&event}, func() { delete(acknowledged, event) },
			"SELECT args->>'event_id' FROM river_job WHERE kind = 'post_payment'") == nil
	})
	assert.Empty(f, acknowledged, "events that were acknowledged and lost")
}

func restartPostgres(t *testing.T) bool {
	t.Helper()
	command := os.Getenv("MOMENT_POSTGRES_RESTART")
	if command == "" {
		require.Empty(t, os.Getenv("CI"), "MOMENT_POSTGRES_RESTART is not set")
		return false
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-c", command).CombinedOutput()
	require.NoError(t, err, string(out))
	return true
}

// writeBills writes a file of n bills of 1, 2, … cents. It assigns pairs of bills to the customers
// in turn.
func writeBills(t *testing.T, n, customers int) (path string) {
	t.Helper()
	var text strings.Builder
	out := csv.NewWriter(&text)
	_ = out.Write(ourColumns)
	for i := range n {
		amount, err := moment.Amount(i + 1).In(moment.ZAR).Decimal()
		require.NoError(t, err)
		customer := i / 2 % customers
		_ = out.Write([]string{fmt.Sprint("UCR", customer), "Naledi, Pillay & Sons", fmt.Sprintf("c%d@example.com", customer), fmt.Sprint("UBR", i), amount, "ZAR", "2031-01-31"})
	}
	out.Flush()
	path = filepath.Join(t.TempDir(), "bills.csv")
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return path
}

// sender delivers events as Moment does: each one up to three times, and again if it is not
// acknowledged.
type sender struct {
	url                        string
	client                     *http.Client
	events                     int
	known                      []atomic.Bool // whether each event is acknowledged
	acknowledged, sent, failed atomic.Int64
}

func newSender(url string, events int) *sender {
	return &sender{url: url, events: events, known: make([]atomic.Bool, events), client: &http.Client{
		Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: senders},
	}}
}

// deliver returns when all events are acknowledged.
func (m *sender) deliver(t *testing.T) {
	t.Helper()
	defer m.client.CloseIdleConnections()
	var order []int
	for i := range m.events {
		for range 1 + i%3 {
			order = append(order, i)
		}
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	queue := make(chan int, len(order))
	var open, all sync.WaitGroup
	open.Add(len(order))
	for _, i := range order {
		queue <- i
	}
	for range senders {
		all.Go(func() {
			for i := range queue {
				if err := m.send(t.Context(), i); err == nil || t.Context().Err() != nil {
					open.Done()
					continue
				}
				m.failed.Add(1)
				time.Sleep(10 * time.Millisecond) // all receivers may be down
				queue <- i
			}
		})
	}
	open.Wait()
	close(queue)
	all.Wait()
}

func (m *sender) send(ctx context.Context, i int) error {
	m.sent.Add(1)
	req, err := signed(ctx, m.url, secret, fmt.Sprint("msg_", i), payment(i, i+1))
	if err != nil {
		return err
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return errors.New(resp.Status)
	}
	if !m.known[i].Swap(true) {
		m.acknowledged.Add(1)
	}
	return nil
}
