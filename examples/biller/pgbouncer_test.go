package main

import (
	"fmt"
	"testing"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// PgBouncer in transaction mode may use another connection to PostgreSQL for each transaction. That
// connection has neither the prepared statements nor the settings of the previous one.
func TestPgBouncer(t *testing.T) {
	const payments = 100
	direct := newPostgres(t)
	s := openTestPostgres(t, startPgBouncer(t, direct))
	require.NoError(t, s.migrate(t.Context()))
	require.NoError(t, s.ready(t.Context()))
	b := newBase(t, s, direct)
	events := b.work()
	// Few at a time, because PgBouncer opens its connections one after the other, and a busy
	// machine needs a tenth of a second for each.
	atOnce := func(n int, do func(n int)) {
		var all errgroup.Group
		all.SetLimit(8)
		for n := range n {
			all.Go(func() error {
				do(n)
				return nil
			})
		}
		_ = all.Wait()
	}
	atOnce(payments, func(n int) { assert.Equal(t, 204, b.deliver(fmt.Sprint("msg_", n), payment(n, 100))) })
	for range payments {
		assert.Equal(t, river.EventKindJobCompleted, receiveFrom(t, "a job", events).Kind)
	}
	assert.Equal(t, payments, ask[int](b, "SELECT count(*) FROM ledger"))
	atOnce(20, func(int) {
		status, _ := b.health()
		assert.Equal(t, 200, status)
	})
	assert.NotContains(t, b.log.String(), `"level":"ERROR"`)
}
