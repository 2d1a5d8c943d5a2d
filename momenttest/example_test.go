package momenttest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// receiver is what a merchant has to test.
func receiver(secret string) http.Handler {
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	return verifier.Handler(func(_ context.Context, e *moment.Event) error {
		switch data := e.Data.(type) {
		case *moment.AmountApplied:
			kind, _ := data.Obligation()
			fmt.Fprintln(os.Stdout, data.Money(), "for a", kind)
		default:
			fmt.Fprintln(os.Stdout, e.Type, "is ignored")
		}
		return nil
	})
}

// Money comes in, and the endpoint is told.
func ExampleServer_Pay() {
	srv := momenttest.NewServer()
	defer srv.Close()
	endpoint := httptest.NewServer(receiver("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

	ctx, client := context.Background(), srv.Client()
	_, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000,
	})
	if err != nil {
		log.Fatal(err)
	}
	delivery, err := srv.Pay(ctx, momenttest.Payment{Bill: "UBR1234567890", Amount: 1500})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("answered", delivery.Status, "to attempt", delivery.Attempts)

	bill, err := client.Bills.Get(ctx, "UBR1234567890")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.RemainingMoney(), "remaining")
	// Output:
	// ZAR 15.00 for a bill
	// answered 204 to attempt 1
	// ZAR 5.00 remaining
}

// Without a server: an event of the test's own, straight to the handler.
func ExampleNewWebhookRequest() {
	handler := receiver("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, momenttest.NewWebhookRequest("/webhooks/moment", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		`{"id": "evt_2341234567890abcdef", "type": "customer.created", "data": {}}`))
	fmt.Println("answered", answer.Code)
	// Output:
	// customer.created is ignored
	// answered 204
}
