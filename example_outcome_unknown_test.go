package moment_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// A create that ends in [moment.ErrOutcomeUnknown] is settled by Ensure with the error's key.
func Example_outcomeUnknown() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890"})
	if err != nil {
		log.Fatal(err)
	}
	// The responses to the first call are lost, retries included.
	srv.Fail(momenttest.DropAfterCommit().On("create bill").Times(4))

	params := moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(customer.ID),
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
	}
	bill, err := client.Bills.Create(ctx, params)
	fmt.Println(err)
	var lost *moment.ConnectionError
	if errors.Is(err, moment.ErrOutcomeUnknown) && errors.As(err, &lost) { // now, or within 24 hours
		bill, err = client.Bills.Ensure(ctx, params, moment.WithIdempotencyKey(lost.IdempotencyKey))
	}
	fmt.Println(bill.ExternalReference, bill.DueMoney(), err)
	// Output:
	// moment: create bill: no response: net/http: HTTP/1.x transport connection broken: unexpected EOF (4 attempts); the outcome is unknown
	// UBR1234567890 ZAR 20.00 <nil>
}
