package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// Customer, account and bill in one call.
func ExampleBillsService_Create_composite() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Account: moment.AccountCreateParams{
			Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
			ExternalReference: "UAR1234567890",
			Name:              "Primary Account",
		},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000,
	})
	if err != nil {
		log.Fatal(err)
	}
	customer, err := client.Customers.Get(ctx, bill.CustomerID)
	if err != nil {
		log.Fatal(err)
	}
	account, err := client.Accounts.Get(ctx, bill.AccountID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.DueMoney(), bill.Status, "on the", account.Name, "of", customer.Name)
	// Output: ZAR 20.00 unpaid on the Primary Account of John Doe
}
