package moment_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleBillsService_Create() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890"})
	if err != nil {
		log.Fatal(err)
	}

	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(customer.ID), // or your reference; or Account: moment.ExistingAccount(…)
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
		BillDate:          moment.NewDate(2025, time.January, 1),
		DueDate:           moment.NewDate(2025, time.January, 31),
		Metadata:          map[string]string{"order_id": "ord_789012"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.Status, bill.RemainingMoney(), "by", bill.DueDate)
	// Output: unpaid ZAR 20.00 by 2025-01-31
}
