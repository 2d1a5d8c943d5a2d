package proof_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// An attempt that ends without a connection is retried, for an update too, because nothing was
// sent.
func TestNeverSent(t *testing.T) {
	const timedOut = "no connection within the attempt timeout of 30s"
	for _, row := range []struct {
		why       string
		obstruct  obstruct
		says      string
		fakeClock bool // the obstruct function uses no socket
		onlyHTTP1 bool
	}{
		{why: "the name does not resolve", obstruct: unresolved, says: "no name server"},
		{why: "no server listens", obstruct: noServerListens, says: "connection refused"},
		{why: "the dial outlasts the attempt", obstruct: dialForEver, says: timedOut, fakeClock: true},
		{why: "the TLS handshake is broken off", obstruct: breakHandshake, says: "EOF"},
		{why: "the TLS handshake hangs", obstruct: hangInHandshake(10 * time.Second), says: "TLS handshake timeout", fakeClock: true},
		{why: "the TLS handshake outlasts the attempt", obstruct: hangInHandshake(time.Hour), says: timedOut, fakeClock: true},
		{why: "the proxy rejects the connection with 403", obstruct: rejectByProxy(403), says: "Forbidden"},
		{why: "the proxy rejects the connection with 407", obstruct: rejectByProxy(407), says: "Proxy Authentication Required"},
		{why: "the proxy rejects the connection with 502", obstruct: rejectByProxy(502), says: "Bad Gateway"},
		{why: "no proxy listens", obstruct: noProxy, says: "proxyconnect tcp: dial tcp " + noServer},
		{why: "the only connection is being dialled", obstruct: dialTheOnlyConnection, says: timedOut, fakeClock: true},
		// Not over HTTP/2, because net/http dials a second connection when the first one has no
		// free stream.
		{why: "the only connection is in use", obstruct: useTheOnlyConnection, says: timedOut, fakeClock: true, onlyHTTP1: true},
	} {
		for protocol, http2 := range protocols {
			for method := range calls {
				if http2 && row.onlyHTTP1 {
					continue
				}
				t.Run(row.why+"/"+protocol+"/"+method, func(t *testing.T) {
					if row.fakeClock {
						synctest.Test(t, func(t *testing.T) { neverSends(t, method, transportOf(http2), row.obstruct, row.says) })
					} else {
						neverSends(t, method, transportOf(http2), row.obstruct, row.says)
					}
				})
			}
		}
	}
}

func neverSends(t *testing.T, method string, tr *http.Transport, obstruct obstruct, says string) {
	t.Helper()
	s, asked := &testkit.Service{}, 0
	host := obstruct(t, tr, s)
	t.Cleanup(tr.CloseIdleConnections) // also ends dials
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { asked++ },
		GotConn: func(httptrace.GotConnInfo) { t.Error("it got a connection") },
	})
	err := calls[method](ctx, clientAt(t, host, tr))
	var connection *moment.ConnectionError
	require.ErrorAs(t, err, &connection)
	assert.Equal(t, 3, connection.Attempts)
	assert.Equal(t, 3, asked, "connections asked for")
	require.ErrorContains(t, err, says)
	require.NotErrorIs(t, err, moment.ErrOutcomeUnknown)
	for _, r := range s.Received() {
		assert.NotContains(t, r.URI, testkit.BasePath, "a request arrived")
	}
}

// A call whose context ends before there is a connection does not leave its outcome unknown.
func TestContextEndsBeforeThereIsAConnection(t *testing.T) {
	for _, obstruct := range []obstruct{dialForEver, hangInHandshake(time.Hour), dialTheOnlyConnection, useTheOnlyConnection} {
		for method, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				tr := transportOf(false)
				c := clientAt(t, obstruct(t, tr, &testkit.Service{}), tr)
				t.Cleanup(tr.CloseIdleConnections)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := call(ctx, c)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 1, attemptsOf(t, err), method)
				assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown, method)
			})
		}
	}
}

