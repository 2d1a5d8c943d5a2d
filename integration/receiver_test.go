package integration_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

// receiverEnv contains a receiver as JSON. The test binary then runs as this receiver, and does not
// run tests.
const receiverEnv = "MOMENT_TEST_RECEIVER"

func TestMain(m *testing.M) {
	if settings, ok := os.LookupEnv(receiverEnv); ok {
		if err := listenAndServe(settings); err != nil {
			fmt.Fprintln(os.Stderr, "receiver:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// receiver is a merchant's program that receives webhooks and enters payments into the ledger. It
// may hang, so that the test kills it at the worst moment. It commits payment number HangAt without
// a response, and enters each later payment without a commit.
type receiver struct {
	Database database
	HangAt   int64 // 0 for never

	payments atomic.Int64
	hanging  func() // called when it hangs
}

func (r *receiver) handler(opts ...moment.HandlerOption) (http.Handler, *sql.DB, error) {
	verifier, err := moment.NewWebhookVerifier(webhookSecret)
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open(r.Database.Driver, r.Database.DSN)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxIdleConns(deliverers)
	store, err := momentsql.NewStore(db)
	return verifier.Handler(func(ctx context.Context, e *moment.Event) error {
		var n int64
		err := store.Process(ctx, e, func(ctx context.Context, tx *sql.Tx) error {
			n = r.payments.Add(1)
			err := enter(ctx, tx, e)
			if r.HangAt > 0 && n > r.HangAt {
				r.hang(ctx)
			}
			return err
		})
		if n == r.HangAt && n > 0 {
			r.hang(ctx)
		}
		return err
	}, opts...), db, err
}

func (r *receiver) hang(ctx context.Context) {
	r.hanging()
	<-ctx.Done() // when the sender is gone, or never, because the process is killed
}

// listenAndServe runs the receiver as a process. It prints its address, and a line when it hangs.
// It ends with its standard input, and so at the latest with the process that started it.
func listenAndServe(settings string) error {
	r := &receiver{hanging: func() { fmt.Fprintln(os.Stdout, "hanging") }}
	if err := json.Unmarshal([]byte(settings), r); err != nil {
		return err
	}
	handler, _, err := r.handler()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "http://"+listener.Addr().String())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	return server.Serve(listener)
}

// running is a receiver that accepts deliveries.
type running struct {
	url  string
	kill func()
}

// startProcess starts a receiver as a process, to be killed with kill -9.
func startProcess(t *testing.T, r *receiver) running {
	t.Helper()
	settings, err := json.Marshal(r)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0]) // kills it when the test ends
	cmd.Env = append(os.Environ(), receiverEnv+"="+string(settings))
	cmd.Stderr = os.Stderr
	_, err = cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stdout)
	url, err := lines.ReadString('\n')
	require.NoError(t, err, "the process has ended")
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
			r.hanging()
		}
	}()
	t.Cleanup(func() {
		<-read
		_ = cmd.Wait() // it was killed
	})
	return running{strings.TrimSpace(url), func() { _ = cmd.Process.Kill() }}
}

// startHere starts a receiver in this process. Killing it closes its connections, which ends its
// transactions.
func startHere(t *testing.T, r *receiver) running {
	t.Helper()
	handler, db, err := r.handler(moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, db.Close())
	})
	return running{server.URL, func() { _ = server.Config.Close() }}
}
