package moment_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// A receiver of webhooks processes a payment.
func ExampleWebhookVerifier_Handler() {
	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	_ = os.Setenv("MOMENT_WEBHOOK_SECRET", secret)

	verifier, err := moment.NewWebhookVerifier(os.Getenv("MOMENT_WEBHOOK_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	webhook := verifier.Handler(func(_ context.Context, e *moment.Event) error {
		switch data := e.Data.(type) {
		case *moment.AmountApplied:
			kind, id := data.Obligation() // a customer's or an account's balance, or a bill
			fmt.Println(data.Money(), "was paid for", kind, id)
		default: // events that this version does not know are acknowledged too
		}
		return nil // if you return an error, Moment delivers the event again
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(24*time.Hour)))
	http.Handle("POST /webhooks/moment", webhook)

	// In production, Moment sends this request.
	const event = `{"id": "evt_1", "type": "obligation.amount_applied",
		"data": {"id": "ob_1", "amount": 2000, "currency": "ZAR", "payment_id": "pay_1", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4"}}`
	w := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, momenttest.NewWebhookRequest("/webhooks/moment", secret, event))
	fmt.Println("responded", w.Code)

	w = httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, momenttest.NewWebhookRequest("/webhooks/moment", moment.RawWebhookSecret([]byte("somebody else's key")), event))
	fmt.Println("responded", w.Code)
	// Output:
	// ZAR 20.00 was paid for account bacc_H4jp6KnU5cPw263v1jyz4
	// responded 204
	// responded 400
}
