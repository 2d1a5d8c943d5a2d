package momenttest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

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
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)))
}

// Money comes in, and the endpoint is told.
func ExampleServer_Pay() {
	srv := momenttest.NewServer()
	defer srv.Close()
	secret := moment.RawWebhookSecret([]byte("example of a secret"))
	endpoint := httptest.NewServer(receiver(secret))
	defer endpoint.Close()

	ctx, client := context.Background(), srv.Client()
	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000,
	})
	if err != nil {
		log.Fatal(err)
	}

	srv.SetWebhook(endpoint.URL, secret)
	delivery, err := srv.Pay(ctx, momenttest.Payment{Bill: bill.ID, Amount: 1500})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("acknowledged:", delivery.Acknowledged(), "at attempt", delivery.Attempts)

	bill, err = client.Bills.Get(ctx, bill.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.RemainingMoney(), "remaining")
	// Output:
	// ZAR 15.00 for a bill
	// acknowledged: true at attempt 1
	// ZAR 5.00 remaining
}

// Without a server: an event of the test's own, straight to the handler, and the same delivery again.
func ExampleNewWebhookRequest() {
	secret := moment.RawWebhookSecret([]byte("example of a secret"))
	handler := receiver(secret)
	request := momenttest.NewWebhookRequest("/webhooks/moment", secret, `{"id": "evt_2341234567890abcdef", "type": "customer.created", "data": {}}`)
	for range 2 {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		fmt.Println("answered", answer.Code)
		request.Body, _ = request.GetBody()
	}
	// Output:
	// customer.created is ignored
	// answered 204
	// answered 204
}
