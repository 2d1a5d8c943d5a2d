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

func (decodeObject) Decode(_ int, body []byte) error {
	var object map[string]any
	return json.Unmarshal(body, &object)
}

func over(f roundTrip) *Transport {
	return &Transport{RoundTripper: f, AttemptTimeout: time.Minute, MaxRetries: 2}
}

func TestEveryAttemptIsTheSame(t *testing.T) {
	var seen []*http.Request
	req := request("POST", "", Keyed)
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
		r.Header["Idempotency-Key"][0], r.Header["X-Tenant"][0] = "b", "b"
		r.Header.Set("Traceparent", "a RoundTripper that writes to what it is given")
		r.Header.Set("Authorization", "Bearer b")
		r.Header.Add("Accept", "text/html")
		r.Header.Del("Idempotency-Key")
		r.URL.Path = "/proxy" + r.URL.Path
		seen = append(seen, r)
		return reply(503, ""), nil
	}).Do(t.Context(), req)
	assert.Len(t, seen, 3)
	assert.Equal(t, 3, res.Attempts)
	assert.Equal(t, http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer a"}}, req.Header, "which later calls send too")
	assert.Equal(t, http.Header{"X-Tenant": {"a"}}, req.More)
}

func TestBodilessRequest(t *testing.T) {
	res := over(func(r *http.Request) (*http.Response, error) {
		assert.Nil(t, r.Body)
		assert.Zero(t, r.ContentLength)
		return reply(200, "{}"), nil
	}).Do(t.Context(), request("POST", "", Keyed))
	assert.NoError(t, res.Err)
}

func TestRoundTrippersThatBreakTheRules(t *testing.T) {
	res := over(func(*http.Request) (*http.Response, error) { return nil, nil }).Do(t.Context(), request("PATCH", "", Once))
	require.EqualError(t, res.Err, "no answer: the http.RoundTripper returned neither an answer nor an error")
	assert.True(t, res.OutcomeUnknown)

	res = over(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 404}, nil }).Do(t.Context(), request("GET", "", Safe))
	require.NoError(t, res.Err, "no Body, no Header")
	assert.Equal(t, 404, res.Status)
}

// A call that ends while the answer is read was sent; what was applied is unknown.
func TestContextEndsWhileTheAnswerIsRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	res := over(func(*http.Request) (*http.Response, error) {
		r := reply(201, "")
		r.ContentLength = -1
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte("{")), readFunc(func() error { cancel(); return errors.New("reset") })))
		return r, nil
	}).Do(ctx, request("POST", "", Keyed))
	require.ErrorIs(t, res.Err, context.Canceled)
	assert.Equal(t, 1, res.Attempts)
	assert.Equal(t, 201, res.Status)
	assert.True(t, res.OutcomeUnknown)
}

type readFunc func() error

func (f readFunc) Read([]byte) (int, error) { return 0, f() }

// An attempt that times out while its answer trickles in is repeated: the call goes on.
func TestAttemptTimesOutWhileTheAnswerIsRead(t *testing.T) {
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
		}).Do(t.Context(), request("POST", "", Keyed))
		require.NoError(t, res.Err)
		assert.Equal(t, 2, res.Attempts)

		n = 0
		once := over(func(r *http.Request) (*http.Response, error) {
			slow := reply(200, "")
			slow.ContentLength = -1
			slow.Body = io.NopCloser(readFunc(func() error { <-r.Context().Done(); return r.Context().Err() }))
			return slow, nil
		}).Do(t.Context(), request("PATCH", "", Once))
		assert.EqualError(t, once.Err, "no complete answer within the attempt timeout of 1m0s: context deadline exceeded")
		assert.True(t, once.OutcomeUnknown)
	})
}

// The status of an error is an answer, even if its body never ends.
func TestErrorBodyThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		res := over(func(r *http.Request) (*http.Response, error) {
			stalled := reply(422, "")
			stalled.ContentLength = -1
			stalled.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte("{")), readFunc(func() error { <-r.Context().Done(); return r.Context().Err() })))
			return stalled, nil
		}).Do(t.Context(), request("PATCH", "", Once))
		require.NoError(t, res.Err)
		assert.Equal(t, 422, res.Status)
		assert.Equal(t, "{", string(res.Body))
		assert.False(t, res.OutcomeUnknown)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

// What an attempt that failed without an answer can be sure of.
func TestWhatAFailedRoundTripMeans(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	read := &net.OpError{Op: "read", Err: errors.New("reset")}
	untrustedErr := &tls.CertificateVerificationError{Err: errors.New("unknown authority")}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		why  string
		call context.Context
		got  bool // a connection
		err  error
		kind kind
		sent bool
	}{
		{"refused", t.Context(), false, dial, notConnected, false},
		{"refused, after the request went to a dead connection", t.Context(), true, dial, silent, true},
		{"reset", t.Context(), true, read, silent, true},
		{"nobody knows", t.Context(), false, read, silent, true},
		{"not trusted", t.Context(), false, untrustedErr, untrusted, false},
		{"not trusted, after the request went to a dead connection", t.Context(), true, untrustedErr, untrusted, true},
		{"ended, refused", done, false, dial, ended, false},
		{"ended, in doubt", done, false, read, ended, true},
		{"ended, sent", done, true, read, ended, true},
	} {
		conn := newConnection(Once, func() {})
		if row.got {
			conn.trace.GotConn(httptrace.GotConnInfo{})
		}
		o := (&Transport{}).unanswered(row.call, row.call, conn, row.err)
		assert.Equal(t, row.kind, o.kind, row.why)
		assert.Equal(t, row.sent, o.sent, row.why)
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
