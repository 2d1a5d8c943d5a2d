package testkit_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/internal/testkit"
)

const (
	request = "POST /gateway/v1/bills/1 HTTP/1.1\r\nHost: moment\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}"
	served  = "HTTP/1.1 201 Created\r\nX-Service: yes\r\nContent-Length: 4\r\n\r\ndone"
)

// start starts a proxy in front of a service that responds with served.
func start(t *testing.T) (proxy *testkit.Proxy, arrived *atomic.Int32) {
	t.Helper()
	arrived = new(atomic.Int32)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.RequestURI == "/bills/1" && string(body) == "{}" && r.Header.Get("Idempotency-Key") == "k" {
			arrived.Add(1)
		}
		w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
		w.Header().Set("X-Service", "yes")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(service.Close)
	proxy = testkit.NewProxy(service.URL)
	t.Cleanup(proxy.Close)
	return proxy, arrived
}

// Each fault changes the bytes that a client receives, and decides whether the service receives the
// request.
func TestFaults(t *testing.T) {
	const after, before = testkit.After, testkit.Before
	for _, row := range []struct {
		fault   testkit.Fault
		want    string
		ends    error // how the proxy closes the connection or stalls; empty if it does neither
		arrives int
	}{
		{testkit.FaultNone(), served, nil, 1},
		{testkit.FaultReset(before), "", syscall.ECONNRESET, 0},
		{testkit.FaultReset(after), "", syscall.ECONNRESET, 1},
		{testkit.FaultStall(before), "", os.ErrDeadlineExceeded, 0},
		{testkit.FaultStall(after), "", os.ErrDeadlineExceeded, 1},
		{testkit.FaultTruncate(0), "", io.EOF, 1},
		{testkit.FaultTruncate(12), "HTTP/1.1 201", io.EOF, 1},
		{testkit.FaultTruncate(1000), strings.TrimSuffix(served, "e"), io.EOF, 1},
		{testkit.FaultTrickle(0), served, nil, 1},
		{testkit.FaultHTML(502, before), "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n", nil, 0},
		{testkit.FaultHTML(200, after), "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", nil, 1},
		{testkit.FaultProblem(503, http.Header{"Retry-After": {"0"}}, before), "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 0\r\n", nil, 0},
		{testkit.FaultRedirect(307, "http://elsewhere/", after), "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", nil, 1},
		{testkit.FaultServiceError(before), "HTTP/1.1 500 Internal Server Error\r\n", nil, 0},
		{testkit.FaultServiceError(after), "HTTP/1.1 500 Internal Server Error\r\n", nil, 1},
		{testkit.FaultInformational(1), "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + served, nil, 1},
		{testkit.FaultContentLength(1), strings.Replace(served, ": 4", ": 5", 1), io.EOF, 1},
		{testkit.FaultContentLength(-1), strings.Replace(served, ": 4", ": 3", 1), nil, 1},
		{testkit.FaultCloseIdle(), served, nil, 1},
		{testkit.FaultRaw("raw", "gone", after), "gone", io.EOF, 1},
	} {
		t.Run(row.fault.Name, func(t *testing.T) {
			proxy, arrived := start(t)
			proxy.OnRequest = func(*testkit.ProxyRequest) testkit.Fault { return row.fault }
			conn := send(t, proxy, request)
			got := make([]byte, len(row.want))
			_, err := io.ReadFull(conn, got)
			assert.Equal(t, row.want, string(got))
			if row.ends != nil {
				if errors.Is(row.ends, os.ErrDeadlineExceeded) {
					require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
				}
				if err == nil {
					_, err = conn.Read(make([]byte, 1))
				}
				assert.ErrorIs(t, err, row.ends)
			} else {
				assert.NoError(t, err)
			}
			assert.Eventually(t, func() bool { return int(arrived.Load()) == row.arrives }, 5*time.Second, time.Millisecond)
			_ = conn.Close()
			proxy.Close()
			assert.EqualValues(t, row.arrives, arrived.Load(), "nor later")
		})
	}
}

// send opens a connection to a proxy and sends text on it.
func send(t *testing.T, proxy *testkit.Proxy, text string) net.Conn {
	t.Helper()
	address, _, _ := strings.Cut(strings.TrimPrefix(proxy.URL, "http://"), "/")
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}

func TestEndlessDoesNotEnd(t *testing.T) {
	proxy, arrived := start(t)
	proxy.OnRequest = func(*testkit.ProxyRequest) testkit.Fault { return testkit.FaultEndlessBody(201, testkit.After) }
	conn := send(t, proxy, request)
	n, err := io.CopyN(io.Discard, conn, 64<<20)
	require.NoError(t, err, "after %d bytes", n)
	assert.EqualValues(t, 1, arrived.Load())
}

// An idle connection breaks when it is reused, and a request on it does not arrive.
func TestCloseIdleBreaksTheSecondRequest(t *testing.T) {
	proxy, arrived := start(t)
	proxy.OnRequest = func(*testkit.ProxyRequest) testkit.Fault { return testkit.FaultCloseIdle() }
	conn := send(t, proxy, request)
	_, err := io.ReadFull(conn, make([]byte, len(served)))
	require.NoError(t, err)
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	assert.EqualValues(t, 1, arrived.Load())
}

// A saved failure is replayed to every later request with its key, and to no other.
func TestServiceErrorIsReplayed(t *testing.T) {
	proxy, arrived := start(t)
	fault := testkit.FaultServiceError(testkit.Before)
	proxy.OnRequest = func(*testkit.ProxyRequest) testkit.Fault { return fault }
	assert.Equal(t, []string{"500", ""}, statusAndReplayed(t, proxy, request))
	assert.Equal(t, []string{"500", "true"}, statusAndReplayed(t, proxy, request))
	fault = testkit.FaultNone()
	assert.Equal(t, []string{"500", "true"}, statusAndReplayed(t, proxy, request))
	assert.Equal(t, []string{"201", ""}, statusAndReplayed(t, proxy, strings.Replace(request, "Key: k", "Key: l", 1)))
	assert.Zero(t, arrived.Load())
}

func statusAndReplayed(t *testing.T, proxy *testkit.Proxy, text string) []string {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(send(t, proxy, text)), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	return []string{resp.Status[:3], resp.Header.Get("Idempotent-Replayed")}
}

// A late request keeps its key in use until the client has gone, and then arrives.
func TestLate(t *testing.T) {
	proxy, arrived := start(t)
	var requests atomic.Int32
	proxy.OnRequest = func(*testkit.ProxyRequest) testkit.Fault {
		if requests.Add(1) == 1 {
			return testkit.FaultLate(0)
		}
		return testkit.FaultNone()
	}
	first := send(t, proxy, request)
	require.Eventually(t, func() bool { return requests.Load() == 1 }, 5*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return statusAndReplayed(t, proxy, request)[0] == "409" }, 5*time.Second, time.Millisecond)
	before := arrived.Load()
	_ = first.Close()
	proxy.Close()
	assert.Equal(t, before+1, arrived.Load())
}

