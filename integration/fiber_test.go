package integration_test

import (
	"net"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"
	fiberadaptor "github.com/gofiber/fiber/v2/middleware/adaptor"
	fiber3 "github.com/gofiber/fiber/v3"
	fiber3adaptor "github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// Fiber runs on fasthttp. Their adaptors convert header values to strings without a copy, so the
// strings change when the memory is used for another request.

func onFastHTTP(t *testing.T, webhook http.Handler) (string, *http.Client) {
	t.Helper()
	server := &fasthttp.Server{Handler: fasthttpadaptor.NewFastHTTPHandler(webhook)}
	return onListener(t, server.Serve, server.Shutdown)
}

func onFiber2(t *testing.T, webhook http.Handler) (string, *http.Client) {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/webhooks/moment", fiberadaptor.HTTPHandler(webhook))
	return onListener(t, app.Listener, app.Shutdown)
}

func onFiber3(t *testing.T, webhook http.Handler) (string, *http.Client) {
	t.Helper()
	app := fiber3.New()
	app.Post("/webhooks/moment", fiber3adaptor.HTTPHandler(webhook))
	return onListener(t, func(listener net.Listener) error {
		return app.Listener(listener, fiber3.ListenConfig{DisableStartupMessage: true})
	}, app.Shutdown)
}

// onListener starts a server that is not net/http's. The returned client keeps connections open.
func onListener(t *testing.T, serve func(net.Listener) error, shutdown func() error) (string, *http.Client) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- serve(listener) }()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: deliverers}}
	t.Cleanup(func() {
		client.CloseIdleConnections() // because Shutdown waits for open connections
		assert.NoError(t, shutdown())
		assert.NoError(t, <-ended)
	})
	return "http://" + listener.Addr().String(), client
}
