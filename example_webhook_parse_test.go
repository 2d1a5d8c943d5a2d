package moment_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// Without a handler, pass the received headers and the raw body to Parse.
func ExampleWebhookVerifier_Parse() {
	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	body := []byte(`{"id": "evt_1", "type": "obligation.amount_applied",
		"data": {"id": "ob_1", "amount": 2000, "currency": "ZAR", "payment_id": "pay_1", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4"}}`)
	header := momenttest.SignWebhook(secret, "msg_1", time.Now(), body) // signs like Moment

	event, err := verifier.Parse(header, body)
	if err != nil {
		log.Fatal(err)
	}
	if payment, ok := event.Data.(*moment.AmountApplied); ok {
		fmt.Println(event.Type, payment.Money())
	}

	_, err = verifier.Parse(header, []byte(`{"type": "obligation.amount_applied", "data": {"amount": 1000000}}`))
	fmt.Println(err, errors.Is(err, moment.ErrInvalidSignature))
	// Output:
	// obligation.amount_applied ZAR 20.00
	// moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body true
}
