package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
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

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// process is the program. Whenever it ends it is started again, as Kubernetes or systemd would.
type process struct {
	name string

	mu     sync.Mutex
	cmd    *exec.Cmd
	ending bool
	ended  chan struct{}
	result error // of the last one
}

// start starts a command in a process of its own, which ends with the test at the latest. What it
// logs is in the test's log if that fails.
func (w *world) start(t *testing.T, name, service string, args ...string) *process {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	require.NoError(t, err)
	p := &process{name: name, ended: make(chan struct{})}
	run := func() {
		p.cmd = exec.Command(os.Args[0], args...)
		p.cmd.Env = append(os.Environ(), mainEnv+"=1", "DATABASE_URL="+w.address, "MOMENT_BASE_URL="+service,
			"MOMENT_API_KEY=sk_test_YOUR_SECRET_KEY", "MOMENT_WEBHOOK_SECRET="+secret)
		p.cmd.Stdout, p.cmd.Stderr = log, log
		if err := p.cmd.Start(); err != nil {
			panic(err)
		}
	}
	run()
	go func() {
		for {
			err := p.cmd.Wait()
			p.mu.Lock()
			if p.ending {
				p.result = err
				p.mu.Unlock()
				close(p.ended)
				return
			}
			run()
			p.mu.Unlock()
			if err != nil {
				time.Sleep(100 * time.Millisecond) // the database may be down
			}
		}
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL, true)
		<-p.ended
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s: …%s", name, text[max(0, len(text)-4000):])
		}
		_ = log.Close()
	})
	return p
}

// signal sends a signal to the process, which may be the last.
func (p *process) signal(s os.Signal, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = p.ending || last
	_ = p.cmd.Process.Signal(s) // to one that has ended it means nothing
}

// end asks the process to end, and returns what it ends with.
func (p *process) end() error {
	p.signal(syscall.SIGTERM, true)
	<-p.ended
	return p.result
}

// freeAddresses are on loopback, on ports below those that the system gives to clients: they stay
// free while a process is started again.
func freeAddresses(t *testing.T, n int) (addresses []string) {
	t.Helper()
	for len(addresses) < n {
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10000+rand.IntN(10000)))
		if err == nil {
			addresses = append(addresses, listener.Addr().String())
			defer listener.Close() //nolint:errcheck // it was only to see that the port is free
		}
	}
	return addresses
}

// startNginx starts nginx with the configuration of this folder, and returns its address.
func startNginx(t *testing.T, address string, receivers []string) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/nginx") // where Debian has it
	}
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "nginx is not installed")
		t.Skip("no nginx: apt-get install nginx-light")
	}
	text, err := os.ReadFile("nginx.conf")
	require.NoError(t, err)
	conf := strings.NewReplacer("127.0.0.1:8080", address, "127.0.0.1:8081", receivers[0], "127.0.0.1:8082", receivers[1]).Replace(string(text))
	dir := t.TempDir()
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf = strings.Replace(conf, "http {", "http {\n  "+kind+"_temp_path "+dir+";", 1)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
	cmd := exec.Command(program, "-p", dir, "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off; master_process off; pid nginx.pid;")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log("nginx: ", out.String())
		}
	})
	awaitListening(t, address)
	return address
}

func awaitListening(t *testing.T, address string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
			return
		}
		require.Less(t, time.Since(begun), patience, err)
	}
}

func awaitHealthy(t *testing.T, address string) {
	t.Helper()
	awaitListening(t, address)
	resp, err := http.Get("http://" + address + "/healthz")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
}

// tally is what the service has, and what arrived there.
type tally struct {
	Requests  int
	Dropped   int // whose answer was lost
	Bills     int
	Money     moment.Amount
	Raised    int // bills, as far as the answers tell
	OtherKeys int // calls that could have raised one a second time: under another key, and the customer was known
}

