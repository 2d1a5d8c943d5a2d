package proof_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// Without pings, each attempt would wait on the dead connection until its timeout, for as long as
// the connection is kept.
func TestDeadHTTP2ConnectionIsDropped(t *testing.T) {
	type ends struct {
		attempts int
		requests int32 // attempts of the call that reach the peer
		unknown  bool
	}
	server, client := testkit.HTTP2TLS(t)
	for _, row := range []struct {
		why    string
		during bool          // the call whose response is lost
		idle   time.Duration // between the death and the call
		keyed  ends          // a GET too
		update ends
	}{
		{"dies during the call", true, 0, ends{2, 2, false}, ends{1, 1, true}},
		{"died just before the call", false, 0, ends{2, 1, false}, ends{1, 0, true}},
		{"died long before the call", false, 15 * time.Second, ends{1, 1, false}, ends{1, 1, false}},
	} {
		for method, call := range calls {
			for _, most := range []int{0, 1} { // the dead connection must not count towards MaxConnsPerHost
				t.Run(fmt.Sprintf("%s/MaxConnsPerHost %d/%s", row.why, most, method), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						peer, c := startMortalPeer(t, server, &http.Transport{TLSClientConfig: client.Clone(), MaxConnsPerHost: most})
						require.NoError(t, calls["GET"](t.Context(), c))
						if row.during {
							peer.diesWith = 2
						} else {
							peer.conns[0].die()
							time.Sleep(row.idle)
							synctest.Wait()
						}
						want := row.keyed
						if method == "PATCH" {
							want = row.update
						}

						var resp moment.Response
						err := call(t.Context(), c, moment.WithResponse(&resp))
						got := ends{resp.Attempts, peer.Requests.Load() - 1, errors.Is(err, moment.ErrOutcomeUnknown)}
						assert.Equal(t, want, got)
						assert.Equal(t, want.unknown, err != nil, "%v", err)

						require.NoError(t, calls["PATCH"](t.Context(), c), "the next call")
						time.Sleep(time.Minute)
						require.NoError(t, calls["PATCH"](t.Context(), c), "a later call, on a connection whose pings are acknowledged")
						assert.Len(t, peer.conns, 2)
					})
				})
			}
		}
	}
}

// A dead connection is detected within an attempt, for any attempt timeout, so that the next
// attempt uses another connection.
func TestPingTimeouts(t *testing.T) {
	server, client := testkit.HTTP2TLS(t)
	for _, row := range []struct {
		why        string
		own        http.HTTP2Config // of the program's http.DefaultTransport
		opt        moment.ClientOption
		silence    time.Duration // until the ping
		unanswered time.Duration // from the ping until the connection is dropped
	}{
		{"the defaults", http.HTTP2Config{}, moment.WithMaxRetries(1), 10 * time.Second, 5 * time.Second},
		{"a third of the attempt timeout each", http.HTTP2Config{}, moment.WithAttemptTimeout(3 * time.Second), time.Second, time.Second},
		{"one third is over its limit", http.HTTP2Config{}, moment.WithAttemptTimeout(18 * time.Second), 6 * time.Second, 5 * time.Second},
		{"both thirds are over their limits", http.HTTP2Config{}, moment.WithAttemptTimeout(time.Hour), 10 * time.Second, 5 * time.Second},
		{"the timeout of the http.Client is the shorter one", http.HTTP2Config{}, moment.WithHTTPClient(&http.Client{Timeout: 6 * time.Second}), 2 * time.Second, 2 * time.Second},
		{"the program's settings are kept", http.HTTP2Config{SendPingTimeout: 4 * time.Second, PingTimeout: 3 * time.Second}, moment.WithMaxRetries(1), 4 * time.Second, 3 * time.Second},
		{"the program's SendPingTimeout is kept", http.HTTP2Config{SendPingTimeout: 4 * time.Second}, moment.WithMaxRetries(1), 4 * time.Second, 5 * time.Second},
		{"the program's PingTimeout is kept", http.HTTP2Config{PingTimeout: 3 * time.Second}, moment.WithMaxRetries(1), 10 * time.Second, 3 * time.Second},
	} {
		t.Run(row.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				own := row.own
				peer, c := startMortalPeer(t, server, &http.Transport{TLSClientConfig: client.Clone(), HTTP2: &own}, row.opt)
				require.NoError(t, calls["GET"](t.Context(), c))
				peer.diesWith = 2
				start := time.Now()
				require.NoError(t, calls["GET"](t.Context(), c))
				assert.Equal(t, row.silence+row.unanswered, time.Since(start), "until the retry")
				synctest.Wait()
				assert.Equal(t, row.silence, peer.conns[0].swallowed[0].Sub(start), "until the ping")
				assert.Len(t, peer.conns, 2)
				assert.Equal(t, row.own, own, "the program's settings are not modified")
			})
		})
	}
}

