package moment_test

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// The frames of RFC 9113, section 6.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway = 0, 1, 3, 4, 6, 7
	ack, endStream, endHeaders                                                 = 1, 1, 4
	protocolError, internalError, refusedStream                                = 1, 2, 7
)

func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// literal is a header field as HPACK writes it without compression (RFC 7541, section 6.2.2).
func literal(name, value string) []byte {
	b := append([]byte{0, byte(len(name))}, name...)
	return append(append(b, byte(len(value))), value...)
}

// http2Peer is a server that speaks HTTP/2 by hand, since net/http's cannot be made to misbehave:
// it answers the n-th request with the frames given.
type http2Peer struct {
	requests atomic.Int32
	reply    func(n int32, stream uint32) []byte
}

func (p *http2Peer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_, _ = io.CopyN(io.Discard, conn, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	_, _ = conn.Write(frame(frameSettings, 0, 0))
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		length, kind, flags, stream := binary.BigEndian.Uint32(head[:4])>>8, head[3], head[4], binary.BigEndian.Uint32(head[5:])
		payload := make([]byte, length)
		_, _ = io.ReadFull(conn, payload)
		switch {
		case kind == frameSettings && flags&ack == 0:
			_, _ = conn.Write(frame(frameSettings, ack, 0))
		case kind == framePing && flags&ack == 0:
			_, _ = conn.Write(frame(framePing, ack, 0, payload...))
		case (kind == frameHeaders || kind == frameData) && flags&endStream != 0:
			reply := p.reply(p.requests.Add(1), stream)
			_, _ = conn.Write(reply)
			if reply[3] == frameGoAway {
				return
			}
		}
	}
}

// client is a client of the peer.
func (p *http2Peer) client(t *testing.T, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	host, transport := p.start(t)
	replaceDefaultTransport(t, transport)
	return newClient(t, append([]moment.ClientOption{moment.WithBaseURL(host + basePath), moment.WithBackoff(0, 0)}, opts...)...)
}

// start starts the peer, and returns the scheme and host of its URL and a transport that trusts it.
func (p *http2Peer) start(t *testing.T) (host string, transport *http.Transport) {
	t.Helper()
	server, client := http2TLS(t)
	address := listen(t, func(conn net.Conn) { p.serve(tls.Server(conn, server)) })
	return "https://" + address, &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}
}

// http2TLS returns the settings of a server for 127.0.0.1 that speaks nothing but HTTP/2, and of a
// client that trusts it.
func http2TLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	certified := httptest.NewUnstartedServer(http.NotFoundHandler())
	certified.StartTLS()
	defer certified.Close()
	server = certified.TLS.Clone()
	server.NextProtos = []string{"h2"}
	return server, certified.Client().Transport.(*http.Transport).TLSClientConfig
}

func http2Bill(stream uint32) []byte {
	return append(frame(frameHeaders, endHeaders, stream, 0x88), frame(frameData, endStream, stream, []byte(billJSON)...)...) // 0x88 is :status 200
}

// net/http sends a request again by itself when a peer resets its stream with PROTOCOL_ERROR, as
// gateways do for what they have passed on, too. An update must not be sent again, and a create
// may, under its key.
func TestResetStreams(t *testing.T) {
	calls := map[string]func(*testing.T, *moment.Client) error{
		"PATCH": func(t *testing.T, c *moment.Client) error { t.Helper(); return calls["PATCH"](t.Context(), c) },
		"DELETE": func(t *testing.T, c *moment.Client) error {
			t.Helper()
			return c.Do(t.Context(), "DELETE", "/billing/bills/UBR1", nil, nil)
		},
		"POST": func(t *testing.T, c *moment.Client) error { t.Helper(); return calls["POST"](t.Context(), c) },
		"GET":  func(t *testing.T, c *moment.Client) error { t.Helper(); return calls["GET"](t.Context(), c) },
	}
	for code, name := range map[byte]string{protocolError: "PROTOCOL_ERROR", internalError: "INTERNAL_ERROR", refusedStream: "REFUSED_STREAM"} {
		for method, call := range calls {
			t.Run(method+" "+name, func(t *testing.T) {
				peer := &http2Peer{reply: func(n int32, stream uint32) []byte {
					if n == 1 {
						return frame(frameReset, 0, stream, 0, 0, 0, code)
					}
					return http2Bill(stream)
				}}
				err := call(t, peer.client(t))
				if method == "GET" || method == "POST" {
					assert.NoError(t, err)
					assert.EqualValues(t, 2, peer.requests.Load())
					return
				}
				assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
				assert.EqualValues(t, 1, peer.requests.Load(), "copies of an update")
				assert.Equal(t, 1, attemptsOf(t, err))
			})
		}
	}
}

