package momentsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/moment-billing/moment-go"
)

// Store remembers in a database which messages were processed: by the one function that it is for.
// Two functions that are both to have every event need a table each: in PostgreSQL in a schema of
// its own, in SQLite in a file of its own. Make a Store with [NewStore]. It is safe for concurrent
// use.
type Store struct{ db *sql.DB }

var _ moment.Deduplicator = (*Store)(nil)

// NewStore returns a store on a database in which the table of [Schema] is, or will be. It does not
// connect: that the table is missing shows at the first delivery. A nil db is a
// [*moment.ArgumentError].
func NewStore(db *sql.DB) (*Store, error) {
	if db == nil {
		return nil, badArgument("new webhook store", "db", "is nil")
	}
	return &Store{db}, nil
}

// Process runs a function with a transaction in which the event is marked as processed, and commits
// both. If the event was processed before, Process returns nil at once; while it is being processed
// elsewhere, Process waits for the outcome, as long as ctx lets it. If the function fails or
// panics, the transaction is rolled back, and the event may be tried again.
//
// The function must neither commit nor roll back tx, and must do with tx all that is to be done
// once: what it does by other means stays done if the transaction fails. It must not use the
// [*sql.DB], not even to read: with a limit of connections that may wait for ever, and on SQLite a
// write waits for tx, which waits for it. If a statement on tx fails, it should return that error:
// SQLite may have rolled the transaction back by then, and run what follows outside of it.
//
// Process returns the function's own error as it is; others say which step failed, and unwrap to
// what the driver or ctx says. After a failed commit, the event may have been processed or not: the
// next delivery finds out. An event without a MessageID, which no handler gives, a nil function,
// and an event that is being processed by this very call, because the Store is the handler's
// Deduplicator too, are a [*moment.ArgumentError].
func (s *Store) Process(ctx context.Context, event *moment.Event, process func(ctx context.Context, tx *sql.Tx) error) error {
	if event == nil {
		return badArgument("process webhook", "event", "is nil")
	}
	if process == nil {
		return badArgument("process webhook", "function", "is nil")
	}
	return s.once(ctx, event.MessageID, process)
}

// Once implements [moment.Deduplicator], for work that is not in this database. Its errors are
// those of [Store.Process].
//
// The work itself is not in the transaction that marks the message. If the process is killed after
// process has ended and before the commit, or if the commit fails, the message is processed again.
// For work in this database use [Store.Process].
//
// The transaction is open, and holds a connection, while process runs. Do not use the same
// [*sql.DB] in it if that has a limit of connections: with all of them held, none is left to go on
// with. On SQLite, do not write to the same file in it: that would wait for the transaction, which
// waits for process.
func (s *Store) Once(ctx context.Context, messageID string, process func(context.Context) error) error {
	if process == nil {
		return badArgument("process webhook", "function", "is nil")
	}
	return s.once(ctx, messageID, func(ctx context.Context, _ *sql.Tx) error { return process(ctx) })
}

// processing is the key in the context of what is being processed.
type processing struct {
	db        *sql.DB
	messageID string
}

func (s *Store) once(ctx context.Context, messageID string, process func(context.Context, *sql.Tx) error) error {
	if s == nil || s.db == nil {
		return badArgument("process webhook", "store", "was not made by NewStore")
	}
	if messageID == "" {
		return badArgument("process webhook", "message id", "is empty")
	}
	self := processing{s.db, messageID}
	if ctx.Value(self) != nil { // it would wait for itself
		return badArgument("process webhook", "message id", "is being processed by this very call: use either Process or a Deduplicator")
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return failed(ctx, "begin", err)
	}
	defer func() { _ = tx.Rollback() }() // after an error or a panic; after the commit it does nothing
	claimed, err := claim(ctx, tx, messageID)
	if err != nil {
		return failed(ctx, "claim message", err)
	}
	if !claimed {
		return nil
	}
	if err := process(context.WithValue(ctx, self, true), tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return failed(ctx, "commit", err)
	}
	return nil
}

// claim marks a message, and reports whether it was not marked before. It waits for any other
// transaction that has marked it. As the first statement of its transaction, it also takes SQLite's
// lock for writing before anything was read, so that nothing it depends on can be out of date.
func claim(ctx context.Context, tx *sql.Tx, messageID string) (bool, error) {
	result, err := tx.ExecContext(ctx,
		`INSERT INTO moment_webhook_messages (message_id, processed_at) VALUES ($1, $2) ON CONFLICT (message_id) DO NOTHING`,
		messageID, time.Now().Unix())
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
}

// Prune forgets the messages that were processed longer ago than olderThan, and returns how many. A
// message that is delivered after that is processed again, so let it be longer than Moment goes on
// delivering. Moment's reference does not say how long that is; a month is a careful choice, and
// costs some hundred bytes for each message. An age that is not more than 0 is a
// [*moment.ArgumentError].
func (s *Store) Prune(ctx context.Context, olderThan time.Duration) (int64, error) {
	if olderThan <= 0 {
		return 0, badArgument("prune webhook messages", "age", fmt.Sprintf("must be more than 0, not %v", olderThan))
	}
	result, err := s.db.ExecContext(ctx, `DELETE FROM moment_webhook_messages WHERE processed_at < $1`, time.Now().Add(-olderThan).Unix())
	if err != nil {
		return 0, failed(ctx, "prune", err)
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return 0, failed(ctx, "prune", err)
	}
	return rows, nil
}

// failed names what failed. When the context ends, database/sql rolls back by itself, and some
// drivers then only say that the transaction is no more: the cause is added.
func failed(ctx context.Context, what string, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("momentsql: %s: %w: %w", what, cause, err)
	}
	return fmt.Errorf("momentsql: %s: %w", what, err)
}

func badArgument(op, param, reason string) error {
	return &moment.ArgumentError{Op: op, Param: param, Reason: reason}
}
