package moment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/moment-billing/moment-go/momenttest"
)

// The examples run against a fake service; yours begin with
// moment.NewClient(os.Getenv("MOMENT_API_KEY")).
func Example() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890",
		Name:              "John Doe",
	})
	if err != nil {
		log.Fatal(err)
	}
	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(customer.ID),
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
		DueDate:           moment.NewDate(2025, time.January, 31),
	})
	if err != nil {
		log.Fatal(err)
	}
	bill, err = client.Bills.Update(ctx, bill.ID, moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(customer.Name, "still has to pay", bill.RemainingMoney(), "of", bill.DueMoney(), "by", bill.DueDate)
	// Output: John Doe still has to pay ZAR 5.00 of ZAR 20.00 by 2025-01-31
}

// A customer's balance: a payment comes in for it, and the new balance is set. Moment leaves that
// to the merchant.
func Example_customerBalance() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	owed := moment.Amount(2000).In(moment.ZAR) // in production, this stands in your books
	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890", Name: "John Doe", Currency: owed.Currency, Balance: &owed.Amount,
	})
	if err != nil {
		log.Fatal(err)
	}

	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	endpoint := httptest.NewServer(verifier.Handler(func(ctx context.Context, e *moment.Event) error {
		payment, ok := e.Data.(*moment.AmountApplied)
		if !ok || payment.CustomerID != customer.ID {
			return nil // not about this customer's balance
		}
		left, err := owed.Sub(payment.Money())
		if err != nil {
			return err
		}
		updated, err := client.Customers.Update(ctx, payment.CustomerID, moment.CustomerUpdateParams{Balance: &left.Amount})
		if err != nil {
			return err // the event comes again, and the same balance is set
		}
		owed = left
		balance, _ := updated.BalanceMoney()
		fmt.Println(updated.Name, "paid", payment.Money(), "and owes", balance)
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(24*time.Hour))))
	defer endpoint.Close()
	srv.SetWebhook(endpoint.URL, secret)

	if _, err := srv.Pay(ctx, momenttest.Payment{Customer: customer.ID, Amount: 1500}); err != nil {
		log.Fatal(err)
	}
	// Output: John Doe paid ZAR 15.00 and owes ZAR 5.00
}

func ExampleNewClient() {
	_, err := moment.NewClient("pk_test_YOUR_PUBLIC_KEY")
	fmt.Println(err)

	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY",
		moment.WithMaxRetries(5),
		moment.WithAttemptTimeout(10*time.Second),
		moment.WithUserAgent("billing-backend/2.3"),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Mode())
	fmt.Printf("%+v\n", client) // formatting a client never shows its key
	// Output:
	// moment: new client: secret key: is a public key (pk_…), which cannot run billing operations; use a secret key (sk_…)
	// test
	// moment.Client(test mode, https://api.momentpay.net)
}

// A program that is meant for production refuses a test key, and any other a live one.
func ExampleClient_Mode() {
	production := false // as configured
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY")
	if err != nil {
		log.Fatal(err)
	}
	if production != (client.Mode() == moment.ModeLive) {
		log.Fatalf("a key for %s mode", client.Mode())
	}
	fmt.Println(client.Mode())
	// Output: test
}

func ExampleCustomersService_Create() {
	srv := momenttest.NewServer()
	defer srv.Close()

	customer, err := srv.Client().Customers.Create(context.Background(), moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890",
		Name:              "John Doe",
		Email:             "john.doe@example.com",
		Currency:          moment.ZAR,
		Balance:           moment.MinorUnits(2000), // owes ZAR 20.00; nil would keep no balance
	})
	if err != nil {
		log.Fatal(err)
	}
	balance, _ := customer.BalanceMoney()
	fmt.Println(customer.Name, balance)
	// Output: John Doe ZAR 20.00
}

func ExampleCustomersService_Get() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	created, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"})
	if err != nil {
		log.Fatal(err)
	}

	for _, idOrReference := range []string{created.ID, "UCR1234567890"} {
		customer, err := client.Customers.Get(ctx, idOrReference)
		if err != nil {
			log.Fatal(err)
		}
		_, kept := customer.BalanceMoney()
		fmt.Println(customer.Name, "- has a balance:", kept)
	}
	// Output:
	// John Doe - has a balance: false
	// John Doe - has a balance: false
}

func ExampleCustomersService_Update() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Customers.Create(ctx, moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890", Name: "John Doe", Currency: moment.ZAR, Balance: moment.MinorUnits(2000),
	})
	if err != nil {
		log.Fatal(err)
	}

	customer, err := client.Customers.Update(ctx, "UCR1234567890", moment.CustomerUpdateParams{
		Name:    moment.Ptr("Jane Doe"),
		Balance: moment.MinorUnits(0), // a pointer to zero sends zero; nil leaves the field alone
	})
	if err != nil {
		log.Fatal(err)
	}
	balance, _ := customer.BalanceMoney()
	fmt.Println(customer.Name, balance)
	// Output: Jane Doe ZAR 0.00
}

