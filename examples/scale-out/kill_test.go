package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
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
	events = flag.Int("events", 2000, "how many events TestKill delivers, up to three times each")
	bills  = flag.Int("bills", 2000, "how many bills TestKill raises")
	kills  = flag.Int("kills", 3, "how many processes TestKill kills")
)

const (
	workers   = 3
	receivers = 2
	senders   = 16               // deliveries at the same time
	drainTime = 90 * time.Second // after the last delivery: what was killed is worked again within a minute

	jobTimeout = 2 * time.Second // and what was killed may be worked again after twice as long
)

// Three workers and two receivers behind nginx do their work while they are killed at random, by
// SIGKILL, and started again, and while PostgreSQL is restarted. At the end each payment is in the
// ledger once, each bill is raised once, and what was acknowledged is there.
//
// The whole of it is bash .ci/postgres go -C examples/scale-out test -run '^TestKill$' -v -timeout
// 30m -events=20000 -bills=20000 -kills=10 .
func TestKill(t *testing.T) {
	w := newWorld(t)
	service := startService(t, 1000)
	addresses := freeAddresses(t, receivers+1)
	proxy := startNginx(t, addresses[receivers], addresses[:receivers])
	fleet := make([]*process, 0, workers+receivers)
	for i := range workers {
		fleet = append(fleet, w.start(t, fmt.Sprint("worker ", i), service.url, "worker", "--rate", "100000", "--job-timeout", jobTimeout.String()))
	}
	for i := range receivers {
		fleet = append(fleet, w.start(t, fmt.Sprint("receiver ", i), service.url, "receiver", "--listen", addresses[i]))
	}
	for i := range receivers {
		awaitHealthy(t, addresses[i])
	}
	begun := time.Now()
	code, _, stderr := w.enqueue(t, writeBills(t, *bills, *bills))
	require.Zero(t, code, stderr)
	m := newSender("http://"+proxy, *events)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		m.deliver(t)
	}()
	work := func() int { return int(m.acknowledged.Load()) + service.tally(t).Raised }
	hits := w.killAtRandom(t, fleet, *events+*bills, work, m)
	<-delivered
	// A new leader rescues jobs at once, and then each 30 seconds. So the workers are deployed, as
	// soon as all that was killed may be rescued.
	time.Sleep(2*jobTimeout + time.Second)
	for _, p := range fleet[:workers] {
		p.signal(syscall.SIGTERM, false)
	}
	deployed := time.Now()
	w.untilWithin(t, drainTime, "all jobs are done", func() bool {
		return ask[int](t, w, "SELECT count(*) FROM river_job WHERE finalized_at IS NULL") == 0
	})
	elapsed := time.Since(begun)

	assert.EqualValues(t, *events, m.acknowledged.Load(), "events acknowledged")
	assert.Equal(t, *events, ask[int](t, w, "SELECT count(*) FROM ledger"), "entries")
	assert.Equal(t, *events, ask[int](t, w, "SELECT count(DISTINCT payment_id) FROM ledger"), "payments")
	assert.Equal(t, *events*(*events+1)/2, ask[int](t, w, "SELECT sum(amount)::bigint FROM ledger"), "money")
	assert.Equal(t, *events, ask[int](t, w, "SELECT count(*) FROM moment_webhook_messages"), "marks")
	assert.Equal(t, *events, ask[int](t, w, "SELECT count(*) FROM river_job WHERE kind = 'post_payment' AND state = 'completed'"), "payments posted")
	assert.Equal(t, *bills, ask[int](t, w, "SELECT count(*) FROM river_job WHERE kind = 'raise_bill' AND state = 'completed'"), "jobs of bills")
	assert.Empty(t, ask[[]string](t, w, "SELECT coalesce(array_agg(concat(args, ' ', state, ' ', errors)), '{}') FROM river_job WHERE state <> 'completed'"), "jobs that were given up")
	tally := service.tallyAll(t)
	assert.Equal(t, *bills, tally.Bills, "bills of the service")
	assert.Equal(t, moment.Amount(*bills*(*bills+1)/2), tally.Money, "money of the bills")
	assert.Zero(t, tally.OtherKeys, "a bill was sent under two keys: nothing but its reference would keep it from being raised twice")
	rescued := ask[int](t, w, "SELECT count(*) FROM river_job WHERE array_to_string(errors, ' ') LIKE '%Stuck job rescued%'")
	assert.Positive(t, rescued, "no kill of a worker hit a job")
	t.Logf("%d events and %d bills, each once, in %v: %d deliveries, %d of them without an acknowledgement; killed: %s; "+
		"%d jobs rescued, the last of them done %v after the workers were deployed; %d of %d requests of the workers lost their answer",
		*events, *bills, elapsed.Round(time.Millisecond), m.sent.Load(), m.failed.Load(), strings.Join(hits, ", "),
		rescued, (elapsed - deployed.Sub(begun)).Round(time.Millisecond), tally.Dropped, tally.Requests)
	for _, p := range fleet { // and they end as they are asked to
		assert.NoError(t, p.end(), p.name)
	}
}