func TestDialFaults(t *testing.T) {
	for fault, want := range map[testkit.DialFault]string{
		testkit.DialRefuse:         "connection refused",
		testkit.DialBreakHandshake: "EOF",
		testkit.DialUntrusted:      "certificate signed by unknown authority",
	} {
		t.Run(fault.String(), func(t *testing.T) {
			proxy, arrived := start(t)
			client := &http.Client{Transport: proxy.Transport()}
			next := fault
			proxy.OnDial = func(context.Context) testkit.DialFault { return next }
			_, err := client.Get(proxy.TLSURL + "/bills/1")
			require.ErrorContains(t, err, want)

			next = testkit.DialAccept
			resp, err := client.Get(proxy.TLSURL + "/bills/1")
			require.NoError(t, err)
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
			assert.Equal(t, 201, resp.StatusCode)
			assert.Equal(t, 1, proxy.Open())
			assert.Greater(t, proxy.BytesRead(), int64(len(served)))
			client.CloseIdleConnections()
			assert.Zero(t, proxy.Open())
			assert.Zero(t, arrived.Load(), "a GET is not the request that is counted")
		})
	}
}

// The client gets no response if the service sends none.
func TestServiceThatIsDown(t *testing.T) {
	proxy, _ := start(t)
	proxy.Service = failing{}
	_, err := http.ReadResponse(bufio.NewReader(send(t, proxy, request)), nil)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("down") }
