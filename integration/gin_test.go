package integration_test

import (
	"net/http"

	"github.com/gin-contrib/gzip"
	"github.com/gin-contrib/requestid"
	"github.com/gin-gonic/gin"
)

// withGin is what docs/webhooks.md shows.
func withGin(webhook http.Handler) http.Handler {
	r := gin.New()
	r.Use(gin.Logger(), gin.Recovery())
	r.POST("/webhooks/moment", gin.WrapH(webhook))
	return r
}

// withMoreGin adds what touches bodies. gin has no body limit of its own; this is how it is
// written.
func withMoreGin(webhook http.Handler) http.Handler {
	r := gin.Default()
	limit := func(c *gin.Context) { c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, bodyLimit) }
	r.Use(requestid.New(), limit, gzip.Gzip(gzip.DefaultCompression, gzip.WithDecompressFn(gzip.DefaultDecompressHandle)))
	r.Group("/webhooks").Any("/moment", gin.WrapH(webhook))
	return r
}
