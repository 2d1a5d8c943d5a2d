// Command account-balance walks through an account's balance: create a customer and an account that
// owes ZAR 20.00, present the balance for payment, and set the remaining balance after each
// payment.
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
	"sync"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "account-balance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client() // in production: moment.NewClientFromEnv()
	b := &books{client: client, out: out, owed: moment.Amount(2000).In(moment.ZAR)}

	// Step 1: create a customer.
	customer, err := client.Customers.Ensure(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"})
	if err != nil {
		return err
	}

	// Step 2: create an account with its own balance.
	account, err := client.Accounts.Ensure(ctx, moment.AccountCreateParams{
		Customer:          moment.ExistingCustomer(customer.ID), // or CustomerCreateParams, to create both in this call
		ExternalReference: "UAR1234567890",
		Name:              "Subscription Account",
		Currency:          b.owed.Currency,
		Balance:           &b.owed.Amount,
	})
	if err != nil {
		return err
	}
	b.account = account.ID
	fmt.Fprintln(out, "Account: ", account.ID, "of", customer.Name, "owes", b.owed)

	// Step 3: present the balance for payment. Electronic Bill Presentment needs no call, because
	// its page is there as soon as the balance is. A payment request is a link to share.
	request, err := client.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{
		Amount: b.owed.Amount, Currency: b.owed.Currency, ExternalReference: account.ExternalReference,
		Metadata: map[string]string{"account_id": account.ID},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Asked:   ", request.Money(), "at", request.Link.URL)

	// Step 4: handle the payment webhook. Here, the payer pays twice on the hosted page.
	secret := moment.RawWebhookSecret([]byte(rand.Text())) // in production, Moment's secret: os.Getenv("MOMENT_WEBHOOK_SECRET")
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		return err
	}
	once := moment.WithDeduplicator(moment.NewMemoryDeduplicator(24 * time.Hour))
	endpoint := httptest.NewServer(verifier.Handler(b.record, once)) // in production: http.Handle("POST /webhooks/moment", …)
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, secret)

	for _, amount := range []moment.Amount{1500, 500} {
		delivery, err := srv.Pay(ctx, momenttest.Payment{Account: account.ID, Amount: amount})
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "Responded:", delivery.Status)
	}
	return nil
}

// books are the merchant's records of the account. In production, they are rows of a database: see
// the example customer-balance, which has several processes.
type books struct {
	client *moment.Client
	out    io.Writer

	account string
	mu      sync.Mutex // because Moment may deliver two events at once
	owed    moment.Money
}

// record subtracts the payment from the balance in the books, sets the result at Moment, and only
// then stores the payment. If it fails, Moment delivers the event again, and record sets the same
// balance, so a payment is never subtracted twice.
func (b *books) record(ctx context.Context, e *moment.Event) error {
	payment, ok := e.Data.(*moment.AmountApplied)
	if !ok || payment.AccountID != b.account {
		return nil // not for this account
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	left, err := b.owed.Sub(payment.Money())
	if err != nil {
		return err
	}
	account, err := b.client.Accounts.Update(ctx, payment.AccountID, moment.AccountUpdateParams{Balance: &left.Amount})
	if err != nil {
		return err
	}
	b.owed = left
	balance, _ := account.BalanceMoney()
	fmt.Fprintln(b.out, "Payment: ", payment.PaymentID, "of", payment.Money(), "- the account now owes", balance)
	return nil
}
