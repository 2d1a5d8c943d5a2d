package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// PostgreSQL ends what a machine that went away has left open: with a transaction of it, for one,
// River rescues no jobs. Whoever gives other values in the address has these.
func TestSessionsEnd(t *testing.T) {
	const show = "SELECT concat_ws(' ', current_setting('idle_in_transaction_session_timeout'), current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'), current_setting('tcp_keepalives_count'))"
	w := newWorld(t)
	for address, want := range map[string]string{
		w.address: "1min 30 10 3",
		w.address + "&idle_in_transaction_session_timeout=5min&tcp_keepalives_idle=40": "5min 40 10 3",
	} {
		require.Contains(t, address, "?")
		pool, err := openPool(t.Context(), address)
		require.NoError(t, err)
		defer pool.Close()
		w := &world{address: address, pool: pool, log: new(logs)}
		assert.Equal(t, want, ask[string](t, w, show), "of workers")
		var got string
		require.NoError(t, w.newReceiver(t, nowhere).db.QueryRowContext(t.Context(), show).Scan(&got))
		assert.Equal(t, want, got, "of receivers")
	}
}