// A create whose stream is reset, and whose second copy is refused, may have been applied.
func TestResetStreamBeforeARefusal(t *testing.T) {
	peer := &http2Peer{reply: func(n int32, stream uint32) []byte {
		if n == 1 {
			return frame(frameReset, 0, stream, 0, 0, 0, protocolError)
		}
		return frame(frameHeaders, endHeaders|endStream, stream, literal(":status", "403")...)
	}}
	err := calls["POST"](t.Context(), peer.client(t))
	require.ErrorIs(t, err, moment.ErrForbidden)
	assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
	assert.EqualValues(t, 2, peer.requests.Load())
}

// With a peer that resets every stream, net/http would send thousands of copies until the attempt
// times out.
func TestStreamsThatAreResetForEver(t *testing.T) {
	for method, attempts := range map[string]int{"GET": 2, "POST": 2, "PATCH": 1} {
		peer := &http2Peer{reply: func(_ int32, stream uint32) []byte { return frame(frameReset, 0, stream, 0, 0, 0, protocolError) }}
		err := calls[method](t.Context(), peer.client(t, moment.WithMaxRetries(1)))
		require.Error(t, err, method)
		assert.Equal(t, attempts, attemptsOf(t, err), method)
		assert.LessOrEqual(t, int(peer.requests.Load()), attempts*40, method)
		assert.Equal(t, method != "GET", errors.Is(err, moment.ErrOutcomeUnknown), method)
	}
}

// What a peer says where net/http does not expect it may be about a person, and does not enter the
// error.
func TestNoErrorOverHTTP2NamesAPerson(t *testing.T) {
	quietNetHTTP(t)
	ok := []byte{0x88}
	for why, reply := range map[string]func(stream uint32) []byte{
		"a name that is none": func(stream uint32) []byte {
			return frame(frameHeaders, endHeaders|endStream, stream, append(ok, literal("Jane Roe", "x")...)...)
		},
		"a value that is none": func(stream uint32) []byte {
			return frame(frameHeaders, endHeaders|endStream, stream, append(ok, literal("x-name", "Jane Roe\n")...)...)
		},
		"a status that is none": func(stream uint32) []byte {
			return frame(frameHeaders, endHeaders|endStream, stream, literal(":status", "Jane Roe")...)
		},
		"an unknown pseudo-header": func(stream uint32) []byte {
			return frame(frameHeaders, endHeaders|endStream, stream, append(ok, literal(":jane.roe", "Jane Roe")...)...)
		},
		"the last words of a connection": func(stream uint32) []byte {
			return frame(frameGoAway, 0, 0, append([]byte{0, 0, 0, byte(stream), 0, 0, 0, 11}, "Jane Roe <jane.roe@example.com>"...)...)
		},
	} {
		peer := &http2Peer{reply: func(_ int32, stream uint32) []byte { return reply(stream) }}
		err := calls["PATCH"](t.Context(), peer.client(t, moment.WithAttemptTimeout(200_000_000)))
		require.Error(t, err, why)
		noPerson(t, err.Error())
		assert.NotContains(t, strings.ToLower(err.Error()), "jane", why)
	}
}
