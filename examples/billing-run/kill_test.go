package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var bills = flag.Int("bills", 1000, "how many bills TestKill raises")

const (
	kills      = 5
	mostMemory = 64.0 // MiB, however many bills there are
)

// The program itself is killed at five moments of which nobody knows in advance, with calls under
// way, and started again. At the end each bill is there once, and the report and the file of
// refused rows are those of a run that was never killed.
//
// The whole of it is go -C examples/billing-run test -run '^TestKill$' -v -bills=10000 .
func TestKill(t *testing.T) {
	program := filepath.Join(t.TempDir(), "billing-run")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))

	w := newWorld(t, "")
	_, err = writeDemo(w.path, *bills)
	require.NoError(t, err)
	want, wrong := expected(t, w.path)

	// Each process is killed at a request of its own, before or after that is answered.
	var requests, killAt atomic.Int64
	kill := make(chan struct{}, kills)
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if requests.Add(1) != killAt.Load() {
			return false
		}
		if rand.IntN(2) == 0 { // the answer is lost with the process
			w.srv.ServeHTTP(rw, r)
			kill <- struct{}{}
			return true
		}
		kill <- struct{}{}
		return false
	})
	peak := 0.0
	for n := range kills + 1 {
		killAt.Store(-1)
		if n < kills {
			killAt.Store(requests.Load() + 1 + rand.Int64N(int64(*bills/kills)))
		}
		end, memory := start(t, program, w, kill)
		peak = max(peak, memory)
		if n < kills {
			assert.Equal(t, -1, end.code, "it was to be killed: %s", end.stdout+end.stderr)
			continue
		}
		end.check(t, exitRefused, map[outcome]int{raised: len(want), refused: len(wrong)})
	}
	assert.Equal(t, want, w.bills())
	rows := w.refusedRows(t)
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		lines = append(lines, row[3])
	}
	assert.ElementsMatch(t, wrong, lines, "each refused row once")
	assert.Less(t, peak, mostMemory)
	assert.Equal(t, runtime.GOOS == "linux", peak > 0, "where it can be measured, it is")
	t.Logf("%d bills raised and %d rows refused, each once, by %d processes, %d of them killed, in %d requests; peak memory %.1f MiB",
		len(want), len(wrong), kills+1, kills, requests.Load(), peak)
}

// start runs the program until it ends or is to be killed. Its exit code is -1 then.
func start(t *testing.T, program string, w *world, kill <-chan struct{}) (end ending, peak float64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "--rate", "100000", w.path) // kills it when the test ends
	cmd.Env = append(os.Environ(), "MOMENT_API_KEY="+w.key, "MOMENT_BASE_URL="+w.baseURL)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		select {
		case <-kill:
			_ = cmd.Process.Kill()
		case <-ended:
		}
	}()
	_ = cmd.Wait() // the exit code says more
	close(ended)
	if match := regexp.MustCompile(`Peak memory: ([\d.]+) MiB`).FindSubmatch(stdout.Bytes()); match != nil {
		peak, _ = strconv.ParseFloat(string(match[1]), 64)
	}
	return newEnding(cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()), peak
}

// expected reads a file of the demo with encoding/csv alone: the bills that the service must have,
// and the references of the rows that are wrong.
func expected(t *testing.T, path string) (want, wrong []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	for _, row := range rows[1:] {
		customer, bill, amount, currency, due := row[0], row[3], row[4], row[5], row[6]
		if strings.Contains(amount, ",") {
			wrong = append(wrong, bill)
			continue
		}
		want = append(want, fmt.Sprint(bill, " ", customer, " ", currency, " ", amount, " ", due))
	}
	slices.Sort(want)
	return want, wrong
}

var (
	printed = regexp.MustCompile("(?s)```console\n\\$ go run . --demo 1000\n(.*?)```")
	varying = regexp.MustCompile(`billing-run\d+|in [\d.]+m?s|\d+×|[\d.]+ MiB`)
)

// The demo prints what the README says, but for times and memory; and leaves nothing behind.
func TestDemo(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	want := printed.FindSubmatch(readme)
	require.NotNil(t, want, "the README does not show the demo")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var output strings.Builder
	assert.Zero(t, run(t.Context(), []string{"--demo", "1000"}, environment{}.get, &output, &output))
	got := strings.ReplaceAll(output.String(), temp, "/tmp")
	assert.Equal(t, varying.ReplaceAllString(string(want[1]), "X"), varying.ReplaceAllString(got, "X"))
	left, err := os.ReadDir(temp)
	assert.NoError(t, err)
	assert.Empty(t, left)
}
