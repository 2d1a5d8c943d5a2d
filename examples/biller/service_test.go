package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const serviceEnv = "MOMENT_TEST_SERVICE" // makes the test binary the service

// tally counts the objects of the service, and the requests that arrived.
type tally struct {
	Requests  int
	Dropped   int // requests whose response was lost
	Bills     int
	Money     moment.Amount
	Raised    int // bills that a response reported as raised
	OtherKeys int // calls for a bill that an earlier call with another key may have raised
}

// serveMoment runs the fake of the service in this process, until its input ends. One of every
// dropEvery requests is applied, but its response is lost.
func serveMoment() {
	var dropEvery int
	_, _ = fmt.Sscan(os.Getenv(serviceEnv), &dropEvery)
	srv := momenttest.NewServer()
	var mu sync.Mutex
	var all tally
	// sent has the last key under which a bill may have been raised, and whether a response
	// reported it.
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
			_ = json.NewEncoder(w).Encode(now) //nolint:errchkjson // the test would notice
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
		if err != nil { // the worker was killed before it had sent the whole request
			panic(http.ErrAbortHandler)
		}
		var bill struct {
			Reference string `json:"external_reference"`
		}
		_ = json.Unmarshal(body, &bill)
		r.Body = io.NopCloser(bytes.NewReader(body))
		status := &statusWriter{ResponseWriter: w}
		mu.Lock() // locked before the response, because a retry may overtake a request whose response is lost
		defer mu.Unlock()
		srv.ServeHTTP(status, r)
		key := r.Header.Get("Idempotency-Key")
		before, known := calls[bill.Reference]
		if status.code/100 == 4 { // this key has raised nothing, even if a response was lost
			if before.key == key {
				delete(calls, bill.Reference)
			}
			return
		}
		if known && before.key != key {
			all.OtherKeys++
		}
		raised := status.code != 0 // otherwise the response is lost, and the call is made again
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
		_, _ = io.Copy(io.Discard, os.Stdin) // the input ends when the test ends or is killed
		os.Exit(0)
	}()
	panic(http.Serve(listener, handler)) //nolint:gosec // only for tests
}

// The tally counts a bill that is sent under two keys, even if the responses are lost.
func TestTally(t *testing.T) {
	service := startService(t, 1) // all responses are lost
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
	assert.Zero(t, service.tally(t).Raised, "as far as the responses show")
}

// statusWriter remembers the status. It is 0 if there is no response.
type statusWriter struct {
	http.ResponseWriter

	code int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap allows the fake to truncate a response.
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

// tally requests the counts. Only tallyAll counts the bills of the service, because that is slow.
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
