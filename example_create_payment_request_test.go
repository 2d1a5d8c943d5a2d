package moment_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// A bill is presented as a link. The two are linked by the bill's reference and by metadata.
func ExamplePaymentRequestsService_Create() {
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

	request, err := client.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{
		Amount:            bill.AmountRemaining,
		Currency:          bill.Currency,
		ExternalReference: bill.ExternalReference,
		Metadata:          map[string]string{"bill_id": bill.ID},
	}, moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("request payment", bill.ID, bill.RemainingMoney().String())))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(request.Money(), request.Status, strings.HasPrefix(request.Link.URL, srv.URL+"/_pay/"))
	// Output: ZAR 20.00 active true
}
