package momentsql

import "strconv"

// Dialect is the kind of database that a [Schema] is for.
type Dialect string

// The dialects.
const (
	PostgreSQL Dialect = "PostgreSQL" // 9.5 or later
	SQLite     Dialect = "SQLite"     // 3.24 or later
)

// In PostgreSQL, the order of texts is the operating system's, and an index made before a change of
// that order may miss what is in it: a message would be processed twice. The order "C" is that of
// the bytes, and never changes.
var schemas = map[Dialect]string{
	PostgreSQL: `CREATE TABLE IF NOT EXISTS moment_webhook_messages (
	message_id   TEXT COLLATE "C" PRIMARY KEY,
	processed_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS moment_webhook_messages_processed_at ON moment_webhook_messages (processed_at);
`,
	SQLite: `CREATE TABLE IF NOT EXISTS moment_webhook_messages (
	message_id   TEXT NOT NULL PRIMARY KEY,
	processed_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS moment_webhook_messages_processed_at ON moment_webhook_messages (processed_at);
`,
}

// Schema returns the statements that make the table of a [Store], moment_webhook_messages: a row
// for each message, and when it was processed, in Unix seconds. Run them once, in a migration. To
// run them again changes nothing; but on PostgreSQL that needs the right to create, waits for what
// is being processed while all deliveries wait for it, and may be refused to one of two processes
// at the same moment. The schema of the other dialect fails, with an error about ROWID or about a
// collation C. Schema panics if there is no such dialect.
func Schema(d Dialect) string {
	schema, ok := schemas[d]
	if !ok {
		panic("momentsql: unknown dialect " + strconv.Quote(string(d)))
	}
	return schema
}
