package testkit

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Connections counts the connections of a server.
type Connections struct{ Opened, Open atomic.Int32 }

// CountConnections counts the connections of a server that has not been started.
func CountConnections(server *httptest.Server) *Connections {
	c := &Connections{}
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			c.Opened.Add(1)
			c.Open.Add(1)
		case http.StateClosed, http.StateHijacked:
			c.Open.Add(-1)
		}
	}
	return c
}

// Listen serves each connection to the address that it returns.
func Listen(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().String()
}