// killAtRandom kills processes, and restarts the database in the middle, each when a random part of
// its share of the work is done. It returns what it has hit.
func (w *world) killAtRandom(t *testing.T, fleet []*process, all int, done func() int, m *sender) (hits []string) {
	t.Helper()
	share := all * 9 / 10 / *kills
	for i := range *kills {
		at := i*share + rand.IntN(share)
		w.untilWithin(t, 10*time.Minute, "work goes on", func() bool { return done() >= at })
		require.Less(t, done(), all, "all was done before the kill")
		victim := fleet[rand.IntN(len(fleet))]
		if i == 0 {
			victim = fleet[rand.IntN(workers)] // one at least, so that jobs are rescued
		}
		victim.signal(syscall.SIGKILL, false)
		hits = append(hits, victim.name)
		if i == *kills/2 && restartPostgres(t) {
			w.checkStored(t, m)
			hits = append(hits, "PostgreSQL restarted")
		}
	}
	return hits
}

// checkStored checks that each event that is acknowledged by now is stored, at once, and not
// because it is delivered again later.
func (w *world) checkStored(t *testing.T, m *sender) {
	t.Helper()
	var acknowledged []string
	for i := range m.known {
		if m.known[i].Load() {
			acknowledged = append(acknowledged, fmt.Sprint("evt_", i))
		}
	}
	require.NotEmpty(t, acknowledged, "nothing was acknowledged before the restart")
	var lost []string
	w.untilWithin(t, patience, "PostgreSQL answers", func() bool { // connections of before are broken
		return w.pool.QueryRow(t.Context(), `SELECT coalesce(array_agg(id), '{}') FROM unnest($1::text[]) AS id
			WHERE id NOT IN (SELECT args->>'event_id' FROM river_job WHERE kind = 'post_payment')`, acknowledged).Scan(&lost) == nil
	})
	assert.Empty(t, lost, "events that were acknowledged and lost")
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

// writeBills writes a file of n bills, of 1, 2, … cents, for so many customers in turns, two next
// to each other for one.
func writeBills(t *testing.T, n, customers int) (path string) {
	t.Helper()
	var text strings.Builder
	out := csv.NewWriter(&text)
	_ = out.Write(strings.Split(strings.TrimSpace(header), ","))
	for i := range n {
		amount, err := moment.Amount(i + 1).In(moment.ZAR).Decimal()
		require.NoError(t, err)
		customer := i / 2 % customers
		_ = out.Write([]string{fmt.Sprint("UCR", customer), "Naledi, Pillay & Sons", fmt.Sprintf("c%d@example.com", customer), fmt.Sprint("UBR", i), amount, "ZAR", "2031-01-31"})
	}
	out.Flush()
	return write(t, text.String())
}

// sender is Moment as it delivers events: each up to three times, and what is not acknowledged
// again.
type sender struct {
	url                        string
	client                     *http.Client
	events                     int
	known                      []atomic.Bool // which are acknowledged
	acknowledged, sent, failed atomic.Int64
}

func newSender(url string, events int) *sender {
	return &sender{url: url, events: events, known: make([]atomic.Bool, events), client: &http.Client{
		Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: senders},
	}}
}

// deliver ends when all is acknowledged.
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
				time.Sleep(10 * time.Millisecond) // as long as all receivers are gone
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
