package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func (b books) pusher() *pusher { return &pusher{b.fake.Client(), b.DB, time.Minute} }

// expire ends all claims.
func (b books) expire(t *testing.T) {
	t.Helper()
	b.exec(t, "UPDATE balances SET claimed_until = now() - interval '1 second' WHERE claimed_until > now()")
}

func TestPush(t *testing.T) {
	b := newBooks(t)
	customer := b.open(t, "UCR1")
	more, err := b.pusher().pushNext(t.Context())
	require.NoError(t, err)
	assert.False(t, more, "nothing has changed")

	require.Equal(t, 204, b.deliver(t, "msg_1", payment(1, 1500, customer)))
	require.Equal(t, 204, b.deliver(t, "msg_2", payment(2, 500, customer)))
	assert.Equal(t, opening, b.atMoment(t, customer), "a payment does not change the balance at Moment")
	more, err = b.pusher().pushNext(t.Context())
	require.NoError(t, err)
	assert.True(t, more)
	assert.Equal(t, 98000, b.atMoment(t, customer))
	more, err = b.pusher().pushNext(t.Context())
	require.NoError(t, err)
	assert.False(t, more, "both payments are pushed")
}

// An update that failed may still be in flight, so the customer's balance is not pushed until the
// claim has expired. Other customers do not wait.
func TestPushThatFailed(t *testing.T) {
	for _, row := range []struct {
		why     string
		fault   momenttest.Fault
		is      error
		applied bool
	}{
		{"the update was applied, and its response is lost", momenttest.DropAfterCommit(), moment.ErrOutcomeUnknown, true},
		{"the update was lost", momenttest.DropBeforeCommit(), moment.ErrOutcomeUnknown, false},
		{"the service failed", momenttest.ServiceError(500), moment.ErrServer, false},
	} {
		t.Run(row.why, func(t *testing.T) {
			b := newBooks(t)
			customer, other := b.open(t, "UCR1"), b.open(t, "UCR2")
			require.Equal(t, 204, b.deliver(t, "msg_1", payment(1, 1500, customer)))
			b.fake.Fail(row.fault.On("update customer"))
			more, err := b.pusher().pushNext(t.Context())
			require.ErrorIs(t, err, row.is)
			assert.True(t, more)
			assert.Equal(t, map[bool]int{true: 98500, false: opening}[row.applied], b.atMoment(t, customer))

			require.Equal(t, 204, b.deliver(t, "msg_2", payment(2, 500, customer)))
			require.Equal(t, 204, b.deliver(t, "msg_3", payment(3, 700, other)))
			for _, want := range []bool{true, false} {
				more, err = b.pusher().pushNext(t.Context())
				require.NoError(t, err)
				assert.Equal(t, want, more)
			}
			assert.Equal(t, 99300, b.atMoment(t, other))
			assert.NotEqual(t, 98000, b.atMoment(t, customer), "pushed within the claim")

			b.expire(t)
			_, err = b.pusher().pushNext(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 98000, b.atMoment(t, customer))
		})
	}
}

// during returns a pusher whose updates reach Moment after f.
func (b books) during(t *testing.T, f func()) *pusher {
	t.Helper()
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f()
		b.fake.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	p := b.pusher()
	p.client = b.fake.Client(moment.WithBaseURL(slow.URL))
	return p
}

// A payment arrives while an older balance is in flight.
func TestPaymentDuringAPush(t *testing.T) {
	b := newBooks(t)
	customer := b.open(t, "UCR1")
	require.Equal(t, 204, b.deliver(t, "msg_1", payment(1, 1500, customer)))
	p := b.during(t, func() {
		assert.Equal(t, 204, b.deliver(t, "msg_2", payment(2, 500, customer)))
		more, err := b.pusher().pushNext(t.Context())
		assert.NoError(t, err)
		assert.False(t, more, "two pushes of one balance at the same time")
	})
	_, err := p.pushNext(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 98500, b.atMoment(t, customer))
	_, err = b.pusher().pushNext(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 98000, b.atMoment(t, customer))
}

// A process is stopped in the middle of a push, for longer than its claim. Meanwhile another one
// pushes a newer balance, which the older one then overwrites. So it is pushed again.
func TestPushThatOutlastsItsClaim(t *testing.T) {
	b := newBooks(t)
	customer := b.open(t, "UCR1")
	require.Equal(t, 204, b.deliver(t, "msg_1", payment(1, 1500, customer)))
	p := b.during(t, func() {
		b.expire(t)
		assert.Equal(t, 204, b.deliver(t, "msg_2", payment(2, 500, customer)))
		_, err := b.pusher().pushNext(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, 98000, b.atMoment(t, customer))
	})
	_, err := p.pushNext(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 98500, b.atMoment(t, customer), "the older balance arrived last")

	_, err = b.pusher().pushNext(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 98000, b.atMoment(t, customer))
}
