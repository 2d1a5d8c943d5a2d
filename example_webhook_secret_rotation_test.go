package moment_test

import (
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// During the rotation of a secret, the verifier accepts webhooks that are signed with either.
func ExampleWithAdditionalSecret() {
	oldSecret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	newSecret := moment.RawWebhookSecret([]byte("an example of the next key"))
	verifier, err := moment.NewWebhookVerifier(newSecret, moment.WithAdditionalSecret(oldSecret))
	if err != nil {
		log.Fatal(err)
	}
	for _, secret := range []string{oldSecret, newSecret} {
		body := []byte(`{"id": "evt_1", "type": "obligation.amount_applied",
		"data": {"id": "ob_1", "amount": 2000, "currency": "ZAR", "payment_id": "pay_1", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4"}}`)
		fmt.Println(verifier.Verify(momenttest.SignWebhook(secret, "msg_1", time.Now(), body), body))
	}
	// Output:
	// <nil>
	// <nil>
}
