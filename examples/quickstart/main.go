// Command quickstart walks through a customer's balance: create a customer who owes ZAR 20.00, read
// it back, set a new balance, and see a request refused.
//
// Without further ado it runs against a fake of the service in its own process. With MOMENT_API_KEY
// it talks to Moment, or to whatever is at MOMENT_BASE_URL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	client, stop, err := connect(out)
	if err != nil {
		return err
	}
	defer stop()

	// References are unique in a merchant's account, so each run takes a new one.
	reference := "quickstart-" + moment.NewIdempotencyKey()

	var response moment.Response
	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{
		ExternalReference: reference,
		Name:              "John Doe",
		Email:             "john.doe@example.com",
		Currency:          moment.ZAR,
		Balance:           moment.MinorUnits(2000), // ZAR 20.00
	}, moment.WithResponse(&response))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Created a customer:    ", describe(customer))
	fmt.Fprintln(out, "  id                   ", customer.ID)
	fmt.Fprintln(out, "  external reference   ", customer.ExternalReference)
	fmt.Fprintln(out, "  idempotency key      ", response.IdempotencyKey)

	byID, err := client.Customers.Get(ctx, customer.ID)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Read by id:            ", describe(byID))

	byReference, err := client.Customers.Get(ctx, reference)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Read by reference:     ", describe(byReference))

	customer, err = client.Customers.Update(ctx, customer.ID, moment.CustomerUpdateParams{
		Balance: moment.MinorUnits(5000), // replaces the old balance
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Set a new balance:     ", describe(customer))

	// The reference is taken now: the service refuses a second customer of that name.
	_, err = client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: reference})
	if err == nil {
		return errors.New("a second customer under the same reference should have been refused")
	}
	if !errors.Is(err, moment.ErrConflict) {
		return err
	}
	fmt.Fprintln(out, "Refused, as it should: ", err)
	return nil
}

// connect returns a client of the service that the environment names, or of a fake that runs until
// stop is called.
func connect(out io.Writer) (client *moment.Client, stop func(), err error) {
	if os.Getenv("MOMENT_API_KEY") == "" && os.Getenv("MOMENT_BASE_URL") == "" {
		srv := momenttest.NewServer()
		client, stop = srv.Client(), srv.Close
		fmt.Fprintln(out, "MOMENT_API_KEY is not set: talking to a fake of the service, in this process.")
	} else {
		client, err = moment.NewClientFromEnv()
		stop = func() {}
	}
	if err != nil {
		return nil, nil, err
	}
	if client.Mode() != moment.ModeTest {
		return nil, nil, errors.New("this example creates a customer: use a test key (sk_test_…)")
	}
	fmt.Fprintln(out, "Talking to             ", client)
	return client, stop, nil
}

func describe(c *moment.Customer) string {
	balance, ok := c.BalanceMoney()
	if !ok {
		return c.Name + ", without a balance"
	}
	return c.Name + " owes " + balance.String()
}
