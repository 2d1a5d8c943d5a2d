package moment_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// asked is a row of the merchant's books: a payment request for a bill. It is saved before the
// request is created, so that a job that runs again sends the same.
type asked struct {
	bill, reference string
	attempt         int // 1 for the first request of a bill, then 2, and so on
	money           moment.Money
	expires         time.Time
	request         string // its id, once it was created
}

// ask creates the payment request of a row. If the request exists, ask returns its current state.
func ask(ctx context.Context, client *moment.Client, row asked) (*moment.PaymentRequest, error) {
	if row.request != "" {
		return client.PaymentRequests.Get(ctx, row.request)
	}
	expires := row.expires.UTC().Truncate(time.Second) // the same after it was read from a database
	var response moment.Response
	request, err := client.PaymentRequests.Create(ctx, moment.PaymentRequestCreateParams{
		Amount:            row.money.Amount,
		Currency:          row.money.Currency,
		ExternalReference: row.reference,
		Description:       "Your water bill of January",
		ExpiresAt:         expires,
		Metadata:          map[string]string{"bill_id": row.bill},
	}, moment.WithResponse(&response), moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("request payment",
		row.bill, row.reference, strconv.Itoa(row.attempt), row.money.String(), expires.Format(time.RFC3339))))
	if err == nil && response.Replayed { // saved up to 24 hours ago: it may be paid or expired by now
		request, err = client.PaymentRequests.Get(ctx, request.ID)
	}
	return request, err
}

// entry is a row of the merchant's ledger. Its key is the id of the event.
type entry struct {
	bill, payment string
	received      moment.Amount // by a payment request
	applied       moment.Amount // to the bill, by Moment; negative if a payment is reversed
}

// A bill is presented as a payment request, which is asked for again after its expiry, and paid.
// The ledger has one row for each event, and the applied amounts are added up.
func Example_paymentRequest() {
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

	row := asked{bill: bill.ID, reference: bill.ExternalReference, attempt: 1, money: bill.RemainingMoney(), expires: time.Now().Add(-time.Hour)}
	request, err := ask(ctx, client, row)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("attempt", row.attempt, request.Status)

	switch request.Status {
	case moment.PaymentRequestStatusExpired, moment.PaymentRequestStatusFailed:
		row.attempt++ // it makes another key
		row.request = ""
		row.expires = time.Now().Add(72 * time.Hour)
		request, err = ask(ctx, client, row)
	default: // active, paid, or a status that this version does not know: do not ask again
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("attempt", row.attempt, request.Status, request.Link.URL != "") // send the link by e-mail or text message

	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	ledger := map[string]entry{} // in production, a table whose primary key is the id of the event
	handler := verifier.Handler(func(_ context.Context, e *moment.Event) error {
		switch data := e.Data.(type) {
		case *moment.PaymentRequest:
			if e.Type == moment.EventTypePaymentRequestPaid {
				ledger[e.ID] = entry{bill: data.Metadata["bill_id"], payment: data.PaymentID, received: data.Amount}
			}
		case *moment.AmountApplied: // only this event says that the bill is paid
			ledger[e.ID] = entry{bill: data.BillID, payment: data.PaymentID, applied: data.Amount}
		}
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(24*time.Hour)))
	endpoint := httptest.NewServer(handler)
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, secret)

	if _, err := srv.Pay(ctx, momenttest.Payment{Request: request.ID, Amount: request.Amount}); err != nil {
		log.Fatal(err)
	}
	for range 2 { // the job runs again, at first because it was killed before it saved the id
		request, err = ask(ctx, client, row)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("attempt", row.attempt, request.Status)
		row.request = request.ID
	}

	// Another payment of the bill is applied in two events, and half of it is taken back.
	for i, amount := range []int{1000, 500, -750} {
		event := fmt.Sprintf(`{"id":"evt_%d","type":"obligation.amount_applied","data":{"id":"ob_%d","amount":%d,"currency":"ZAR","payment_id":"pay_1","bill_id":%q}}`, i, i, amount, bill.ID)
		handler.ServeHTTP(httptest.NewRecorder(), momenttest.NewWebhookRequest("/webhooks/moment", secret, event))
	}
	var received, applied moment.Amount
	for _, e := range ledger {
		if e.bill == bill.ID {
			received += e.received
			applied += e.applied
		}
	}
	fmt.Println(len(ledger), "events,", received.In(bill.Currency), "received,", applied.In(bill.Currency), "applied")
	// Output:
	// attempt 1 expired
	// attempt 2 active true
	// attempt 2 paid
	// attempt 2 paid
	// 4 events, ZAR 20.00 received, ZAR 7.50 applied
}
