package main

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
)

// pgSchema is not the schema "public", because another River in the database would discard our
// jobs, and another momentsql would acknowledge our events.
const pgSchema = "biller"

// maxConns is the number of connections of a process, without the one for LISTEN.
const maxConns = 20

// openPostgres returns a store that connects later. River polls if listen is nil.
func openPostgres(ctx context.Context, address, listen *pgxpool.Config) (*store, error) {
	pool := sql.OpenDB(connector{stdlib.GetConnector(*address.ConnConfig)})
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	s := &store{rows: pool, jobs: pool, schema: pgSchema, closers: []io.Closer{pool}}
	driver := riverdatabasesql.New(pool)
	if listen != nil {
		listen.MaxConns = 1
		listener, err := pgxpool.NewWithConfig(ctx, listen)
		if err != nil {
			return nil, err
		}
		s.listener = listener
		driver = riverdatabasesql.NewWithPgxListener(pool, listener)
	}
	return s, s.setDriver(driver)
}

// connector returns connections whose transactions find the tables in our schema. Each transaction
// sets the search path, because PgBouncer in transaction mode keeps no settings.
type connector struct{ driver.Connector }

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	pgxConn, _ := conn.(*stdlib.Conn) // nil if there is an error
	return schemaConn{pgxConn}, err
}

type schemaConn struct{ *stdlib.Conn }

// settings are made at the start of each transaction. The timeout ends the transactions of a
// machine that has disappeared, because their locks would block others. Sequential scans are off,
// because PostgreSQL would otherwise not use an index if it has no statistics about a new file. A
// query that needs one then seems so expensive that PostgreSQL would compile it, which is slow.
const settings = "; SET LOCAL search_path = " + pgSchema +
	"; SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL enable_seqscan = off; SET LOCAL jit = off"

// BeginTx implements [driver.ConnBeginTx]. The settings need no round trip of their own.
func (c schemaConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	begin := "BEGIN"
	if opts.ReadOnly {
		begin = "BEGIN READ ONLY"
	}
	tx, err := c.Conn.Conn().BeginTx(ctx, pgx.TxOptions{BeginQuery: begin + settings})
	return schemaTx{tx, ctx}, err
}

type schemaTx struct {
	tx  pgx.Tx
	ctx context.Context //nolint:containedctx // driver.Tx has no parameter for it
}

func (t schemaTx) Commit() error { return t.tx.Commit(t.ctx) }

func (t schemaTx) Rollback() error { return t.tx.Rollback(t.ctx) }

const dsnParams = "sslmode|sslrootcert|sslcert|sslkey|connect_timeout|application_name|default_query_exec_mode"

// dsnForm requires one host, a user and a database. Parameters other than dsnParams are rejected,
// because PgBouncer does not know them, or because they override the host.
var dsnForm = regexp.MustCompile(`^postgres(ql)?://[^:/?#@\s]+(:[^/?#@\s]*)?@[^/?#,@\s]+/[^/?#\s]+` +
	`(\?((` + dsnParams + `)=[^&#\s]*(&|$))*)?$`)

// parseDSN parses a PostgreSQL address strictly. Its errors never quote the address, because a
// password may be anywhere in a mistyped one. A host that is not loopback is verified, because a
// man in the middle would read the password and change the payments. With unverified, the address
// may name another sslmode.
func parseDSN(name, dsn string, unverified bool) (*pgxpool.Config, error) {
	problem := func(text string) error { return fmt.Errorf("%s: %s", name, text) }
	if strings.TrimSpace(dsn) != dsn {
		return nil, problem("has spaces or a line break at its start or end: remove them")
	}
	address, err := url.Parse(dsn)
	if err != nil || !dsnForm.MatchString(dsn) {
		return nil, problem("write postgres://user:password@host:5432/database, with special characters in the form %XX. " +
			"Allowed parameters: " + dsnParams)
	}
	query := address.Query()
	if host := address.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() {
		mode := cmp.Or(query.Get("sslmode"), "verify-full")
		if mode != "verify-full" && !unverified {
			return nil, problem("needs sslmode=verify-full, because the host is another machine. --unverified-database allows other modes")
		}
		query.Set("sslmode", mode)
	}
	execMode := cmp.Or(query.Get("default_query_exec_mode"), "exec") // PgBouncer in transaction mode has no prepared statements
	query.Set("default_query_exec_mode", execMode)
	address.RawQuery = query.Encode()
	parsed, err := pgxpool.ParseConfig(address.String())
	if err != nil { // its text may quote the address
		return nil, problem("has a wrong parameter, or names a certificate that cannot be read. " +
			"A PG… variable of the environment may be wrong too")
	}
	return parsed, nil
}
