package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleAccountsService_Create() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	// A new customer with the account, in one call …
	first, err := client.Accounts.Create(ctx, moment.AccountCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
		ExternalReference: "UAR1",
		Name:              "Primary Account",
	})
	if err != nil {
		log.Fatal(err)
	}
	// … and another account of that customer.
	second, err := client.Accounts.Create(ctx, moment.AccountCreateParams{
		Customer:          moment.ExistingCustomer(first.CustomerID),
		ExternalReference: "UAR2",
		Name:              "Secondary Account",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Name, "and", second.Name, "of one customer:", first.CustomerID == second.CustomerID)
	// Output: Primary Account and Secondary Account of one customer: true
}
