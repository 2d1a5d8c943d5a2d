package momenttest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// A program that polls sees each change of each event once.
func TestOutboxAfter(t *testing.T) {
	srv := momenttest.NewServer(momenttest.WithOutbox())
	t.Cleanup(srv.Close)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	t.Cleanup(endpoint.Close)
	srv.SetWebhook(endpoint.URL, moment.RawWebhookSecret([]byte("0123456789abcdef")))
	seen := 0
	poll := func() (ids []string) {
		changed, next := srv.OutboxAfter(seen)
		for _, m := range changed {
			ids = append(ids, m.ID)
		}
		seen = next
		return ids
	}
	require.Empty(t, poll())
	send := func() string {
		d, err := srv.Send(t.Context(), "bill.created", map[string]string{"id": "bill_1"})
		require.NoError(t, err)
		return d.MessageID
	}
	first, second := send(), send()
	require.Equal(t, []string{first, second}, poll(), "new ones")
	require.Empty(t, poll(), "each change once")
	_, err := srv.Resend(t.Context(), first, momenttest.Resend{})
	require.NoError(t, err)
	require.Equal(t, []string{first}, poll(), "a new attempt")
	third := send()
	_, err = srv.Resend(t.Context(), second, momenttest.Resend{})
	require.NoError(t, err)
	require.Equal(t, []string{third, second}, poll(), "in the order of the changes")
	srv.Advance(5 * time.Second)
	require.ElementsMatch(t, []string{first, second, third}, poll(), "retries")
	srv.Reset()
	require.Empty(t, poll())
	require.Equal(t, []string{send()}, poll(), "revisions continue after a reset")
}
