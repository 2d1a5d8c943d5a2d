package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// mainEnv makes the test binary the program, for what only a process shows.
const mainEnv = "MOMENT_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// environment is what os.Getenv asks.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

func TestWrongConfiguration(t *testing.T) {
	good := func(name, value string) environment { return environment{"MOMENT_WEBHOOK_SECRET": secret, name: value} }
	for _, row := range []struct {
		why  string
		env  environment
		args []string
		says string
	}{
		{"no secret: there would be nothing to verify with", environment{}, nil, "MOMENT_WEBHOOK_SECRET is not set: it is the whsec_... that Moment signs webhooks with (or try --demo)"},
		{"only the old secret", environment{"MOMENT_WEBHOOK_OLD_SECRET": oldSecret}, nil, "MOMENT_WEBHOOK_SECRET is not set: it is the whsec_... that Moment signs webhooks with (or try --demo)"},
		{"a secret that is none", environment{"MOMENT_WEBHOOK_SECRET": "swordfish!"}, nil, "MOMENT_WEBHOOK_SECRET: is not whsec_ and base64"},
		{"a short secret", environment{"MOMENT_WEBHOOK_SECRET": moment.RawWebhookSecret([]byte("short"))}, nil, "MOMENT_WEBHOOK_SECRET: has fewer than 16 bytes"},
		{"a wrong old secret", good("MOMENT_WEBHOOK_OLD_SECRET", "swordfish!"), nil, "MOMENT_WEBHOOK_OLD_SECRET: is not whsec_ and base64"},
		{"a port alone", good("LISTEN", "8080"), nil, `LISTEN or --listen: must be host:port, like 127.0.0.1:8080, not "8080"`},
		{"a port that is none", good("", ""), []string{"--listen", "localhost:99999"}, `LISTEN or --listen: must be host:port, like 127.0.0.1:8080, not "localhost:99999"`},
		{"a PostgreSQL address that is none: it is not shown, for its password", good("DATABASE_URL", "postgres://u:swordfish@host:port/db"), nil, "DATABASE_URL or --database: is not a PostgreSQL address that can be used: postgres://user:password@host:5432/database"},
		{"another database", good("DATABASE_URL", "mysql://u:swordfish@host/db"), nil, "DATABASE_URL or --database: must be postgres://user:password@host:5432/database or the path of an SQLite file"},
		{"a ledger in memory: it would be lost", good("DATABASE_URL", ":memory:"), nil, "DATABASE_URL or --database: must be postgres://user:password@host:5432/database or the path of an SQLite file"},
		{"an SQLite URI, whose options are this program's", good("DATABASE_URL", "file:ledger.db?mode=memory"), nil, "DATABASE_URL or --database: must be postgres://user:password@host:5432/database or the path of an SQLite file"},
		{"PostgreSQL's other form, which would be a file with a password in its name", good("DATABASE_URL", "host=db password=swordfish"), nil, "DATABASE_URL or --database: must be postgres://user:password@host:5432/database or the path of an SQLite file"},
		{"options of a driver, which would be a part of the path", good("DATABASE_URL", "ledger.db?_pragma=busy_timeout(1)"), nil, "DATABASE_URL or --database: must be postgres://user:password@host:5432/database or the path of an SQLite file"},
		{"a wrong database for the demo", environment{}, []string{"--demo", "--database", ":memory:"}, "DATABASE_URL or --database: must be postgres://user:password@host:5432/database or the path of an SQLite file"},
		{"an unknown flag", good("", ""), []string{"--port", "80"}, "flag provided but not defined: -port"},
		{"a word too many", good("", ""), []string{"demo"}, `unexpected argument "demo": see --help`},
	} {
		t.Run(row.why, func(t *testing.T) {
			t.Chdir(t.TempDir()) // were the program to start, its ledger would be here
			var stdout, stderr strings.Builder
			assert.Equal(t, 2, run(ended(t), row.args, row.env.get, &stdout, &stderr))
			assert.Equal(t, "webhook-receiver: "+row.says+"\n", stderr.String())
			assert.Empty(t, stdout.String())
		})
	}
}

