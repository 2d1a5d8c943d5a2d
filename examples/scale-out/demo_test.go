package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The two commands of the README: the demo, and what it says to do next. Ctrl+C ends it, and the ledger is right.
func TestDemo(t *testing.T) {
	w := newWorld(t)
	stdout, stderr := new(logs), new(logs)
	cmd := exec.Command(os.Args[0], "demo")
	cmd.Env = append(os.Environ(), mainEnv+"=1", "DATABASE_URL="+w.address)
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
