package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (b *base) health() (status int, body string) {
	recorder := b.respond(httptest.NewRequest(http.MethodGet, "/healthz", nil))
	return recorder.Code, recorder.Body.String()
}

// A receiver is healthy if events can be stored, even if payments cannot be posted.
func TestHealth(t *testing.T) {
	for _, row := range []struct {
		why, statement string
		status         int
	}{
		{"all is well", "SELECT 1", 200},
		{"the ledger is gone: events are stored all the same", "DROP TABLE ledger", 200},
		{"no marks: deliveries would fail", "DROP TABLE moment_webhook_messages", 503},
		{"no jobs: deliveries would fail", "ALTER TABLE river_job RENAME TO elsewhere", 503},
		{"no job can be stored", "ALTER TABLE river_job RENAME COLUMN args TO elsewhere", 503},
		{"no mark can be stored", "ALTER TABLE moment_webhook_messages RENAME COLUMN processed_at TO elsewhere", 503},
	} {
		t.Run(row.why, func(t *testing.T) {
			onBoth(t, func(b *base) {
				b.exec(row.statement)
				status, body := b.health()
				assert.Equal(b, row.status, status)
				assert.Contains(b, body, map[int]string{200: "ok\n", 503: "nothing can be stored"}[status])
				if status == 200 {
					jobs, marks := b.stored()
					assert.Empty(b, jobs, "the check leaves nothing behind")
					assert.Zero(b, marks)
				}
			})
		})
	}
}

// A receiver is not healthy if PostgreSQL rejects every write. A standby does so, and the old
// primary after a failover.
func TestHealthOfReadOnlyPostgres(t *testing.T) {
	b := newPostgresBase(t)
	_, err := b.rows.ExecContext(t.Context(), "ALTER DATABASE "+strings.TrimPrefix(b.name(), "/")+" SET default_transaction_read_only = on")
	require.NoError(t, err)
	b.rows.SetMaxIdleConns(0) // for new connections
	status, _ := b.health()
	assert.Equal(t, 503, status)
	assert.Contains(t, b.log.String(), "read-only transaction")
	assert.Equal(t, 500, b.deliver("msg_1", payment(9, 100)), "and so does a delivery")
}

func (b *base) name() string { return ask[string](b, "SELECT current_database()") }

// A receiver is not healthy if its file was removed or replaced, because the process would write to
// the old file, and its data would be lost.
func TestHealthOfTheFile(t *testing.T) {
	for _, row := range []struct {
		why  string
		harm func(b *base)
	}{
		{"removed", func(b *base) { require.NoError(b, os.Remove(b.path)) }},
		{"replaced, by a restored backup for example", func(b *base) {
			text, err := os.ReadFile(b.path)
			require.NoError(b, err)
			require.NoError(b, os.WriteFile(b.path+".new", text, 0o600))
			require.NoError(b, os.Rename(b.path+".new", b.path))
		}},
		{"read-only", func(b *base) {
			_, err := b.rows.ExecContext(b.Context(), "PRAGMA query_only = on")
			require.NoError(b, err)
		}},
	} {
		t.Run(row.why, func(t *testing.T) {
			b := newSQLiteBase(t)
			b.insert(onePayment)
			row.harm(b)
			status, _ := b.health()
			assert.Equal(t, 503, status)
			assert.Equal(t, 500, b.deliver("msg_1", payment(9, 100)), "and so does a delivery")
			assert.Equal(t, river.EventKindJobFailed, receiveFrom(t, "a job", b.work()).Kind, "and so does a payment")
		})
	}
}

// A receiver is not healthy if the disk is full.
func TestHealthOfAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("only root can make a small disk: %s", out)
	}
	t.Cleanup(func() { assert.NoError(t, exec.Command("umount", "-l", dir).Run()) })
	s, err := openStore(t.Context(), filepath.Join(dir, "biller.db"))
	require.NoError(t, err)
	b := newBase(t, s, "")
	status, _ := b.health()
	assert.Equal(t, 200, status)
	filler, err := os.Create(filepath.Join(dir, "filler"))
	require.NoError(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	require.NoError(t, filler.Close())
	until(t, patience, "nothing can be stored", func() bool { // a few pages are left in the log
		status, _ = b.health()
		return status == 503
	})
	require.NoError(t, os.Remove(filler.Name()))
	status, _ = b.health()
	assert.Equal(t, 200, status, "there is room again")
}

// A receiver reports a database that does not respond before a load balancer stops waiting.
func TestHealthOfASilentDatabase(t *testing.T) {
	b := newPostgresBase(t)
	defer b.lockTable("river_job")()
	begun := time.Now()
	status, _ := b.health()
	assert.Equal(t, 503, status)
	assert.Less(t, time.Since(begun), healthTimeout+time.Second)
}

// At the start, old marks are removed and younger ones are kept.
func TestPruning(t *testing.T) {
	onBoth(t, func(b *base) {
		for message, age := range map[string]time.Duration{"old": remember + time.Minute, "young": remember - time.Hour} {
			b.exec("INSERT INTO moment_webhook_messages (message_id, processed_at) VALUES ($1, $2)", message, time.Now().Add(-age).Unix())
		}
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			b.r.prune(ctx)
		}()
		until(b, patience, "one is left", func() bool { return ask[int](b, "SELECT count(*) FROM moment_webhook_messages") == 1 })
		stop()
		<-ended
		assert.Equal(b, "young", ask[string](b, "SELECT message_id FROM moment_webhook_messages"))
	})
}
