package momenttest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &testEndpoint{statuses: fails(1)}
		srv := newOutbox(t, a)
		require.NoError(t, srv.Seed(momenttest.State{
			Bills: []moment.Bill{{ExternalReference: "b", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: &moment.PaymentRules{UnderpaymentAllowed: true}}},
		}))
		require.Error(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{}}}))
		seeded, start := srv.State(), time.Now()
		_, err := srv.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "other"})
		require.NoError(t, err)
		_, err = srv.Pay(t.Context(), momenttest.Payment{Bill: "b", Amount: 1})
		require.NoError(t, err)
		srv.Fail(momenttest.Truncate())
		srv.Advance(time.Second)
		require.NotEqual(t, seeded, srv.State())

		srv.Reset()
		require.Equal(t, seeded, srv.State(), "generated ids are the same, and the bill is unpaid")
		require.Empty(t, srv.Faults())
		require.Empty(t, srv.Requests())
		require.Empty(t, srv.Outbox())
		require.Equal(t, start, srv.Now())
		srv.Advance(time.Hour)
		require.Len(t, a.received(), 1, "pending deliveries are removed")
		require.True(t, payCustomer(t, srv).Acknowledged(), "the webhook is still set")
	})
}

// Close interrupts a retry. The attempt does not count, because the endpoint did not cause the
// failure.
func TestCloseDuringARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newOutbox(t, &testEndpoint{statuses: fails(1)})
		payCustomer(t, srv)
		srv.SetWebhookHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { gone(r) }), "/", webhookSecret)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		srv.Close()
		m := srv.Outbox()[0]
		require.Len(t, m.Attempts, 1)
		require.Equal(t, 5*time.Second, m.NextAttemptAt.Sub(m.CreatedAt))
	})
}

// A reset while an event is in flight: its attempt leaves no trace.
func TestResetDuringAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &testEndpoint{statuses: fails(1)}
		srv := newOutbox(t, a)
		a.now = func() time.Time { srv.Reset(); return time.Now() }
		payCustomer(t, srv)
		require.Empty(t, srv.Outbox())
		require.Empty(t, srv.State().Payments)
		time.Sleep(time.Hour)
		require.Len(t, a.received(), 1)
	})
}

func TestResetToASeedWithATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newOutbox(t, &testEndpoint{})
		start := time.Now()
		require.NoError(t, srv.Seed(momenttest.State{ClockOffset: time.Hour}))
		require.Equal(t, start.Add(time.Hour), srv.Now())
		require.Error(t, srv.Seed(momenttest.State{ClockOffset: 2 * time.Hour, Customers: []moment.Customer{{}}}))
		require.Equal(t, start.Add(time.Hour), srv.Now())
		srv.Advance(time.Hour)
		srv.Reset()
		require.Equal(t, start.Add(time.Hour), srv.Now())
	})
}

// Restore replaces the data, and is not what Reset begins with.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &testEndpoint{statuses: fails(1)}
		srv := newOutbox(t, a)
		seeded := srv.State()
		_, err := srv.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "other"})
		require.NoError(t, err)
		payCustomer(t, srv)
		srv.Advance(time.Second)
		exported := srv.State()
		require.Len(t, exported.Responses, 1)
		require.Len(t, exported.Outbox, 1)

		srv.Reset()
		bad := exported
		bad.Outbox = append([]momenttest.Message{}, exported.Outbox[0], exported.Outbox[0])
		require.EqualError(t, srv.Restore(bad), "momenttest: restore: Outbox[1]: message_id \""+exported.Outbox[0].ID+"\" belongs to another message")
		require.Equal(t, seeded, srv.State(), "the state is unchanged")
		for _, bad := range []momenttest.Message{{ID: "1", Event: []byte("{}")}, {ID: "msg_1", Event: []byte("{")}} {
			require.ErrorContains(t, srv.Restore(momenttest.State{Outbox: []momenttest.Message{bad}}), "momenttest: restore: Outbox[0]: ")
		}
		require.NoError(t, srv.Restore(exported))
		require.Equal(t, exported, srv.State())
		srv.Advance(4 * time.Second)
		require.Len(t, a.received(), 2, "the retries continue")
		srv.Reset()
		require.Equal(t, seeded, srv.State())
	})
}
