package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
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
)

// mainEnv makes the test binary the program, for tests that need a process.
const mainEnv = "MOMENT_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func command(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{mainEnv + "=1", "LISTEN=127.0.0.1:0"}, env...)
	cmd.Dir = t.TempDir()
	return cmd
}

type process struct {
	*exec.Cmd

	address string
	log     chan string // complete after the process has ended
}

// start starts a receiver on a ledger, and returns once it listens.
func start(t *testing.T, ledger string, env ...string) process {
	t.Helper()
	cmd := command(t, append(env, "LEDGER="+ledger)...)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	_, address, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	require.True(t, found, line)
	p := process{cmd, address, make(chan string, 1)}
	go func() {
		log, _ := io.ReadAll(lines)
		p.log <- string(log)
	}()
	return p
}

// end sends a signal, and returns the exit error and the log of the process.
func (p process) end(t *testing.T, signal os.Signal) (log string, err error) {
	t.Helper()
	require.NoError(t, p.Process.Signal(signal))
	log = <-p.log
	return log, p.Wait()
}

// deliver returns the status of a delivery, or 0 if the connection ended before the response.
func deliver(t *testing.T, p process, secret string, n int) int {
	t.Helper()
	r := sign(t.Context(), secret, "http://"+p.address, fmt.Sprint("msg_", n), payment(n, n))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	assert.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestWrongConfiguration(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { assert.NoError(t, listener.Close()) }()
	for _, row := range []struct {
		why  string
		env  []string
		says string
	}{
		{"no secret", nil, "MOMENT_WEBHOOK_SECRET or MOMENT_WEBHOOK_OLD_SECRET: moment: new webhook verifier: "},
		{"the old secret alone", []string{"MOMENT_WEBHOOK_OLD_SECRET=" + oldSecret}, "MOMENT_WEBHOOK_SECRET or MOMENT_WEBHOOK_OLD_SECRET: moment: new webhook verifier: webhook secret: "},
		{"a malformed secret", []string{"MOMENT_WEBHOOK_SECRET=swordfish!"}, "MOMENT_WEBHOOK_SECRET or MOMENT_WEBHOOK_OLD_SECRET: moment: new webhook verifier: webhook secret: "},
		{"a malformed old secret", []string{"MOMENT_WEBHOOK_SECRET=" + secret, "MOMENT_WEBHOOK_OLD_SECRET=swordfish!"}, "MOMENT_WEBHOOK_SECRET or MOMENT_WEBHOOK_OLD_SECRET: moment: new webhook verifier: additional webhook secret: "},
		{"a folder that does not exist", []string{"MOMENT_WEBHOOK_SECRET=" + secret, "LEDGER=none/ledger.db"}, "open the ledger: "},
		{"a folder", []string{"MOMENT_WEBHOOK_SECRET=" + secret, "LEDGER=."}, "open the ledger: "},
		{"the port is in use", []string{"MOMENT_WEBHOOK_SECRET=" + secret, "LISTEN=" + listener.Addr().String()}, "listen: "},
	} {
		t.Run(row.why, func(t *testing.T) {
			log, err := command(t, row.env...).CombinedOutput()
			assert.EqualError(t, err, "exit status 1")
			assert.Contains(t, string(log), row.says)
			assert.NotContains(t, string(log), "swordfish")
		})
	}
}

// A receiver that restarts with the same ledger recognises processed events. During a rotation,
// both secrets are accepted.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	for _, row := range []struct {
		why             string
		env             []string
		signedWith      string
		payment, status int
	}{
		{"a payment", []string{"MOMENT_WEBHOOK_SECRET=" + oldSecret}, oldSecret, 1, 204},
		{"again after a restart", []string{"MOMENT_WEBHOOK_SECRET=" + oldSecret}, oldSecret, 1, 204},
		{"again, signed with the new secret", []string{"MOMENT_WEBHOOK_SECRET=" + secret, "MOMENT_WEBHOOK_OLD_SECRET=" + oldSecret}, secret, 1, 204},
		{"another one, signed with the old secret", []string{"MOMENT_WEBHOOK_SECRET=" + secret, "MOMENT_WEBHOOK_OLD_SECRET=" + oldSecret}, oldSecret, 2, 204},
		{"the old secret is no longer accepted", []string{"MOMENT_WEBHOOK_SECRET=" + secret}, oldSecret, 3, 400},
	} {
		t.Run(row.why, func(t *testing.T) {
			p := start(t, path, row.env...)
			assert.Equal(t, row.status, deliver(t, p, row.signedWith, row.payment))
			log, err := p.end(t, syscall.SIGTERM)
			assert.NoError(t, err)
			for _, private := range []string{secret[6:], oldSecret[6:], "bill_1"} {
				assert.NotContains(t, log, private)
			}
		})
	}
	l, err := openLedger(t.Context(), path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, l.Close()) }()
	assert.Equal(t, []string{"pay_1 for bill_1 1 ZAR", "pay_2 for bill_1 2 ZAR"}, entries(t, l))
}

