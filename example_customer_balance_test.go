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

// A customer's balance: a payment comes in for it, and the new balance is set. Moment leaves that
// to the merchant.
func Example_customerBalance() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	owed := moment.Amount(2000).In(moment.ZAR) // in production, this stands in your books
	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890", Name: "John Doe", Currency: owed.Currency, Balance: &owed.Amount,
	})
	if err != nil {
		log.Fatal(err)
	}

	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	endpoint := httptest.NewServer(verifier.Handler(func(ctx context.Context, e *moment.Event) error {
		payment, ok := e.Data.(*moment.AmountApplied)
		if !ok || payment.CustomerID != customer.ID {
			return nil // not about this customer's balance
		}
		left, err := owed.Sub(payment.Money())
		if err != nil {
			return err
		}
		updated, err := client.Customers.Update(ctx, payment.CustomerID, moment.CustomerUpdateParams{Balance: &left.Amount})
		if err != nil {
			return err // the event comes again, and the same balance is set
		}
		owed = left
		balance, _ := updated.BalanceMoney()
		fmt.Println(updated.Name, "paid", payment.Money(), "and owes", balance)
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(24*time.Hour))))
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, secret)

	if _, err := srv.Pay(ctx, momenttest.Payment{Customer: customer.ID, Amount: 1500}); err != nil {
		log.Fatal(err)
	}
	// Output: John Doe paid ZAR 15.00 and owes ZAR 5.00
}
