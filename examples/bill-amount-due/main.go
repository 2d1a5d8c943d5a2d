// Command bill-amount-due walks through a bill: create a bill of ZAR 20.00 for a new account of a
// new customer, present it for payment, handle the events of two part payments, and read the
// remaining amount and the status.
//
// It needs no set-up and no key, because it runs against a fake of the service in its own process,
// where the program itself can pay.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bill-amount-due:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client() // in production: moment.NewClientFromEnv()

	// Steps 1 to 3: create a customer, an account and a bill. One call creates all three. With
	// moment.ExistingAccount, it creates a bill for an existing account.
	bill, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
		Account: moment.AccountCreateParams{
			Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
			ExternalReference: "UAR1234567890",
			Name:              "Subscription Account",
		},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
		BillDate:          moment.NewDate(2025, time.January, 1),
		DueDate:           moment.NewDate(2025, time.January, 31),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Bill:    ", bill.ID, "of", bill.DueMoney(), "due on", bill.DueDate)

	// Step 4: present the bill for payment. Electronic Bill Presentment needs no call, because its
	// page is there as soon as the bill is. A payment request is a link to share.
	request, err := client.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{
		Amount: bill.AmountRemaining, Currency: bill.Currency, ExternalReference: bill.ExternalReference,
		Metadata: map[string]string{"bill_id": bill.ID},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Asked:   ", request.Money(), "at", request.Link.URL)

	// Step 5: handle the payment webhook. Here, the payer pays twice on the hosted page.
	secret := moment.RawWebhookSecret([]byte(rand.Text())) // in production, Moment's secret: os.Getenv("MOMENT_WEBHOOK_SECRET")
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		return err
	}
	m := &merchant{client, out}
	once := moment.WithDeduplicator(moment.NewMemoryDeduplicator(24 * time.Hour))
	endpoint := httptest.NewServer(verifier.Handler(m.record, once)) // in production: http.Handle("POST /webhooks/moment", …)
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, secret)

	for _, amount := range []moment.Amount{1500, 500} {
		delivery, err := srv.Pay(ctx, momenttest.Payment{Bill: bill.ID, Amount: amount})
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "Responded:", delivery.Status)
	}
	return nil
}

type merchant struct {
	client *moment.Client
	out    io.Writer
}

// record prints the data that a merchant would store. Moment has already updated the bill. If
// record fails, Moment delivers the event again.
func (m *merchant) record(ctx context.Context, e *moment.Event) error {
	payment, ok := e.Data.(*moment.AmountApplied)
	if !ok || payment.BillID == "" {
		return nil // not for a bill
	}
	bill, err := m.client.Bills.Get(ctx, payment.BillID)
	if err != nil {
		return err
	}
	fmt.Fprintln(m.out, "Payment: ", payment.PaymentID, "of", payment.Money(), "- the bill is", bill.Status, "with", bill.RemainingMoney(), "remaining")
	return nil
}