// SIGTERM and SIGINT end the program after the deliveries in flight. Meanwhile it rejects new
// connections.
func TestShutdownFinishesDeliveriesInFlight(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			p := start(t, path, "MOMENT_WEBHOOK_SECRET="+secret)
			conn, err := net.Dial("tcp", p.address)
			require.NoError(t, err)
			defer func() { assert.NoError(t, conn.Close()) }()
			r, body := sign(t.Context(), secret, "http://"+p.address, "msg_1", payment(1, 1500)), payment(1, 1500)
			var header strings.Builder
			require.NoError(t, r.Header.Write(&header))
			_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: receiver\r\nExpect: 100-continue\r\nContent-Length: %d\r\n%s\r\n", r.URL.Path, len(body), header.String())
			require.NoError(t, err)
			responses := bufio.NewReader(conn)
			resp, err := http.ReadResponse(responses, r)
			require.NoError(t, err)
			require.Equal(t, http.StatusContinue, resp.StatusCode, "the handler reads the body, so the delivery is in flight")
			require.NoError(t, resp.Body.Close())

			require.NoError(t, p.Process.Signal(signal))
			require.Eventually(t, func() bool {
				other, err := net.Dial("tcp", p.address)
				if err == nil {
					_ = other.Close()
				}
				return err != nil
			}, 20*time.Second, time.Millisecond, "connections are still accepted")
			_, err = io.WriteString(conn, body)
			require.NoError(t, err)
			resp, err = http.ReadResponse(responses, r)
			require.NoError(t, err)
			assert.Equal(t, http.StatusNoContent, resp.StatusCode)
			require.NoError(t, resp.Body.Close())
			<-p.log
			assert.NoError(t, p.Wait(), "the exit code is 0")

			l, err := openLedger(t.Context(), path)
			require.NoError(t, err)
			defer func() { assert.NoError(t, l.Close()) }()
			assert.Equal(t, []string{"pay_1 for bill_1 1500 ZAR"}, entries(t, l))
		})
	}
}

// TestKill kills a receiver with SIGKILL while each payment is delivered twice, and starts it
// again. The ledger then contains every payment that the receiver acknowledged. After all payments
// are delivered again, the ledger contains each payment once.
func TestKill(t *testing.T) {
	const payments, senders = 200, 8
	path := filepath.Join(t.TempDir(), "ledger.db")
	p := start(t, path, "MOMENT_WEBHOOK_SECRET="+secret)
	var acknowledged [payments]atomic.Bool
	var count atomic.Int64
	deliverAll := func(p process) {
		var sending sync.WaitGroup
		for sender := range senders {
			sending.Go(func() {
				for i := sender; i < 2*payments; i += senders {
					if n := i % payments; deliver(t, p, secret, n) == http.StatusNoContent {
						acknowledged[n].Store(true)
						if count.Add(1) == payments/2 {
							assert.NoError(t, p.Process.Kill())
						}
					}
				}
			})
		}
		sending.Wait()
	}
	deliverAll(p)
	<-p.log
	assert.EqualError(t, p.Wait(), "signal: killed")
	require.Less(t, count.Load(), int64(payments), "the kill was too late")

	p = start(t, path, "MOMENT_WEBHOOK_SECRET="+secret)
	l, err := openLedger(t.Context(), path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, l.Close()) }()
	before := entries(t, l)
	for n := range payments {
		if acknowledged[n].Load() {
			assert.Contains(t, before, fmt.Sprintf("pay_%d for bill_1 %d ZAR", n, n), "acknowledged and lost")
		}
	}
	deliverAll(p)
	var sum int
	require.NoError(t, l.QueryRowContext(t.Context(), "SELECT sum(amount) FROM ledger").Scan(&sum))
	assert.Len(t, entries(t, l), payments)
	assert.Equal(t, payments*(payments-1)/2, sum)
	_, err = p.end(t, syscall.SIGTERM)
	assert.NoError(t, err)
}