// A call is not retried after an untrusted certificate, because the next attempt would get the same
// certificate.
func TestUntrustedCertificateIsNotRetried(t *testing.T) {
	for protocol, http2 := range protocols {
		for method, call := range calls {
			t.Run(protocol+"/"+method, func(t *testing.T) {
				s := &testkit.Service{}
				server := httptest.NewUnstartedServer(s.Handler(testkit.Respond(200, testkit.BillJSON)))
				server.EnableHTTP2 = http2
				server.Config.ErrorLog = testkit.DiscardLog()
				connections := testkit.CountConnections(server)
				server.StartTLS()
				t.Cleanup(server.Close)
				err := call(t.Context(), clientAt(t, server.URL, transportOf(http2)))
				require.ErrorContains(t, err, "certificate")
				assert.Equal(t, 1, attemptsOf(t, err))
				assert.EqualValues(t, 1, connections.Opened.Load())
				assert.Empty(t, s.Received())
				assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown, "nothing was sent")
			})
		}
	}
}

// A dial error of another RoundTripper than net/http's does not prove that nothing was sent,
// because it may have sent the request on an earlier connection.
func TestDialErrorOfAnotherRoundTripper(t *testing.T) {
	for method, want := range map[string]struct {
		attempts int
		unknown  bool
	}{"GET": {3, false}, "POST": {3, true}, "PATCH": {1, true}} {
		attempts := 0
		err := calls[method](t.Context(), clientAt(t, "https://127.0.0.1", testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			attempts++
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		})))
		require.ErrorContains(t, err, "connection refused", method)
		assert.Equal(t, want.attempts, attempts, method)
		assert.Equal(t, want.unknown, errors.Is(err, moment.ErrOutcomeUnknown), method)
	}
}

// A dial error after a dead connection does not prove it either. net/http resends a keyed POST, and
// if its dial fails, the first copy may still have arrived.
func TestDialErrorAfterTheRequestWasSent(t *testing.T) {
	for _, row := range []struct {
		why   string
		http2 bool
		most  int
	}{
		{"HTTP/1.1", false, 0},
		{"HTTP/1.1 with MaxConnsPerHost", false, 1},
		{"HTTP/2", true, 0},
		{"HTTP/2 with MaxConnsPerHost", true, 1},
	} {
		for method, want := range map[string]struct {
			attempts int
			dials    int32 // the first connection, the one for net/http's resend, and those of the retries
		}{"POST": {3, 4}, "PATCH": {1, 1}} {
			t.Run(row.why+"/"+method, func(t *testing.T) {
				host, tr, requests := diesWithTheSecondRequest(t, row.http2)
				var dialled atomic.Int32
				tr.MaxConnsPerHost = row.most
				tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					if dialled.Add(1) > 1 {
						address = noServer
					}
					return (&net.Dialer{}).DialContext(ctx, network, address)
				}
				c := clientAt(t, host, tr)
				require.NoError(t, calls["GET"](t.Context(), c))
				err := calls[method](t.Context(), c)
				assert.Equal(t, 2, requests(), "the second one arrived")
				assert.Equal(t, want.attempts, attemptsOf(t, err))
				assert.Equal(t, want.dials, dialled.Load())
				assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
			})
		}
	}
}

// Nor does an untrusted certificate after a dead connection.
func TestUntrustedCertificateAfterTheRequestWasSent(t *testing.T) {
	host, tr, requests := diesWithTheSecondRequest(t, true)
	handshakes := 0
	tr.TLSClientConfig.VerifyConnection = func(tls.ConnectionState) error {
		if handshakes++; handshakes > 1 {
			return &tls.CertificateVerificationError{Err: errors.New("expired")}
		}
		return nil
	}
	c := clientAt(t, host, tr)
	require.NoError(t, calls["GET"](t.Context(), c))
	err := calls["POST"](t.Context(), c)
	require.ErrorContains(t, err, "expired")
	assert.Equal(t, 2, requests(), "the first copy arrived")
	assert.Equal(t, 1, attemptsOf(t, err))
	assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
}

