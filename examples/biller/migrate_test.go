package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Several processes can migrate at the same time, and again later. The tables of another River and
// another momentsql in the database do not change.
func TestMigrate(t *testing.T) {
	address := newPostgres(t)
	s := openTestPostgres(t, address)
	t.Cleanup(s.close)
	_, err := s.rows.ExecContext(t.Context(), `CREATE TABLE public.river_job (theirs TEXT); CREATE TABLE public.moment_webhook_messages (theirs TEXT);
		CREATE TABLE public.ledger (theirs TEXT); CREATE TYPE public.river_job_state AS ENUM ('theirs')`)
	require.NoError(t, err)
	assert.Error(t, s.ready(t.Context()))
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { assert.NoError(t, s.migrate(t.Context())) })
	}
	all.Wait()
	require.NoError(t, s.migrate(t.Context()))
	require.NoError(t, s.ready(t.Context()))
	b := newBase(t, s, address)
	assert.Equal(t, 204, b.deliver("msg_1", payment(1, 1500)))
	receiveFrom(t, "a job", b.work())
	assert.Equal(t, 1, ask[int](b, "SELECT count(*) FROM ledger"))
	assert.Zero(t, ask[int](b, "SELECT (SELECT count(*) FROM public.river_job) + (SELECT count(*) FROM public.ledger) + (SELECT count(*) FROM public.moment_webhook_messages)"))
}

// A migration that failed continues where it failed.
func TestMigrateAgain(t *testing.T) {
	address := newPostgres(t)
	s := openTestPostgres(t, address)
	t.Cleanup(s.close)
	_, err := s.rows.ExecContext(t.Context(), "CREATE SCHEMA biller; CREATE TABLE biller.river_queue (theirs TEXT)")
	require.NoError(t, err)
	require.ErrorContains(t, s.migrate(t.Context()), "river_queue")
	require.ErrorContains(t, s.ready(t.Context()), "run biller migrate")
	_, err = s.rows.ExecContext(t.Context(), "DROP TABLE biller.river_queue")
	require.NoError(t, err)
	t.Setenv("DATABASE_URL", address)
	var stdout bytes.Buffer
	require.Equal(t, exitDone, start(t.Context(), []string{"migrate"}, &stdout, io.Discard))
	assert.Equal(t, "The tables in the schema biller are up to date.\n", stdout.String())
	require.NoError(t, s.ready(t.Context()))
	_, err = s.rows.ExecContext(t.Context(), "SELECT metadata FROM biller.river_queue")
	assert.NoError(t, err)
}

// A migration that was killed continues where it was killed.
func TestKilledMigration(t *testing.T) {
	address := newPostgres(t)
	s := openTestPostgres(t, address)
	t.Cleanup(s.close)
	_, err := s.rows.ExecContext(t.Context(), "CREATE SCHEMA biller")
	require.NoError(t, err)
	theirs, err := s.rows.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = theirs.ExecContext(t.Context(), "CREATE TABLE river_queue (theirs TEXT)") // the migration waits for it
	require.NoError(t, err)
	migration := exec.CommandContext(t.Context(), build(t), "migrate")
	migration.Env = append(os.Environ(), "DATABASE_URL="+address)
	require.NoError(t, migration.Start())
	untilTransactionWaits(t, s.rows)
	require.NoError(t, migration.Process.Kill())
	require.Error(t, migration.Wait())
	require.NoError(t, theirs.Rollback())
	require.ErrorContains(t, s.ready(t.Context()), "run biller migrate")
	require.NoError(t, s.migrate(t.Context()))
	require.NoError(t, s.ready(t.Context()))
	assert.Equal(t, 204, newBase(t, s, address).deliver("msg_1", payment(1, 1500)))
}

// PostgreSQL accepts the statements in deployment.md.
func TestStatementsForOperators(t *testing.T) {
	s := openTestPostgres(t, newPostgres(t))
	t.Cleanup(s.close)
	require.NoError(t, s.migrate(t.Context()))
	page, err := os.ReadFile("deployment.md")
	require.NoError(t, err)
	statements := regexp.MustCompile("`((?:SELECT|UPDATE|DELETE)\\s[^`]+)`").FindAllSubmatch(page, -1)
	assert.Greater(t, len(statements), 8)
	for _, statement := range statements {
		_, err := s.rows.ExecContext(t.Context(), string(statement[1]))
		assert.NoError(t, err, string(statement[1]))
	}
}

