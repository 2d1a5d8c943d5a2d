package moment_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// A job that may run twice, or be killed in the middle, uses Ensure: it creates the bill, its
// account and its customer, or finds them.
func ExampleBillsService_Ensure() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	params := moment.BillCreateParams{
		Account: moment.AccountCreateParams{
			Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
			ExternalReference: "UAR1234567890",
		},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
		DueDate:           moment.NewDate(2025, time.January, 31),
	}
	first, err := client.Bills.Ensure(ctx, params)
	if err != nil {
		log.Fatal(err)
	}
	second, err := client.Bills.Ensure(ctx, params)
	fmt.Println(second.ID == first.ID, err)

	// A bill with another amount is not the same.
	params.AmountDue = 2500
	_, err = client.Bills.Ensure(ctx, params)
	var mismatch *moment.MismatchError
	fmt.Println(errors.As(err, &mismatch), mismatch.Differences, err)
	// Output:
	// true <nil>
	// true [amount_due] moment: ensure bill: an object with the external reference exists, and differs in amount_due
}

// An account belongs to one customer: an account of another customer is not the same.
func ExampleAccountsService_Ensure() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	for _, customer := range []string{"UCR1", "UCR1", "UCR2"} {
		_, err := client.Accounts.Ensure(ctx, moment.AccountCreateParams{
			Customer:          moment.CustomerCreateParams{ExternalReference: customer},
			ExternalReference: "UAR1",
		})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// moment: ensure account: an object with the external reference exists, and differs in customer
}

// The balance is not compared, because payments change it.
func ExampleCustomersService_Ensure() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	for _, balance := range []int64{2000, 1500} {
		customer, err := client.Customers.Ensure(ctx, moment.CustomerCreateParams{
			ExternalReference: "UCR1234567890",
			Currency:          moment.ZAR,
			Balance:           moment.MinorUnits(balance),
		})
		if err != nil {
			log.Fatal(err)
		}
		owed, _ := customer.BalanceMoney()
		fmt.Println(owed)
	}
	// Output:
	// ZAR 20.00
	// ZAR 20.00
}
