//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The two commands of the README: the demo, and what it says to do next. Ctrl+C ends it, and the
// ledger is right.
func TestDemo(t *testing.T) {
	w := newWorld(t)
	stdout, stderr := new(logs), new(logs)
	cmd := exec.Command(os.Args[0], "demo", "--database", w.address)
	cmd.Env = append(os.Environ(), mainEnv+"=1", "DATABASE_URL=") // the demo does not take it
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // what is left of it
	printed := regexp.MustCompile(`(?m)^  (DATABASE_URL=.* go run \. enqueue bills\.csv)$`)
	w.until(t, "the demo is up", func() bool { return printed.MatchString(stdout.String()) })
	next := printed.FindStringSubmatch(stdout.String())[1]
	out, err := exec.CommandContext(t.Context(), "bash", "-c", next).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "bills.csv: 10 jobs inserted, 0 known before, 0 rows refused\n")
	w.until(t, "all bills are raised, paid and posted", func() bool {
		return strings.Contains(stdout.String(), "10 bills raised, 10 payments in the ledger, 0 jobs to be done\n")
	})
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)) // as a terminal does it, to all its processes
	assert.NoError(t, cmd.Wait(), stderr.String())
	assert.Contains(t, stdout.String(), "Moment has 10 bills, and 10 of them are paid. Here, 10 are raised, and the ledger has 10 payments.\n")
	assert.NotContains(t, stderr.String(), `"ERROR"`)
}

// The demo says a command for a shell, whatever is in the address.
func TestQuoted(t *testing.T) {
	for _, text := range []string{"postgres://u:p@h/d?a=b&c=d", "host=h password='it''s $HOME `id`; \\'", "", "'"} {
		out, err := exec.CommandContext(t.Context(), "bash", "-c", "printf %s "+quoted(text)).Output()
		require.NoError(t, err)
		assert.Equal(t, text, string(out))
	}
}

// Jobs that are there may be real bills: the demo would raise them at its fake, and they would be
// done.
func TestDemoTakesOnlyAnEmptyDatabase(t *testing.T) {
	for _, row := range []struct{ why, before string }{
		{"a bill that is to be raised", `INSERT INTO river_job (kind, args, max_attempts) VALUES ('raise_bill', '{}', 25)`},
		{"a payment, whose job is removed already", `INSERT INTO ledger VALUES ('evt_1', 'pay_1', 'bill', 'bill_1', 100, 'ZAR', 0)`},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			w.exec(t, row.before)
			ctx, stop := context.WithTimeout(t.Context(), patience/4) // in case it starts
			defer stop()
			var stdout, stderr strings.Builder
			assert.Equal(t, exitFailed, run(ctx, []string{"demo", "--database", w.address}, environment{}.get, &stdout, &stderr))
			assert.Contains(t, stderr.String(), "the database has jobs or payments already")
			assert.Empty(t, stdout.String())
		})
	}
}
