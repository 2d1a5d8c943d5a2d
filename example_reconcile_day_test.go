package moment_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// ledgerRow is a row of the merchant's ledger: one obligation.amount_applied event.
type ledgerRow struct {
	event, bill string
	applied     moment.Money // negative if a payment is reversed
}

// difference is a bill whose amount paid at Moment is not the total of the ledger.
type difference struct {
	reference        string
	atMoment, booked moment.Money
}

// reconcile compares bills at Moment with the ledger. It changes nothing.
func reconcile(ctx context.Context, client *moment.Client, references []string, ledger []ledgerRow) ([]difference, error) {
	var found []difference
	for _, reference := range references {
		bill, err := client.Bills.Get(ctx, reference)
		if err != nil {
			return nil, err
		}
		booked := moment.Amount(0).In(bill.Currency) // a total needs its currency from the start
		for _, row := range ledger {
			if row.bill != bill.ID {
				continue
			}
			if booked, err = booked.Add(row.applied); err != nil {
				return nil, err
			}
		}
		if atMoment := bill.PaidMoney(); atMoment != booked {
			found = append(found, difference{reference, atMoment, booked})
		}
	}
	return found, nil
}

// The receiver did not record the payment of the second bill, and reconciling the day shows it.
func Example_reconcileDay() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	var ledger []ledgerRow
	endpoint := httptest.NewServer(verifier.Handler(func(_ context.Context, e *moment.Event) error {
		if payment, ok := e.Data.(*moment.AmountApplied); ok {
			ledger = append(ledger, ledgerRow{e.ID, payment.BillID, payment.Money()})
		}
		return nil
	}))
	defer endpoint.Close()

	open := []string{"UBR1", "UBR2", "UBR3"} // the bills that were unpaid in the books in the morning
	for _, reference := range open {
		if _, err := client.Bills.Create(ctx, moment.BillCreateParams{
			Customer:          moment.CustomerCreateParams{ExternalReference: "UCR-" + reference},
			ExternalReference: reference,
			Currency:          moment.ZAR,
			AmountDue:         2000, // ZAR 20.00
		}); err != nil {
			log.Fatal(err)
		}
	}
	srv.SetWebhook(endpoint.URL, secret)
	if _, err := srv.Pay(ctx, momenttest.Payment{Bill: "UBR1", Amount: 1500}); err != nil {
		log.Fatal(err)
	}
	srv.SetWebhook("", "") // the endpoint is not registered any more
	if _, err := srv.Pay(ctx, momenttest.Payment{Bill: "UBR2", Amount: 2000}); err != nil {
		log.Fatal(err)
	}

	found, err := reconcile(ctx, client, open, ledger)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range found {
		fmt.Println(d.reference, "at Moment:", d.atMoment, "in the ledger:", d.booked)
	}
	// Output: UBR2 at Moment: ZAR 20.00 in the ledger: ZAR 0.00
}