// ended is a context with which nothing runs for long.
func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestHelp(t *testing.T) {
	var stdout, stderr strings.Builder
	assert.Zero(t, run(t.Context(), []string{"--help"}, environment{}.get, &stdout, &stderr))
	assert.Equal(t, usage, stdout.String())
	assert.Empty(t, stderr.String())
}

func TestFailures(t *testing.T) {
	taken, _ := listen(t)
	for _, row := range []struct{ why, listen, database, says string }{
		{"no such folder", "127.0.0.1:0", filepath.Join(t.TempDir(), "none", "ledger.db"), "open the ledger: "},
		{"no server; the password is not shown", "127.0.0.1:0", "postgres://u:swordfish@127.0.0.1:1/db", "open the ledger: "},
		{"the port is taken", taken.Addr().String(), filepath.Join(t.TempDir(), "ledger.db"), "listen tcp "},
	} {
		t.Run(row.why, func(t *testing.T) {
			log := newLogs()
			env := environment{"MOMENT_WEBHOOK_SECRET": secret, "LISTEN": row.listen, "DATABASE_URL": row.database}
			assert.Equal(t, 1, run(t.Context(), nil, env.get, io.Discard, log))
			assert.Contains(t, log.wait(t, "failed")["error"], row.says)
			assert.NotContains(t, log.String(), "swordfish")
		})
	}
}

// A program that is started again on the same ledger knows what it has processed. While Moment
// changes the secret, both will do.
func TestRestart(t *testing.T) {
	for _, database := range databases {
		t.Run(database.kind, func(t *testing.T) {
			address := database.make(t)
			for _, row := range []struct {
				why     string
				env     environment
				secret  string
				message int
				status  int
				says    string
			}{
				{"a payment", environment{"MOMENT_WEBHOOK_SECRET": oldSecret}, oldSecret, 1, 204, "payment entered"},
				{"again after a restart", environment{"MOMENT_WEBHOOK_SECRET": oldSecret}, oldSecret, 1, 204, "payment delivered again"},
				{"again, signed with the new secret", environment{"MOMENT_WEBHOOK_SECRET": secret, "MOMENT_WEBHOOK_OLD_SECRET": oldSecret}, secret, 1, 204, "payment delivered again"},
				{"another one, signed with the old secret", environment{"MOMENT_WEBHOOK_SECRET": secret, "MOMENT_WEBHOOK_OLD_SECRET": oldSecret}, oldSecret, 2, 204, "payment entered"},
				{"the old secret is no more", environment{"MOMENT_WEBHOOK_SECRET": secret}, oldSecret, 3, 400, "moment: webhook rejected"},
			} {
				t.Run(row.why, func(t *testing.T) {
					row.env["LISTEN"], row.env["DATABASE_URL"] = "127.0.0.1:0", address
					ctx, shutDown := context.WithCancel(t.Context())
					defer shutDown()
					log, code := newLogs(), make(chan int, 1)
					go func() { code <- run(ctx, nil, row.env.get, io.Discard, log) }()
					started := log.wait(t, "listening")
					assert.Equal(t, database.kind, started["database"])
					url := fmt.Sprint("http://", started["address"])
					status, err := answer(sign(t, row.secret, url, fmt.Sprint("msg_", row.message), payment(row.message, 31415926)))
					assert.NoError(t, err)
					assert.Equal(t, row.status, status)
					log.wait(t, row.says)
					shutDown()
					assert.Zero(t, await(t, "the end", code))
					for line := range strings.Lines(log.String()) {
						assert.True(t, json.Valid([]byte(line)), line)
					}
					for _, private := range []string{secret[6:], oldSecret[6:], "Jane", "metadata", "31415926"} {
						assert.NotContains(t, log.String(), private)
					}
				})
			}
			l, err := openLedger(t.Context(), address)
			require.NoError(t, err)
			defer func() { assert.NoError(t, l.Close()) }()
			assert.Equal(t, []string{"pay_1 for bill bill_1 31415926 ZAR", "pay_2 for bill bill_1 31415926 ZAR"}, entered(t, l))
		})
	}
}

