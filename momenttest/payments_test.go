package momenttest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const noServer = "http://127.0.0.1:1" // because the system never chooses port 1 for a test

// webhookSecret is the sample secret of Standard Webhooks.
const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" //nolint:gosec // it is public

// received is a delivery as it was sent over the wire.
type received struct {
	method, path string
	header       http.Header
	body         string
}

// endpoint records its deliveries. The handlers respond to one delivery each; after the last, the
// response is 204.
type endpoint struct {
	*httptest.Server

	mu         sync.Mutex
	handlers   []http.HandlerFunc
	deliveries []received
}

func newEndpoint(t *testing.T, handlers ...http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{handlers: handlers}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		r.Body = io.NopCloser(bytes.NewReader(body))
		e.next(received{r.Method, r.URL.Path, r.Header, string(body)})(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) next(r received) http.HandlerFunc {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deliveries = append(e.deliveries, r)
	if len(e.handlers) == 0 {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	}
	handler := e.handlers[0]
	e.handlers = e.handlers[1:]
	return handler
}

func (e *endpoint) received() []received {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.deliveries
}

// requireSigned checks the form of a delivery by Moment's reference, with the code that merchants
// use.
func requireSigned(t *testing.T, r received) {
	t.Helper()
	verifier, err := moment.NewWebhookVerifier(webhookSecret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(r.header, []byte(r.body)))
	require.Equal(t, "POST", r.method)
	require.Equal(t, []string{"application/json"}, r.header["Content-Type"])
	require.Regexp(t, `^msg_[a-zA-Z0-9]{21}$`, r.header.Get("Webhook-Id"))
}

// What differs from event to event, and what the documentation's samples have there.
var eventSamples = []struct {
	form   *regexp.Regexp
	sample string
}{
	{regexp.MustCompile(`"evt_[a-zA-Z0-9]{20,46}"`), `"evt_2341234567890abcdef"`},
	{regexp.MustCompile(`"ob_[a-zA-Z0-9]{21}"`), `"ob_N2a38DJQWPL8K4X42354234"`},
	{regexp.MustCompile(`"pay_[a-zA-Z0-9]{21}"`), `"pay_1313235234843nmafdsa"`},
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`), `"2025-01-31T12:00:00Z"`},
	{givenID, `${1}_H4jp6KnU5cPw263v1jyz4`},
}

func sampled(body string) string {
	for _, s := range eventSamples {
		body = s.form.ReplaceAllString(body, s.sample)
	}
	return body
}

func TestPayDeliversASignedEvent(t *testing.T) {
	const (
		ofAccount = `"account_id":"bacc_H4jp6KnU5cPw263v1jyz4"`
		ofBill    = `"bill_id":"bill_H4jp6KnU5cPw263v1jyz4"`
		metadata  = `,"metadata":{"order_id":"ord_789012"}`
	)
	srv := newSample(t)
	e := newEndpoint(t)
	srv.SetWebhook(e.URL+"/webhooks/moment", webhookSecret)
	id := func(path string) string { return field(t, send(t, srv, "GET", path, ""), "id") }
	require.Equal(t, 200, send(t, srv, "PATCH", "/billing/accounts/UAR1234567890", `{"metadata": {"order_id": "ord_789012"}}`).status)
	require.Equal(t, 201, send(t, srv, "POST", "/billing/bills", `{
		"account": "UAR1234567890", "external_reference": "yen", "currency": "JPY", "amount_due": 10,
		"metadata": {"order_id": "ord_789012"}
	}`).status)

	for _, row := range []struct {
		why     string
		payment momenttest.Payment
		about   string // what differs in data
		object  string // whose id is in it
	}{
		{
			"a bill by its id",
			momenttest.Payment{Bill: id("/billing/bills/UBR1234567890"), Amount: 1500},
			`"amount":1500,"currency":"ZAR","payment_id":"pay_1313235234843nmafdsa",` + ofBill, "/billing/bills/UBR1234567890",
		},
		{
			"a bill by its reference, in its own currency and with its metadata",
			momenttest.Payment{Bill: "yen", Amount: 10},
			`"amount":10,"currency":"JPY","payment_id":"pay_1313235234843nmafdsa",` + ofBill + metadata, "/billing/bills/yen",
		},
		{
			"an account by its id: not the customer of it, but with its metadata",
			momenttest.Payment{Account: id("/billing/accounts/UAR1234567890"), Amount: 1},
			`"amount":1,"currency":"ZAR","payment_id":"pay_1313235234843nmafdsa",` + ofAccount + metadata, "/billing/accounts/UAR1234567890",
		},
		{
			"an account by its reference, more than it owes: a balance may become credit",
			momenttest.Payment{Account: "UAR1234567890", Amount: 999_999_999},
			`"amount":999999999,"currency":"ZAR","payment_id":"pay_1313235234843nmafdsa",` + ofAccount + metadata, "/billing/accounts/UAR1234567890",
		},
		{
			"a customer by its id",
			momenttest.Payment{Customer: id("/billing/customers/UCR1234567890"), Amount: 2000},
			`"amount":2000,"currency":"ZAR","payment_id":"pay_1313235234843nmafdsa","customer_id":"bcus_H4jp6KnU5cPw263v1jyz4"`, "/billing/customers/UCR1234567890",
		},
		{
			"a customer by its reference",
			momenttest.Payment{Customer: "UCR1234567890", Amount: 2000},
			`"amount":2000,"currency":"ZAR","payment_id":"pay_1313235234843nmafdsa","customer_id":"bcus_H4jp6KnU5cPw263v1jyz4"`, "/billing/customers/UCR1234567890",
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			before, start := len(e.received()), time.Now().Truncate(time.Second)
			d, err := srv.Pay(t.Context(), row.payment)
			require.NoError(t, err)
			require.Len(t, e.received(), before+1)
			got := e.received()[before]
			requireSigned(t, got)
			require.Equal(t, "/webhooks/moment", got.path)
			require.Equal(t, `{"id":"evt_2341234567890abcdef","type":"obligation.amount_applied","data":{"id":"ob_N2a38DJQWPL8K4X42354234",`+
				row.about+`,"created_at":"2025-01-31T12:00:00Z","updated_at":"2025-01-31T12:00:00Z"}}`, sampled(got.body))
			require.Contains(t, got.body, `"`+id(row.object)+`"`)

			require.Equal(t, &momenttest.Delivery{MessageID: got.header.Get("Webhook-Id"), Body: []byte(got.body), Status: 204, Attempts: 1}, d)
			require.True(t, d.Acknowledged())

			verifier, err := moment.NewWebhookVerifier(webhookSecret)
			require.NoError(t, err)
			event, err := verifier.Parse(got.header, []byte(got.body))
			require.NoError(t, err)
			applied := event.Data.(*moment.AmountApplied)
			require.Equal(t, row.payment.Amount, applied.Amount)
			for _, at := range []time.Time{applied.CreatedAt, applied.UpdatedAt, event.Timestamp} {
				require.WithinRange(t, at, start, time.Now())
			}
		})
	}
	t.Run("no two are the same", func(t *testing.T) {
		seen := map[string]bool{}
		for _, r := range e.received() {
			for _, form := range []string{`"evt_\w+"`, `"ob_\w+"`, `"pay_\w+"`} {
				seen[regexp.MustCompile(form).FindString(r.body)] = true
			}
			seen[r.header.Get("Webhook-Id")] = true
		}
		require.Len(t, seen, 4*len(e.received()))
	})
}

func TestPayChangesTheBill(t *testing.T) {
	type state struct{ status, paid, remaining string }
	srv := newSample(t)
	id := field(t, send(t, srv, "GET", "/billing/bills/UBR1234567890", ""), "id")
	for _, step := range []struct {
		why          string
		amount       moment.Amount
		method, body string // a request instead of a payment
		rejected     string
		want         state
	}{
		{"part payment", 1500, "", "", "", state{"unpaid", "1500", "500"}},
		{"a second one is added", 100, "", "", "", state{"unpaid", "1600", "400"}},
		{"more than the remaining amount, but less than the amount due", 401, "", "", " has ZAR 4.00 left to pay, not ZAR 4.01: its payment_rules reject overpayment", state{"unpaid", "1600", "400"}},
		{"a sum that overflows", math.MaxInt64, "", "", " has ZAR 4.00 left to pay, not ZAR 92233720368547758.07: its payment_rules reject overpayment", state{"unpaid", "1600", "400"}},
		{"the rest", 400, "", "", "", state{"paid", "2000", "0"}},
		{"nothing is left to pay", 1, "", "", " has ZAR 0.00 left to pay, not ZAR 0.01: its payment_rules reject overpayment", state{"paid", "2000", "0"}},
		{"the merchant corrects it", 0, "PATCH", `{"amount_paid": 500}`, "", state{"unpaid", "500", "1500"}},
		{"and payments are added to that", 100, "", "", "", state{"unpaid", "600", "1400"}},
		{"the merchant voids it", 0, "POST", "", "", state{"voided", "600", "1400"}},
		{"it can no longer be paid", 1, "", "", " is voided: it can no longer be paid", state{"voided", "600", "1400"}},
	} {
		path := "/billing/bills/UBR1234567890"
		switch {
		case step.method == "POST":
			require.Equal(t, 200, send(t, srv, "POST", path+"/void", "").status, step.why)
		case step.method != "":
			require.Equal(t, 200, send(t, srv, step.method, path, step.body).status, step.why)
		case step.rejected != "":
			_, err := srv.Pay(t.Context(), momenttest.Payment{Bill: id, Amount: step.amount})
			require.EqualError(t, err, "momenttest: pay: "+id+step.rejected, step.why)
		default:
			_, err := srv.Pay(t.Context(), momenttest.Payment{Bill: id, Amount: step.amount})
			require.NoError(t, err, step.why)
		}
		a := send(t, srv, "GET", path, "")
		require.Equal(t, step.want, state{field(t, a, "status"), field(t, a, "amount_paid"), field(t, a, "amount_remaining")}, step.why)
	}
}

func TestPayKeepsBalances(t *testing.T) {
	srv := newSample(t)
	srv.SetWebhook(newEndpoint(t).URL, webhookSecret)
	customer, account := send(t, srv, "GET", "/billing/customers/UCR1234567890", ""), send(t, srv, "GET", "/billing/accounts/UAR1234567890", "")
	for _, p := range []momenttest.Payment{
		{Customer: "UCR1234567890", Amount: 2000},
		{Account: "UAR1234567890", Amount: 1500},
		{Bill: "UBR1234567890", Amount: 2000}, // of that account of that customer
	} {
		d, err := srv.Pay(t.Context(), p)
		require.NoError(t, err)
		require.True(t, d.Acknowledged())
		require.Equal(t, customer.body, send(t, srv, "GET", "/billing/customers/UCR1234567890", "").body)
		require.Equal(t, account.body, send(t, srv, "GET", "/billing/accounts/UAR1234567890", "").body)
	}
}

func TestPayRejects(t *testing.T) {
	srv := newSample(t)
	e := newEndpoint(t)
	srv.SetWebhook(e.URL, webhookSecret)
	ended, end := context.WithCancel(t.Context())
	end()
	require.Equal(t, 201, send(t, srv, "POST", "/billing/accounts", `{"customer": {"external_reference": "no-currency"}, "external_reference": "no-currency"}`).status)
	id := func(path string) string { return field(t, send(t, srv, "GET", path, ""), "id") }
	everything := func() (all []string) {
		for _, path := range []string{"customers/UCR1234567890", "accounts/UAR1234567890", "bills/UBR1234567890", "customers/no-currency", "accounts/no-currency"} {
			all = append(all, send(t, srv, "GET", "/billing/"+path, "").body)
		}
		return all
	}
	before := everything()

	const oneTarget = "exactly one of Customer, Account, Bill and Request must be set"
	for _, row := range []struct {
		why     string
		ctx     context.Context
		payment momenttest.Payment
		says    string
	}{
		{"nothing is paid", t.Context(), momenttest.Payment{Amount: 1}, oneTarget},
		{"a bill and its account", t.Context(), momenttest.Payment{Bill: "UBR1234567890", Account: "UAR1234567890", Amount: 1}, oneTarget},
		{"a bill and its customer", t.Context(), momenttest.Payment{Bill: "UBR1234567890", Customer: "UCR1234567890", Amount: 1}, oneTarget},
		{"all three", t.Context(), momenttest.Payment{Bill: "UBR1234567890", Account: "UAR1234567890", Customer: "UCR1234567890", Amount: 1}, oneTarget},
		{"an amount that was forgotten", t.Context(), momenttest.Payment{Bill: "UBR1234567890"}, "the amount must be 1 or more, not 0"},
		{"a negative one", t.Context(), momenttest.Payment{Account: "UAR1234567890", Amount: -1}, "the amount must be 1 or more, not -1"},
		{"an unknown customer", t.Context(), momenttest.Payment{Customer: "x", Amount: 1}, `No customer has the id or external reference "x".`},
		{"an unknown account", t.Context(), momenttest.Payment{Account: "x", Amount: 1}, `No account has the id or external reference "x".`},
		{"an unknown bill", t.Context(), momenttest.Payment{Bill: "x", Amount: 1}, `No bill has the id or external reference "x".`},
		{"a bill in the place of an account", t.Context(), momenttest.Payment{Account: "UBR1234567890", Amount: 1}, `No account has the id or external reference "UBR1234567890".`},
		{"more than is due", t.Context(), momenttest.Payment{Bill: "UBR1234567890", Amount: 2001}, id("/billing/bills/UBR1234567890") + " has ZAR 20.00 left to pay, not ZAR 20.01: its payment_rules reject overpayment"},
		{"a customer without a currency", t.Context(), momenttest.Payment{Customer: "no-currency", Amount: 1}, id("/billing/customers/no-currency") + " has no currency, so it cannot be paid"},
		{"an account without a currency", t.Context(), momenttest.Payment{Account: "no-currency", Amount: 1}, id("/billing/accounts/no-currency") + " has no currency, so it cannot be paid"},
		{"a context that has ended", ended, momenttest.Payment{Bill: "UBR1234567890", Amount: 1}, "context canceled"},
	} {
		t.Run(row.why, func(t *testing.T) {
			d, err := srv.Pay(row.ctx, row.payment)
			require.EqualError(t, err, "momenttest: pay: "+row.says)
			require.Nil(t, d)
			require.Equal(t, before, everything())
			require.Empty(t, e.received())
		})
	}
}

// Its endpoint reads the bill from the service that is delivering to it.
func TestConcurrentPay(t *testing.T) {
	const payments, due = 25, 20
	srv := newServer(t)
	client := srv.Client()
	bill, err := client.Bills.Create(t.Context(), moment.BillCreateParams{
		Customer: moment.CustomerCreateParams{ExternalReference: "c"}, ExternalReference: "b", Currency: moment.ZAR, AmountDue: due,
	})
	require.NoError(t, err)
	verifier, err := moment.NewWebhookVerifier(webhookSecret)
	require.NoError(t, err)
	var mu sync.Mutex
	seen := map[string]bool{}
	receiver := httptest.NewServer(verifier.Handler(func(ctx context.Context, e *moment.Event) error {
		read, err := client.Bills.Get(ctx, e.Data.(*moment.AmountApplied).BillID)
		mu.Lock()
		defer mu.Unlock()
		seen[e.Data.(*moment.AmountApplied).PaymentID] = true
		if err == nil && read.AmountPaid < 1 {
			err = fmt.Errorf("the event of %s was sent before the payment was applied", e.MessageID)
		}
		return err
	}))
	t.Cleanup(receiver.Close)

	// If the service waits for its endpoint, they wait for each other.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	results := make(chan error, payments)
	for range payments {
		wg.Go(func() {
			srv.SetWebhook(receiver.URL, webhookSecret)
			d, err := srv.Pay(ctx, momenttest.Payment{Bill: "b", Amount: 1})
			if err == nil {
				assert.Equal(t, 1, d.Attempts)
				assert.Equal(t, 204, d.Status)
			}
			results <- err
		})
	}
	wg.Wait()
	close(results)
	rejected := 0
	for err := range results {
		if err != nil {
			require.ErrorContains(t, err, bill.ID+" has ZAR 0.00 left to pay")
			rejected++
		}
	}
	require.Equal(t, payments-due, rejected)
	require.Len(t, seen, due)
	bill, err = client.Bills.Get(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, moment.BillStatusPaid, bill.Status)
	require.Equal(t, moment.Amount(due), bill.AmountPaid)
}

// AnyAmount pays what the payment rules reject, and nothing that cannot be paid at all.
func TestPayAnyAmount(t *testing.T) {
	srv := newServer(t)
	require.NoError(t, srv.Seed(momenttest.State{
		Customers: []moment.Customer{
			{ID: "bcus_1", ExternalReference: "c", Currency: moment.ZAR, Balance: moment.MinorUnits(2000), PaymentRules: &moment.PaymentRules{MinAmount: moment.MinorUnits(100)}},
		},
		Bills: []moment.Bill{
			{ID: "bill_1", ExternalReference: "without-rules", CustomerID: "c", Currency: moment.ZAR, AmountDue: 2000},
			{ID: "bill_2", ExternalReference: "full-only", CustomerID: "c", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: &moment.PaymentRules{}},
			{ID: "bill_3", ExternalReference: "voided", CustomerID: "c", Currency: moment.ZAR, AmountDue: 2000, Status: moment.BillStatusVoided},
		},
		PaymentRequests: []moment.PaymentRequest{{ID: "pr_1", Amount: 2000, Currency: moment.ZAR}},
	}))
	for _, row := range []struct {
		why     string
		payment momenttest.Payment
		err     string
	}{
		{"less than the minimum", momenttest.Payment{Customer: "c", Amount: 1}, ""},
		{"a bill without rules", momenttest.Payment{Bill: "bill_1", Amount: 500}, ""},
		{"part of a bill that is paid in full only", momenttest.Payment{Bill: "bill_2", Amount: 500}, ""},
		{"more than is due", momenttest.Payment{Bill: "bill_2", Amount: 2000}, ""},
		{"more than a bill can have", momenttest.Payment{Bill: "bill_2", Amount: 99_999_999}, "would have an amount_paid of more than 99999999"},
		{"voided", momenttest.Payment{Bill: "bill_3", Amount: 2000}, "is voided"},
		{"half of a payment request", momenttest.Payment{Request: "pr_1", Amount: 1000}, "is paid in full or not at all"},
	} {
		_, err := srv.Pay(t.Context(), row.payment)
		require.Error(t, err, row.why)
		row.payment.AnyAmount = true
		_, err = srv.Pay(t.Context(), row.payment)
		if row.err != "" {
			require.ErrorContains(t, err, row.err, row.why)
			continue
		}
		require.NoError(t, err, row.why)
	}
	bill := srv.State().Bills[1]
	require.Equal(t, []moment.Amount{2500, 0}, []moment.Amount{bill.AmountPaid, bill.AmountRemaining})
	require.Equal(t, moment.BillStatusPaid, bill.Status)
	require.NoError(t, srv.Restore(srv.State()), "an overpaid bill can be restored")
}

func TestPayWithoutAWebhook(t *testing.T) {
	srv := newSample(t)
	e := newEndpoint(t)
	pay := func() *momenttest.Delivery {
		d, err := srv.Pay(t.Context(), momenttest.Payment{Bill: "UBR1234567890", Amount: 1})
		require.NoError(t, err)
		require.Regexp(t, `^msg_`, d.MessageID)
		require.True(t, strings.HasPrefix(string(d.Body), `{"id":"evt_`), "what would have been delivered")
		return d
	}
	d := pay()
	require.Zero(t, d.Attempts)
	require.Zero(t, d.Status)
	require.NoError(t, d.Err)
	require.False(t, d.Acknowledged())

	srv.SetWebhook(e.URL, webhookSecret)
	require.True(t, pay().Acknowledged())
	srv.SetWebhook("", "")
	require.Zero(t, pay().Attempts)
	require.Len(t, e.received(), 1)
	require.Equal(t, "3", field(t, send(t, srv, "GET", "/billing/bills/UBR1234567890", ""), "amount_paid"))
}