func ExampleAccountsService_Create() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	// A new customer with the account, in one call …
	first, err := client.Accounts.Create(ctx, moment.AccountCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
		ExternalReference: "UAR1",
		Name:              "Primary Account",
	})
	if err != nil {
		log.Fatal(err)
	}
	// … and another account of that customer.
	second, err := client.Accounts.Create(ctx, moment.AccountCreateParams{
		Customer:          moment.ExistingCustomer(first.CustomerID),
		ExternalReference: "UAR2",
		Name:              "Secondary Account",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Name, "and", second.Name, "of one customer:", first.CustomerID == second.CustomerID)
	// Output: Primary Account and Secondary Account of one customer: true
}

func ExampleAccountsService_Get() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Accounts.Create(ctx, moment.AccountCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UAR1234567890", Currency: moment.ZAR, Balance: moment.MinorUnits(-500),
	})
	if err != nil {
		log.Fatal(err)
	}

	account, err := client.Accounts.Get(ctx, "UAR1234567890") // or its id, bacc_…
	if err != nil {
		log.Fatal(err)
	}
	if balance, ok := account.BalanceMoney(); ok && balance.Amount < 0 {
		fmt.Println("in credit:", balance)
	}
	// Output: in credit: ZAR -5.00
}

func ExampleAccountsService_Update() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Accounts.Create(ctx, moment.AccountCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UAR1234567890", Name: "Primary Account", Currency: moment.ZAR, Balance: moment.MinorUnits(2000),
	})
	if err != nil {
		log.Fatal(err)
	}

	account, err := client.Accounts.Update(ctx, "UAR1234567890", moment.AccountUpdateParams{
		Balance: moment.MinorUnits(10000), // replaces the 2000; the name, which is not named here, stays
	})
	if err != nil {
		log.Fatal(err)
	}
	balance, _ := account.BalanceMoney()
	fmt.Println(account.Name, balance)
	// Output: Primary Account ZAR 100.00
}

func ExampleBillsService_Create() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	customer, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890"})
	if err != nil {
		log.Fatal(err)
	}

	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(customer.ID), // or your reference; or Account: moment.ExistingAccount(…)
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
		BillDate:          moment.NewDate(2025, time.January, 1),
		DueDate:           moment.NewDate(2025, time.January, 31),
		Metadata:          map[string]string{"order_id": "ord_789012"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.Status, bill.RemainingMoney(), "by", bill.DueDate)
	// Output: unpaid ZAR 20.00 by 2025-01-31
}

// Customer, account and bill in one call.
func ExampleBillsService_Create_composite() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Account: moment.AccountCreateParams{
			Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
			ExternalReference: "UAR1234567890",
			Name:              "Primary Account",
		},
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000,
	})
	if err != nil {
		log.Fatal(err)
	}
	customer, err := client.Customers.Get(ctx, bill.CustomerID)
	if err != nil {
		log.Fatal(err)
	}
	account, err := client.Accounts.Get(ctx, bill.AccountID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.DueMoney(), bill.Status, "on the", account.Name, "of", customer.Name)
	// Output: ZAR 20.00 unpaid on the Primary Account of John Doe
}

func ExampleBillsService_Get() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000,
	})
	if err != nil {
		log.Fatal(err)
	}

	bill, err := client.Bills.Get(ctx, "UBR1234567890") // or its id, bill_…
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.PaidMoney(), "of", bill.DueMoney(), "paid; has a due date:", !bill.DueDate.IsZero())
	// Output: ZAR 0.00 of ZAR 20.00 paid; has a due date: false
}

// What was paid is set, not added, and the service works out the rest. Metadata is merged.
func ExampleBillsService_Update() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000,
		Metadata: map[string]string{"order_id": "ord_789012"},
	})
	if err != nil {
		log.Fatal(err)
	}

	for _, paid := range []int64{1500, 2000} {
		bill, err := client.Bills.Update(ctx, "UBR1234567890", moment.BillUpdateParams{
			AmountPaid: moment.MinorUnits(paid),
			Metadata:   map[string]string{"paid_at": "till 3"},
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(bill.Status, bill.RemainingMoney(), "remaining", bill.Metadata)
	}
	// Output:
	// unpaid ZAR 5.00 remaining map[order_id:ord_789012 paid_at:till 3]
	// paid ZAR 0.00 remaining map[order_id:ord_789012 paid_at:till 3]
}

// The answer to an update is lost: read the object, and decide.
func ExampleBillsService_Update_outcomeUnknown() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000,
	})
	if err != nil {
		log.Fatal(err)
	}
	srv.Fail(momenttest.DropAfterCommit().On("update bill"))

	bill, err := client.Bills.Update(ctx, "UBR1234567890", moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500)})
	if errors.Is(err, moment.ErrOutcomeUnknown) {
		bill, err = client.Bills.Get(ctx, "UBR1234567890")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("applied:", bill.AmountPaid == 1500)
	// Output: applied: true
}