// mortalPeer is an HTTP/2 peer behind connections in memory, because the fake clock of a synctest
// bubble stops while a goroutine waits for a real socket. The peer is not net/http's server,
// because Go 1.25's shares channels between bubbles.
type mortalPeer struct {
	testkit.HTTP2Peer

	conns    []*mortalConn // dialled
	diesWith int32         // the number of the request after which the connection is dead; 0 for none
}

// startMortalPeer connects defaultTransport to a peer and makes it http.DefaultTransport. The
// client that it returns has the default transport.
func startMortalPeer(t *testing.T, server *tls.Config, defaultTransport *http.Transport, opts ...moment.ClientOption) (*mortalPeer, *moment.Client) {
	t.Helper()
	p := &mortalPeer{}
	p.Reply = func(n int32, stream uint32) []byte {
		if n == p.diesWith {
			p.conns[0].die()
		}
		return testkit.HTTP2Bill(stream)
	}
	defaultTransport.ForceAttemptHTTP2 = true
	defaultTransport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		conn := &mortalConn{Conn: near}
		p.conns = append(p.conns, conn)
		go p.Serve(tls.Server(newBufferedConn(far), server))
		return conn, nil
	}
	testkit.ReplaceDefaultTransport(t, defaultTransport)
	t.Cleanup(func() {
		for _, conn := range p.conns {
			_ = conn.Close() // because the goroutines of a bubble must end with it
		}
	})
	opts = append(opts, moment.WithBaseURL("https://127.0.0.1"+testkit.BasePath), moment.WithBackoff(0, 0))
	return p, newClient(t, opts...)
}

// mortalConn is the client's end of a connection that can die without a reset. A dead connection
// loses all data in both directions, like a connection that a firewall has forgotten.
type mortalConn struct {
	net.Conn

	dead      atomic.Bool
	swallowed []time.Time // when the client wrote to the dead connection
}

func (c *mortalConn) die() { c.dead.Store(true) }

func (c *mortalConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.dead.Load() {
			return n, err
		}
	}
}

func (c *mortalConn) Write(b []byte) (int, error) {
	if c.dead.Load() {
		c.swallowed = append(c.swallowed, time.Now())
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// bufferedConn buffers writes to a net.Pipe, as a socket does. Without a buffer, two peers that
// write to each other at the same time would wait for ever.
type bufferedConn struct {
	net.Conn

	written chan []byte
}

func newBufferedConn(conn net.Conn) *bufferedConn {
	c := &bufferedConn{Conn: conn, written: make(chan []byte, 100)}
	go func() {
		for b := range c.written {
			_, _ = conn.Write(b)
		}
		_ = conn.Close()
	}()
	return c
}

func (c *bufferedConn) Write(b []byte) (int, error) {
	c.written <- bytes.Clone(b)
	return len(b), nil
}

func (c *bufferedConn) Close() error {
	close(c.written)
	return nil
}
