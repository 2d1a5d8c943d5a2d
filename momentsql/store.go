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

// Store records in a database which messages one function has processed. If two functions must each
// process every event, each needs its own table: in PostgreSQL in its own schema, in SQLite in its
// own file. Make a Store with [NewStore]. It is safe for concurrent use.
type Store struct{ db *sql.DB }

// NewStore returns a store for a database with the table of [Schema]. It does not connect, so a
// missing table causes an error only at the first delivery. A nil db is a [*moment.ArgumentError].
func NewStore(db *sql.DB) (*Store, error) {
	if db == nil {
		return nil, argError("new webhook store", "db", "is nil")
	}
	return &Store{db}, nil
}

// Process calls a function with a transaction that marks the event as processed, and commits the
// transaction. If the event was processed before, Process returns nil at once. While another call
// processes it, Process waits for the outcome until ctx ends. If the function fails or panics,
// Process rolls back the transaction, and the event can be processed again.
//
// The function must neither commit nor roll back tx. It must use tx for all work that must happen
// once, because a failed transaction does not undo other work. It must not use the [*sql.DB], not
// even to read: with a limit on connections it may wait for ever, and on SQLite a write waits for
// tx while tx waits for the write. If a statement on tx fails, the function should return the
// error, because SQLite may already have rolled back the transaction, and would run the next
// statement outside it.
//
// Process returns a [*moment.ArgumentError] if the function calls it for the same event, because
// the call would wait for itself.
//
// Process returns the function's own error unchanged. Other errors name the step that failed, and
// unwrap to the error of the driver or of ctx. After a failed commit, the event may or may not have
// been processed, and the next delivery settles that. Process returns a [*moment.ArgumentError] for
// a nil function, and for an event without a MessageID, which a handler never passes.
func (s *Store) Process(ctx context.Context, event *moment.Event, process func(ctx context.Context, tx *sql.Tx) error) error {
	const op = "process webhook"
	switch {
	case s == nil || s.db == nil:
		return argError(op, "store", "was not made by NewStore")
	case event == nil:
		return argError(op, "event", "is nil")
	case event.MessageID == "":
		return argError(op, "message id", "is empty: an event that was stored needs the MessageID of its delivery")
	case process == nil:
		return argError(op, "function", "is nil")
	}
	return s.process(ctx, event.MessageID, process)
}

func (s *Store) process(ctx context.Context, messageID string, process func(ctx context.Context, tx *sql.Tx) error) error {
	self := processing{s.db, messageID}
	if ctx.Value(self) != nil {
		return argError("process webhook", "message id", "is being processed by this call, which would wait for itself")
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return failed(ctx, "begin", err)
	}
	defer func() { _ = tx.Rollback() }() // after an error or a panic; without effect after the commit
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

// processing is the key of the context value that identifies the message in progress.
type processing struct {
	db        *sql.DB
	messageID string
}

// claim marks a message, and reports whether it was not marked before. It waits for any other
// transaction that has marked it. It is the first statement of its transaction, so that it acquires
// SQLite's write lock before the transaction reads data that could become out of date.
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

// Prune deletes the messages that were processed longer ago than olderThan, and returns their
// number. A deleted message that is delivered again is processed again. So olderThan must exceed
// twice the verifier's tolerance, because a replay attack is possible for that long. It must also
// exceed the time for which Moment retries deliveries. Moment does not document that time: a month
// is a careful choice, because a row is small. An olderThan of 0 or less is a
// [*moment.ArgumentError].
func (s *Store) Prune(ctx context.Context, olderThan time.Duration) (int64, error) {
	if olderThan <= 0 {
		return 0, argError("prune webhook messages", "olderThan", fmt.Sprintf("must be more than 0, not %v", olderThan))
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

// failed adds the failed step to err. If the context has ended, it adds the cause too, because
// database/sql rolls back and some drivers then only report that the transaction has ended.
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

func argError(op, param, reason string) error {
	return &moment.ArgumentError{Op: op, Param: param, Reason: reason}
}
