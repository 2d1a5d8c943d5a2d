package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// claimEnv makes the test binary the program, with a claim that the tests can wait for.
const claimEnv = "MOMENT_TEST_CLAIM"

func TestMain(m *testing.M) {
	claim, err := time.ParseDuration(os.Getenv(claimEnv))
	if err != nil {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, claim); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// replica is a process of the program.
type replica struct {
	*exec.Cmd

	url string
	log chan string // receives the whole log when the process has ended
}

func (b books) start(t *testing.T, claim time.Duration, service string) replica {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{
		claimEnv + "=" + claim.String(), "DATABASE_URL=" + b.address, "LISTEN=127.0.0.1:0",
		"MOMENT_API_KEY=sk_test_YOUR_SECRET_KEY", "MOMENT_BASE_URL=" + service, "MOMENT_WEBHOOK_SECRET=" + secret,
	}
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	_, address, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	require.True(t, found, line)
	r := replica{cmd, "http://" + address, make(chan string, 1)}
	go func() {
		log, _ := io.ReadAll(lines)
		r.log <- string(log)
	}()
	return r
}

func post(t *testing.T, r replica, n int, customer string) bool {
	t.Helper()
	resp, err := http.DefaultClient.Do(sign(t.Context(), r.url, fmt.Sprint("msg_", n), payment(n, n, customer)))
	if err != nil {
		return false
	}
	assert.NoError(t, resp.Body.Close())
	return resp.StatusCode == http.StatusNoContent
}

// Two replicas on one database receive 20 payments at once, each twice. SIGKILL ends the first
// replica half-way. Its update in flight reaches Moment late, after all payments. At the end, the
// balance at Moment is right to the cent.
func TestReplicas(t *testing.T) {
	const payments, claim = 20, 6 * time.Second
	b := newBooks(t)
	customer := b.open(t, "UCR1")

	// The first replica's first update is delayed on its way to Moment.
	inFlight, arrive := make(chan time.Time, 1), make(chan struct{})
	var arrived sync.WaitGroup
	arrived.Add(1)
	var updates atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if updates.Add(1) > 1 {
			b.fake.ServeHTTP(w, r)
			return
		}
		defer arrived.Done()
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		inFlight <- time.Now()
		<-arrive
		late := r.WithContext(context.WithoutCancel(r.Context())) // because its sender has ended
		late.Body = io.NopCloser(bytes.NewReader(body))
		b.fake.ServeHTTP(w, late)
	}))
	defer slow.Close()
	first := b.start(t, claim, slow.URL)
	require.True(t, post(t, first, 1, customer))
	claimed := <-inFlight

	second := b.start(t, claim, b.fake.URL)
	var acknowledged atomic.Int64
	var senders sync.WaitGroup
	for n := 1; n <= payments; n++ {
		for _, r := range []replica{first, second} { // deliver each payment to both
			senders.Go(func() {
				if !post(t, r, n, customer) && !post(t, second, n, customer) { // deliver again, as Moment does
					assert.Fail(t, "not acknowledged", n)
				}
				if acknowledged.Add(1) == payments {
					assert.NoError(t, first.Process.Kill())
				}
			})
		}
	}
	senders.Wait()
	<-first.log
	assert.EqualError(t, first.Wait(), "signal: killed")
	assert.Equal(t, payments, b.count(t, "SELECT count(*) FROM payments"), "payments")
	const owed = opening - payments*(payments+1)/2
	assert.Equal(t, owed, b.count(t, "SELECT balance FROM balances"), "the balance in the books")
	assert.Equal(t, opening, b.atMoment(t, customer), "a balance was pushed while another one could still arrive")
	close(arrive)
	arrived.Wait()
	assert.Equal(t, opening-1, b.atMoment(t, customer), "the late update")
	require.Less(t, time.Since(claimed), claim/2, "the machine is too slow for this test")

	require.Eventually(t, func() bool { return b.count(t, "SELECT count(*) FROM balances WHERE pushed = version") == 1 },
		patience, 10*time.Millisecond, "the balance is not pushed")
	assert.Equal(t, owed, b.atMoment(t, customer), "the balance at Moment")
	require.NoError(t, second.Process.Signal(syscall.SIGTERM))
	<-second.log
	assert.NoError(t, second.Wait(), "the exit code is 0")
}

// Without a fault: payments for several customers, each delivered to both replicas, which both
// push.
func TestReplicasPushWhileTheyReceive(t *testing.T) {
	const payments, customers = 60, 3
	b := newBooks(t)
	ids := make([]string, 0, customers)
	for i := range customers {
		ids = append(ids, b.open(t, fmt.Sprint("UCR", i)))
	}
	replicas := []replica{b.start(t, time.Minute, b.fake.URL), b.start(t, time.Minute, b.fake.URL)}
	var senders sync.WaitGroup
	for n := range payments {
		for _, r := range replicas {
			senders.Go(func() { assert.True(t, post(t, r, n+1, ids[n%customers])) })
		}
	}
	senders.Wait()
	require.Eventually(t, func() bool { return b.count(t, "SELECT count(*) FROM balances WHERE pushed = version") == customers },
		patience, 10*time.Millisecond, "not all balances are pushed")
	sum := 0
	for _, id := range ids {
		sum += b.atMoment(t, id)
	}
	assert.Equal(t, customers*opening-payments*(payments+1)/2, sum)
	for _, r := range replicas {
		require.NoError(t, r.Process.Signal(syscall.SIGTERM))
		assert.NotContains(t, <-r.log, "not pushed")
		assert.NoError(t, r.Wait(), "the exit code is 0")
	}
}

// Replicas that start at the same time create the tables once.
func TestTablesAreMadeByOneReplica(t *testing.T) {
	address := newAddress(t)
	var starting sync.WaitGroup
	for range 8 {
		starting.Go(func() {
			db, err := openDatabase(t.Context(), address)
			if assert.NoError(t, err) {
				assert.NoError(t, db.Close())
			}
		})
	}
	starting.Wait()
}
