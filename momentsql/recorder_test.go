package momentsql_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
)

var errDriver = errors.New("said the driver")

// recorder is a driver that records its calls. One step fails, and the others do nothing.
type recorder struct {
	fails string
	rows  int64 // rows that each statement affects
	steps []string
	args  []driver.NamedValue // of the last statement
}

func (r *recorder) step(name string) error {
	r.steps = append(r.steps, name)
	if name == r.fails {
		return errDriver
	}
	return nil
}

func (r *recorder) Connect(context.Context) (driver.Conn, error) { return r, r.step("connect") }
func (r *recorder) Driver() driver.Driver                        { return nil }
func (r *recorder) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("not used") }
func (r *recorder) Close() error                                 { return nil }
func (r *recorder) Begin() (driver.Tx, error)                    { return r, r.step("begin") }
func (r *recorder) Commit() error                                { return r.step("commit") }
func (r *recorder) Rollback() error                              { return r.step("rollback") }

func (r *recorder) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r.args = args
	return r, r.step(strings.ToLower(strings.Fields(query)[0]))
}

func (r *recorder) LastInsertId() (int64, error) { return 0, errors.New("not used") }
func (r *recorder) RowsAffected() (int64, error) {
	if r.fails == "rows" {
		return 0, errDriver
	}
	return r.rows, nil
}
