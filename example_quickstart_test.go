package moment_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// The examples run against a fake service; yours begin with
// moment.NewClientFromEnv().
func Example() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890",
		Name:              "John Doe",
	})
	if err != nil {
		log.Fatal(err)
	}
	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(customer.ID),
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
		DueDate:           moment.NewDate(2025, time.January, 31),
	})
	if err != nil {
		log.Fatal(err)
	}
	bill, err = client.Bills.Update(ctx, bill.ID, moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(customer.Name, "still has to pay", bill.RemainingMoney(), "of", bill.DueMoney(), "by", bill.DueDate)
	// Output: John Doe still has to pay ZAR 5.00 of ZAR 20.00 by 2025-01-31
}
