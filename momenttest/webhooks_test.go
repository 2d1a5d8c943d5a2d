package momenttest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestSetWebhookPanics(t *testing.T) {
	const url = "http://127.0.0.1/"
	for _, row := range []struct {
		why, url, secret, says string
	}{
		{"no URL at all", "http://127.0.0.1:port/", webhookSecret, `momenttest: webhook URL: parse "http://127.0.0.1:port/": invalid port ":port" after host`},
		{"a path alone", "/webhooks", webhookSecret, `momenttest: webhook URL: "/webhooks" is not of the form http://host/path or https://host/path`},
		{"no scheme", "example.com/webhooks", webhookSecret, `momenttest: webhook URL: "example.com/webhooks" is not of the form http://host/path or https://host/path`},
		{"another scheme", "ftp://example.com/", webhookSecret, `momenttest: webhook URL: "ftp://example.com/" is not of the form http://host/path or https://host/path`},
		{"no host", "https:///webhooks", webhookSecret, `momenttest: webhook URL: "https:///webhooks" is not of the form http://host/path or https://host/path`},
		{"no secret", url, "", "momenttest: the webhook secret is empty"},
		{"a secret that is not base64", url, "whsec_*", "momenttest: the webhook secret is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
		{"a short secret", url, "whsec_c2hvcnQ=", "momenttest: the webhook secret has fewer than 16 bytes"},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			require.PanicsWithValue(t, row.says, func() { srv.SetWebhook(row.url, row.secret) })
			srv.SetWebhook(url, webhookSecret) // the lock is free
		})
	}
}

// The sample of Standard Webhooks and of Moment's reference.
func TestSignWebhook(t *testing.T) {
	at := time.Unix(1614265330, 999_999_999).In(time.FixedZone("", 3600))
	header := momenttest.SignWebhook(webhookSecret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	require.Equal(t, http.Header{
		"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
		"Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}, header)
	require.PanicsWithValue(t, "momenttest: the webhook secret is empty", func() { momenttest.SignWebhook("", "msg_1", at, nil) })
}

func TestNewWebhookRequest(t *testing.T) {
	verifier, err := moment.NewWebhookVerifier(webhookSecret)
	require.NoError(t, err)
	var paths, bodies []string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/moment", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		paths, bodies = append(paths, r.URL.String()), append(bodies, string(body))
		switch {
		case verifier.Verify(r.Header, body) != nil, r.Header.Get("Content-Type") != "application/json",
			len(body) > 0 && r.ContentLength != int64(len(body)), r.Host == "", r.RemoteAddr == "":
			w.WriteHeader(http.StatusBadRequest)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)

	for _, row := range []struct {
		why   string
		event any
		body  string
	}{
		{"bytes are sent as they are", []byte("{ \"type\": \"<\" }\n"), "{ \"type\": \"<\" }\n"},
		{"and so is JSON", json.RawMessage(`{ "type": "<" }`), `{ "type": "<" }`},
		{"and a string", `{ "type": "<" }`, `{ "type": "<" }`},
		{"nothing at all", []byte(nil), ""},
		{"anything else is encoded", map[string]any{"type": "bill.created", "data": struct{}{}}, `{"data":{},"type":"bill.created"}`},
		{"and nil", nil, "null"},
	} {
		t.Run(row.why, func(t *testing.T) {
			paths, bodies = nil, nil
			for _, target := range []string{"/webhooks/moment?a=b", "http://example.com/webhooks/moment?a=b", "https://example.com/webhooks/moment?a=b", srv.URL + "/webhooks/moment?a=b"} {
				req := momenttest.NewWebhookRequest(target, webhookSecret, row.event)
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, req)
				require.Equal(t, 204, w.Code, target)
				require.Equal(t, target, paths[len(paths)-1])
			}
			req := momenttest.NewWebhookRequest(srv.URL+"/webhooks/moment?a=b", webhookSecret, row.event)
			resp, err := srv.Client().Do(req)
			require.NoError(t, err)
			require.Equal(t, 204, resp.StatusCode)
			require.Equal(t, "/webhooks/moment?a=b", paths[4])

			req.Body, err = req.GetBody() // the same delivery again
			require.NoError(t, err)
			resp, err = srv.Client().Do(req)
			require.NoError(t, err)
			require.Equal(t, 204, resp.StatusCode)
			require.Equal(t, []string{row.body, row.body, row.body, row.body, row.body, row.body}, bodies)
		})
	}
	t.Run("each is another message", func(t *testing.T) {
		one, two := momenttest.NewWebhookRequest("/", webhookSecret, "{}"), momenttest.NewWebhookRequest("/", webhookSecret, "{}")
		require.Regexp(t, `^msg_[a-zA-Z0-9]{21}$`, one.Header.Get("Webhook-Id"))
		require.NotEqual(t, one.Header.Get("Webhook-Id"), two.Header.Get("Webhook-Id"))
	})
	for _, row := range []struct {
		why, target, secret string
		event               any
	}{
		{"no target", "", webhookSecret, "{}"},
		{"neither path nor URL", "webhooks", webhookSecret, "{}"},
		{"no secret", "/", "", "{}"},
		{"a value without JSON", "/", webhookSecret, make(chan int)},
	} {
		t.Run(row.why, func(t *testing.T) {
			require.Panics(t, func() { momenttest.NewWebhookRequest(row.target, row.secret, row.event) })
		})
	}
}

// The recipe of docs/testing.md: the event of Pay is delivered twice, and then a forged one.
func TestDeliverEventOfPayAgain(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	bill, err := srv.Client().Bills.Create(t.Context(), moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000,
	})
	require.NoError(t, err)
	secret := moment.RawWebhookSecret([]byte("16 bytes or more, for tests"))
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	var ledger []moment.AmountApplied
	handler := verifier.Handler(func(_ context.Context, e *moment.Event) error {
		ledger = append(ledger, *e.Data.(*moment.AmountApplied))
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)))
	srv.SetWebhookHandler(handler, "/webhooks/moment", secret)

	delivery, err := srv.Pay(t.Context(), momenttest.Payment{Bill: bill.ID, Amount: 1500})
	if err != nil || !delivery.Acknowledged() {
		t.Fatal(delivery, err)
	}
	deliver := func(secret string) int {
		request := httptest.NewRequest(http.MethodPost, "/webhooks/moment", bytes.NewReader(delivery.Body))
		request.Header = momenttest.SignWebhook(secret, delivery.MessageID, time.Now(), delivery.Body)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		return response.Code
	}
	if code := deliver(secret); code != http.StatusNoContent { // acknowledged, but not processed again
		t.Error(code)
	}
	if code := deliver(moment.RawWebhookSecret([]byte("the secret of a stranger"))); code != http.StatusBadRequest {
		t.Error(code)
	}
	if len(ledger) != 1 {
		t.Error(ledger)
	}
}
