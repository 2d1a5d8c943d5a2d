package momentsql

import (
	"context"
	"database/sql"
	"net/http"
	"slices"

	"github.com/moment-billing/moment-go"
)

// Handler returns a handler that verifies each delivery, as [moment.WebhookVerifier.Handler] does,
// and processes each event once, as [Store.Process] does. It calls process with the transaction in
// which it marks the event as processed, and responds with 204 once both are committed. If process
// or the database fails, it responds with 500, and Moment delivers the event again. The rules for
// the function of Process apply to process too. Do not pass [moment.WithDeduplicator].
//
// process should return nil for events that it does not handle, including those of unknown types.
// Handler panics in the same cases as [moment.WebhookVerifier.Handler], and if s was not made by
// [NewStore].
func (s *Store) Handler(verifier *moment.WebhookVerifier, process func(ctx context.Context, tx *sql.Tx, e *moment.Event) error, opts ...moment.HandlerOption) http.Handler {
	switch {
	case s == nil || s.db == nil:
		panic("momentsql: the Store of a webhook handler was not made by NewStore")
	case process == nil:
		panic("momentsql: the function of a webhook handler is nil")
	}
	return verifier.Handler(func(ctx context.Context, e *moment.Event) error {
		tx, _ := ctx.Value(txKey{}).(*sql.Tx)
		return process(ctx, tx, e)
	}, slices.Concat(opts, []moment.HandlerOption{moment.WithDeduplicator(deduplicator{s})})...)
}

// txKey is the key of the transaction in a context.
type txKey struct{}

// deduplicator passes the transaction in the context. It implements [moment.Deduplicator], so that
// an observer of the handler sees duplicates. The type is not exported, because work outside the
// transaction could be done twice.
type deduplicator struct{ store *Store }

// Once implements [moment.Deduplicator].
func (d deduplicator) Once(ctx context.Context, messageID string, process func(context.Context) error) error {
	return d.store.process(ctx, messageID, func(ctx context.Context, tx *sql.Tx) error {
		return process(context.WithValue(ctx, txKey{}, tx))
	})
}
