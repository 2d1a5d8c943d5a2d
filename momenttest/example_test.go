package momenttest_test

import (
	"context"
	"errors"
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
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/moment", verifier.Handler(func(_ context.Context, e *moment.Event) error {
		switch data := e.Data.(type) {
		case *moment.AmountApplied:
			kind, _ := data.Obligation()
			fmt.Fprintln(os.Stdout, data.Money(), "for a", kind)
		default:
			fmt.Fprintln(os.Stdout, e.Type, "is ignored")
		}
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour))))
	return mux
}

// A payer pays a bill, and the endpoint receives the event.
func ExampleServer_Pay() {
	srv := momenttest.NewServer()
	defer srv.Close()
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

	secret := moment.RawWebhookSecret([]byte("16 bytes or more, for tests"))
	endpoint := httptest.NewServer(receiver(secret))
	defer endpoint.Close()

	srv.SetWebhook(endpoint.URL+"/webhooks/moment", secret)
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

// Without a server: an event of the test's own, straight to the handler, and the same message
// again.
func ExampleNewWebhookRequest() {
	secret := moment.RawWebhookSecret([]byte("16 bytes or more, for tests"))
	handler := receiver(secret)
	event := `{"id": "evt_2341234567890abcdef", "type": "obligation.amount_applied", "data":
		{"id": "ob_1", "payment_id": "pay_1", "amount": 1500, "currency": "ZAR", "bill_id": "bill_1"}}`

	request := momenttest.NewWebhookRequest("/webhooks/moment", secret, event)
	handler.ServeHTTP(httptest.NewRecorder(), request)
	request.Body, _ = request.GetBody() // the same message; another NewWebhookRequest would be another one
	handler.ServeHTTP(httptest.NewRecorder(), request)
	// Output:
	// ZAR 15.00 for a bill
}

// The response to the first attempt is lost, and the second one creates nothing twice.
func ExampleServer_Fail() {
	srv := momenttest.NewServer()
	defer srv.Close()
	srv.Fail(momenttest.Status(503), momenttest.DropAfterCommit().On("create bill"))

	_, err := srv.Client().Bills.Create(context.Background(), moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000,
	})
	requests, state := srv.Requests(), srv.State()
	fmt.Println(len(requests), "attempts,", len(state.Bills), "bill, error:", err)
	fmt.Println("the same key:", requests[0].Header.Get("Idempotency-Key") == requests[2].Header.Get("Idempotency-Key"))
	// Output:
	// 3 attempts, 1 bill, error: <nil>
	// the same key: true
}

// Objects that a test begins with.
func ExampleServer_Seed() {
	srv := momenttest.NewServer()
	defer srv.Close()
	err := srv.Seed(momenttest.State{
		Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR1234567890"}},
		Bills: []moment.Bill{{
			ID: "bill_1", ExternalReference: "UBR1234567890", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000,
			PaymentRules: &moment.PaymentRules{MinAmount: moment.MinorUnits(500), UnderpaymentAllowed: true},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = srv.Pay(context.Background(), momenttest.Payment{Bill: "bill_1", Amount: 499})
	fmt.Println(err)
	fmt.Print(srv.State())
	// Output:
	// momenttest: pay: bill_1 accepts payments of ZAR 5.00 or more, not ZAR 4.99: see min_amount in its payment_rules
	// customer bcus_1 UCR1234567890
	// bill bill_1 UBR1234567890 of bcus_1 unpaid ZAR 0.00 of ZAR 20.00 paid
}

// A clock that is the test's: after 24 hours, the service has forgotten an idempotency key, and
// what guards is the reference.
func ExampleWithClock() {
	now := time.Date(2025, time.January, 31, 9, 0, 0, 0, time.UTC)
	srv := momenttest.NewServer(momenttest.WithClock(func() time.Time { return now }))
	defer srv.Close()

	client, key := srv.Client(), moment.NewIdempotencyKey()
	for _, later := range []time.Duration{0, time.Hour, 24 * time.Hour} {
		now = now.Add(later)
		var response moment.Response
		_, err := client.Customers.Create(context.Background(), moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
			moment.WithIdempotencyKey(key), moment.WithResponse(&response))
		fmt.Println(response.StatusCode, "is a conflict:", errors.Is(err, moment.ErrConflict))
	}
	// Output:
	// 201 is a conflict: false
	// 201 is a conflict: false
	// 409 is a conflict: true
}

// Without a socket: the server, its client and the endpoint of its events work inside the bubble of
// testing/synctest.
func ExampleInProcess() {
	srv := momenttest.NewServer(momenttest.InProcess())
	defer srv.Close()
	secret := moment.RawWebhookSecret([]byte("16 bytes or more, for tests"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	srv.SetWebhookHandler(verifier.Handler(func(_ context.Context, e *moment.Event) error {
		fmt.Println("received", e.Data.(*moment.AmountApplied).Money())
		return nil
	}), "/webhooks/moment", secret)

	ctx := context.Background()
	customer, err := srv.Client().Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Currency: moment.ZAR})
	if err != nil {
		log.Fatal(err)
	}
	delivery, err := srv.Pay(ctx, momenttest.Payment{Customer: customer.ID, Amount: 1500})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("acknowledged:", delivery.Acknowledged())
	// Output:
	// received ZAR 15.00
	// acknowledged: true
}

// The endpoint is down. The clock moves, and the event is delivered again, and once more on
// purpose.
func ExampleWithOutbox() {
	srv := momenttest.NewServer(momenttest.WithOutbox())
	defer srv.Close()
	down := true
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, moment.RawWebhookSecret([]byte("16 bytes or more, for tests")))
	err := srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "UCR1234567890", Currency: moment.ZAR}}})
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	delivery, err := srv.Pay(ctx, momenttest.Payment{Customer: "UCR1234567890", Amount: 1500})
	if err != nil {
		log.Fatal(err)
	}
	down = false
	srv.Advance(5 * time.Second)
	if _, err := srv.Resend(ctx, delivery.MessageID, momenttest.Resend{}); err != nil {
		log.Fatal(err)
	}
	for _, message := range srv.Outbox() {
		for _, attempt := range message.Attempts {
			fmt.Println(attempt.Status, "resent:", attempt.Resent)
		}
	}
	// Output:
	// 503 resent: false
	// 200 resent: false
	// 200 resent: true
}

// An event that this fake does not send by itself.
func ExampleServer_Send() {
	srv := momenttest.NewServer()
	defer srv.Close()
	secret := moment.RawWebhookSecret([]byte("16 bytes or more, for tests"))
	endpoint := httptest.NewServer(receiver(secret))
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL+"/webhooks/moment", secret)

	delivery, err := srv.Send(context.Background(), "bill.created", map[string]any{"id": "bill_1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("acknowledged:", delivery.Acknowledged())
	// Output:
	// bill.created is ignored
	// acknowledged: true
}

// Tests that share a server begin with the same objects.
func ExampleServer_Reset() {
	srv := momenttest.NewServer()
	defer srv.Close()
	err := srv.Seed(momenttest.State{Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR1234567890"}}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = srv.Client().Customers.Create(context.Background(), moment.CustomerCreateParams{ExternalReference: "UCR2"})
	if err != nil {
		log.Fatal(err)
	}
	srv.Reset()
	fmt.Print(srv.State())
	fmt.Println(len(srv.Requests()), "requests")
	// Output:
	// customer bcus_1 UCR1234567890
	// 0 requests
}
