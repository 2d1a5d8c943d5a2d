package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

// world is a folder with files, and a fake of the service. front may respond in place of the fake.
type world struct {
	*testing.T

	dir, key string
	srv      *momenttest.Server
	mu       sync.Mutex // guards front, also while it is called
	front    func(http.ResponseWriter, *http.Request) bool
	url      string
	requests atomic.Int64
	stdout   string
	stderr   string
}

func TestMain(m *testing.M) {
	if os.Getenv(fakeEnv) != "" { // the demo's other process
		main()
		os.Exit(0)
	}
	if os.Getenv(serviceEnv) != "" {
		serveMoment()
	}
	os.Exit(m.Run())
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), key: "sk_test_YOUR_SECRET_KEY", srv: momenttest.NewServer()}
	t.Cleanup(w.srv.Close)
	front := httptest.NewServer(http.StripPrefix("/path", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.responds(rw, r) {
			w.srv.ServeHTTP(rw, r)
		}
	})))
	t.Cleanup(front.Close)
	w.url = front.URL + "/path"
	return w
}

func (w *world) responds(rw http.ResponseWriter, r *http.Request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests.Add(1) // before front is called, because front reads the number
	return w.front != nil && w.front(rw, r)
}

func (w *world) setFront(front func(http.ResponseWriter, *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.front = front
}

// file writes a file into the folder.
func (w *world) file(name, text string) {
	w.Helper()
	require.NoError(w, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
}

func (w *world) read(name string) string {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	require.NoError(w, err)
	return string(text)
}

// biller runs the program on a file, and returns its exit code.
func (w *world) biller(command, name string, flags ...string) int {
	w.Helper()
	return w.billerUntil(w.Context(), command, name, flags...)
}

func (w *world) billerUntil(ctx context.Context, command, name string, flags ...string) int {
	var stdout, stderr bytes.Buffer
	w.Setenv("MOMENT_API_KEY", w.key)
	w.Setenv("MOMENT_BASE_URL", w.url)
	code := start(ctx, append([]string{command, filepath.Join(w.dir, name), "--rate", "100000"}, flags...), &stdout, &stderr)
	w.stdout, w.stderr = stdout.String(), stderr.String()
	return code
}

// bills returns the references of the bills at the service.
func (w *world) bills() []string {
	bills := w.srv.State().Bills
	all := make([]string, len(bills))
	for i, bill := range bills {
		all[i] = bill.ExternalReference
	}
	return all
}

// store opens the database. The program must have closed it.
func (w *world) store() *store {
	w.Helper()
	s, err := openStore(w.Context(), filepath.Join(w.dir, "biller.db"))
	require.NoError(w, err)
	w.Cleanup(s.close)
	return s
}

func (w *world) ask(s *store, query string) (answer string) {
	w.Helper()
	require.NoError(w, s.rows.QueryRowContext(w.Context(), query).Scan(&answer))
	return answer
}

func (w *world) exec(s *store, query string, args ...any) {
	w.Helper()
	_, err := s.rows.ExecContext(w.Context(), query, args...)
	require.NoError(w, err)
}

// rows is a file with n rows.
func rows(n int) string {
	var text strings.Builder
	text.WriteString(header)
	for i := range n {
		fmt.Fprintf(&text, "C%d,Name %d,c%d@example.com,B%d,15.50,ZAR,2031-01-31\n", i, i, i, i)
	}
	return text.String()
}

// stored returns a database with a run whose rows and jobs are stored, but not sent.
func stored(t *testing.T, n int) (*world, *store) {
	t.Helper()
	w := newWorld(t)
	w.file("bills.csv", rows(n))
	s := w.store()
	c, _, err := parseFlags([]string{"run", filepath.Join(w.dir, "bills.csv")}, io.Discard)
	require.NoError(t, err)
	c.key, c.baseURL = w.key, w.url
	hash, err := c.fileHash()
	require.NoError(t, err)
	r, err := s.prepare(t.Context(), c.config, hash, "test", io.Discard)
	require.NoError(t, err)
	jobs, err := river.NewClient(riversqlite.New(s.jobs), &river.Config{})
	require.NoError(t, err)
	require.NoError(t, (&worker{run: r, store: s}).enqueue(t.Context(), jobs, io.Discard))
	return w, s
}
