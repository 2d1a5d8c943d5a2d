package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
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

// mainEnv makes the test binary the program, for what only a process shows.
const mainEnv = "MOMENT_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

const patience = 30 * time.Second // with a busy machine

// environment is what os.Getenv asks.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// output is what a program has printed so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// running is a moment-mock that serves.
type running struct {
	url, secret    string // as they were printed
	stdout, stderr *output
	code           chan int // the exit code, when it has ended; -1 if it was killed
	end            func()   // asks it to end
	kill           func()
	killed         atomic.Bool
	http           http.Client
}

// dial does not connect to a mock that was killed, because the server of another test may have
// its port by now.
func (m *running) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil && m.killed.Load() {
		_ = conn.Close()
		return nil, errors.New("the mock was killed")
	}
	return conn, err
}

var exported = regexp.MustCompile(`(?m)^  export (\w+)=(.*)\n`)

// ready waits until the mock has said where it is, which it does in one piece. Then it listens.
func (m *running) ready(t *testing.T) *running {
	t.Helper()
	require.Eventually(t, func() bool {
		return m.stdout.String() != "" || len(m.code) > 0
	}, patience, time.Millisecond)
	require.Empty(t, m.code, "it has ended: %s", m.stderr)
	for _, line := range exported.FindAllStringSubmatch(m.stdout.String(), -1) {
		switch line[1] {
		case "MOMENT_BASE_URL":
			m.url = line[2]
		case "MOMENT_WEBHOOK_SECRET":
			m.secret = line[2]
		}
	}
	return m
}

// wait returns the exit code.
func (m *running) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-m.code:
		return code
	case <-time.After(patience):
		require.Fail(t, "moment-mock does not end")
		return 0
	}
}

// start starts a mock in this process, on a free port unless args say otherwise.
func start(t *testing.T, env environment, args ...string) *running {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	m := &running{stdout: new(output), stderr: new(output), code: make(chan int, 1), end: end}
	args = append([]string{"--listen", "127.0.0.1:0"}, args...)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		m.code <- run(ctx, args, env.get, m.stdout, m.stderr)
	}()
	t.Cleanup(func() {
		end()
		<-ended
	})
	return m.ready(t)
}

// program is the command as a process that has yet to be started, and does not outlive the test.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1", "MOMENT_WEBHOOK_SECRET=")
	return cmd
}

