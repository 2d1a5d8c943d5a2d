package momenttest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
)

// InProcess makes [NewServer] serve over [net.Pipe] instead of a socket, so that the server works
// inside the bubble of testing/synctest: waits, timeouts and delays take no real time. Create and
// close the server inside the bubble. Only clients of [Server.Client] can reach it. Receive its
// events with [Handler.SetWebhookHandler]. [NewHandler] ignores the option, because a Handler has
// no socket.
func InProcess() Option {
	return Option{func(h *Handler) { h.inProcess = true }}
}

// A pipeServer serves HTTP over net.Pipe. It needs no goroutine of its own, because a dial starts
// the one that serves the new connection.
type pipeServer struct {
	http http.Server
}

func newPipeServer(handler http.Handler) *pipeServer {
	return &pipeServer{http.Server{Handler: handler}} //nolint:gosec // no client is slow to send its headers here
}

// dial is the DialContext of a client's transport.
func (s *pipeServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	// Serve returns as soon as the listener has no second connection.
	if err := s.http.Serve(&pipeListener{server}); !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, client.Close(), server.Close())
	}
	return client, nil
}

// close waits for the requests in flight, like the Close of an httptest.Server.
func (s *pipeServer) close() { _ = s.http.Shutdown(context.Background()) }

// A pipeListener accepts one connection, then io.EOF.
type pipeListener struct {
	conn net.Conn
}

func (l *pipeListener) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, io.EOF
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}

func (*pipeListener) Close() error   { return nil }
func (*pipeListener) Addr() net.Addr { return nil }
