package integration_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

var storedDates = []moment.Date{
	{}, // NULL
	moment.NewDate(2025, time.January, 31),
	moment.NewDate(2024, time.February, 29),
	moment.NewDate(1, time.January, 1),
	moment.NewDate(9999, time.December, 31),
}

// TestDateInDatabase stores dates in columns of type DATE and TEXT, and reads them back.
func TestDateInDatabase(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			db := newDatabase(t, dialect).open(t)
			_, err := db.ExecContext(t.Context(), "CREATE TABLE bills (n INTEGER, due DATE, noted TEXT)")
			require.NoError(t, err)
			for n, date := range storedDates {
				_, err := db.ExecContext(t.Context(), "INSERT INTO bills (n, due, noted) VALUES ($1, $2, $3)", n, date, date)
				require.NoError(t, err, date)
				var due, noted moment.Date
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT due, noted FROM bills WHERE n = $1", n).Scan(&due, &noted))
				assert.Equal(t, date, due)
				assert.Equal(t, date, noted)
				if date.IsZero() {
					assert.Equal(t, 1, count(t, db, "SELECT count(*) FROM bills WHERE due IS NULL AND noted IS NULL"))
					continue
				}
				var found int
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT n FROM bills WHERE due = $1", date).Scan(&found))
				assert.Equal(t, n, found)
			}
			var last moment.Date // an expression, whose type SQLite does not know
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT max(due) FROM bills").Scan(&last))
			assert.Equal(t, moment.NewDate(9999, time.December, 31), last)
			_, err = db.ExecContext(t.Context(), "INSERT INTO bills (n, due) VALUES (99, $1)", moment.NewDate(2025, time.February, 30))
			assert.ErrorIs(t, err, moment.ErrInvalidArgument)
			assert.Zero(t, count(t, db, "SELECT count(*) FROM bills WHERE n = 99"))
		})
	}
}

// TestDatesThatCannotBeRead reads values that a database has in place of a date.
func TestDatesThatCannotBeRead(t *testing.T) {
	for _, row := range []struct {
		dialect momentsql.Dialect
		setUp   string
		why     string
	}{
		{momentsql.SQLite, "CREATE TABLE bills (due DATE); INSERT INTO bills VALUES ('2025-02-30')", "SQLite stores any text in a DATE column"},
		{momentsql.SQLite, "CREATE TABLE bills (due DATE); INSERT INTO bills VALUES ('2025-01-31 10:00:00')", "a time in SQLite"},
		{momentsql.SQLite, "CREATE TABLE bills (due DATE); INSERT INTO bills VALUES (20250131)", "a number"},
		{momentsql.PostgreSQL, "CREATE TABLE bills AS SELECT DATE '10000-01-01' AS due", "PostgreSQL's years have five digits and more"},
		{momentsql.PostgreSQL, "CREATE TABLE bills AS SELECT DATE '0044-03-15 BC' AS due", "PostgreSQL has years before 1"},
		{momentsql.PostgreSQL, "CREATE TABLE bills AS SELECT DATE 'infinity' AS due", "PostgreSQL has a day after all others"},
		{momentsql.PostgreSQL, "CREATE TABLE bills AS SELECT TIMESTAMP '2025-01-31 10:00:00' AS due", "a time"},
	} {
		t.Run(row.why, func(t *testing.T) {
			db := newDatabase(t, row.dialect).open(t)
			_, err := db.ExecContext(t.Context(), row.setUp)
			require.NoError(t, err)
			var due moment.Date
			err = db.QueryRowContext(t.Context(), "SELECT due FROM bills").Scan(&due)
			assert.ErrorContains(t, err, "scan date: ", row.why)
			assert.Zero(t, due, row.why)
		})
	}
}

// pgx without database/sql encodes and decodes DATE columns itself, in binary form.
func TestDateThroughPgx(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), newPostgresSchema(t))
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close(t.Context())) }()
	_, err = conn.Exec(t.Context(), "CREATE TABLE bills (n INTEGER, due DATE)")
	require.NoError(t, err)
	for n, date := range storedDates {
		_, err := conn.Exec(t.Context(), "INSERT INTO bills (n, due) VALUES ($1, $2)", n, date)
		require.NoError(t, err, date)
		var due moment.Date
		var optional sql.Null[moment.Date]
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT due, due FROM bills WHERE n = $1", n).Scan(&due, &optional))
		assert.Equal(t, date, due)
		assert.Equal(t, sql.Null[moment.Date]{V: date, Valid: !date.IsZero()}, optional)
	}
}
