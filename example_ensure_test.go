package moment_test

import (
	"context"
	"encoding/json"
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

// The status says whether this call created the bill or found it. A bill whose response was lost is
// found.
func ExampleBillsService_Ensure_status() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890"})
	if err != nil {
		log.Fatal(err)
	}

	ensure := func(reference string) {
		var response moment.Response
		_, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
			Customer:          moment.ExistingCustomer(customer.ID),
			ExternalReference: reference,
			Currency:          moment.ZAR,
			AmountDue:         2000, // ZAR 20.00
		}, moment.WithResponse(&response))
		fmt.Println(reference, response.StatusCode, err)
	}
	ensure("UBR1")
	ensure("UBR1")
	srv.Fail(momenttest.DropAfterCommit().On("create bill"))
	ensure("UBR2")
	// Output:
	// UBR1 201 <nil>
	// UBR1 200 <nil>
	// UBR2 200 <nil>
}

// The service rejects a key that was used with other params, so derive it from the content too.
func ExampleBillsService_Ensure_key() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	for _, amount := range []moment.Amount{2000, 2500} {
		params := moment.BillCreateParams{
			Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
			ExternalReference: "UBR1234567890",
			Currency:          moment.ZAR,
			AmountDue:         amount,
		}
		content, err := json.Marshal(params)
		if err != nil {
			log.Fatal(err)
		}
		reference := moment.DeriveIdempotencyKey("ensure bill", params.ExternalReference)
		_, err = client.Bills.Ensure(ctx, params, moment.WithIdempotencyKey(reference))
		fmt.Println("reference:", errors.Is(err, moment.ErrUnprocessable), errors.Is(err, moment.ErrConflict))
		whole := moment.DeriveIdempotencyKey("ensure bill", params.ExternalReference, string(content))
		_, err = client.Bills.Ensure(ctx, params, moment.WithIdempotencyKey(whole))
		fmt.Println("content:", errors.Is(err, moment.ErrUnprocessable), errors.Is(err, moment.ErrConflict))
	}
	// Output:
	// reference: false false
	// content: false false
	// reference: true false
	// content: false true
}

// The metadata of a bill is not compared. A bill on an account is not the customer's own.
func ExampleBillsService_Ensure_same() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	params := moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1"},
		ExternalReference: "UBR1",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
	}
	for range 2 {
		_, err := client.Bills.Ensure(ctx, params)
		fmt.Println(err)
		params.Metadata = map[string]string{"meter": "17"}
	}
	account, err := client.Accounts.Ensure(ctx, moment.AccountCreateParams{Customer: params.Customer, ExternalReference: "UAR1"})
	if err != nil {
		log.Fatal(err)
	}
	params.Account, params.Customer = moment.ExistingAccount(account.ID), nil
	_, err = client.Bills.Ensure(ctx, params)
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// moment: ensure bill: an object with the external reference exists, and differs in account
}

// An account belongs to one customer: an account of another customer is not the same. That customer
// may have been created before the mismatch is found.
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
	_, err := client.Customers.Get(ctx, "UCR2")
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// moment: ensure account: an object with the external reference exists, and differs in customer
	// <nil>
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
