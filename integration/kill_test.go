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

var messages = flag.Int("messages", 500, "number of messages in each row of TestKill, each delivered three times")

const (
	receivers  = 3
	deliverers = 16 // concurrent deliveries
	attempts   = 10 // attempts of one delivery; all would have to reach a receiver that is gone or fails
)

// Each message is delivered three times, each time to another receiver, in random order. In the
// middle, one receiver is killed: with a payment that it has committed and not acknowledged, and
// with one or more that it has entered and not committed. Messages that were not acknowledged are
// delivered again, to another receiver, as Moment does. At the end, the ledger has each payment
// once.
//
// The whole test is bash .ci/postgres go -C integration test -run '^TestKill$' -v -messages=10000 .
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
			require.GreaterOrEqual(t, *messages, 300, "messages: with fewer messages, a receiver may get too few")
			d, hanging := newDatabase(t, row.dialect), make(chan struct{}, deliverers)
			m := &sender{queue: make(chan sending, receivers**messages), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: deliverers}}}
			t.Cleanup(m.client.CloseIdleConnections)
			for i := range receivers {
				r := &receiver{Database: d, hanging: func() {}}
				if i == 0 {
					r.HangAt = int64(*messages / receivers / 2) // half of its share
					r.hanging = func() { hanging <- struct{}{} }
				}
				m.receivers[i] = row.start(t, r)
			}
			go func() {
				for range 2 { // one payment is committed, and one is not
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
			t.Logf("%d deliveries in %v: %d acknowledged, %d interrupted by the kill, %d to a receiver that was gone, %d rejected",
				m.sent.Load(), elapsed.Round(time.Millisecond), m.acknowledged.Load(), m.cut.Load(), m.gone.Load(), m.refused.Load())
			assert.EqualValues(t, receivers**messages, m.acknowledged.Load())
			assert.GreaterOrEqual(t, m.cut.Load(), int64(2), "the kill interrupted no delivery")
			assert.Zero(t, m.refused.Load(), "a running receiver failed")
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

// sender delivers messages like Moment.
type sender struct {
	receivers [receivers]running
	client    *http.Client
	queue     chan sending

	sent, acknowledged, cut, gone, refused atomic.Int64
}

type sending struct{ message, receiver, attempt int }

// deliver returns when all messages are acknowledged.
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