// diesWithTheSecondRequest starts a service whose connection ends in place of the second response.
// net/http then resends a request that has an idempotency key.
func diesWithTheSecondRequest(t *testing.T, http2 bool) (host string, tr *http.Transport, requests func() int) {
	t.Helper()
	if !http2 {
		s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON), testkit.HangUp)
		return strings.TrimSuffix(s.URL, testkit.BasePath), &http.Transport{}, func() int { return len(s.Received()) }
	}
	peer := &testkit.HTTP2Peer{Reply: func(n int32, stream uint32) []byte {
		if n == 1 {
			return testkit.HTTP2Bill(stream)
		}
		return testkit.Frame(testkit.FrameGoAway, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0) // stream 1 was the last that was processed
	}}
	host, tr = peer.Start(t)
	return host, tr, func() int { return int(peer.Requests.Load()) }
}

// With the default transport, the error names the proxy and its status.
func TestErrorNamesTheProxy(t *testing.T) {
	for status, says := range map[int]string{403: "403 Forbidden", 407: "407 Proxy Authentication Required", 502: "502 Bad Gateway"} {
		for method, call := range calls {
			s := &testkit.Service{}
			proxy := startProxy(t, s.Handler(testkit.Gateway(status)))
			testkit.ReplaceDefaultTransport(t, &http.Transport{Proxy: http.ProxyURL(proxy)})
			err := call(t.Context(), clientAt(t, behindProxy, nil))
			require.ErrorContains(t, err, "the proxy http://"+proxy.Host+" rejected the connection: "+says, method)
			assert.NotContains(t, err.Error(), "jane", "the proxy's user")
			assert.NotContains(t, err.Error(), "hunter2", "the proxy's password")
			assert.NotErrorIs(t, err, moment.ErrOutcomeUnknown)
			require.Len(t, s.Received(), 3, "of each attempt")
			for _, r := range s.Received() {
				assert.Equal(t, "CONNECT", r.Method)
				assert.Equal(t, "Basic amFuZTpodW50ZXIy", r.Header.Get("Proxy-Authorization"))
			}
		}
	}
}

func TestOwnCheckOfTheProxyIsKept(t *testing.T) {
	var statuses []int
	testkit.ReplaceDefaultTransport(t, &http.Transport{
		Proxy: http.ProxyURL(startProxy(t, (&testkit.Service{}).Handler(testkit.Gateway(407)))),
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			statuses = append(statuses, resp.StatusCode)
			return errors.New("not today")
		},
	})
	err := calls["PATCH"](t.Context(), clientAt(t, behindProxy, nil))
	require.ErrorContains(t, err, "not today")
	assert.NotContains(t, err.Error(), "rejected the connection")
	assert.Equal(t, []int{407, 407, 407}, statuses)
}

func TestProxyThatAcceptsTheConnection(t *testing.T) {
	s := &testkit.Service{}
	server := httptest.NewTLSServer(s.Handler(testkit.Respond(200, testkit.BillJSON)))
	t.Cleanup(server.Close)
	tr := server.Client().Transport.(*http.Transport)
	tr.Proxy = http.ProxyURL(startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, err := net.Dial("tcp", server.Listener.Addr().String())
		if !assert.NoError(t, err) {
			return
		}
		assert.Equal(t, server.Listener.Addr().String(), r.RequestURI)
		from, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
		_, _ = io.Copy(from, to)
		_ = from.Close()
	})))
	testkit.ReplaceDefaultTransport(t, tr)
	require.NoError(t, calls["PATCH"](t.Context(), clientAt(t, server.URL, nil)))
	s.Only(t)
}

