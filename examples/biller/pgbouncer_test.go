package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	var all sync.WaitGroup
	for n := range payments {
		all.Go(func() {
			assert.Equal(t, 204, b.deliver(fmt.Sprint("msg_", n), payment(n, 100)))
			status, _ := b.health()
			assert.Equal(t, 200, status)
		})
	}
	all.Wait()
	for range payments {
		assert.Equal(t, river.EventKindJobCompleted, receiveFrom(t, "a job", events).Kind)
	}
	assert.Equal(t, payments, ask[int](b, "SELECT count(*) FROM ledger"))
	assert.NotContains(t, b.log.String(), `"level":"ERROR"`)
}
