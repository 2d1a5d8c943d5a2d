package moment_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleBillsService_Void() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000,
	})
	if err != nil {
		log.Fatal(err)
	}

	bill, err = client.Bills.Void(ctx, bill.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.Status)

	_, err = client.Bills.Void(ctx, bill.ID) // a new call with a new key: voided already
	fmt.Println(errors.Is(err, moment.ErrConflict))
	// Output:
	// voided
	// true
}
