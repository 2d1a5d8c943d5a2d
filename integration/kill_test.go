package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momentsql"
)

var messages = flag.Int("messages", 500, "how many messages TestKill delivers in each row, three times each")

const (
	receivers  = 3
	deliverers = 16 // at the same time
	attempts   = 10 // to deliver one, which would all have to meet a receiver that is gone or fails
)

// Each message is delivered three times, each time to another receiver, in random order. In the
// middle one receiver is killed: with a payment that it has committed and not acknowledged, and
// with one or more that it has entered and not committed. What was not acknowledged is delivered
// again, to another, as Moment does. At the end each payment is in the ledger once.
//
// The whole of it is bash .ci/postgres go -C integration test -run '^TestKill$' -v -messages=10000
// .
func TestKill(t *testing.T) {
	for _, row := range []struct {
		name    string
		dialect momentsql.Dialect
		start   func(*testing.T, *receiver) running
	}{
		{"PostgreSQL, processes", momentsql.PostgreSQL, startProcess},
		{"SQLite, processes", momentsql.SQLite, startProcess},
		{"SQLite, goroutines", momentsql.SQLite, startHere},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.GreaterOrEqual(t, *messages, 300, "messages: with fewer, chance may keep a receiver from its share")
			d, hanging := newDatabase(t, row.dialect), make(chan struct{}, deliverers)
			m := &sender{queue: make(chan sending, receivers**messages), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: deliverers}}}
			t.Cleanup(m.client.CloseIdleConnections)
			for i := range receivers {
				r := &receiver{Database: d, hanging: func() {}}
				if i == 0 {
					r.HangAt = int64(*messages / receivers / 2) // half of what is its share
					r.hanging = func() { hanging <- struct{}{} }
				}
				m.receivers[i] = row.start(t, r)
			}
			go func() {
				for range 2 { // one has committed, and one has not
					select {
					case <-hanging:
					case <-t.Context().Done():
					}
				}
				m.receivers[0].kill()
			}()
			begun := time.Now()
			m.deliver(t)
			elapsed := time.Since(begun)
			t.Logf("%d deliveries in %v: %d acknowledged, %d cut off by the kill, %d to a receiver that was gone, %d refused",
				m.sent.Load(), elapsed.Round(time.Millisecond), m.acknowledged.Load(), m.cut.Load(), m.gone.Load(), m.refused.Load())
			assert.EqualValues(t, receivers**messages, m.acknowledged.Load())
			assert.GreaterOrEqual(t, m.cut.Load(), int64(2), "the kill hit nothing")
			assert.Zero(t, m.refused.Load(), "a receiver that lived failed")
			checkLedger(t, d.open(t))
		})
	}
}

func checkLedger(t *testing.T, db *sql.DB) {
	t.Helper()
	assert.Equal(t, *messages, count(t, db, marked), "marked")
	assert.Equal(t, *messages, count(t, db, inLedger), "in the ledger")
	assert.Equal(t, *messages, count(t, db, "SELECT count(DISTINCT payment_id) FROM ledger"), "payments")
	assert.Equal(t, *messages*(*messages+1)/2, count(t, db, "SELECT sum(amount) FROM ledger"), "money")
}

// sender is Moment.
type sender struct {
	receivers [receivers]running
	client    *http.Client
	queue     chan sending

	sent, acknowledged, cut, gone, refused atomic.Int64
}

type sending struct{ message, receiver, attempt int }

// deliver ends when all is acknowledged.
func (m *sender) deliver(t *testing.T) {
	t.Helper()
	order := rand.Perm(receivers * *messages)
	var open, all sync.WaitGroup
	open.Add(len(order))
	for _, i := range order {
		m.queue <- sending{message: i/receivers + 1, receiver: i % receivers}
	}
	for range deliverers {
		all.Go(func() {
			for d := range m.queue {
				d.attempt++
				switch err := m.send(t.Context(), d); {
				case err == nil:
					open.Done()
				case d.attempt == attempts:
					assert.NoError(t, err, "given up after %d attempts", attempts)
					open.Done()
				default:
					d.receiver = (d.receiver + 1) % receivers
					m.queue <- d
				}
			}
		})
	}
	open.Wait()
	close(m.queue)
	all.Wait()
}

func (m *sender) send(ctx context.Context, d sending) error {
	m.sent.Add(1)
	resp, err := m.client.Do(signed(ctx, m.receivers[d.receiver].url, fmt.Sprintf("msg_%d", d.message), payment(d.message)))
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		m.gone.Add(1)
		return err
	case err != nil:
		m.cut.Add(1)
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		m.refused.Add(1)
		return errors.New(resp.Status)
	}
	m.acknowledged.Add(1)
	return nil
}
