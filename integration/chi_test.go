package integration_test

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// withChi is what docs/webhooks.md shows.
func withChi(webhook http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Logger, middleware.Recoverer)
	r.Method(http.MethodPost, "/webhooks/moment", webhook)
	return r
}

// withMoreChi adds what touches bodies.
func withMoreChi(webhook http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Logger, middleware.Recoverer)
	r.Use(middleware.AllowContentType("application/json"), middleware.Compress(5), middleware.RequestSize(bodyLimit))
	r.Route("/webhooks", func(r chi.Router) { r.Handle("/moment", webhook) })
	return r
}