func ExampleBillsService_Void() {
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

	bill, err = client.Bills.Void(ctx, bill.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bill.Status)

	_, err = client.Bills.Void(ctx, bill.ID) // a new call with a new key: voided already
	fmt.Println(errors.Is(err, moment.ErrConflict))
	// Output:
	// voided
	// true
}

func ExampleError() {
	srv := momenttest.NewServer()
	defer srv.Close()

	_, err := srv.Client().Bills.Get(context.Background(), "UBR1234567890")
	var failure *moment.Error
	switch {
	case errors.As(err, &failure) && !failure.FromService: // a gateway's: it says nothing about the bill
		fmt.Println(err)
	case errors.Is(err, moment.ErrNotFound): // one kind of error
		fmt.Println("there is no such bill")
	case failure != nil: // any other error of the service, with all its details
		fmt.Println(failure.Status, failure.Title, failure.Detail, failure.RequestID)
	case err != nil: // no connection, no response in time, or wrong arguments
		fmt.Println(err)
	}
	// Output: there is no such bill
}

func ExampleArgumentError() {
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY")
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Bills.Get(context.Background(), "") // an unset variable, perhaps: nothing is sent
	fmt.Println(err)
	// Output: moment: get bill: bill: is empty
}

// There was no answer in time. For a write, errors.Is(err, moment.ErrOutcomeUnknown) tells whether
// it may have been applied.
func ExampleConnectionError() {
	srv := momenttest.NewServer()
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()

	_, err := srv.Client().Bills.Get(ctx, "UBR1234567890")
	var failure *moment.ConnectionError
	if errors.As(err, &failure) {
		fmt.Println("could not", failure.Op+":", failure.Err)
	}
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, moment.ErrOutcomeUnknown))
	// Output:
	// could not get bill: context deadline exceeded
	// true false
}

// A job that is run again derives the same keys, so that what it did before is not done twice.
func ExampleWithIdempotencyKey() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	for range 2 {
		key := moment.DeriveIdempotencyKey("create customer", "UCR1234567890", "John Doe")
		var response moment.Response
		_, err := client.Customers.Create(ctx,
			moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
			moment.WithIdempotencyKey(key), moment.WithResponse(&response))
		fmt.Println(err, response.StatusCode, "replayed:", response.Replayed)
	}
	// Output:
	// <nil> 201 replayed: false
	// <nil> 201 replayed: true
}

// The key is that of the operation, the reference and the content. What is corrected gets another
// key, as it must.
func ExampleDeriveIdempotencyKey() {
	first := moment.DeriveIdempotencyKey("create bill", "UBR1234567890", "ZAR 20.00")
	again := moment.DeriveIdempotencyKey("create bill", "UBR1234567890", "ZAR 20.00")
	corrected := moment.DeriveIdempotencyKey("create bill", "UBR1234567890", "ZAR 25.00")
	fmt.Println(first)
	fmt.Println(first == again, first == corrected)
	// Output:
	// 6a40c877b11d2767c6f31684de991156ef9e2dc460570af1bb48bd93ef6bad41
	// true false
}

func ExampleWithResponse() {
	srv := momenttest.NewServer()
	defer srv.Close()

	var response moment.Response
	_, err := srv.Client().Customers.Get(context.Background(), "UCR1234567890", moment.WithResponse(&response))
	fmt.Println(err != nil, response.StatusCode, response.Header.Get("Content-Type"), response.Attempts)
	// Output: true 404 application/problem+json 1
}

// An operation that has no method in this package yet.
func ExampleClient_Do() {
	srv := momenttest.NewServer()
	defer srv.Close()

	var customer struct {
		Name string `json:"name"`
	}
	err := srv.Client().Do(context.Background(), http.MethodPost, "/billing/customers",
		map[string]any{"external_reference": "UCR1234567890", "name": "John Doe"}, &customer)
	fmt.Println(customer.Name, err)
	// Output: John Doe <nil>
}

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

