// Command account-balance walks through an account's balance: create a customer and an account that
// owes ZAR 20.00, present the balance for payment, and set it to what is left after each payment.
//
// It needs no set-up and no key: it runs against a fake of the service in its own process, because
// only there can a program pay.
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
		Customer:          moment.ExistingCustomer(customer.ID), // or CustomerCreateParams: this call then creates both
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
	secret := moment.RawWebhookSecret([]byte(rand.Text())) // in production, Moment gives you one: os.Getenv("MOMENT_WEBHOOK_SECRET")
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
		fmt.Fprintln(out, "Answered:", delivery.Status)
	}
	return nil
}

// books are what the merchant knows about the account: in production, rows of a database, which the
// example customer-balance shows with several processes.
type books struct {
	client *moment.Client
	out    io.Writer

	account string
	mu      sync.Mutex // Moment may tell of two payments at once
	owed    moment.Money
}

// record sets the balance at Moment to what the books say less the payment, and only then enters
// the payment. If it fails, the event comes again, and it sets the same balance as before: no
// payment is taken off twice.
func (b *books) record(ctx context.Context, e *moment.Event) error {
	payment, ok := e.Data.(*moment.AmountApplied)
	if !ok || payment.AccountID != b.account {
		return nil // not about this account
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
