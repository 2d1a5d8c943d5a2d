package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// outcome is the outcome of one attempt.
type outcome struct {
	event       event
	status      int // 0 if no response began
	header      http.Header
	body        []byte
	fromService bool // an error response that is the service's own
	replayed    bool // the service returned the response that it saved under the idempotency key
	retryAfter  time.Duration
	err         error // nil for a complete response
	earlierCopy bool  // net/http sent an earlier copy in this attempt, and its outcome is unknown
}

// attempt sends the request once and reads the response within the attempt timeout. The timeout
// does not end the call.
func (t *Transport) attempt(call context.Context, req *Request) outcome {
	ctx, cancel := context.WithTimeout(call, t.AttemptTimeout)
	var resp *http.Response
	defer func() {
		cancel() // before Close, which from Go 1.27 on would read up to 256 KiB to keep the connection
		if resp != nil {
			_ = resp.Body.Close()
		}
	}()
	conn := newConnectionTrace(cancel)
	httpReq := req.build(httptrace.WithClientTrace(ctx, &conn.trace))
	if t.Jar != nil {
		for _, cookie := range t.Jar.Cookies(httpReq.URL) {
			httpReq.AddCookie(cookie)
		}
	}
	var err error
	resp, err = t.RoundTripper.RoundTrip(httpReq)
	if err == nil && resp == nil {
		err = errors.New("the http.RoundTripper returned neither a response nor an error")
	}
	if resp != nil && resp.Body == nil {
		resp.Body = http.NoBody // because RoundTrippers for tests forget it
	}
	if err != nil {
		return t.failed(call, ctx, conn, err)
	}
	if t.Jar != nil {
		t.Jar.SetCookies(httpReq.URL, resp.Cookies())
	}
	o := t.read(call, ctx, req, resp)
	o.earlierCopy = conn.connections.Load() > 1
	return o
}

// build makes the http.Request of one attempt. Each request has its own URL and header, because
// some RoundTrippers modify them, and net/http may still be sending an earlier attempt that timed
// out.
func (req *Request) build(ctx context.Context) *http.Request {
	own := &struct { // one struct, which saves an allocation
		url  url.URL
		body bytes.Reader
	}{url: req.URL}
	httpReq := (&http.Request{
		Method:     req.Method,
		URL:        &own.url,
		Host:       req.URL.Host,
		Header:     req.header(),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
	}).WithContext(ctx)
	if req.Body == nil && req.Idempotency != None {
		return httpReq
	}
	content := req.Body
	own.body.Reset(content)
	httpReq.Body = io.NopCloser(&own.body)
	httpReq.ContentLength = int64(len(content)) // so that header and body are sent in one write
	if req.Idempotency != None {
		// GetBody allows net/http to send the request again on another connection if a reused one
		// is dead. A request that must not be applied twice has no GetBody. It also has a body even
		// if that is empty, because on HTTP/2 net/http resends a request without a body, for any
		// method, if its stream is reset with PROTOCOL_ERROR.
		httpReq.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	}
	return httpReq
}

// header returns the header of one attempt. It does not share slices of values with other attempts,
// because a RoundTripper may overwrite the values, for example to redact a key for its log. One
// allocation for all values saves 3 % of a whole get in memory compared with http.Header.Clone (go
// test -bench BenchmarkCalls).
func (req *Request) header() http.Header {
	h := make(http.Header, len(req.Header)+len(req.More)+1)
	values := make([]string, 0, len(req.Header)+len(req.More)+1) // for one value each; append allocates again for more
	set := func(name string, v ...string) {
		first := len(values)
		values = append(values, v...)
		h[name] = values[first:len(values):len(values)] // with its capacity limited, so that append does not overwrite the next
	}
	for name, v := range req.Header {
		set(name, v...)
	}
	if req.Key != "" {
		set("Idempotency-Key", req.Key)
	}
	for name, v := range req.More {
		set(name, v...)
	}
	return h
}

