package moment_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// A payment request expires later. The service applies the update once, because every call has the
// same key.
func ExamplePaymentRequestsService_Update() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	request, err := client.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR})
	if err != nil {
		log.Fatal(err)
	}

	end := time.Date(2099, time.January, 31, 0, 0, 0, 0, time.UTC)
	request, err = client.PaymentRequests.Update(ctx, request.ID, moment.PaymentRequestUpdateParams{ExpiresAt: &end},
		moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("extend", request.ID, end.String())))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("until", request.ExpiresAt.Format(time.DateOnly))

	if _, err := srv.Pay(ctx, momenttest.Payment{Request: request.ID, Amount: 2000}); err != nil {
		log.Fatal(err)
	}
	_, err = client.PaymentRequests.Update(ctx, request.ID, moment.PaymentRequestUpdateParams{Description: moment.Ptr("too late")})
	fmt.Println("paid, so it cannot be changed:", err != nil)
	// Output:
	// until 2099-01-31
	// paid, so it cannot be changed: true
}
