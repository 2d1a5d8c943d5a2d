package momentsql

import "strconv"

// Dialect is the kind of database of a [Schema].
type Dialect string

// The dialects.
const (
	PostgreSQL Dialect = "PostgreSQL" // 9.5 or later
	SQLite     Dialect = "SQLite"     // 3.24 or later
)

// PostgreSQL sorts text in the order of the operating system. If an update changes that order, an
// existing index may not find a message, which would then be processed twice. The order "C" is that
// of the bytes, and never changes.
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

// Schema returns the statements that create the table of a [Store], moment_webhook_messages. It has
// a row for each message, with the time of its processing in Unix seconds. Run the statements once,
// in a migration, and not at each start of a program. Running them again does not change the table,
// but on PostgreSQL it requires the right to create, waits for messages in progress while all
// deliveries wait for it, and may fail if two processes do it at the same time. The schema of the
// wrong dialect fails with an error about ROWID or the collation C. Schema panics for an unknown
// dialect.
func Schema(d Dialect) string {
	schema, ok := schemas[d]
	if !ok {
		panic("momentsql: unknown dialect " + strconv.Quote(string(d)))
	}
	return schema
}
