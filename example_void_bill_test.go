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

	_, err = client.Bills.Void(ctx, bill.ID) // a new call with a new key: the bill is already voided
	fmt.Println(errors.Is(err, moment.ErrConflict))
	// Output:
	// voided
	// true
}

// A void with [moment.ErrOutcomeUnknown] is settled by reading the bill. Here the service has saved
// a failure under the key, so only another key voids the bill.
func ExampleBillsService_Void_outcomeUnknown() {
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
	srv.Fail(momenttest.ServiceError(500).On("void bill"))

	key := moment.WithIdempotencyKey(moment.NewIdempotencyKey())
	for range 2 {
		_, err = client.Bills.Void(ctx, bill.ID, key)
		var failure *moment.Error
		fmt.Println(errors.Is(err, moment.ErrOutcomeUnknown), errors.As(err, &failure) && failure.Replayed)
	}
	bill, err = client.Bills.Get(ctx, bill.ID)
	if err == nil && bill.Status != moment.BillStatusVoided {
		fmt.Println(bill.Status)
		bill, err = client.Bills.Void(ctx, bill.ID) // with another key
	}
	fmt.Println(bill.Status, err)
	// Output:
	// true true
	// true true
	// unpaid
	// voided <nil>
}
