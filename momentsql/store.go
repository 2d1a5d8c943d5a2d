package momentsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
)

// Store remembers in a database which messages were processed: by the one function that it is for.
// Two functions that are both to have every event need a table each: in PostgreSQL in a schema of
// its own, in SQLite in a file of its own. Make a Store with [NewStore]. It is safe for concurrent
// use.
type Store struct{ db *sql.DB }

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
// both. If the event was processed before, Process returns nil at once. While it is being processed
// elsewhere, Process waits for the outcome, as long as ctx allows. If the function fails or panics,
// the transaction is rolled back, and the event may be tried again.
//
// The function must neither commit nor roll back tx, and must use tx for all that must happen once,
// because work that it does by other means stays done if the transaction fails. It must not use the
// [*sql.DB], not even to read: with a limit of connections that may wait for ever, and on SQLite a
// write waits for tx, which waits for the write. If a statement on tx fails, the function should
// return that error, because SQLite may have rolled the transaction back by then, and would run the
// next statement outside of it.
//
// Do not call Process in the function for the same event: it would wait for itself, and is a
// [*moment.ArgumentError].
//
// Process returns the function's own error unchanged. Other errors name the step that failed, and
// unwrap to the error of the driver or of ctx. After a failed commit, the event may have been
// processed or not: the next delivery shows. An event without a MessageID, which no handler passes,
// and a nil function are a [*moment.ArgumentError].
func (s *Store) Process(ctx context.Context, event *moment.Event, process func(ctx context.Context, tx *sql.Tx) error) error {
	const op = "process webhook"
	switch {
	case s == nil || s.db == nil:
		return badArgument(op, "store", "was not made by NewStore")
	case event == nil:
		return badArgument(op, "event", "is nil")
	case event.MessageID == "":
		return badArgument(op, "message id", "is empty: an event that was stored needs the MessageID of its delivery")
	case process == nil:
		return badArgument(op, "function", "is nil")
	}
	return s.process(ctx, event.MessageID, process)
}

func (s *Store) process(ctx context.Context, messageID string, process func(ctx context.Context, tx *sql.Tx) error) error {
	self := processing{s.db, messageID}
	if ctx.Value(self) != nil {
		return badArgument("process webhook", "message id", "is being processed by this very call, which would wait for itself")
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

// processing is the key in the context of what is being processed.
type processing struct {
	db        *sql.DB
	messageID string
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
// message that is delivered after that is processed again. So olderThan must exceed twice the
// verifier's tolerance, because a replay attack is possible for that long, and the time for which
// Moment goes on delivering, which its reference does not state; a month is a careful choice, and
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
	return fmt.Errorf("momentsql: %s: %w%s", what, err, hint(err))
}

// hint names Schema, which creates the table, if the driver reports that the table is missing.
func hint(err error) string {
	text := err.Error()
	if strings.Contains(text, "moment_webhook_messages") && (strings.Contains(text, "no such table") || strings.Contains(text, "does not exist")) {
		return " (run the statements of momentsql.Schema once, in a migration)"
	}
	return ""
}

func badArgument(op, param, reason string) error {
	return &moment.ArgumentError{Op: op, Param: param, Reason: reason}
}
