package moment_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// entry is a row of the merchant's ledger, under the id of the payment.
type entry struct {
	bill     string
	received moment.Money
	applied  bool // Moment applied the payment to the bill
}

// A bill is presented as a payment request, which is paid. The ledger has one row for each payment,
// whichever events are about it.
func Example_paymentRequest() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000,
	})
	if err != nil {
		log.Fatal(err)
	}

	request, err := client.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{
		Amount:            bill.AmountRemaining,
		Currency:          bill.Currency,
		ExternalReference: bill.ExternalReference,
		Description:       "Your water bill of January",
		Metadata:          map[string]string{"bill_id": bill.ID},
	}, moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("request payment", bill.ID, bill.RemainingMoney().String())))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("send the payer", request.Link.URL != "") // by e-mail or text message

	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	ledger := map[string]*entry{} // in production, a table whose key is the id of the payment
	row := func(paymentID string) *entry {
		if ledger[paymentID] == nil {
			ledger[paymentID] = &entry{}
		}
		return ledger[paymentID]
	}
	handler := verifier.Handler(func(_ context.Context, e *moment.Event) error {
		switch data := e.Data.(type) {
		case *moment.PaymentRequest:
			if e.Type == moment.EventTypePaymentRequestPaid {
				r := row(data.PaymentID)
				r.bill, r.received = data.Metadata["bill_id"], data.Money()
			}
		case *moment.AmountApplied: // only this event says that the bill is paid
			r := row(data.PaymentID)
			r.bill, r.received, r.applied = data.BillID, data.Money(), true
		}
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(24*time.Hour)))
	endpoint := httptest.NewServer(handler)
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, secret)

	if _, err := srv.Pay(ctx, momenttest.Payment{Request: request.ID, Amount: request.Amount}); err != nil {
		log.Fatal(err)
	}
	for id, r := range ledger {
		payment, err := client.Payments.Get(ctx, id)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.received, "for the bill:", r.bill == bill.ID, "by", payment.Method.Type, "applied:", r.applied)
	}
	// Output:
	// send the payer true
	// ZAR 20.00 for the bill: true by card applied: false
}
