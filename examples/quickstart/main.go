// Command quickstart walks through a customer's balance: create a customer who owes ZAR 20.00,
// present the balance for payment, and set the new balance when the payment is reported.
//
// By default it runs against a fake of the service in its own process. With MOMENT_API_KEY it calls
// Moment, or the service at MOMENT_BASE_URL, and ends when a payer has to pay.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	client, srv, err := connect(out)
	if err != nil {
		return err
	}
	if srv != nil {
		defer srv.Close()
	}
	fmt.Fprintln(out, "Talking to             ", client)

	// Step 1: create a customer. References are unique, so each run uses a new one.
	owed := moment.Amount(2000).In(moment.ZAR) // in production, a reference from your books
	var response moment.Response
	customer, err := client.Customers.Ensure(ctx, moment.CustomerCreateParams{
		ExternalReference: "quickstart-" + moment.NewIdempotencyKey(),
		Name:              "John Doe",
		Email:             "john.doe@example.com",
		Currency:          owed.Currency,
		Balance:           &owed.Amount,
	}, moment.WithResponse(&response))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Created a customer:    ", customer.Name, "owes", owed)
	fmt.Fprintln(out, "  id                   ", customer.ID)
	fmt.Fprintln(out, "  external reference   ", customer.ExternalReference)
	fmt.Fprintln(out, "  idempotency key      ", response.IdempotencyKey)

	// Step 2: present the balance for payment. Electronic Bill Presentment needs no call, because
	// its page is there as soon as the balance is. A payment request is a link to share.
	request, err := client.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{
		Amount: owed.Amount, Currency: owed.Currency, ExternalReference: customer.ExternalReference,
		Metadata: map[string]string{"customer_id": customer.ID},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Asked for", request.Money(), "at ", request.Link.URL)
	if srv == nil {
		return nil // in test mode, pay with the card 4242 4242 4242 4242; step 3 runs in your backend
	}

	// Step 3: handle the payment webhook.
	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		return err
	}
	endpoint := httptest.NewServer(verifier.Handler(func(ctx context.Context, e *moment.Event) error {
		payment, ok := e.Data.(*moment.AmountApplied)
		if !ok || payment.CustomerID != customer.ID {
			return nil // not for this customer's balance
		}
		left, err := owed.Sub(payment.Money())
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "Payment reported:      ", payment.Money())
		_, err = client.Customers.Update(ctx, payment.CustomerID, moment.CustomerUpdateParams{Balance: &left.Amount})
		return err // after an error, Moment delivers the event again, and the same balance is set
	}))
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, secret)
	if _, err := srv.Pay(ctx, momenttest.Payment{Customer: customer.ID, Amount: 1500}); err != nil {
		return err
	}
	customer, err = client.Customers.Get(ctx, customer.ExternalReference) // or by its id
	if err != nil {
		return err
	}
	balance, _ := customer.BalanceMoney()
	fmt.Fprintln(out, "Set a new balance:     ", customer.Name, "owes", balance)
	return nil
}

// connect returns a client of the service in the environment, or of a fake, which it then returns
// too.
func connect(out io.Writer) (*moment.Client, *momenttest.Server, error) {
	if os.Getenv("MOMENT_API_KEY") == "" && os.Getenv("MOMENT_BASE_URL") == "" {
		fmt.Fprintln(out, "MOMENT_API_KEY is not set: talking to a fake of the service, in this process.")
		srv := momenttest.NewServer()
		return srv.Client(), srv, nil
	}
	client, err := moment.NewClientFromEnv()
	if err == nil && client.Mode() != moment.ModeTest {
		err = errors.New("this example creates a customer: use a test key (sk_test_…)")
	}
	return client, nil, err
}