// launch starts a mock in a process of its own.
func launch(t *testing.T, args ...string) *running {
	t.Helper()
	m := &running{stdout: new(output), stderr: new(output), code: make(chan int, 1)}
	cmd := program(t, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	cmd.Stdout, cmd.Stderr = m.stdout, m.stderr
	require.NoError(t, cmd.Start())
	m.end = func() { _ = cmd.Process.Signal(syscall.SIGTERM) }
	m.kill = func() {
		m.killed.Store(true)
		_ = cmd.Process.Kill()
	}
	m.http.Transport = &http.Transport{DialContext: m.dial}
	t.Cleanup(m.http.CloseIdleConnections)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		m.code <- cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	return m.ready(t)
}

// execute runs the program to its end, which one that serves against expectation is brought to.
func execute(t *testing.T, env environment, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, err strings.Builder
	code = run(ctx, args, env.get, &out, &err)
	return code, out.String(), err.String()
}

func TestWrongUsage(t *testing.T) {
	const (
		forwardTo = "--forward-to: must be a URL like http://127.0.0.1:8080/webhooks/moment"
		url       = "--url or MOMENT_BASE_URL: must be a URL like http://127.0.0.1:8787"
		pay       = "pay requires a target, and accepts an amount: moment-mock pay bill_… 15.00"
	)
	for _, row := range []struct {
		why  string
		env  environment
		args []string
		says string
	}{
		{"no such flag", nil, []string{"--port", "1"}, "flag provided but not defined: -port"},
		{"a flag without its value", nil, []string{"--state"}, "flag needs an argument: -state"},
		{"no such command", nil, []string{"play"}, `there is no command "play"`},
		{"a command after flags", nil, []string{"--url", "127.0.0.1:0", "pay"}, pay},
		{"an argument after --", nil, []string{"--", "--listen"}, `there is no command "--listen"`},
		{"no port", nil, []string{"--listen", "127.0.0.1"}, `--listen: must be host:port, like 127.0.0.1:8787, not "127.0.0.1"`},
		{"no such port", nil, []string{"--listen", "127.0.0.1:65536"}, `--listen: must be host:port, like 127.0.0.1:8787, not "127.0.0.1:65536"`},
		{"no time but now", nil, []string{"--retry", "later"}, "--retry: must be now, or left out"},
		{"no such log", nil, []string{"--log", "xml"}, "--log: must be json or text"},
		{"no host", nil, []string{"--forward-to", "http:///webhooks"}, forwardTo},
		{"a port alone", nil, []string{"--forward-to", "http://:3000/webhooks"}, forwardTo},
		{"another scheme", nil, []string{"--forward-to", "ftp://127.0.0.1/"}, forwardTo},
		{"no URL at all; the password is not shown", nil, []string{"--forward-to", "http://u:swordfish@%/"}, forwardTo},
		{"a secret of another form, which is not shown", environment{"MOMENT_WEBHOOK_SECRET": "swordfish"}, nil, "MOMENT_WEBHOOK_SECRET: must be whsec_ and base64 of at least 16 bytes"},
		{"a secret that is too short", environment{"MOMENT_WEBHOOK_SECRET": moment.RawWebhookSecret([]byte("short"))}, nil, "MOMENT_WEBHOOK_SECRET: must be whsec_ and base64 of at least 16 bytes"},
		{"pay what?", nil, []string{"pay"}, pay},
		{"pay an empty amount", nil, []string{"pay", "bill_1", ""}, pay},
		{"pay three", nil, []string{"pay", "bill_1", "15.00", "bill_2"}, pay},
		{"deliver when?", nil, []string{"pay", "bill_1", "--deliver", "soon"}, "--deliver: must be now, hold or never"},
		{"resend what?", nil, []string{"resend"}, "resend requires one message id: moment-mock resend msg_…"},
		{"two events", nil, []string{"events", "msg_1", "msg_2"}, `unexpected argument "msg_2"`},
		{"clear what?", nil, []string{"fail", "503", "--clear"}, "--clear accepts no fault"},
		{"no status", nil, []string{"fail", "status", "much"}, `the status must be a number, not "much"`},
		{"two statuses", nil, []string{"fail", "503", "504"}, `unexpected argument "504"`},
		{"move the clock how?", nil, []string{"clock", "5s"}, "clock accepts no arguments, advance and a duration, or set and a time: moment-mock clock advance 5s"},
		{"reset what?", nil, []string{"reset", "all"}, `unexpected argument "all"`},
		{"which version?", nil, []string{"version", "2"}, `unexpected argument "2"`},
		{"pay an empty variable", nil, []string{"pay", "", "15.00"}, pay},
		{"no such flag of pay", nil, []string{"pay", "--to", "bill_1"}, "flag provided but not defined: -to"},
		{"no URL to pay at", nil, []string{"pay", "--url", "ftp://127.0.0.1:1", "bill_1", "15.00"}, url},
		{"the same in the environment", environment{"MOMENT_BASE_URL": "http:///"}, []string{"pay", "bill_1", "15.00"}, url},
	} {
		t.Run(row.why, func(t *testing.T) {
			code, stdout, stderr := execute(t, row.env, row.args...)
			assert.Equal(t, 2, code)
			name, _ := findCommand(row.args)
			assert.Equal(t, "moment-mock: "+row.says+": see moment-mock "+prefixed(name)+"--help\n", stderr)
			assert.Empty(t, stdout)
		})
	}
}

func TestHelp(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--help"}, usage},
		{[]string{"-h"}, usage},
		{[]string{"help"}, usage},
		{[]string{"help", "pay"}, payUsage},
		{[]string{"pay", "--help"}, payUsage},
		{[]string{"--help", "pay"}, payUsage},
		{[]string{"events", "--help"}, eventsUsage},
		{[]string{"resend", "--help"}, resendUsage},
		{[]string{"fail", "--help"}, failUsage},
		{[]string{"clock", "--help"}, clockUsage},
		{[]string{"reset", "--help"}, resetUsage},
		{[]string{"health", "--help"}, healthUsage},
		{[]string{"version", "--help"}, versionUsage},
	} {
		code, stdout, stderr := execute(t, nil, row.args...)
		assert.Zero(t, code)
		assert.Equal(t, row.want, stdout)
		assert.Empty(t, stderr)
	}
}
