package momentsql_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

var (
	errFunction = errors.New("said the function")
	message     = &moment.Event{MessageID: "msg_1"}
)

func newStore(t *testing.T, r *recorder) *momentsql.Store {
	t.Helper()
	db := sql.OpenDB(r)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	store, err := momentsql.NewStore(db)
	require.NoError(t, err)
	return store
}

// The test checks the order of the steps and the returned errors. The module integration tests the
// behaviour of databases.
func TestStepsOfProcess(t *testing.T) {
	succeed := func(context.Context, *sql.Tx) error { return nil }
	mustNotRun := func(context.Context, *sql.Tx) error { panic("called") }
	for _, row := range []struct {
		why     string
		fails   string // a step of the driver
		rows    int64  // rows that the claim affects
		process func(context.Context, *sql.Tx) error
		steps   []string
		says    string
		is      error
	}{
		{"a new message", "", 1, succeed, []string{"begin", "insert", "commit"}, "", nil},
		{"one that was processed: the function is not called", "", 0, mustNotRun, []string{"begin", "insert", "rollback"}, "", nil},
		{"the function fails: its own error is returned", "", 1, func(context.Context, *sql.Tx) error { return errFunction }, []string{"begin", "insert", "rollback"}, "said the function", errFunction},
		{"no transaction", "begin", 1, mustNotRun, []string{"begin"}, "momentsql: begin: said the driver", errDriver},
		{"no table", "insert", 1, mustNotRun, []string{"begin", "insert", "rollback"}, "momentsql: claim message: said the driver", errDriver},
		{"it is unknown whether the message is new: it must not be processed, and not marked as processed", "rows", 1, mustNotRun, []string{"begin", "insert", "rollback"}, "momentsql: claim message: said the driver", errDriver},
		{"the commit fails", "commit", 1, succeed, []string{"begin", "insert", "commit"}, "momentsql: commit: said the driver", errDriver},
		{"the rollback fails too: the function's error is returned", "rollback", 1, func(context.Context, *sql.Tx) error { return errFunction }, []string{"begin", "insert", "rollback"}, "said the function", errFunction},
	} {
		t.Run(row.why, func(t *testing.T) {
			r := &recorder{fails: row.fails, rows: row.rows}
			err := newStore(t, r).Process(t.Context(), message, row.process)
			assert.Equal(t, append([]string{"connect"}, row.steps...), r.steps)
			assert.ErrorIs(t, err, row.is)
			if row.says != "" {
				assert.EqualError(t, err, row.says)
			}
		})
	}
}

func TestPanicIsNotRecovered(t *testing.T) {
	r := &recorder{rows: 1}
	store := newStore(t, r)
	assert.PanicsWithValue(t, "of the function", func() {
		_ = store.Process(t.Context(), message, func(context.Context, *sql.Tx) error { panic("of the function") })
	})
	assert.Equal(t, []string{"connect", "begin", "insert", "rollback"}, r.steps)
}

func TestMarkOfAMessage(t *testing.T) {
	r := &recorder{rows: 1}
	before := time.Now().Unix()
	require.NoError(t, newStore(t, r).Process(t.Context(), message, func(context.Context, *sql.Tx) error { return nil }))
	require.Len(t, r.args, 2)
	assert.Equal(t, "msg_1", r.args[0].Value)
	assert.GreaterOrEqual(t, r.args[1].Value, before)
	assert.LessOrEqual(t, r.args[1].Value, time.Now().Unix())
}

func TestPruneErrors(t *testing.T) {
	for _, row := range []struct{ why, fails, says string }{
		{"no table", "delete", "momentsql: prune: said the driver"},
		{"the number is unknown", "rows", "momentsql: prune: said the driver"},
	} {
		t.Run(row.why, func(t *testing.T) {
			n, err := newStore(t, &recorder{fails: row.fails}).Prune(t.Context(), time.Hour)
			assert.Zero(t, n)
			assert.EqualError(t, err, row.says)
			assert.ErrorIs(t, err, errDriver)
		})
	}
}

// A function calls Process for the event that it processes: the second claim would wait for the
// first.
func TestProcessOfAMessageInProgress(t *testing.T) {
	r := &recorder{rows: 1}
	store, other := newStore(t, r), newStore(t, &recorder{rows: 1})
	succeed := func(context.Context, *sql.Tx) error { return nil }
	err := store.Process(t.Context(), message, func(ctx context.Context, _ *sql.Tx) error {
		assert.NoError(t, other.Process(ctx, message, succeed), "another database")
		assert.NoError(t, store.Process(ctx, &moment.Event{MessageID: "msg_2"}, succeed), "another message")
		return store.Process(ctx, message, succeed)
	})
	assert.EqualError(t, err, "moment: process webhook: message id: is being processed by this call, which would wait for itself")
}

// Bad arguments do not reach the database.
func TestBadArguments(t *testing.T) {
	r := &recorder{fails: "connect"}
	store := newStore(t, r)
	_, noDatabase := momentsql.NewStore(nil)
	succeed := func(context.Context, *sql.Tx) error { return nil }
	prune := func(age time.Duration) error {
		_, err := store.Prune(t.Context(), age)
		return err
	}
	for _, row := range []struct {
		why  string
		err  error
		says string
	}{
		{"no database", noDatabase, "moment: new webhook store: db: is nil"},
		{"no event", store.Process(t.Context(), nil, nil), "moment: process webhook: event: is nil"},
		{"an event without an id: all such events would count as one message", store.Process(t.Context(), &moment.Event{ID: "evt_1"}, succeed), "moment: process webhook: message id: is empty: an event that was stored needs the MessageID of its delivery"},
		{"no function", store.Process(t.Context(), message, nil), "moment: process webhook: function: is nil"},
		{"not made by NewStore", (&momentsql.Store{}).Process(t.Context(), message, succeed), "moment: process webhook: store: was not made by NewStore"},
		{"no store", (*momentsql.Store)(nil).Process(t.Context(), message, succeed), "moment: process webhook: store: was not made by NewStore"},
		{"an age that was not set: all messages would be deleted", prune(0), "moment: prune webhook messages: olderThan: must be more than 0, not 0s"},
		{"a negative age", prune(-time.Second), "moment: prune webhook messages: olderThan: must be more than 0, not -1s"},
	} {
		t.Run(row.why, func(t *testing.T) {
			assert.EqualError(t, row.err, row.says)
			assert.ErrorIs(t, row.err, moment.ErrInvalidArgument)
		})
	}
	assert.Empty(t, r.steps)
	assert.PanicsWithValue(t, `momentsql: unknown dialect "MySQL"`, func() { momentsql.Schema("MySQL") })
}

// Receivers of two versions may share a database, so the table never changes.
func TestSchemaIsFrozen(t *testing.T) {
	for dialect, want := range map[momentsql.Dialect]string{
		momentsql.PostgreSQL: `CREATE TABLE IF NOT EXISTS moment_webhook_messages (
	message_id   TEXT COLLATE "C" PRIMARY KEY,
	processed_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS moment_webhook_messages_processed_at ON moment_webhook_messages (processed_at);
`,
		momentsql.SQLite: `CREATE TABLE IF NOT EXISTS moment_webhook_messages (
	message_id   TEXT NOT NULL PRIMARY KEY,
	processed_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS moment_webhook_messages_processed_at ON moment_webhook_messages (processed_at);
`,
	} {
		assert.Equal(t, want, momentsql.Schema(dialect), dialect)
	}
}
