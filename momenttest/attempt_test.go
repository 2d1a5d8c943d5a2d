package momenttest

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/internal/signature"
)

// An endpoint without a socket, with which a synctest bubble would not be durably
// blocked.
type endpointFunc func(r *http.Request) (status int, err error)

func (f endpointFunc) RoundTrip(r *http.Request) (*http.Response, error) {
	status, err := f(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

func TestTimeOfAttempts(t *testing.T) {
	silent := func(r *http.Request) (int, error) {
		<-r.Context().Done()
		return 0, r.Context().Err()
	}
	failing := func(*http.Request) (int, error) { return 500, nil }
	after := func(d time.Duration, status int) endpointFunc {
		return func(*http.Request) (int, error) {
			time.Sleep(d)
			return status, nil
		}
	}
	for _, row := range []struct {
		why        string
		limit      time.Duration // of the whole delivery
		endpoint   endpointFunc
		timestamps []int64 // in seconds since the first
		takes      time.Duration
		status     int
		attemptErr error
		err        error
	}{
		{"silence ends each attempt, not the delivery", time.Hour, silent, []int64{0, 10, 20}, 30 * time.Second, 0, context.DeadlineExceeded, nil},
		{"a response just in time", time.Hour, after(10*time.Second-1, 200), []int64{0}, 10*time.Second - 1, 200, nil, nil},
		{"an attempt that takes time: the next is signed when it is sent", time.Hour, after(9*time.Second, 500), []int64{0, 9, 18}, 27 * time.Second, 500, nil, nil},
		{"attempts in one second: there is no wait, but the timestamps differ", time.Hour, failing, []int64{0, 1, 2}, 0, 500, nil, nil},
		{"an attempt that takes less than a second", time.Hour, after(time.Second/2, 500), []int64{0, 1, 2}, 3 * time.Second / 2, 500, nil, nil},
		{"the caller's context ends in the second attempt", 15 * time.Second, silent, []int64{0, 10}, 15 * time.Second, 0, context.DeadlineExceeded, context.DeadlineExceeded},
		{"and in the first, which still gets a response", 8 * time.Second, after(9*time.Second, 500), []int64{0}, 9 * time.Second, 500, nil, context.DeadlineExceeded},
		{"an acknowledged event stays acknowledged", 8 * time.Second, after(9*time.Second, 200), []int64{0}, 9 * time.Second, 200, nil, nil},
	} {
		t.Run(row.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), row.limit)
				defer cancel()
				start := time.Now()
				var timestamps []int64
				client := newDeliveryClient(nil)
				client.Transport = endpointFunc(func(r *http.Request) (int, error) {
					at, err := strconv.ParseInt(r.Header.Get("Webhook-Timestamp"), 10, 64)
					timestamps = append(timestamps, at-start.Unix())
					require.NoError(t, err)
					return row.endpoint(r)
				})
				h := NewHandler()
				m := &message{Message: Message{ID: "msg_1", Event: []byte("{}")}}
				d, err := h.deliver(ctx, m, webhook{url: "http://endpoint.test/", key: signature.NewKey([]byte("sixteen bytes...")), client: client})
				require.ErrorIs(t, err, row.err)
				require.ErrorIs(t, d.Err, row.attemptErr)
				require.Equal(t, row.timestamps, timestamps)
				require.Equal(t, len(row.timestamps), d.Attempts)
				require.Equal(t, row.takes, time.Since(start))
				require.Equal(t, row.status, d.Status)
			})
		})
	}
}
