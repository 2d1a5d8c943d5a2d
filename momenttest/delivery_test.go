package momenttest_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// status responds with a status and no body.
func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestRedelivery(t *testing.T) {
	for _, row := range []struct {
		why       string
		responses []http.HandlerFunc
		attempts  int
		status    int
		err       string
	}{
		{"200", []http.HandlerFunc{status(200)}, 1, 200, ""},
		{"any 2xx acknowledges", []http.HandlerFunc{status(299)}, 1, 299, ""},
		{"a failure", []http.HandlerFunc{status(500)}, 2, 204, ""},
		{"a 4xx too", []http.HandlerFunc{status(400)}, 2, 204, ""},
		{"two failures", []http.HandlerFunc{status(429), status(503)}, 3, 204, ""},
		{"the last response counts, and there is no fourth attempt", []http.HandlerFunc{status(500), status(502), status(404)}, 3, 404, ""},
		{"redirects are not followed", []http.HandlerFunc{
			status(301, "Location", "/elsewhere"), status(307, "Location", "/elsewhere"), status(308, "Location", "/elsewhere"),
		}, 3, 308, ""},
		{"not modified", []http.HandlerFunc{status(304)}, 2, 204, ""},
		{"no response", []http.HandlerFunc{hangUp}, 2, 204, ""},
		{"never a response", []http.HandlerFunc{hangUp, hangUp, hangUp}, 3, 0, "EOF"},
		{"a response and then none: the last attempt counts", []http.HandlerFunc{status(500), status(500), hangUp}, 3, 0, "EOF"},
		{"none and then a response", []http.HandlerFunc{hangUp, hangUp, status(500)}, 3, 500, ""},
		{"a 2xx whose body breaks off", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			status(200, "Content-Length", "10")(w, r)
			assert.NoError(t, http.NewResponseController(w).Flush())
			hangUp(w, r)
		}}, 1, 200, ""},
		{"a 2xx whose body does not end is not read for ever", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			piece := make([]byte, 1<<20)
			for range 64 {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
			assert.Fail(t, "64 MiB were read")
		}}, 1, 200, ""},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newSample(t)
			e := newEndpoint(t, row.responses...)
			srv.SetWebhook(e.URL+"/hook", webhookSecret)
			d, err := srv.Pay(t.Context(), momenttest.Payment{Bill: "UBR1234567890", Amount: 1})
			require.NoError(t, err, "an event without acknowledgement is not an error")
			require.Equal(t, row.attempts, d.Attempts)
			require.Equal(t, row.status, d.Status)
			require.Equal(t, row.status/100 == 2, d.Acknowledged())
			if row.err == "" {
				require.NoError(t, d.Err)
			} else {
				require.ErrorContains(t, d.Err, row.err)
			}

			require.Len(t, e.received(), row.attempts)
			last := 0
			for _, r := range e.received() {
				requireSigned(t, r)
				require.Equal(t, "/hook", r.path)
				require.Equal(t, d.MessageID, r.header.Get("Webhook-Id"), "the same each time")
				require.Equal(t, string(d.Body), r.body)
				at, err := strconv.Atoi(r.header.Get("Webhook-Timestamp"))
				require.NoError(t, err)
				require.Greater(t, at, last, "a new one each time")
				last = at
			}
			require.Equal(t, "1", field(t, send(t, srv, "GET", "/billing/bills/UBR1234567890", ""), "amount_paid"), "applied once")
		})
	}
}

func TestDeliveryWithoutAListener(t *testing.T) {
	srv := newSample(t)
	srv.SetWebhook(noServer, webhookSecret)
	d, err := srv.Pay(t.Context(), momenttest.Payment{Bill: "UBR1234567890", Amount: 1})
	require.NoError(t, err)
	require.Equal(t, momenttest.MaxDeliveryAttempts, d.Attempts)
	require.Zero(t, d.Status)
	require.ErrorContains(t, d.Err, "connection refused")
	require.Equal(t, "1", field(t, send(t, srv, "GET", "/billing/bills/UBR1234567890", ""), "amount_paid"))
}

// Tools for tests put themselves in the place of http.DefaultTransport.
func TestDeliveryWithAnotherDefaultTransport(t *testing.T) {
	defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
	http.DefaultTransport = http.NewFileTransport(http.Dir(t.TempDir()))
	srv := newServer(t)
	srv.SetWebhook(newEndpoint(t).URL, webhookSecret)
	_, err := srv.Client(moment.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}})).Customers.Create(
		t.Context(), moment.CustomerCreateParams{ExternalReference: "c", Currency: moment.ZAR})
	require.NoError(t, err)
	d, err := srv.Pay(t.Context(), momenttest.Payment{Customer: "c", Amount: 1})
	require.NoError(t, err)
	require.Equal(t, 204, d.Status)
}

func TestContextEndsDuringDelivery(t *testing.T) {
	for _, row := range []struct {
		why      string
		before   []http.HandlerFunc
		attempts int
	}{
		{"in the first attempt", nil, 1},
		{"in the second", []http.HandlerFunc{status(500)}, 2},
		{"in the last", []http.HandlerFunc{status(500), status(500)}, 3},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newSample(t)
			ctx, cancel := context.WithCancel(t.Context())
			e := newEndpoint(t, append(row.before, func(_ http.ResponseWriter, r *http.Request) {
				cancel()
				<-r.Context().Done() // the connection is gone
			})...)
			srv.SetWebhook(e.URL, webhookSecret)
			d, err := srv.Pay(ctx, momenttest.Payment{Bill: "UBR1234567890", Amount: 1})
			require.EqualError(t, err, "momenttest: pay: the payment is recorded, its event is not acknowledged: context canceled")
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, d.Err, context.Canceled)
			require.Equal(t, row.attempts, d.Attempts)
			require.Zero(t, d.Status)
			require.Len(t, e.received(), row.attempts)
			require.Equal(t, "1", field(t, send(t, srv, "GET", "/billing/bills/UBR1234567890", ""), "amount_paid"), "it stays applied")
		})
	}
}

func TestDeliveryString(t *testing.T) {
	for want, d := range map[string]momenttest.Delivery{
		"msg_1: 204 at attempt 1":                         {MessageID: "msg_1", Attempts: 1, Status: 204},
		"msg_1: 404 at attempt 3":                         {MessageID: "msg_1", Attempts: 3, Status: 404},
		"msg_1: no response at attempt 3: EOF":            {MessageID: "msg_1", Attempts: 3, Err: io.EOF},
		"msg_1: not delivered, because no webhook is set": {MessageID: "msg_1"},
	} {
		assert.Equal(t, want, d.String())
	}
}