// failed returns the outcome of a failed round trip. It depends on whether the request can have
// been sent, and which timeout ended it.
func (t *Transport) failed(call, ctx context.Context, conn *connectionTrace, err error) outcome {
	sent := !conn.neverSent()
	o := outcome{earlierCopy: sent} // a copy may have arrived
	switch {
	case call.Err() != nil && sent:
		o.event, o.err = contextDone, contextError(call)
	case call.Err() != nil:
		o.event, o.err = contextDoneUnsent, contextError(call)
	case isUntrusted(err):
		o.event, o.err = untrusted, err
	case !sent && ctx.Err() != nil:
		o.event, o.err = neverSent, t.explain(ctx, "no connection", err)
	case !sent:
		o.event, o.err = neverSent, err
	case conn.connections.Load() > maxConnections:
		o.event, o.err = noResponse, errTooManyConnections
	default:
		o.event, o.err = noResponse, t.explain(ctx, "no response", err)
	}
	return o
}

// read returns the outcome of a response. Only a success must be complete, because the status of an
// error is enough.
func (t *Transport) read(call, ctx context.Context, req *Request, resp *http.Response) outcome {
	o := outcome{
		event:    complete,
		status:   resp.StatusCode,
		header:   resp.Header,
		replayed: req.Key != "" && resp.Header.Get("Idempotent-Replayed") == "true",
	}
	if o.status < 200 || o.status > 299 {
		o.body = readError(resp)
		if value := resp.Header.Get("Retry-After"); value != "" { // a success does not need a wait
			o.retryAfter = parseRetryAfter(value, time.Now())
		}
		o.fromService = o.replayed || t.FromService(o.status, o.header, o.body)
		return o
	}
	var err error
	o.body, err = readSuccess(resp, req.MaxBody)
	switch {
	case errors.Is(err, errTooLarge):
		o.event, o.err = tooLarge, fmt.Errorf("the response is larger than %s", size(req.MaxBody))
	case err != nil && call.Err() != nil:
		o.event, o.err = contextDone, contextError(call)
	case err != nil:
		o.event, o.err = truncated, t.explain(ctx, "truncated response", err)
	default:
		if err := req.Decoder.Decode(o.status, o.header, o.body); err != nil {
			o.event, o.err = classifyDecode(err)
		}
	}
	return o
}

func classifyDecode(err error) (event, error) {
	var syntax *NotJSONError
	if errors.As(err, &syntax) {
		return notJSON, err
	}
	return badBody, fmt.Errorf("unexpected response body: %w", err)
}

// explain adds text to err, and names the attempt timeout if it ended the attempt.
func (t *Transport) explain(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s within the attempt timeout of %v: %w", what, t.AttemptTimeout, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// maxConnections limits the copies of a request that net/http sends in one attempt. net/http
// resends a request without a wait if connections are dead or streams are reset, and with some
// peers it would not stop.
const maxConnections = 32

var errTooManyConnections = errors.New("no response: one connection after the other was closed or reset")

// connectionTrace counts the connections that an attempt asked for and got. It uses atomics,
// because net/http calls its hooks from several goroutines.
type connectionTrace struct {
	asked       atomic.Bool
	connections atomic.Int32 // connections or HTTP/2 streams, one for each copy of the request
	trace       httptrace.ClientTrace
}

// newConnectionTrace returns a trace that calls tooMany if net/http sends the request too many
// times.
func newConnectionTrace(tooMany func()) *connectionTrace {
	c := &connectionTrace{}
	c.trace.GetConn = func(string) { c.asked.Store(true) }
	c.trace.GotConn = func(httptrace.GotConnInfo) {
		if c.connections.Add(1) > maxConnections {
			tooMany()
		}
	}
	return c
}

// neverSent reports whether it is certain that nothing was sent, because net/http asked for a
// connection and did not get one: the name did not resolve, the TLS handshake failed, a proxy
// rejected CONNECT, or no connection was free in time. A RoundTripper that is not net/http's does
// not provide this evidence.
func (c *connectionTrace) neverSent() bool {
	return c.asked.Load() && c.connections.Load() == 0
}

func isUntrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}
