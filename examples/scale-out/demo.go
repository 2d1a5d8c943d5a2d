package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const (
	demoEnv       = "SCALE_OUT_DEMO"
	demoReceivers = 2
	demoWorkers   = 3
)

// demo starts everything that there is on many machines, on this one: a fake of Moment, where each
// bill is paid as soon as it is raised, receivers, and workers, each a process. It fails unless the
// ledger then has what was paid.
func demo(ctx context.Context, c config, stdout, stderr io.Writer) (err error) {
	pool, err := openPool(ctx, c.database)
	if err != nil {
		return err
	}
	defer pool.Close()
	addresses, err := freeLoopback(ctx, demoReceivers)
	if err != nil {
		return err
	}
	secret := moment.RawWebhookSecret([]byte(rand.Text()))
	url, endFake, err := startFake(ctx, addresses, secret, stderr)
	if err != nil {
		return err
	}
	env := append(os.Environ(), demoEnv+"=1", "DATABASE_URL="+c.database, "MOMENT_BASE_URL="+url, "MOMENT_API_KEY=sk_test_DEMO", "MOMENT_WEBHOOK_SECRET="+secret)
	var commands [][]string
	for _, address := range addresses {
		commands = append(commands, []string{"receiver", "--listen", address})
	}
	for range demoWorkers {
		commands = append(commands, []string{"worker", "--rate", "1000"})
	}
	var processes []*exec.Cmd
	defer func() {
		for _, p := range processes {
			_ = p.Process.Kill() // to one that has ended it means nothing
		}
	}()
	for _, args := range commands {
		p, err := startSelf(ctx, env, stderr, args...)
		if err != nil {
			return err
		}
		processes = append(processes, p)
	}
	fmt.Fprintf(stdout, "A fake of Moment, %d receivers and %d workers are running. In another terminal, in this folder:\n\n"+
		"  DATABASE_URL=%s go run . enqueue bills.csv\n\nCtrl+C ends it.\n", demoReceivers, demoWorkers, quoted(c.database))
	watched := watch(ctx, pool, stdout)

	has, ended := endFake() // first, so that nothing is paid that is not delivered
	for _, p := range processes {
		_ = p.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range processes {
		ended = errors.Join(ended, p.Wait())
	}
	raised, posted, open, err := progress(context.WithoutCancel(ctx), pool)
	if err := errors.Join(watched, ended, err); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Moment has %d bills, and %d of them are paid. Here, %d are raised, and the ledger has %d payments.\n", has.Bills, has.Paid, raised, posted)
	switch {
	case open > 0:
		fmt.Fprintf(stdout, "%d jobs are left: it was ended before they were done.\n", open)
	case has.Bills != raised || has.Paid != posted:
		return errors.New("these differ: were there bills or payments in the database before?")
	}
	return nil
}

// quoted is a text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// checkUnused fails if there are jobs or payments in the database: they may be real ones. The
// demo's workers would raise real bills at the fake, and nowhere else.
func checkUnused(ctx context.Context, address string) error {
	pool, err := openPool(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, table := range []string{"river_job", "ledger"} {
		used := false
		err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&used)
		if missing, ok := errors.AsType[*pgconn.PgError](err); ok && missing.Code == "42P01" {
			continue // there is no such table
		}
		if err != nil {
			return err
		}
		if used {
			return errors.New("the database has jobs or payments already, and the demo would work real ones against its fake: give it an empty database with --database")
		}
	}
	return nil
}

// startSelf starts this program with another command.
func startSelf(ctx context.Context, env []string, stderr io.Writer, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, args...) // it is told to end, and not killed
	cmd.Env, cmd.Stderr = env, stderr
	return cmd, cmd.Start()
}

// freeLoopback are addresses that are free at the moment.
func freeLoopback(ctx context.Context, n int) (addresses []string, err error) {
	for range n {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, listener.Addr().String())
		defer func() { _ = listener.Close() }()
	}
	return addresses, nil
}

// watch prints how far things are, whenever that changes, until ctx ends.
func watch(ctx context.Context, pool *pgxpool.Pool, stdout io.Writer) error {
	last := ""
	for ctx.Err() == nil {
		raised, posted, open, err := progress(ctx, pool)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if now := fmt.Sprintf("%d bills raised, %d payments in the ledger, %d jobs to be done", raised, posted, open); now != last && err == nil {
			fmt.Fprintln(stdout, now)
			last = now
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

func progress(ctx context.Context, pool *pgxpool.Pool) (raised, posted, open int, err error) {
	err = pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE kind = 'raise_bill' AND state = 'completed'), (SELECT count(*) FROM ledger),
		count(*) FILTER (WHERE finalized_at IS NULL) FROM river_job`).Scan(&raised, &posted, &open)
	return raised, posted, open, err
}

const (
	fakeEnv         = "SCALE_OUT_FAKE" // the addresses of the receivers
	fakePayingEvery = 200 * time.Millisecond
)

// holding is what the fake has at the end.
type holding struct{ Bills, Paid int }

// startFake starts this program as the fake. It ends with this process at the latest, as its input
// does.
func startFake(ctx context.Context, receivers []string, secret string, stderr io.Writer) (url string, end func() (holding, error), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Env = append(os.Environ(), fakeEnv+"="+strings.Join(receivers, ","), "MOMENT_WEBHOOK_SECRET="+secret)
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	lines := bufio.NewReader(stdout)
	url, err = lines.ReadString('\n')
	end = func() (has holding, err error) {
		err = errors.Join(stdin.Close(), json.NewDecoder(lines).Decode(&has), cmd.Wait())
		return has, err
	}
	return strings.TrimSpace(url), end, err
}

// fake is Moment, until its input ends: each bill is paid as soon as it is raised, and the
// receivers take turns.
func fake(stdin io.Reader, stdout, stderr io.Writer) int {
	signal.Ignore(os.Interrupt) // which a terminal sends to all processes
	receivers, secret := strings.Split(os.Getenv(fakeEnv), ","), os.Getenv("MOMENT_WEBHOOK_SECRET")
	srv := momenttest.NewServer()
	fmt.Fprintln(stdout, srv.URL)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	var has holding
	for open := true; open; {
		select {
		case <-time.After(fakePayingEvery):
		case <-ended:
			open = false
		}
		bills := srv.State().Bills
		has.Bills = len(bills)
		for _, bill := range bills {
			if !open || bill.Status != moment.BillStatusUnpaid {
				continue
			}
			srv.SetWebhook("http://"+receivers[has.Paid%len(receivers)]+path, secret)
			if _, err := srv.Pay(context.Background(), momenttest.Payment{Bill: bill.ID, Amount: bill.AmountDue}); err != nil {
				fmt.Fprintln(stderr, "the fake:", err) // a receiver was not there in time
			}
			has.Paid++
		}
	}
	srv.Close()
	if err := json.NewEncoder(stdout).Encode(has); err != nil {
		return exitFailed
	}
	return exitDone
}
