package momentsql

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/moment-billing/moment-go"
)

// Handler returns a handler that verifies each delivery, as [moment.WebhookVerifier.Handler] does,
// and processes each event once, as [Store.Process] does. It calls process with the transaction in
// which it marks the event as processed, and responds with 204 once both are committed. If process
// or the database fails, it responds with 500, and Moment delivers the event again. The rules of
// Process for its function hold for process too. A [moment.Deduplicator] is not needed.
//
// Return nil for events that mean nothing to you, above all of types that you do not know. Handler
// panics where [moment.WebhookVerifier.Handler] does, and if s was not made by [NewStore].
func (s *Store) Handler(verifier *moment.WebhookVerifier, process func(ctx context.Context, tx *sql.Tx, e *moment.Event) error, opts ...moment.HandlerOption) http.Handler {
	switch {
	case s == nil || s.db == nil:
		panic("momentsql: the Store of a webhook handler was not made by NewStore")
	case process == nil:
		panic("momentsql: the function of a webhook handler is nil")
	}
	return verifier.Handler(func(ctx context.Context, e *moment.Event) error {
		return s.Process(ctx, e, func(ctx context.Context, tx *sql.Tx) error { return process(ctx, tx, e) })
	}, opts...)
}
