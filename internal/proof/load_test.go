package proof_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

var loadCalls = flag.Int("calls", atOnce*waves, "number of calls of each row of TestLoad")

const (
	atOnce = 256 // concurrent calls, equal to the idle connections of the default transport
	waves  = 10  // rounds; all connections are idle between two rounds
)

// TestLoad makes many calls at once. No call fails or gets the response of another, connections are
// reused, and at the end no connection and no goroutine is left.
//
// The whole proof is go test ./internal/proof -run TestLoad -v -calls=50000
func TestLoad(t *testing.T) {
	skipIfShort(t)
	require.GreaterOrEqual(t, *loadCalls, atOnce*waves, "calls")
	for _, row := range []loadRow{
		{"HTTP/1.1", false, 1, 0, 2 * atOnce, "a call may dial and then find an idle connection"},
		{"HTTP/1.1 over TLS", true, 1, 0, 2 * atOnce, "a gateway without HTTP/2, where each connection costs a handshake"},
		{"HTTP/2", true, 2, 0, 2 * atOnce, "256 calls dial at once; a connection accepts 100 calls until its settings arrive, so 156 and then 56 calls dial again"},
		{"HTTP/1.1, limit 256", false, 1, 256, 256, "the caller's limit is respected"},
		{"HTTP/1.1, limit 64", false, 1, 64, 64, "calls wait for a connection"},
		{"HTTP/2, limit 256", true, 2, 256, 2 * atOnce, "net/http does not count connections that are full (golang/go#34941), so that the limit is not exact"},
		{"HTTP/2, limit 8", true, 2, 8, 64, "calls share connections, which are full at 250 calls"},
	} {
		t.Run(row.name, func(t *testing.T) {
			opened := row.run(t)
			// On a busy machine, a response may arrive 50 ms before net/http has recorded that the
			// request was written. Then net/http does not reuse the connection. This is not a fault
			// of the client, so the test tries again.
			for try := 1; try < 3 && opened > row.most; try++ {
				opened = row.run(t)
			}
			assert.LessOrEqual(t, opened, row.most, row.why)
		})
	}
}

type loadRow struct {
	name            string
	secure          bool
	protocol        int // the major version of HTTP
	maxConnsPerHost int // 0 for no limit, which is the default
	most            int // the limit of opened connections
	why             string
}

// run makes the calls, and returns the number of opened connections.
func (row loadRow) run(t *testing.T) int {
	t.Helper()
	goroutines := testkit.Goroutines()
	s := &loadService{protocol: row.protocol, first: min(atOnce, row.most), arrived: make(chan struct{})}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = testkit.DiscardLog() // errors of handshakes that were cancelled for an idle connection
	server.EnableHTTP2 = row.protocol == 2
	if row.secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost = row.maxConnsPerHost
	var opened, open atomic.Int32
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		opened.Add(1)
		open.Add(1)
		return &watchedConn{conn, sync.OnceFunc(func() { open.Add(-1) })}, nil
	}
	if row.secure {
		trusted := x509.NewCertPool()
		trusted.AddCert(server.Certificate())
		transport.TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	}
	testkit.ReplaceDefaultTransport(t, transport)

	start := time.Now()
	failed, err := load(t.Context(), newClient(t, moment.WithBaseURL(server.URL+testkit.BasePath)))
	took := time.Since(start)
	t.Logf("%s: %d calls, %d connections opened, %d errors, %.0f calls per second", row.name, *loadCalls, opened.Load(), failed, float64(*loadCalls)/took.Seconds())

	assert.NoError(t, err, "the first of %d", failed)
	assert.EqualValues(t, *loadCalls, s.requests.Load(), "no call was retried")
	assert.Zero(t, s.otherProtocol.Load(), "requests with another protocol")
	server.Close()
	testkit.Eventually(t, "connections that the client has left open", 0, func() int { return int(open.Load()) })
	testkit.AssertNoGoroutineLeft(t, goroutines)
	return int(opened.Load())
}

// watchedConn is a connection that records that it was closed.
type watchedConn struct {
	net.Conn

	closed func()
}

func (c *watchedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// load makes the calls, each for another bill, and returns the number of failures and the first
// error.
func load(ctx context.Context, client *moment.Client) (failed int, first error) {
	errs := make(chan error, *loadCalls)
	for wave := range waves {
		var next atomic.Int64
		next.Store(int64(*loadCalls * wave / waves))
		end := int64(*loadCalls * (wave + 1) / waves)
		var callers sync.WaitGroup
		for range atOnce {
			callers.Go(func() {
				for n := next.Add(1) - 1; n < end; n = next.Add(1) - 1 {
					if err := callAbout(ctx, client, n); err != nil {
						errs <- err
					}
				}
			})
		}
		callers.Wait()
	}
	close(errs)
	return len(errs), <-errs
}

// callAbout creates, gets or updates a bill, and checks that the response is the same bill.
func callAbout(ctx context.Context, client *moment.Client, n int64) error {
	reference := fmt.Sprintf("UBR-%d", n)
	var bill *moment.Bill
	var err error
	switch n % 3 {
	case 0:
		params := billParams
		params.ExternalReference = reference
		bill, err = client.Bills.Create(ctx, params)
	case 1:
		bill, err = client.Bills.Get(ctx, reference)
	default:
		bill, err = client.Bills.Update(ctx, reference, moment.BillUpdateParams{AmountPaid: moment.MinorUnits(n)})
	}
	if err == nil && bill.ExternalReference != reference {
		err = fmt.Errorf("%s got the response of %s", reference, bill.ExternalReference)
	}
	return err
}

// loadService responds with the requested bill. The first requests wait until all of them have
// arrived, so that they are concurrent.
type loadService struct {
	protocol int
	first    int
	arrived  chan struct{}

	requests, otherProtocol atomic.Int64
}

func (s *loadService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.ProtoMajor != s.protocol {
		s.otherProtocol.Add(1)
	}
	if s.requests.Add(1) == int64(s.first) {
		close(s.arrived)
	}
	select {
	case <-s.arrived:
	case <-r.Context().Done(): // the client does not make that many calls at once
	}
	reference := path.Base(r.URL.Path)
	if r.Method == http.MethodPost {
		reference = referenceIn(body)
	}
	text, _ := json.Marshal(reference) //nolint:errchkjson // a string can be encoded
	// The body of a service ends with a line break. A client that reads only the object leaves it
	// unread, and loses the connection.
	testkit.Respond(http.StatusOK, strings.Replace(testkit.BillJSON, `"UBR1234567890"`, string(text), 1)+"\n")(w, r)
}
