package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExamplePaymentRequestsService_Get() {
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
	fmt.Println(request.Money(), "is", request.Status)
	// Output: ZAR 20.00 is paid
}