// The signals by which systems end programs end this one in good order.
func TestSignals(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			database := newSQLiteFile(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), mainEnv+"=1", "MOMENT_WEBHOOK_SECRET="+secret, "LISTEN=127.0.0.1:0", "DATABASE_URL="+database)
			log := newLogs()
			cmd.Stderr = log
			require.NoError(t, cmd.Start())
			url := fmt.Sprint("http://", log.wait(t, "listening")["address"])
			status, err := answer(sign(t, secret, url, "msg_1", payment(1, 1500)))
			assert.NoError(t, err)
			assert.Equal(t, 204, status)
			require.NoError(t, cmd.Process.Signal(signal))
			log.wait(t, "shut down")
			assert.NoError(t, cmd.Wait(), "the exit code is 0")
			r, _ := newTestReceiver(t, database)
			assert.Equal(t, []string{"pay_1 for bill bill_1 1500 ZAR"}, entered(t, r.ledger))
		})
	}
}

var (
	printed  = regexp.MustCompile("(?s)```console\n\\$ go run . --demo\n(.*?)```")
	varying  = regexp.MustCompile(`(127\.0\.0\.1:)\d+|(pay_|evt_|bill_|bacc_|bcus_)[A-Z2-7]{6}`)
	constant = "$1$2X"
)

// The demo prints what the README says, but for the port and the ids; also on a ledger that it has
// been on.
func TestDemo(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	want := printed.FindSubmatch(readme)
	require.NotNil(t, want, "the README does not show the demo")
	for _, database := range databases {
		t.Run(database.kind, func(t *testing.T) {
			address := database.make(t)
			for _, row := range []struct {
				why  string
				args []string
				env  environment
			}{
				{"a ledger of its own", []string{"--demo"}, environment{}},
				{"one that is given", []string{"--demo", "--database", address}, environment{}},
				{"one that has the entries of another run", []string{"--demo", "--database", address}, environment{}},
				{"a real one is left alone", []string{"--demo"}, environment{"DATABASE_URL": filepath.Join(t.TempDir(), "no such folder", "ledger.db")}},
			} {
				t.Run(row.why, func(t *testing.T) {
					temp := t.TempDir()
					t.Setenv("TMPDIR", temp)
					var stdout, stderr strings.Builder
					assert.Zero(t, run(t.Context(), row.args, row.env.get, &stdout, &stderr))
					assert.Equal(t, varying.ReplaceAllString(string(want[1]), constant), varying.ReplaceAllString(stdout.String(), constant))
					assert.Empty(t, stderr.String())
					left, err := os.ReadDir(temp)
					assert.NoError(t, err)
					assert.Empty(t, left)
				})
			}
		})
	}
}

// The demo fails where a receiver is wrong, so that it shows something if it does not.
func TestDemoFails(t *testing.T) {
	for _, row := range []struct {
		why   string
		enter func(context.Context, *sql.Tx, *moment.Event, *moment.AmountApplied) error
		signs string // the secret of the demo
		says  string
	}{
		{"a payment is entered twice", func(ctx context.Context, tx *sql.Tx, e *moment.Event, p *moment.AmountApplied) error {
			return errors.Join(enter(ctx, tx, e, p), enter(ctx, tx, &moment.Event{ID: e.ID + "again"}, p))
		}, secret, "the ledger does not hold each of the 4 payments once, and nothing else"},
		{"a payment is not entered", func(ctx context.Context, tx *sql.Tx, e *moment.Event, p *moment.AmountApplied) error {
			if p.Amount < 0 {
				return nil
			}
			return enter(ctx, tx, e, p)
		}, secret, "the ledger does not hold each of the 4 payments once, and nothing else"},
		{"another amount is entered", func(ctx context.Context, tx *sql.Tx, e *moment.Event, p *moment.AmountApplied) error {
			p.Amount++
			return enter(ctx, tx, e, p)
		}, secret, "the ledger does not hold each of the 4 payments once, and nothing else"},
		{"the ledger fails", func(context.Context, *sql.Tx, *moment.Event, *moment.AmountApplied) error {
			return errOfTheLedger
		}, secret, "9 deliveries had the wrong answer"},
		{"what Moment signs is refused", enter, oldSecret, "10 deliveries had the wrong answer"},
	} {
		t.Run(row.why, func(t *testing.T) {
			r, _ := newTestReceiver(t, filepath.Join(t.TempDir(), "ledger.db"))
			r.enter = row.enter
			listener, _ := listen(t)
			assert.ErrorContains(t, demo(t.Context(), r, listener, row.signs, io.Discard), row.says)
		})
	}
}
