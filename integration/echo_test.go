package integration_test

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// withEcho is what docs/webhooks.md shows.
func withEcho(webhook http.Handler) http.Handler {
	e := echo.New()
	e.Use(middleware.RequestID(), middleware.RequestLogger(), middleware.Recover())
	e.POST("/webhooks/moment", echo.WrapHandler(webhook))
	return e
}

// withMoreEcho adds what touches bodies. BodyDump reads them and puts them back.
func withMoreEcho(webhook http.Handler) http.Handler {
	e := echo.New()
	dump := middleware.BodyDump(func(echo.Context, []byte, []byte) {})
	e.Use(middleware.RequestID(), middleware.RequestLogger(), middleware.Recover())
	e.Use(middleware.BodyLimit("16KiB"), middleware.Decompress(), middleware.Gzip(), dump)
	e.Group("/webhooks").Any("/moment", echo.WrapHandler(webhook))
	return e
}
