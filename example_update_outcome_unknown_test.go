package moment_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// The response to an update is lost. Read the object to settle the outcome.
func ExampleBillsService_Update_outcomeUnknown() {
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
	srv.Fail(momenttest.DropAfterCommit().On("update bill"))

	bill, err := client.Bills.Update(ctx, "UBR1234567890", moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500)})
	if errors.Is(err, moment.ErrOutcomeUnknown) {
		bill, err = client.Bills.Get(ctx, "UBR1234567890")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("applied:", bill.AmountPaid == 1500)
	// Output: applied: true
}
