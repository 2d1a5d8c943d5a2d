package moment_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// raiseBill raises a bill for a customer, under a key that was stored with it. It may be called
// again with the same arguments at any time, after an error or when the program starts again, and
// settles what is unknown by then.
func raiseBill(ctx context.Context, client *moment.Client, customerID string, params moment.BillCreateParams, key string) (*moment.Bill, error) {
	params.Customer = moment.ExistingCustomer(customerID)
	bill, err := client.Bills.Create(ctx, params, moment.WithIdempotencyKey(key))
	var failure *moment.Error
	if !errors.As(err, &failure) || !failure.Replayed {
		return bill, err
	}
	// The service saved a failure under the key: perhaps that the reference is taken, by an earlier
	// call of this function whose key it has forgotten, or by another bill.
	bill, err = client.Bills.Get(ctx, params.ExternalReference)
	switch {
	case errors.Is(err, moment.ErrNotFound) && errors.As(err, &failure) && failure.FromService: // a gateway's 404 says nothing
		// A new key, because the service returns the old failure under the old one for 24 hours.
		// The reference is unique, which guards against a second bill.
		return client.Bills.Create(ctx, params)
	case err != nil:
		return nil, err
	case bill.CustomerID != customerID, bill.AmountDue != params.AmountDue, bill.Currency != params.Currency,
		bill.DueDate != params.DueDate, bill.Status == moment.BillStatusVoided:
		return nil, fmt.Errorf("%s is the reference of another bill", params.ExternalReference)
	}
	return bill, nil
}

// What to do when a create ends in [moment.ErrOutcomeUnknown]: repeat it with the same key, which
// creates nothing twice. If the service then replays a failure, or the key is older than 24 hours,
// read the object by its reference.
func Example_outcomeUnknown() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890"})
	if err != nil {
		log.Fatal(err)
	}
	// The answers of the first call are lost, retries included.
	srv.Fail(momenttest.DropAfterCommit().On("create bill").Times(4))

	key := moment.NewIdempotencyKey() // stored with the bill, before the call
	params := moment.BillCreateParams{ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000}

	bill, err := raiseBill(ctx, client, customer.ID, params, key)
	fmt.Println(err)
	if errors.Is(err, moment.ErrOutcomeUnknown) { // now, or later
		bill, err = raiseBill(ctx, client, customer.ID, params, key)
	}
	fmt.Println(bill.ExternalReference, bill.DueMoney(), err)
	// Output:
	// moment: create bill: no response: net/http: HTTP/1.x transport connection broken: unexpected EOF (4 attempts); the outcome is unknown
	// UBR1234567890 ZAR 20.00 <nil>
}
