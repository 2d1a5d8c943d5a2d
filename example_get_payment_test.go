package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// How a payment was made. The id is the PaymentID of an event or of a payment request.
func ExamplePaymentsService_Get() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	request, err := client.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := srv.Pay(ctx, momenttest.Payment{Request: request.ID, Amount: 2000}); err != nil {
		log.Fatal(err)
	}
	request, err = client.PaymentRequests.Get(ctx, request.ID)
	if err != nil {
		log.Fatal(err)
	}

	payment, err := client.Payments.Get(ctx, request.PaymentID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(payment.Money(), payment.Status, "by", payment.Method.Type, payment.Method.Card.Last4)
	// Output: ZAR 20.00 succeeded by card 4242
}
