package testkit

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

// BasePath is the path of the base URLs in tests. It is not empty, because clients get base URLs
// with a path wrong. The proxy removes it before it forwards a request.
const BasePath = "/gateway/v1"

// Proxy forwards requests from a client to a service on loopback, and applies faults to
// connections, requests and responses, as networks and gateways do. It speaks HTTP/1.1, with and
// without TLS.
//
// Unlike a TCP proxy (the tests in the module integration use github.com/Shopify/toxiproxy), it
// reads whole requests. So a fault applies to one request, the test (and its seed) chooses it, and
// the test knows whether the request reached the service.
type Proxy struct {
	URL    string // the base URL, http
	TLSURL string // the base URL, https

	// OnDial and OnRequest choose the faults; nil means no fault. Service carries forwarded
	// requests. They are set before the first connection is made, because they are called in
	// parallel.
	OnDial    func(ctx context.Context) DialFault
	OnRequest func(*ProxyRequest) Fault
	Service   http.RoundTripper

	service     string // its base URL
	trusted     certificate
	broken      string // the address where TLS handshakes are broken off
	untrusted   string // the address with an untrusted certificate
	listeners   []net.Listener
	serving     sync.WaitGroup
	keys        keyStore
	read        atomic.Int64
	mu          sync.Mutex
	connections map[net.Conn]bool // accepted connections
	dialled     map[net.Conn]bool
}

// NewProxy starts a proxy in front of the service at a base URL. The caller closes it.
func NewProxy(service string) *Proxy {
	p := &Proxy{
		Service:     &http.Transport{MaxIdleConnsPerHost: 256},
		service:     service,
		trusted:     newCertificate("trusted"),
		keys:        newKeyStore(),
		connections: map[net.Conn]bool{},
		dialled:     map[net.Conn]bool{},
	}
	untrusted := newCertificate("untrusted")
	p.URL = "http://" + p.listen(p.serve) + BasePath
	p.TLSURL = "https://" + p.listen(func(conn net.Conn) { p.serve(tls.Server(conn, p.trusted.config())) }) + BasePath
	p.untrusted = p.listen(func(conn net.Conn) { p.serve(tls.Server(conn, untrusted.config())) })
	p.broken = p.listen(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 16<<10)) // the client's hello
	})
	return p
}

// listen serves each accepted connection, and closes it afterwards.
func (p *Proxy) listen(serve func(net.Conn)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("testkit: " + err.Error())
	}
	p.listeners = append(p.listeners, l)
	p.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed connections
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
		r := &ProxyRequest{
			Method: httpReq.Method,
			URI:    strings.TrimPrefix(httpReq.RequestURI, BasePath),
			Header: httpReq.Header,
			Body:   body,
			proxy:  p,
			conn:   conn,
			reader: reader,
		}
		fault := FaultNone()
		if p.OnRequest != nil {
			fault = p.OnRequest(r)
		}
		if !fault.apply(r) {
			return
		}
	}
}

// Transport returns a transport that trusts the proxy's certificate. Its other settings are those
// of http.DefaultTransport.
func (p *Proxy) Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.DialContext = p.dial
	t.TLSClientConfig = &tls.Config{RootCAs: p.trusted.pool(), MinVersion: tls.VersionTLS12}
	return t
}

// dial opens a connection and chooses its fault. The client dials through it, because a listener
// cannot reject one connection and accept the next.
func (p *Proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.OnDial != nil {
		switch p.OnDial(ctx) {
		case DialRefuse:
			address = "127.0.0.1:1" // a port where no server listens
		case DialBreakHandshake:
			address = p.broken
		case DialUntrusted:
			address = p.untrusted
		case DialAccept:
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

// countedConn is the client's end of a connection.
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

// Open returns the number of connections that clients have open.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dialled)
}

// BytesRead returns the number of bytes that clients have read, including TLS.
func (p *Proxy) BytesRead() int64 { return p.read.Load() }

// CloseConnections closes all open connections from the service's end.
func (p *Proxy) CloseConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.connections {
		_ = conn.Close()
	}
}

// Close stops listening, closes all connections, and waits until late requests have been forwarded.
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

// ProxyRequest is a request that the proxy has read to its end.
type ProxyRequest struct {
	Method string
	URI    string // without the base URL's path
	Header http.Header
	Body   []byte

	proxy  *Proxy
	conn   net.Conn
	reader *bufio.Reader
}

// waitForClient waits until the client sends more or closes the connection, and reports whether the
// connection is open.
func (r *ProxyRequest) waitForClient() bool {
	_, err := r.reader.Peek(1)
	return err == nil
}

// reset closes the connection so that the client sees a reset, and not the end of the stream.
func (r *ProxyRequest) reset() {
	raw := r.conn
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	_ = raw.(*net.TCPConn).SetLinger(0)
	_ = raw.Close()
}

// write reports whether the client still reads.
func (r *ProxyRequest) write(data []byte) bool {
	_, err := r.conn.Write(data)
	return err == nil
}

// forward sends the request to the service and returns the response, or an empty one if the service
// sent no response.
func (r *ProxyRequest) forward() response {
	if resp, ok := r.proxy.keys.response(r.idempotencyKey()); ok {
		return resp
	}
	// Not the client's context, because a request in flight arrives even if the client has gone.
	req, err := http.NewRequestWithContext(context.Background(), r.Method, r.proxy.service+r.URI, bytes.NewReader(r.Body))
	if err != nil {
		return response{}
	}
	req.Header = r.Header.Clone()
	resp, err := r.proxy.Service.RoundTrip(req)
	if err != nil {
		return response{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return response{}
	}
	resp.Header.Del("Content-Length") // because response.wire writes it
	return response{resp.StatusCode, resp.Header, body}
}

func (r *ProxyRequest) idempotencyKey() string { return r.Header.Get("Idempotency-Key") }
