package testkit

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// The frame types of RFC 9113, section 6.
const (
	FrameData     = 0
	FrameHeaders  = 1
	FrameReset    = 3
	FrameSettings = 4
	FramePing     = 6
	FrameGoAway   = 7
)

// The flags of frames.
const (
	FlagAck        = 1
	FlagEndStream  = 1
	FlagEndHeaders = 4
)

// The error codes of RFC 9113, section 7.
const (
	ProtocolError = 1
	InternalError = 2
	RefusedStream = 7
)

// Frame returns an encoded HTTP/2 frame.
func Frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// HeaderField returns a header field in HPACK without compression (RFC 7541, section 6.2.2).
func HeaderField(name, value string) []byte {
	b := append([]byte{0, byte(len(name))}, name...)
	return append(append(b, byte(len(value))), value...)
}

// HTTP2Peer is an HTTP/2 server that responds to the n-th request with arbitrary frames. Tests need
// it, because net/http's server cannot be made to misbehave.
type HTTP2Peer struct {
	Requests atomic.Int32
	Reply    func(n int32, stream uint32) []byte
}

// Serve speaks HTTP/2 on a connection until the peer or the client ends it.
func (p *HTTP2Peer) Serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_, _ = io.CopyN(io.Discard, conn, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	_, _ = conn.Write(Frame(FrameSettings, 0, 0))
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		length, kind, flags, stream := binary.BigEndian.Uint32(head[:4])>>8, head[3], head[4], binary.BigEndian.Uint32(head[5:])
		payload := make([]byte, length)
		_, _ = io.ReadFull(conn, payload)
		switch {
		case kind == FrameSettings && flags&FlagAck == 0:
			_, _ = conn.Write(Frame(FrameSettings, FlagAck, 0))
		case kind == FramePing && flags&FlagAck == 0:
			_, _ = conn.Write(Frame(FramePing, FlagAck, 0, payload...))
		case (kind == FrameHeaders || kind == FrameData) && flags&FlagEndStream != 0:
			reply := p.Reply(p.Requests.Add(1), stream)
			_, _ = conn.Write(reply)
			if reply[3] == FrameGoAway {
				return
			}
		}
	}
}

// Start starts the peer, and returns the scheme and host of its URL and a transport that trusts it.
func (p *HTTP2Peer) Start(t *testing.T) (host string, transport *http.Transport) {
	t.Helper()
	server, client := HTTP2TLS(t)
	address := Listen(t, func(conn net.Conn) { p.Serve(tls.Server(conn, server)) })
	return "https://" + address, &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}
}

// HTTP2TLS returns the settings of a server for 127.0.0.1 that speaks only HTTP/2, and of a client
// that trusts it.
func HTTP2TLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	certified := httptest.NewUnstartedServer(http.NotFoundHandler())
	certified.StartTLS()
	defer certified.Close()
	server = certified.TLS.Clone()
	server.NextProtos = []string{"h2"}
	return server, certified.Client().Transport.(*http.Transport).TLSClientConfig
}

// HTTP2Bill returns the frames of a response with BillJSON.
func HTTP2Bill(stream uint32) []byte {
	return append(Frame(FrameHeaders, FlagEndHeaders, stream, 0x88), Frame(FrameData, FlagEndStream, stream, []byte(BillJSON)...)...) // 0x88 is :status 200
}
