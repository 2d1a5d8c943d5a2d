package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type decodeObject struct{}

func (decodeObject) Decode(_ int, _ http.Header, body []byte) error {
	if !json.Valid(body) {
		return &NotJSONError{"the response body is not JSON"}
	}
	var object map[string]any
	return json.Unmarshal(body, &object)
}

// fromService is the FromService of a service that marks its errors with a header.
func fromService(_ int, header http.Header, _ []byte) bool { return header.Get("From") == "service" }

func over(f roundTrip) *Transport {
	return &Transport{RoundTripper: f, AttemptTimeout: time.Minute, MaxRetries: 2, FromService: fromService}
}

func TestEveryAttemptIsTheSame(t *testing.T) {
	var seen []*http.Request
	req := request("POST", "", ByKey)
	req.Body = []byte(`{"amount_due":2000}`)
	req.Header = http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer a"}}
	req.Key = "key-1"
	req.More = http.Header{"X-Tenant": {"a"}}
	res := over(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		assert.Equal(t, req.Body, body)
		assert.EqualValues(t, len(body), r.ContentLength)
		again, err := r.GetBody()
		require.NoError(t, err)
		body, _ = io.ReadAll(again)
		assert.Equal(t, req.Body, body, "net/http sends it again by GetBody")
		assert.Equal(t, http.Header{
			"Accept": {"application/json"}, "Authorization": {"Bearer a"}, "Idempotency-Key": {"key-1"}, "X-Tenant": {"a"},
		}, r.Header)
		assert.Equal(t, "/v1/billing/bills/john-doe", r.URL.Path)
		assert.Equal(t, "example.com", r.Host)
		for _, values := range r.Header {
			values[0] = "redacted, in place"
		}
		r.Header.Set("Traceparent", "a RoundTripper that modifies the request")
		r.Header.Set("Authorization", "Bearer b")
		r.Header.Add("Accept", "text/html")
		r.Header.Del("Idempotency-Key")
		r.URL.Path = "/proxy" + r.URL.Path
		seen = append(seen, r)
		return reply(503, ""), nil
	}).Do(t.Context(), req)
	assert.Len(t, seen, 3)
	assert.Equal(t, 3, res.Attempts)
	assert.Equal(t, http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer a"}}, req.Header, "the header of later calls")
	assert.Equal(t, http.Header{"X-Tenant": {"a"}}, req.More)
}

func TestBodilessRequest(t *testing.T) {
	res := over(func(r *http.Request) (*http.Response, error) {
		assert.Nil(t, r.Body)
		assert.Zero(t, r.ContentLength)
		return reply(200, "{}"), nil
	}).Do(t.Context(), request("POST", "", ByKey))
	assert.NoError(t, res.Err)
}

func TestRoundTrippersThatBreakTheRules(t *testing.T) {
	res := over(func(*http.Request) (*http.Response, error) { return nil, nil }).Do(t.Context(), request("PATCH", "", None))
	require.EqualError(t, res.Err, "no response: the http.RoundTripper returned neither a response nor an error")
	assert.True(t, res.OutcomeUnknown)

	res = over(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 404}, nil }).Do(t.Context(), request("GET", "", Safe))
	require.NoError(t, res.Err, "no Body, no Header")
	assert.Equal(t, 404, res.Status)
}

// The outcome of a call whose context ends while its response is read is unknown, because the
// request was sent.
func TestContextEndsWhileTheResponseIsRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	res := over(func(*http.Request) (*http.Response, error) {
		r := reply(201, "")
		r.ContentLength = -1
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte("{")), readFunc(func() error { cancel(); return errors.New("reset") })))
		return r, nil
	}).Do(ctx, request("POST", "", ByKey))
	require.ErrorIs(t, res.Err, context.Canceled)
	assert.Equal(t, 1, res.Attempts)
	assert.Equal(t, 201, res.Status)
	assert.True(t, res.OutcomeUnknown)
}

type readFunc func() error

func (f readFunc) Read([]byte) (int, error) { return 0, f() }

