package merchant_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestPaymentIsInTheLedger(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	bill, err := srv.Client().Bills.Create(t.Context(), moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
	})
	if err != nil {
		t.Fatal(err)
	}

	secret := moment.RawWebhookSecret([]byte("16 bytes or more, for tests"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	var ledger []moment.AmountApplied // put your own ledger and handler here
	endpoint := httptest.NewServer(verifier.Handler(func(_ context.Context, e *moment.Event) error {
		if payment, ok := e.Data.(*moment.AmountApplied); ok {
			ledger = append(ledger, *payment)
		}
		return nil
	}))
	t.Cleanup(endpoint.Close)
	srv.SetWebhook(endpoint.URL, secret)

	delivery, err := srv.Pay(t.Context(), momenttest.Payment{Bill: bill.ID, Amount: 1500})
	if err != nil || !delivery.Acknowledged() {
		t.Fatal(delivery, err)
	}
	if len(ledger) != 1 || ledger[0].BillID != bill.ID || ledger[0].Amount != 1500 {
		t.Error(ledger)
	}
}
