package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
)

// withRiverTx runs a function with the transaction of database/sql that momentsql has begun, as
// River's driver for pgx takes it. It is to do no more than River's InsertTx.
//
// With River's driver for database/sql, riverdatabasesql, an InsertTx takes the *sql.Tx as it is.
// It must be of River's own release, which the module proxy did not have when this was written:
// where yours has it, this file can go.
//
// pgx calls a [pgx.QueryRewriter] with its connection, before it sends the query. database/sql
// holds the connection meanwhile, so that no rollback, as when ctx ends, comes in between.
func withRiverTx(ctx context.Context, tx *sql.Tx, insert func(pgx.Tx) error) error {
	r := &rewriter{insert: insert}
	_, err := tx.ExecContext(ctx, "SELECT 1", r)
	if r.err != nil {
		return r.err
	}
	if err == nil && !r.called { // or the event would be marked, acknowledged, and have no job
		return errNotCalled
	}
	return err
}

type rewriter struct {
	insert func(pgx.Tx) error
	called bool
	err    error
}

// RewriteQuery implements [pgx.QueryRewriter]. It leaves the query as it is.
func (r *rewriter) RewriteQuery(_ context.Context, conn *pgx.Conn, query string, args []any) (string, []any, error) {
	r.called = true
	r.err = r.insert(openTx{conn})
	return query, args, r.err
}

// openTx is a connection on which a transaction is open that somebody else ends.
type openTx struct{ *connection }

type connection = pgx.Conn // an alias: the field must not have the name of the method

var errNotCalled = errors.New("the driver of the database did not give its connection: no job was inserted")

var errNotOurs = errors.New("the transaction is that of momentsql")

func (openTx) Begin(context.Context) (pgx.Tx, error) { return nil, errNotOurs }
func (openTx) Commit(context.Context) error          { return errNotOurs }
func (openTx) Rollback(context.Context) error        { return errNotOurs }
func (openTx) LargeObjects() pgx.LargeObjects        { return pgx.LargeObjects{} }
func (tx openTx) Conn() *pgx.Conn                    { return tx.connection }