// serveMoment is the service, in a process of its own, until its input ends. Of so many requests
// one is done and has no answer.
func serveMoment() {
	var dropEvery int
	_, _ = fmt.Sscan(os.Getenv(serviceEnv), &dropEvery)
	srv := momenttest.NewServer()
	var mu sync.Mutex
	var all tally
	// By bill: the last key under which one may have been raised, and whether an answer says that
	// it was.
	type sent struct {
		key    string
		raised bool
	}
	calls := map[string]sent{}
	var requests atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/tally" {
			mu.Lock()
			defer mu.Unlock()
			now := all
			now.Requests = int(requests.Load())
			if r.URL.RawQuery == "all" {
				for _, bill := range srv.State().Bills {
					now.Bills++
					now.Money += bill.AmountDue
				}
			}
			_ = json.NewEncoder(w).Encode(now) //nolint:errchkjson // who asks finds out
			return
		}
		n := requests.Add(1)
		if dropEvery > 0 && n%int64(dropEvery) == 0 {
			mu.Lock()
			all.Dropped++
			mu.Unlock()
			srv.Fail(momenttest.DropAfterCommit())
		}
		if r.Method != http.MethodPost || r.URL.Path != "/billing/bills" {
			srv.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil { // the worker was killed while it sent: the service has seen no request
			panic(http.ErrAbortHandler)
		}
		var bill struct {
			Reference string `json:"external_reference"`
		}
		_ = json.Unmarshal(body, &bill)
		r.Body = io.NopCloser(bytes.NewReader(body))
		status := &statusWriter{ResponseWriter: w}
		mu.Lock() // before the response, because a retry may overtake a request whose response is lost
		defer mu.Unlock()
		srv.ServeHTTP(status, r)
		key := r.Header.Get("Idempotency-Key")
		before, known := calls[bill.Reference]
		if status.code == http.StatusNotFound { // the customer is new: what this key raised is nothing, also where an answer was lost
			if before.key == key {
				delete(calls, bill.Reference)
			}
			return
		}
		if known && before.key != key {
			all.OtherKeys++
		}
		raised := status.code != 0 // else the answer is lost, and the call comes again
		if raised && !before.raised {
			all.Raised++
		}
		calls[bill.Reference] = sent{key, raised || before.raised}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, "http://"+listener.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // it ends with the test, however that ends
		os.Exit(0)
	}()
	panic(http.Serve(listener, handler)) //nolint:gosec // of a test
}

// The service tells a bill that is sent under two keys also where the answers are lost, and where
// that says nothing.
func TestTally(t *testing.T) {
	service := startService(t, 1) // no request has an answer
	post := func(path, key, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, service.url+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header = http.Header{"Authorization": {"Bearer sk_test_YOUR_SECRET_KEY"}, "Content-Type": {"application/json"}, "Idempotency-Key": {key}}
		_, err = http.DefaultClient.Do(req)
		require.Error(t, err)
	}
	const bill = `{"customer":"UCR1","external_reference":"UBR1","currency":"ZAR","amount_due":1}`
	post("/billing/customers", "a", `{"external_reference":"UCR1"}`)
	for _, row := range []struct {
		key       string
		otherKeys int
	}{{"b", 0}, {"b", 0}, {"c", 1}} {
		post("/billing/bills", row.key, bill)
		assert.Equal(t, row.otherKeys, service.tally(t).OtherKeys, row.key)
	}
	assert.Equal(t, 1, service.tallyAll(t).Bills)
	assert.Zero(t, service.tally(t).Raised, "as far as the answers tell")
}

// statusWriter remembers the status. It is 0 where there is no answer.
type statusWriter struct {
	http.ResponseWriter

	code int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets the fake break off an answer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// service is the process of serveMoment.
type service struct {
	url string
	pid int
}

func startService(t *testing.T, dropEvery int) *service {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprint(serviceEnv, "=", dropEvery))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		assert.NoError(t, stdin.Close())
		_ = cmd.Wait()
	})
	url, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return &service{strings.TrimSpace(url), cmd.Process.Pid}
}

// tally asks the service. The bills that it has are counted by tallyAll alone, as that takes long.
func (s *service) tally(t *testing.T) (now tally) {
	t.Helper()
	return s.get(t, "/tally")
}

func (s *service) tallyAll(t *testing.T) tally {
	t.Helper()
	return s.get(t, "/tally?all")
}

func (s *service) get(t *testing.T, path string) (now tally) {
	t.Helper()
	resp, err := http.Get(s.url + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&now))
	return now
}