// The query of a list that a later version of the service may offer.
func ExampleWithQuery() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.URL)
		fmt.Fprint(w, `{"data": []}`)
	}))
	defer service.Close()
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithBaseURL(service.URL))
	if err != nil {
		log.Fatal(err)
	}

	query := struct {
		Status string `url:"status"`
		Limit  int    `url:"limit,omitempty"`
	}{Status: "unpaid"}
	var page struct {
		Data []moment.Bill `json:"data"`
	}
	err = client.Do(context.Background(), http.MethodGet, "/billing/bills", nil, &page, moment.WithQuery(query))
	fmt.Println(len(page.Data), err)
	// Output:
	// /billing/bills?status=unpaid
	// 0 <nil>
}

func ExampleWithLogger() {
	srv := momenttest.NewServer()
	defer srv.Close()

	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" { // not the same each time
				return slog.Attr{}
			}
			return a
		},
	}))
	_, err := srv.Client(moment.WithLogger(logger)).Customers.Get(context.Background(), "UCR1234567890")
	fmt.Println(errors.Is(err, moment.ErrNotFound))
	fmt.Print(out.String())
	// Output:
	// true
	// level=DEBUG msg="moment: request" method=GET path=/billing/customers/{customer} attempt=1 status=404 from_service=true
}

// A test that needs no more than one canned answer can use httpmock. Activate it on the http.Client
// before NewClient, which takes its Transport.
func Example_httpmock() {
	httpClient := &http.Client{}
	httpmock.ActivateNonDefault(httpClient)
	defer httpmock.DeactivateAndReset()
	httpmock.RegisterResponder(http.MethodGet, "https://api.momentpay.net/billing/customers/UCR1234567890",
		httpmock.NewStringResponder(http.StatusOK, `{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe"}`))

	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithHTTPClient(httpClient))
	if err != nil {
		log.Fatal(err)
	}
	customer, err := client.Customers.Get(context.Background(), "UCR1234567890")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(customer.Name)
	// Output: John Doe
}

// A receiver of webhooks, and a payment that it is told of.
func ExampleWebhookVerifier_Handler() {
	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	_ = os.Setenv("MOMENT_WEBHOOK_SECRET", secret)

	verifier, err := moment.NewWebhookVerifier(os.Getenv("MOMENT_WEBHOOK_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	webhook := verifier.Handler(func(_ context.Context, e *moment.Event) error {
		switch data := e.Data.(type) {
		case *moment.AmountApplied:
			kind, id := data.Obligation() // a customer's or an account's balance, or a bill
			fmt.Println(data.Money(), "was paid for", kind, id)
		default: // events that this version does not know are acknowledged too
		}
		return nil // an error, and Moment delivers the event again
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(24*time.Hour)))
	http.Handle("POST /webhooks/moment", webhook)

	// Moment delivers; here, a request as it sends them.
	w := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, momenttest.NewWebhookRequest("/webhooks/moment", secret, testkit.EventJSON))
	fmt.Println("answered", w.Code)

	w = httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, momenttest.NewWebhookRequest("/webhooks/moment", moment.RawWebhookSecret([]byte("somebody else's key")), testkit.EventJSON))
	fmt.Println("answered", w.Code)
	// Output:
	// ZAR 20.00 was paid for account bacc_H4jp6KnU5cPw263v1jyz4
	// answered 204
	// answered 400
}

// Without a handler: Parse takes the headers and the body as they came.
func ExampleWebhookVerifier_Parse() {
	secret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	verifier, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	body := []byte(testkit.EventJSON)
	header := momenttest.SignWebhook(secret, "msg_1", time.Now(), body) // as Moment signs

	event, err := verifier.Parse(header, body)
	if err != nil {
		log.Fatal(err)
	}
	if payment, ok := event.Data.(*moment.AmountApplied); ok {
		fmt.Println(event.Type, payment.Money())
	}

	_, err = verifier.Parse(header, []byte(`{"type": "obligation.amount_applied", "data": {"amount": 1000000}}`))
	fmt.Println(err, errors.Is(err, moment.ErrInvalidSignature))
	// Output:
	// obligation.amount_applied ZAR 20.00
	// moment: invalid webhook signature true
}

// While Moment changes the secret, what is signed with either is taken.
func ExampleWithAdditionalSecret() {
	oldSecret := moment.RawWebhookSecret([]byte("an example key, not a secret one"))
	newSecret := moment.RawWebhookSecret([]byte("an example of what comes after it"))
	verifier, err := moment.NewWebhookVerifier(newSecret, moment.WithAdditionalSecret(oldSecret))
	if err != nil {
		log.Fatal(err)
	}
	for _, secret := range []string{oldSecret, newSecret} {
		body := []byte(testkit.EventJSON)
		fmt.Println(verifier.Verify(momenttest.SignWebhook(secret, "msg_1", time.Now(), body), body))
	}
	// Output:
	// <nil>
	// <nil>
}
