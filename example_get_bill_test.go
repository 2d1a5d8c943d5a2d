package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleBillsService_Get() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000,
	})
	if err != nil {
		log.Fatal(err)
	}

	bill, err := client.Bills.Get(ctx, "UBR1234567890") // or its id, bill_…
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.PaidMoney(), "of", bill.DueMoney(), "paid; has a due date:", !bill.DueDate.IsZero())
	// Output: ZAR 0.00 of ZAR 20.00 paid; has a due date: false
}