// protocols has the protocols, and whether the client must offer HTTP/2.
var protocols = map[string]bool{"HTTP/1.1": false, "HTTP/2": true}

func transportOf(http2 bool) *http.Transport {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(true)
	tr.Protocols.SetHTTP2(http2)
	return tr
}

// clientOf returns a client that makes at most three attempts. A nil RoundTripper means the default
// transport.
func clientAt(t *testing.T, host string, rt http.RoundTripper) *moment.Client {
	t.Helper()
	return newClient(t, moment.WithBaseURL(host+testkit.BasePath), moment.WithHTTPClient(&http.Client{Transport: rt}),
		moment.WithBackoff(0, 0), moment.WithMaxRetries(2))
}

// obstruct prevents connections of a transport to the host that it returns, with a scheme. s
// receives requests that arrive nevertheless.
type obstruct func(t *testing.T, tr *http.Transport, s *testkit.Service) (host string)

func unresolved(_ *testing.T, tr *http.Transport, _ *testkit.Service) string {
	dialer := &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}}
	tr.DialContext = dialer.DialContext
	return "https://no-such-host.invalid"
}

// noServer is an address without a server, because the system never chooses port 1 for a test.
const noServer = "127.0.0.1:1"

func noServerListens(*testing.T, *http.Transport, *testkit.Service) string {
	return "https://" + noServer
}

func dialForEver(_ *testing.T, tr *http.Transport, _ *testkit.Service) string {
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return "https://127.0.0.1"
}

// breakHandshake starts a server that closes each connection after the client's hello.
func breakHandshake(t *testing.T, _ *http.Transport, _ *testkit.Service) string {
	t.Helper()
	return "https://" + testkit.Listen(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 16<<10))
		_ = conn.Close()
	})
}

func hangInHandshake(timeout time.Duration) obstruct {
	return func(_ *testing.T, tr *http.Transport, s *testkit.Service) string {
		tr.DialContext = dialSilence(s)
		tr.TLSHandshakeTimeout = timeout
		return "https://127.0.0.1"
	}
}

// dialSilence dials servers in memory that read requests and never respond.
func dialSilence(s *testkit.Service) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			reader := bufio.NewReader(far)
			for r, err := http.ReadRequest(reader); err == nil; r, err = http.ReadRequest(reader) {
				s.Receive(r)
			}
			_, _ = io.Copy(io.Discard, far)
		}()
		return near, nil
	}
}

func dialTheOnlyConnection(t *testing.T, tr *http.Transport, s *testkit.Service) string {
	t.Helper()
	tr.MaxConnsPerHost = 1
	return dialForEver(t, tr, s)
}

func useTheOnlyConnection(t *testing.T, tr *http.Transport, s *testkit.Service) string {
	t.Helper()
	tr.MaxConnsPerHost = 1
	tr.DialContext = dialSilence(s)
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1/in-use", nil)
	require.NoError(t, err)
	go func() { _, _ = tr.RoundTrip(request) }()
	synctest.Wait()
	s.Only(t)
	return "http://127.0.0.1"
}

// behindProxy is a host whose name does not resolve, so that only a proxy can reach it.
const behindProxy = "https://moment.invalid"

// startProxy returns the URL of a proxy, with a user and a password.
func startProxy(t *testing.T, h http.Handler) *url.URL {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	proxy, err := url.Parse(server.URL)
	require.NoError(t, err)
	proxy.User = url.UserPassword("jane", "hunter2")
	return proxy
}

func rejectByProxy(status int) obstruct {
	return func(t *testing.T, tr *http.Transport, s *testkit.Service) string {
		t.Helper()
		tr.Proxy = http.ProxyURL(startProxy(t, s.Handler(testkit.Gateway(status))))
		return behindProxy
	}
}

func noProxy(_ *testing.T, tr *http.Transport, _ *testkit.Service) string {
	tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: noServer})
	return behindProxy
}