// An attempt that times out while its response is read slowly is retried.
func TestAttemptTimesOutWhileTheResponseIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		res := over(func(r *http.Request) (*http.Response, error) {
			if n++; n > 1 {
				return reply(201, "{}"), nil
			}
			slow := reply(201, "")
			slow.ContentLength = -1
			slow.Body = io.NopCloser(readFunc(func() error { <-r.Context().Done(); return r.Context().Err() }))
			return slow, nil
		}).Do(t.Context(), request("POST", "", ByKey))
		require.NoError(t, res.Err)
		assert.Equal(t, 2, res.Attempts)

		n = 0
		once := over(func(r *http.Request) (*http.Response, error) {
			slow := reply(200, "")
			slow.ContentLength = -1
			slow.Body = io.NopCloser(readFunc(func() error { <-r.Context().Done(); return r.Context().Err() }))
			return slow, nil
		}).Do(t.Context(), request("PATCH", "", None))
		assert.EqualError(t, once.Err, "truncated response within the attempt timeout of 1m0s: context deadline exceeded")
		assert.True(t, once.OutcomeUnknown)
	})
}

// The status of an error is a response, even if its body never ends.
func TestErrorBodyThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		res := over(func(r *http.Request) (*http.Response, error) {
			stalled := reply(422, "")
			stalled.Header.Set("From", "service")
			stalled.ContentLength = -1
			stalled.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte("{")), readFunc(func() error { <-r.Context().Done(); return r.Context().Err() })))
			return stalled, nil
		}).Do(t.Context(), request("PATCH", "", None))
		require.NoError(t, res.Err)
		assert.Equal(t, 422, res.Status)
		assert.Equal(t, "{", string(res.Body))
		assert.False(t, res.OutcomeUnknown)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

// A failed round trip shows whether the request was never sent, or may have been.
func TestOutcomeOfAFailedRoundTrip(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: errors.New("reset")}
	untrustedErr := &tls.CertificateVerificationError{Err: errors.New("unknown authority")}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	asked := func(h *httptrace.ClientTrace) { h.GetConn("") }
	got := func(h *httptrace.ClientTrace) { h.GotConn(httptrace.GotConnInfo{}) }
	for _, row := range []struct {
		why         string
		call        context.Context
		saw         []func(*httptrace.ClientTrace)
		err         error
		event       event
		earlierCopy bool
	}{
		{"no connection", t.Context(), []func(*httptrace.ClientTrace){asked}, reset, neverSent, false},
		{"no connection, after the request went to a dead one", t.Context(), []func(*httptrace.ClientTrace){asked, got, asked}, reset, noResponse, true},
		{"reset", t.Context(), []func(*httptrace.ClientTrace){asked, got}, reset, noResponse, true},
		{"no evidence", t.Context(), nil, reset, noResponse, true},
		{"not trusted, no evidence", t.Context(), nil, untrustedErr, untrusted, true},
		{"not trusted", t.Context(), []func(*httptrace.ClientTrace){asked}, untrustedErr, untrusted, false},
		{"not trusted, after the request went to a dead connection", t.Context(), []func(*httptrace.ClientTrace){asked, got, asked}, untrustedErr, untrusted, true},
		{"the context ended without a connection", done, []func(*httptrace.ClientTrace){asked}, reset, contextDoneUnsent, false},
		{"the context ended, no evidence", done, nil, reset, contextDone, true},
		{"the context ended after the request was sent", done, []func(*httptrace.ClientTrace){asked, got}, reset, contextDone, true},
	} {
		conn := newConnectionTrace(func() {})
		for _, event := range row.saw {
			event(&conn.trace)
		}
		o := (&Transport{}).failed(row.call, row.call, conn, row.err)
		assert.Equal(t, row.event, o.event, row.why)
		assert.Equal(t, row.earlierCopy, o.earlierCopy, row.why)
		assert.Error(t, o.err, row.why)
	}
}

func TestContextErrorKeepsTheCause(t *testing.T) {
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err := contextError(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, cause)

	plain, stop := context.WithCancel(t.Context())
	stop()
	assert.Equal(t, context.Canceled, contextError(plain))
}
