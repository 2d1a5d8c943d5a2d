// Package faultproxy is a proxy for this module's tests. It stands between a client and a service
// on loopback and does to connections, requests and answers what networks, gateways and services in
// trouble do.
//
// What it has over a TCP proxy (github.com/Shopify/toxiproxy, which the tests in the module
// integration use) is that it reads whole requests: a fault befalls one request and not a whole
// proxy, it is chosen by the test (and so by its seed), and it is certain whether the request
// reached the service before.
package faultproxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// basePath is cut off before a request is passed on: a base URL with a path is where clients go
// wrong.
const basePath = "/gateway/v1"

// Proxy listens on loopback, for HTTP/1.1 with and without TLS.
type Proxy struct {
	URL    string // the base URL, http
	TLSURL string // the base URL, https

	// OnDial and OnRequest choose the faults; nil is none. Service carries what is passed on. They
	// are called in parallel, and set before the first connection is made.
	OnDial    func(ctx context.Context) DialFault
	OnRequest func(*Request) Fault
	Service   http.RoundTripper

	service     string // its base URL
	trusted     certificate
	broken      string // the address where handshakes are broken off
	untrusted   string // the address with a certificate that nobody trusts
	listeners   []net.Listener
	serving     sync.WaitGroup
	keys        keys
	read        atomic.Int64
	mu          sync.Mutex
	connections map[net.Conn]bool // accepted
	dialled     map[net.Conn]bool
}

// New starts a proxy in front of the service with the base URL given. The caller closes it.
func New(service string) *Proxy {
	p := &Proxy{
		Service:     &http.Transport{MaxIdleConnsPerHost: 256},
		service:     service,
		trusted:     newCertificate("trusted"),
		keys:        newKeys(),
		connections: map[net.Conn]bool{},
		dialled:     map[net.Conn]bool{},
	}
	untrusted := newCertificate("untrusted")
	p.URL = "http://" + p.listen(p.serve) + basePath
	p.TLSURL = "https://" + p.listen(func(conn net.Conn) { p.serve(tls.Server(conn, p.trusted.config())) }) + basePath
	p.untrusted = p.listen(func(conn net.Conn) { p.serve(tls.Server(conn, untrusted.config())) })
	p.broken = p.listen(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 16<<10)) // the client's hello
	})
	return p
}

// listen hands each connection that is accepted to serve, and closes it afterwards.
func (p *Proxy) listen(serve func(net.Conn)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with Close
	if err != nil {
		panic("faultproxy: " + err.Error())
	}
	p.listeners = append(p.listeners, l)
	p.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			p.serving.Go(func() {
				p.add(p.connections, conn)
				defer p.remove(p.connections, conn)
				defer func() { _ = conn.Close() }()
				serve(conn)
			})
		}
	})
	return l.Addr().String()
}

func (p *Proxy) serve(conn net.Conn) {
	reader := bufio.NewReader(conn)
	for {
		httpReq, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(httpReq.Body)
		if err != nil {
			return
		}
		r := &Request{
			Method: httpReq.Method,
			URI:    strings.TrimPrefix(httpReq.RequestURI, basePath),
			Header: httpReq.Header,
			Body:   body,
			proxy:  p,
			conn:   conn,
			reader: reader,
		}
		fault := None()
		if p.OnRequest != nil {
			fault = p.OnRequest(r)
		}
		if !fault.befall(r) {
			return
		}
	}
}

// Transport is one that reaches the proxy and trusts it. It keeps as many idle connections as
// http.DefaultTransport.
func (p *Proxy) Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // a test that replaced it is wrong here
	t.Proxy = nil
	t.DialContext = p.dial
	t.TLSClientConfig = &tls.Config{RootCAs: p.trusted.pool(), MinVersion: tls.VersionTLS12}
	return t
}

// dial opens a connection and chooses its fault. It is at the client's side because a listener
// cannot refuse one connection and accept the next.
func (p *Proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.OnDial != nil {
		switch p.OnDial(ctx) {
		case Refuse:
			address = "127.0.0.1:1" // a port where nobody listens
		case BreakHandshake:
			address = p.broken
		case Untrusted:
			address = p.untrusted
		case Accept:
		}
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	counted := &countedConn{Conn: conn, proxy: p}
	p.add(p.dialled, counted)
	return counted, nil
}

// countedConn is the client's side of a connection.
type countedConn struct {
	net.Conn

	proxy *Proxy
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.proxy.read.Add(int64(n))
	return n, err
}

func (c *countedConn) Close() error {
	c.proxy.remove(c.proxy.dialled, c)
	return c.Conn.Close()
}

func (p *Proxy) add(set map[net.Conn]bool, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set[conn] = true
}

func (p *Proxy) remove(set map[net.Conn]bool, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(set, conn)
}

// Open is how many connections clients have open.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dialled)
}

// BytesRead is how much clients have read from their connections, TLS included.
func (p *Proxy) BytesRead() int64 { return p.read.Load() }

// CloseConnections closes all that are open, from the service's side.
func (p *Proxy) CloseConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.connections {
		_ = conn.Close()
	}
}

// Close stops listening, closes all connections and waits until all that is to be passed on has
// been.
func (p *Proxy) Close() {
	for _, l := range p.listeners {
		_ = l.Close()
	}
	p.CloseConnections()
	p.serving.Wait()
	if t, ok := p.Service.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// Request is one request, read to its end.
type Request struct {
	Method string
	URI    string // without the base URL's path
	Header http.Header
	Body   []byte

	proxy  *Proxy
	conn   net.Conn
	reader *bufio.Reader
}

// waitForClient waits until the client sends something more, or closes the connection, and reports
// whether it is there.
func (r *Request) waitForClient() bool {
	_, err := r.reader.Peek(1)
	return err == nil
}

// reset closes the connection so that the client is told of an error, and not of an end.
func (r *Request) reset() {
	raw := r.conn
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	_ = raw.(*net.TCPConn).SetLinger(0) //nolint:forcetypeassert // what net.Listen("tcp") accepts is one
	_ = raw.Close()
}

// write reports whether the client is still there.
func (r *Request) write(data []byte) bool {
	_, err := r.conn.Write(data)
	return err == nil
}

// pass gives the request to the service and returns its answer, which is empty if there was none.
func (r *Request) pass() answer {
	if a, ok := r.proxy.keys.answer(r.key()); ok {
		return a
	}
	// Not the client's context: what is under way arrives, even if the client has gone.
	req, err := http.NewRequestWithContext(context.Background(), r.Method, r.proxy.service+r.URI, bytes.NewReader(r.Body))
	if err != nil {
		return answer{}
	}
	req.Header = r.Header.Clone()
	resp, err := r.proxy.Service.RoundTrip(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}
	}
	resp.Header.Del("Content-Length") // is written by answer.wire
	return answer{resp.StatusCode, resp.Header, body}
}

func (r *Request) key() string { return r.Header.Get("Idempotency-Key") }
