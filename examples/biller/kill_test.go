package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	killBills = flag.Int("bills", 2000, "how many bills TestKill raises")
	checkRows = flag.Int("rows", 20000, "how many rows TestMemoryOfCheck checks")
)

const kills = 5

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "biller")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// watch returns a function that returns the peak memory of a process in MiB, as Linux reports it.
func watch(cmd *exec.Cmd) (peak func() float64) {
	most, done := 0.0, make(chan struct{})
	go func() {
		defer close(done)
		for {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			match := highWater.FindSubmatch(status)
			if err != nil || match == nil {
				return // it has ended
			}
			kib, _ := strconv.ParseFloat(string(match[1]), 64)
			most = max(most, kib/1024)
			time.Sleep(20 * time.Millisecond) // the interval between samples
		}
	}()
	return func() float64 {
		<-done
		return most
	}
}

// The program is killed by SIGKILL at five random moments, with calls in flight, and started again.
// At the end, each bill exists once. The full test is
//
//	go -C examples/biller test -run '^TestKill$' -v -timeout 30m -bills=100000 .
func TestKill(t *testing.T) {
	program := build(t)
	w := newWorld(t)
	text, want := demoFile(*killBills)
	w.file("bills.csv", text)
	var killAt atomic.Int64
	kill := make(chan struct{}, 1)
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		if w.requests.Load() != killAt.Load() {
			return false
		}
		lost := rand.IntN(2) == 0 // the request is applied, but its response is lost
		if lost {
			w.srv.ServeHTTP(rw, r)
		}
		kill <- struct{}{}
		return lost
	})
	most, begun := 0.0, time.Now()
	for n := range kills + 1 {
		killAt.Store(-1)
		if n < kills {
			killAt.Store(w.requests.Load() + 1 + rand.Int64N(int64(*killBills/kills)))
		}
		cmd := exec.CommandContext(t.Context(), program, "run", "--rate", "100000", filepath.Join(w.dir, "bills.csv"))
		cmd.Env = append(os.Environ(), "MOMENT_API_KEY="+w.key, "MOMENT_BASE_URL="+w.url)
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		go func() {
			select {
			case <-kill:
				_ = cmd.Process.Kill()
			case <-ended:
			}
		}()
		memory := watch(cmd)
		_ = cmd.Wait() // the exit code is checked below
		close(ended)
		most = max(most, memory())
		if n < kills {
			require.Equal(t, -1, cmd.ProcessState.ExitCode(), "it was to be killed: %s", output.String())
			continue
		}
		assert.Equal(t, exitRejected, cmd.ProcessState.ExitCode(), output.String())
	}
	assert.Equal(t, want, summary(w.srv.State().Bills))
	assert.Len(t, strings.Split(strings.TrimSpace(w.read("bills.rejected.csv")), "\n"), 1+(*killBills+499)/1000, "each rejected row once")
	assert.Less(t, most, 128.0)
	t.Logf("%s raised, each once, by %d processes, %d of them killed, in %d requests and %v; peak memory %.1f MiB",
		want, kills+1, kills, w.requests.Load(), time.Since(begun).Round(time.Second), most)
}

// The memory of check does not grow with the file. The full test is
//
//	go -C examples/biller test -run '^TestMemoryOfCheck$' -v -timeout 30m -rows=1000000 .
func TestMemoryOfCheck(t *testing.T) {
	program := build(t)
	path := filepath.Join(t.TempDir(), "bills.csv")
	text, _ := demoFile(*checkRows)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	begun := time.Now()
	cmd := exec.CommandContext(t.Context(), program, "check", path)
	require.NoError(t, cmd.Start())
	memory := watch(cmd)
	_ = cmd.Wait()
	assert.Equal(t, exitFailed, cmd.ProcessState.ExitCode(), "some rows are wrong")
	assert.Less(t, memory(), 64.0)
	t.Logf("%d rows checked in %v; peak memory %.1f MiB", *checkRows, time.Since(begun).Round(time.Millisecond), memory())
}
