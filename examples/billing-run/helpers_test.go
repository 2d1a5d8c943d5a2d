package main

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// mainEnv makes the test binary the program, for what only a process shows.
const mainEnv = "MOMENT_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" || os.Getenv(fakeEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

const header = "customer_reference,name,email,bill_reference,amount,currency,due_date\n"

// world is a service, and a run against it.
type world struct {
	config
	srv     *momenttest.Server
	before  atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	serving sync.WaitGroup // what is under way
}

// intercept calls a function before each request is answered, which reports true if it has answered
// it.
func (w *world) intercept(f func(w http.ResponseWriter, r *http.Request) bool) { w.before.Store(&f) }

// newWorld has a file with some rows, under the usual header.
func newWorld(t *testing.T, rows string, options ...momenttest.Option) *world {
	t.Helper()
	w := &world{srv: momenttest.NewServer(options...)}
	t.Cleanup(w.srv.Close)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.serving.Add(1)
		defer w.serving.Done()
		if before := w.before.Load(); before == nil || !(*before)(rw, r) {
			w.srv.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(front.Close)
	path := filepath.Join(t.TempDir(), "bills.csv")
	require.NoError(t, os.WriteFile(path, []byte(header+rows), 0o600))
	w.config = config{
		path: path, journal: path + ".journal", refused: besides(path), workers: 4, rate: 1e6,
		key: "sk_test_YOUR_SECRET_KEY", baseURL: front.URL,
		wait: time.Millisecond, options: []moment.ClientOption{moment.WithBackoff(0, time.Millisecond)},
	}
	return w
}

// ending is how a run ended.
type ending struct {
	code           int
	stdout, stderr string
	count          map[outcome]int
}

// run is the program from its configuration on.
func (w *world) run(t *testing.T) ending {
	t.Helper()
	var stdout, stderr strings.Builder
	code := bill(t.Context(), w.config, &stdout, &stderr)
	return newEnding(code, stdout.String(), stderr.String())
}

var counted = regexp.MustCompile(`(?m)^  (raised|already there|refused|open) +(\d+)`)

func newEnding(code int, stdout, stderr string) ending {
	e := ending{code, stdout, stderr, map[outcome]int{}}
	for _, match := range counted.FindAllStringSubmatch(stdout, -1) {
		if n, _ := strconv.Atoi(match[2]); n > 0 {
			e.count[outcome(match[1])] = n
		}
	}
	return e
}

// bills are those of the service, in the order of their references: "UBR1 UCR1 ZAR 10.00
// 2031-01-31".
func (w *world) bills() []string {
	state, customers := w.srv.State(), map[string]string{}
	for _, c := range state.Customers {
		customers[c.ID] = c.ExternalReference
	}
	bills := make([]string, 0, len(state.Bills))
	for _, b := range state.Bills {
		bills = append(bills, fmt.Sprint(b.ExternalReference, " ", customers[b.CustomerID], " ", b.DueMoney(), " ", b.DueDate))
	}
	slices.Sort(bills)
	return bills
}

// refusedRows are those of the file of refused rows, without the header.
func (w *world) refusedRows(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile(w.refused)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	require.NoError(t, err)
	return rows[1:]
}

// whys are the reasons in the file of refused rows.
func (w *world) whys(t *testing.T) []string {
	t.Helper()
	rows := w.refusedRows(t)
	whys := make([]string, 0, len(rows))
	for _, row := range rows {
		whys = append(whys, row[len(row)-1])
	}
	return whys
}

// requests is how many arrived.
func (w *world) requests() int { return len(w.srv.Requests()) }

// good are n rows, each of a customer of its own.
func good(n int) string {
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "UCR%d,Name %d,c%d@example.com,UBR%d,%d.50,ZAR,2031-01-31\n", i, i, i, i, i+1)
	}
	return rows.String()
}

// check asserts how a run ended.
func (e ending) check(t *testing.T, code int, count map[outcome]int) {
	t.Helper()
	assert.Equal(t, code, e.code, e.stdout+e.stderr)
	assert.Equal(t, count, e.count, e.stdout+e.stderr)
}

func shuffle[T any](s []T) { rand.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) }
