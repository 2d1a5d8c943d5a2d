package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// correct voids a wrong bill and raises the right one under another reference. If it fails, call it
// again with the same arguments.
func correct(ctx context.Context, client *moment.Client, wrong string, right moment.BillCreateParams) (*moment.Bill, error) {
	bill, err := client.Bills.Get(ctx, wrong)
	if err != nil {
		return nil, err
	}
	if bill.Status != moment.BillStatusVoided && bill.AmountPaid == 0 {
		if bill, err = client.Bills.Void(ctx, wrong); err != nil {
			return nil, err
		}
	}
	if bill.AmountPaid != 0 {
		return nil, fmt.Errorf("%s of the wrong bill are paid: decide what to do with the payment first", bill.PaidMoney())
	}
	return client.Bills.Ensure(ctx, right)
}

// The amount and the dates of a bill cannot be updated, so a wrong bill is voided.
func Example_correctBill() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	params := moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         200_000, // ZAR 2000.00, which was to be ZAR 20.00
	}
	if _, err := client.Bills.Ensure(ctx, params); err != nil {
		log.Fatal(err)
	}

	params.ExternalReference, params.AmountDue = "UBR1234567890-2", 2000
	for range 2 { // the job runs again
		bill, err := correct(ctx, client, "UBR1234567890", params)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(bill.ExternalReference, bill.DueMoney(), bill.Status)
	}
	wrong, err := client.Bills.Get(ctx, "UBR1234567890")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(wrong.ExternalReference, wrong.DueMoney(), wrong.Status)
	// Output:
	// UBR1234567890-2 ZAR 20.00 unpaid
	// UBR1234567890-2 ZAR 20.00 unpaid
	// UBR1234567890 ZAR 2000.00 voided
}