// An administrator can run the statements that migrate prints. A user who may not create anything
// can then work.
func TestPrintedMigration(t *testing.T) {
	address := newPostgres(t)
	s := openTestPostgres(t, address)
	t.Cleanup(s.close)
	var script strings.Builder
	require.NoError(t, s.printMigration(t.Context(), &script))
	assert.Error(t, s.ready(t.Context()), "nothing was changed")
	text := "CREATE ROLE biller_user LOGIN PASSWORD 'p';" + strings.ReplaceAll(script.String(), "-- GRANT", "GRANT")
	psql := exec.CommandContext(t.Context(), "psql", "-qv", "ON_ERROR_STOP=1", address)
	psql.Stdin = strings.NewReader(text)
	out, err := psql.CombinedOutput()
	require.NoError(t, err, string(out))
	var again strings.Builder
	require.NoError(t, s.printMigration(t.Context(), &again))
	assert.NotContains(t, again.String(), "River's version", "only missing versions are printed")

	restricted, err := url.Parse(address)
	require.NoError(t, err)
	restricted.User = url.UserPassword("biller_user", "p")
	r := openTestPostgres(t, restricted.String())
	t.Cleanup(func() {
		_, err := s.rows.ExecContext(context.Background(), "DROP OWNED BY biller_user; DROP ROLE biller_user")
		assert.NoError(t, err)
	})
	require.NoError(t, r.ready(t.Context()))
	require.Error(t, r.migrate(t.Context()), "the user may create nothing")
	b := newBase(t, r, restricted.String())
	assert.Equal(t, 204, b.deliver("msg_1", payment(1, 1500)))
	receiveFrom(t, "a job", b.work())
	assert.Equal(t, "evt_1 pay_1 bill bill_1 1500 ZAR", ask[string](b, entries))
	status, _ := b.health()
	assert.Equal(t, 200, status)
	_, err = s.rows.ExecContext(t.Context(), "REVOKE USAGE ON ALL SEQUENCES IN SCHEMA biller FROM biller_user")
	require.NoError(t, err)
	status, _ = b.health()
	assert.Equal(t, 503, status, "no job can be inserted")
}

// A user who may not create schemas migrates in one that an administrator has created for them.
func TestMigrateInASchemaThatExists(t *testing.T) {
	address := newPostgres(t)
	admin := openTestPostgres(t, address)
	t.Cleanup(admin.close)
	t.Cleanup(func() {
		_, err := admin.rows.ExecContext(context.Background(), "DROP OWNED BY biller_owner; DROP ROLE biller_owner")
		assert.NoError(t, err)
	})
	_, err := admin.rows.ExecContext(t.Context(), "CREATE ROLE biller_owner LOGIN PASSWORD 'p'; CREATE SCHEMA biller AUTHORIZATION biller_owner")
	require.NoError(t, err)
	restricted, err := url.Parse(address)
	require.NoError(t, err)
	restricted.User = url.UserPassword("biller_owner", "p")
	s := openTestPostgres(t, restricted.String())
	t.Cleanup(s.close)
	require.NoError(t, s.migrate(t.Context()))
	require.NoError(t, s.ready(t.Context()))
}

// A process that starts waits for its database for some time, and logs this.
func TestStartWaits(t *testing.T) {
	down := errors.New("connection refused")
	for _, row := range []struct {
		why   string
		tries int // until it succeeds
		limit time.Duration
		took  time.Duration
		says  string
	}{
		{"it is there", 1, time.Hour, 0, ""},
		{"it is there after a while", 4, time.Hour, 3 * betweenTries, ""},
		{"it stays away", 1000, time.Hour, startTimeout, "waited for the database: connection refused"},
		{"the process is asked to end", 1000, 5 * time.Second, 5 * time.Second, "waited for the database: context deadline exceeded"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), row.limit)
			defer cancel()
			b, begun, tries := new(base), time.Now(), 0
			err := await(ctx, b.logger(), "the database", func(context.Context) error {
				if tries++; tries == row.tries {
					return nil
				}
				return down
			})
			assert.Equal(t, row.took, time.Since(begun), row.why)
			if row.says != "" {
				assert.EqualError(t, err, row.says, row.why)
			} else {
				assert.NoError(t, err, row.why)
			}
			assert.Equal(t, row.took > 0, strings.Contains(b.log.String(), `"for":"the database","error":"connection refused"`), row.why)
		})
	}
}

// A process that starts waits for the address of LISTEN too, and names its variable.
func TestStartWaitsForListen(t *testing.T) {
	b := newPostgresBase(t)
	var c config
	var err error
	c.postgres, err = parseDSN("DATABASE_URL", b.address, false)
	require.NoError(t, err)
	c.listen, err = parseDSN("DATABASE_LISTEN_URL", "postgres://u:hunter2@127.0.0.1:1/d", false)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), betweenTries)
	defer cancel()
	_, err = c.openDatabase(ctx, b.logger())
	require.ErrorContains(t, err, "waited for PostgreSQL at DATABASE_LISTEN_URL: ")
	assert.Contains(t, b.log.String(), `"for":"PostgreSQL at DATABASE_LISTEN_URL","error":"failed to connect`)
	assert.NotContains(t, b.log.String(), "hunter2")
}

// A database that does not respond at all is reported too.
func TestStartWaitsForASilentDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, begun := new(base), time.Now()
		err := await(t.Context(), b.logger(), "the database", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		assert.ErrorContains(t, err, "waited for the database: context deadline exceeded")
		assert.LessOrEqual(t, time.Since(begun), startTimeout+tryTimeout)
		assert.Contains(t, b.log.String(), `"msg":"waiting"`)
	})
}
