package momenttest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestResend(t *testing.T) {
	old := moment.RawWebhookSecret([]byte("the secret before the rotation"))
	for _, row := range []struct {
		why    string
		resend momenttest.Resend
		times  int
		err    error // of the verifier
	}{
		{"once", momenttest.Resend{}, 1, nil},
		{"any number of times", momenttest.Resend{Times: 120}, 120, nil},
		{"with the secret before", momenttest.Resend{Secret: old}, 1, moment.ErrInvalidSignature},
		{"a replay attack", momenttest.Resend{Age: 10 * time.Minute, Times: 2}, 2, moment.ErrTimestamp},
		{"old, but tolerable", momenttest.Resend{Age: 2 * time.Minute}, 1, nil},
	} {
		t.Run(row.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &testEndpoint{statuses: fails(1)}
				srv := newOutbox(t, a)
				d := payCustomer(t, srv)
				resent, err := srv.Resend(t.Context(), d.MessageID, row.resend)
				require.NoError(t, err)
				require.Equal(t, row.times, resent.Attempts)
				require.Equal(t, row.err == nil, resent.Acknowledged())
				m := srv.Outbox()[0]
				require.Len(t, m.Attempts, min(1+row.times, 100), "the last hundred, and those that count for the waits")
				require.False(t, m.Attempts[0].Resent)
				require.Equal(t, row.err == nil, m.NextAttemptAt.IsZero(), "the retries continue unless it was acknowledged")
				for i, attempt := range m.Attempts[1:] {
					require.True(t, attempt.Resent)
					require.Equal(t, row.resend.Secret != "", attempt.OtherSecret)
					require.Equal(t, row.resend.Age > 0, attempt.At.Before(attempt.SentAt), "the time that the timestamp hides")
					require.True(t, attempt.At.After(m.Attempts[i].At) || i == 0, "each has another timestamp")
				}
				if row.err == nil {
					require.Empty(t, a.invalid)
				} else {
					require.ErrorIs(t, a.invalid[0], row.err)
				}
				for _, id := range a.ids {
					require.Equal(t, d.MessageID, id)
				}
			})
		})
	}
}

func TestResendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newOutbox(t, &testEndpoint{})
		_, err := srv.Resend(t.Context(), "msg_1", momenttest.Resend{})
		require.EqualError(t, err, `momenttest: resend: no event has the message id "msg_1": see WithOutbox`)
		id := payCustomer(t, srv).MessageID
		_, err = srv.Resend(t.Context(), id, momenttest.Resend{Secret: "swordfish"})
		require.ErrorContains(t, err, "momenttest: resend: the secret ")
		require.NotContains(t, err.Error(), "swordfish")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		d, err := srv.Resend(ctx, id, momenttest.Resend{Times: 3})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 1, d.Attempts)
		srv.SetWebhook("", "")
		_, err = srv.Resend(t.Context(), id, momenttest.Resend{})
		require.EqualError(t, err, "momenttest: resend: no webhook is set: call SetWebhook")
	})
}

func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &testEndpoint{}
		srv := newOutbox(t, a)
		d, err := srv.Send(t.Context(), "bill.created", map[string]any{"id": "bill_1", "amount_due": 2000})
		require.NoError(t, err)
		require.True(t, d.Acknowledged())
		require.Regexp(t, `^{"id":"evt_[A-Z2-7]{21}","type":"bill.created","data":{"amount_due":2000,"id":"bill_1"}}$`, a.bodies[0])
		require.Empty(t, a.invalid)
		require.Len(t, srv.Outbox(), 1)

		_, err = srv.Send(t.Context(), "", nil)
		require.EqualError(t, err, "momenttest: send: the type is empty")
		_, err = srv.Send(t.Context(), "bill.created", func() {})
		require.ErrorContains(t, err, "momenttest: send: json: unsupported type")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = srv.Send(ctx, "bill.created", nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, srv.Outbox(), 1)
	})
	srv := newServer(t)
	d, err := srv.Send(t.Context(), "bill.created", nil)
	require.NoError(t, err)
	require.Zero(t, d.Attempts, "no webhook is set")
	require.Empty(t, srv.Outbox(), "nor is there an outbox")
}
