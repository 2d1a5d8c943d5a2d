package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"time"
)

// attempt sends the request once and reads the answer, all within the attempt's own timeout, which does not end the call.
func (t *Transport) attempt(call context.Context, req *Request) outcome {
	ctx, cancel := context.WithTimeout(call, t.AttemptTimeout)
	var resp *http.Response
	defer func() {
		cancel() // first: else Close reads on, up to 256 KiB from Go 1.27 on, to use the connection again
		if resp != nil {
			_ = resp.Body.Close()
		}
	}()
	conn := newConnection(req.Repeat, cancel)
	httpReq := req.build(httptrace.WithClientTrace(ctx, &conn.trace))
	if t.Jar != nil {
		for _, cookie := range t.Jar.Cookies(httpReq.URL) {
			httpReq.AddCookie(cookie)
		}
	}
	var err error
	resp, err = t.RoundTripper.RoundTrip(httpReq)
	if err == nil && resp == nil {
		err = errors.New("the http.RoundTripper returned neither an answer nor an error")
	}
	if resp != nil && resp.Body == nil {
		resp.Body = http.NoBody // RoundTrippers written for tests forget it
	}
	if err != nil {
		return t.unanswered(call, ctx, conn, err)
	}
	if t.Jar != nil {
		t.Jar.SetCookies(httpReq.URL, resp.Cookies())
	}
	o := t.read(call, ctx, req, resp)
	o.secondCopy = conn.copies.Load() > 1
	return o
}

// build makes the http.Request of one attempt. Each has a URL and a header of its own: there are RoundTrippers that write to
// them, and an earlier attempt that timed out may still be being sent.
func (req *Request) build(ctx context.Context) *http.Request {
	own := &struct { // in one piece, which saves two allocations
		url  url.URL
		key  [1]string
		body bytes.Reader
	}{url: req.URL}
	httpReq := (&http.Request{
		Method:     req.Method,
		URL:        &own.url,
		Host:       req.URL.Host,
		Header:     req.header(&own.key),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
	}).WithContext(ctx)
	if req.Body == nil && req.Repeat != Once {
		return httpReq
	}
	content := req.Body
	own.body.Reset(content)
	httpReq.Body = io.NopCloser(&own.body)
	httpReq.ContentLength = int64(len(content)) // known, so that header and body are sent in one write
	if req.Repeat != Once {
		// Leave to send the request again, on another connection, where a reused one turns out dead. For what must not be applied
		// twice there is none, and a body even if it is empty: on HTTP/2 net/http takes a stream that is reset with PROTOCOL_ERROR
		// for one that was not processed, whatever the method, unless it would need a second body for it.
		httpReq.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	}
	return httpReq
}

// header is that of one attempt. The values of Header are not copied, which takes 80 ns longer: only who writes into a slice of
// values, rather than set a field, would change what is sent from then on.
func (req *Request) header(key *[1]string) http.Header {
	h := maps.Clone(req.Header)
	if req.Key != "" {
		key[0] = req.Key
		h["Idempotency-Key"] = key[:]
	}
	for name, value := range req.More {
		h[name] = slices.Clone(value)
	}
	return h
}

// unanswered says what a failed round trip means: whether the request can have been sent, and who gave up.
func (t *Transport) unanswered(call, ctx context.Context, conn *connection, err error) outcome {
	notMade := conn.notMade(err)
	switch {
	case call.Err() != nil:
		return outcome{kind: ended, err: contextError(call), sent: !notMade}
	case isUntrusted(err):
		return outcome{kind: untrusted, err: err, sent: conn.copies.Load() > 0}
	case notMade:
		return outcome{kind: notConnected, err: err}
	case conn.copies.Load() > maxCopies:
		return outcome{kind: silent, err: errTooManyCopies, sent: true}
	default:
		return outcome{kind: silent, err: t.explain(ctx, "no answer", err), sent: true}
	}
}

// read turns the answer into an outcome. Only a success has to be complete: the status of an error says enough.
func (t *Transport) read(call, ctx context.Context, req *Request, resp *http.Response) outcome {
	o := outcome{
		kind:       answered,
		status:     resp.StatusCode,
		header:     resp.Header,
		replayed:   get(resp.Header, "Idempotent-Replayed") == "true",
		retryAfter: parseRetryAfter(get(resp.Header, "Retry-After"), time.Now),
		sent:       true,
	}
	if o.status < 200 || o.status > 299 {
		o.body = readError(resp)
		return o
	}
	var err error
	o.body, err = readSuccess(resp)
	switch {
	case errors.Is(err, errTooLarge):
		o.kind, o.err = tooLarge, err
	case err != nil && call.Err() != nil:
		o.kind, o.err = ended, contextError(call)
	case err != nil:
		o.kind, o.err = cut, t.explain(ctx, "no complete answer", err)
	case req.Decoder != nil:
		o.kind, o.err = judge(req.Decoder.Decode(o.status, o.body), resp.Header)
	}
	return o
}

// get is h.Get for a name in canonical form, without the 35 ns that it takes there to find that it is.
func get(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func judge(err error, header http.Header) (kind, error) {
	if err == nil {
		return answered, nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return notJSON, fmt.Errorf("the answer is not JSON (Content-Type %q)", header.Get("Content-Type"))
	default:
		return wrongShape, fmt.Errorf("the answer has another shape than expected: %w", err)
	}
}

// explain says what is wrong, and names the attempt's timeout where that is why net/http gave up.
func (t *Transport) explain(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s within the attempt timeout of %v: %w", what, t.AttemptTimeout, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
