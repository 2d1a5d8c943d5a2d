package momenttest_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestSeed(t *testing.T) {
	srv := newServer(t)
	require.NoError(t, srv.Seed(momenttest.State{
		Customers: []moment.Customer{
			{ID: "bcus_1", ExternalReference: "UCR-1", Name: "John Doe", Currency: moment.ZAR, Balance: moment.MinorUnits(2000), Metadata: map[string]string{"a": "b"}},
			{ExternalReference: "UCR-2"},
		},
		Accounts: []moment.Account{{ID: "bacc_1", ExternalReference: "UAR-1", CustomerID: "UCR-1", PaymentRules: &moment.PaymentRules{MinAmount: moment.MinorUnits(100)}}},
		Bills: []moment.Bill{
			{ID: "bill_1", ExternalReference: "UBR-1", AccountID: "bacc_1", Currency: moment.ZAR, AmountDue: 2000, AmountPaid: 1500, BillDate: moment.NewDate(2025, time.January, 1)},
			{ID: "bill_2", ExternalReference: "UBR-2", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, AmountPaid: 2000, BillDate: moment.NewDate(2025, time.January, 1)},
			{ID: "bill_3", ExternalReference: "UBR-3", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, Status: moment.BillStatusVoided, BillDate: moment.NewDate(2025, time.January, 1)},
			{ID: "bill_4", ExternalReference: "UBR-4", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, AmountPaid: 2100, PaymentRules: &moment.PaymentRules{OverpaymentAllowed: true}, BillDate: moment.NewDate(2025, time.January, 1)},
		},
	}))
	for _, row := range []struct{ path, want string }{
		{"customers/UCR-1", `{"id":"bcus_1","external_reference":"UCR-1","name":"John Doe","currency":"ZAR","balance":2000,"metadata":{"a":"b"}}`},
		{"accounts/bacc_1", `{"id":"bacc_1","external_reference":"UAR-1","customer_id":"bcus_1","payment_rules":{"min_amount":100,"underpayment_allowed":false,"overpayment_allowed":false}}`},
		{"bills/bill_1", `{"id":"bill_1","external_reference":"UBR-1","customer_id":"bcus_1","account_id":"bacc_1","status":"unpaid","currency":"ZAR","amount_due":2000,"amount_paid":1500,"amount_remaining":500,"bill_date":"2025-01-01"}`},
		{"bills/UBR-2", `{"id":"bill_2","external_reference":"UBR-2","customer_id":"bcus_1","status":"paid","currency":"ZAR","amount_due":2000,"amount_paid":2000,"amount_remaining":0,"bill_date":"2025-01-01"}`},
		{"bills/UBR-3", `{"id":"bill_3","external_reference":"UBR-3","customer_id":"bcus_1","status":"voided","currency":"ZAR","amount_due":2000,"amount_paid":0,"amount_remaining":2000,"bill_date":"2025-01-01"}`},
		{"bills/UBR-4", `{"id":"bill_4","external_reference":"UBR-4","customer_id":"bcus_1","status":"paid","currency":"ZAR","amount_due":2000,"amount_paid":2100,"amount_remaining":0,"bill_date":"2025-01-01","payment_rules":{"underpayment_allowed":false,"overpayment_allowed":true}}`},
	} {
		require.Equal(t, row.want, send(t, srv, "GET", "/billing/"+row.path, "").body)
	}
	require.Regexp(t, anyID, field(t, send(t, srv, "GET", "/billing/customers/UCR-2", ""), "id"), "a generated id")
}

func TestSeedRejects(t *testing.T) {
	customer := moment.Customer{ID: "bcus_1", ExternalReference: "UCR-1"}
	account := moment.Account{ID: "bacc_1", ExternalReference: "UAR-1", CustomerID: "bcus_1"}
	bill := moment.Bill{ExternalReference: "UBR-1", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000}
	change := func(b moment.Bill, change func(*moment.Bill)) momenttest.State {
		change(&b)
		return momenttest.State{Customers: []moment.Customer{customer}, Accounts: []moment.Account{account}, Bills: []moment.Bill{b}}
	}
	for _, row := range []struct {
		why   string
		state momenttest.State
		says  string
	}{
		{"no reference", momenttest.State{Customers: []moment.Customer{{}}}, "Customers[0]: external_reference is required"},
		{"another kind of id", momenttest.State{Customers: []moment.Customer{customer, {ID: "bill_1", ExternalReference: "a"}}}, "Customers[1]: id must be an id: bcus_ and then letters and digits"},
		{"the service would reject it", momenttest.State{Customers: []moment.Customer{{ExternalReference: "a", Phone: "1"}}}, "Customers[0]: phone must be a phone number in E.164 form, such as +27123456789"},
		{"an id that exists already", momenttest.State{Customers: []moment.Customer{customer, {ID: "bcus_1", ExternalReference: "a"}}}, `Customers[1]: id "bcus_1" belongs to another customer`},
		{"a reference that exists already", momenttest.State{Customers: []moment.Customer{customer, {ExternalReference: "UCR-1"}}}, `Customers[1]: external_reference "UCR-1" belongs to another customer`},
		{"a reference that an object has which was there", momenttest.State{Customers: []moment.Customer{{ExternalReference: "here"}}}, `Customers[0]: external_reference "here" belongs to another customer`},
		{"rules that reject every amount", momenttest.State{Customers: []moment.Customer{{ExternalReference: "a", PaymentRules: &moment.PaymentRules{MinAmount: moment.MinorUnits(2), MaxAmount: moment.MinorUnits(1)}}}}, "Customers[0]: payment_rules must be an object whose min_amount is not above its max_amount"},
		{"an account without a customer", momenttest.State{Accounts: []moment.Account{{ExternalReference: "a"}}}, "Accounts[0]: customer is required"},
		{"an account of a missing customer", momenttest.State{Accounts: []moment.Account{account}}, `Accounts[0]: customer "bcus_1" does not exist`},
		{"a bill without a customer", change(bill, func(b *moment.Bill) { b.CustomerID = "" }), "Bills[0]: customer or account is required: a bill belongs to one of them"},
		{"a bill of 0", change(bill, func(b *moment.Bill) { b.AmountDue = 0 }), "Bills[0]: amount_due must be an integer from 1 to 99999999, in minor units"},
		{"amounts that do not add up", change(bill, func(b *moment.Bill) { b.AmountPaid, b.AmountRemaining = 1500, 600 }), "Bills[0]: amount_remaining must be 500, or left out"},
		{"paid, but not in full", change(bill, func(b *moment.Bill) { b.Status = moment.BillStatusPaid }), "Bills[0]: status must be unpaid, which follows from the amounts, or voided, or left out"},
		{"the account of another customer", change(bill, func(b *moment.Bill) { b.CustomerID, b.AccountID = "here", "bacc_1" }), `Bills[0]: customer_id "here" is not the account's customer`},
		{"a day that does not exist", change(bill, func(b *moment.Bill) { b.DueDate = moment.NewDate(2025, time.February, 30) }), "Bills[0]: moment: encode date: "},
		{"a payment without a target", momenttest.State{Payments: []moment.AmountApplied{{Amount: 1, Currency: moment.ZAR}}}, "Payments[0]: exactly one of customer_id, account_id and bill_id is required"},
		{"a payment to two", momenttest.State{Payments: []moment.AmountApplied{{Amount: 1, Currency: moment.ZAR, CustomerID: "here", BillID: "bill_1"}}}, "Payments[0]: exactly one of"},
		{"a payment to a missing object", momenttest.State{Payments: []moment.AmountApplied{{Amount: 1, Currency: moment.ZAR, BillID: "bill_1"}}}, `Payments[0]: No bill has the id or external reference "bill_1"`},
		{"a payment of 0", momenttest.State{Payments: []moment.AmountApplied{{Currency: moment.ZAR, CustomerID: "here"}}}, "Payments[0]: amount must be 1 or more"},
		{"a payment without a currency", momenttest.State{Payments: []moment.AmountApplied{{Amount: 1, CustomerID: "here"}}}, "Payments[0]: currency must be an ISO 4217 code"},
		{"a payment request and a payment after good ones", momenttest.State{
			PaymentRequests: []moment.PaymentRequest{{Amount: 1, Currency: moment.ZAR}},
			PaymentDetails:  []moment.Payment{{ID: "pay_1", Amount: 1, Currency: moment.ZAR}, {ID: "pay_1", Amount: 1, Currency: moment.ZAR}},
		}, `PaymentDetails[1]: id "pay_1" belongs to another payment`},
		{"a response without a key", momenttest.State{Responses: []momenttest.SavedResponse{{Status: 201, Body: json.RawMessage(`{}`)}}}, "Responses[0]: The header Idempotency-Key is required"},
		{"a response after a good one", momenttest.State{Responses: []momenttest.SavedResponse{
			{IdempotencyKey: "k", Status: 201, Body: json.RawMessage(`{}`), Expires: time.Now().Add(time.Hour)}, {IdempotencyKey: "l"},
		}}, "Responses[1]: status 0 is not an HTTP status"},
		{"a response without a status", momenttest.State{Responses: []momenttest.SavedResponse{{IdempotencyKey: "k", Body: json.RawMessage(`{}`)}}}, "Responses[0]: status 0 is not an HTTP status"},
		{"a response that is not JSON", momenttest.State{Responses: []momenttest.SavedResponse{{IdempotencyKey: "k", Status: 201}}}, "Responses[0]: body is not JSON"},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			require.NoError(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "here"}}}))
			before := srv.State()
			require.ErrorContains(t, srv.Seed(row.state), "momenttest: seed: "+row.says)
			require.Equal(t, before, srv.State(), "nothing is added")
		})
	}
}

func TestSeededPayments(t *testing.T) {
	at := time.Date(2025, time.January, 31, 12, 0, 0, 5, time.UTC)
	srv := newServer(t)
	require.NoError(t, srv.Seed(momenttest.State{
		Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR-1"}},
		Accounts:  []moment.Account{{ID: "bacc_1", ExternalReference: "UAR-1", CustomerID: "bcus_1"}},
		Bills:     []moment.Bill{{ID: "bill_1", ExternalReference: "UBR-1", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000}},
		Payments: []moment.AmountApplied{
			{Amount: 1, Currency: moment.ZAR, CustomerID: "UCR-1"},
			{Amount: 1, Currency: moment.ZAR, AccountID: "bacc_1"},
			{ID: "ob_1", PaymentID: "pay_1", Amount: 1, Currency: moment.ZAR, BillID: "bill_1", CreatedAt: at, UpdatedAt: at},
		},
	}))
	payments := srv.State().Payments
	assert.Equal(t, "bcus_1", payments[0].CustomerID)
	assert.Equal(t, "bacc_1", payments[1].AccountID)
	assert.Regexp(t, "^ob_.{21}$", payments[0].ID)
	assert.Regexp(t, "^pay_.{21}$", payments[0].PaymentID)
	assert.WithinDuration(t, time.Now(), payments[0].CreatedAt, time.Minute)
	assert.WithinDuration(t, time.Now(), payments[0].UpdatedAt, time.Minute)
	assert.Equal(t, moment.AmountApplied{ID: "ob_1", PaymentID: "pay_1", Amount: 1, Currency: moment.ZAR, BillID: "bill_1", CreatedAt: at, UpdatedAt: at}, payments[2])
}

// A server can continue with the data of another one.
func TestStateCanBeSeeded(t *testing.T) {
	one, other := newSample(t), newServer(t)
	created := send(t, one, "POST", "/billing/customers", newCustomer, "Idempotency-Key: k")
	rejected := send(t, one, "POST", "/billing/customers", `{"external_reference": "<&>"}`, "Idempotency-Key: rejected")
	require.Equal(t, 400, rejected.status)
	_, err := one.Pay(t.Context(), momenttest.Payment{Bill: "UBR1234567890", Amount: 1500})
	require.NoError(t, err)
	_, err = one.Pay(t.Context(), momenttest.Payment{Account: "UAR1234567890", Amount: 100})
	require.NoError(t, err)
	require.Equal(t, 200, send(t, one, "POST", "/billing/bills/UBR1234567890/void", "").status)

	kept, err := json.MarshalIndent(one.State(), "", "\t")
	require.NoError(t, err)
	var state momenttest.State
	require.NoError(t, json.Unmarshal(kept, &state))
	require.NoError(t, other.Seed(state))
	after, err := json.MarshalIndent(other.State(), "", "\t")
	require.NoError(t, err)
	require.Equal(t, string(kept), string(after))

	for _, path := range []string{"customers/UCR1234567890", "accounts/UAR1234567890", "bills/UBR1234567890", "customers/new"} {
		require.Equal(t, send(t, one, "GET", "/billing/"+path, "").body, send(t, other, "GET", "/billing/"+path, "").body)
	}
	for _, row := range []struct {
		key, body string
		want      response
	}{{"k", newCustomer, created}, {"rejected", `{"external_reference": "<&>"}`, rejected}} {
		a := send(t, other, "POST", "/billing/customers", row.body, "Idempotency-Key: "+row.key)
		require.Equal(t, row.want.body, a.body)
		require.Equal(t, row.want.status, a.status)
		require.Equal(t, "true", a.header.Get("Idempotent-Replayed"))
	}
	require.Equal(t, 422, send(t, other, "POST", "/billing/customers", `{}`, "Idempotency-Key: k").status)
}

func TestState(t *testing.T) {
	srv := newServer(t)
	require.Empty(t, srv.State().String())
	require.NoError(t, srv.Seed(momenttest.State{
		Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR-1", Currency: moment.ZAR, Balance: moment.MinorUnits(2000)}, {ID: "bcus_2", ExternalReference: "UCR-2"}},
		Accounts:  []moment.Account{{ID: "bacc_1", ExternalReference: "UAR-1", CustomerID: "bcus_1", Currency: moment.JPY, Balance: moment.MinorUnits(-10)}},
		Bills: []moment.Bill{
			{ID: "bill_1", ExternalReference: "UBR-1", AccountID: "bacc_1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: &moment.PaymentRules{UnderpaymentAllowed: true}},
			{ID: "bill_2", ExternalReference: "UBR-2", CustomerID: "bcus_2", Currency: moment.ZAR, AmountDue: 2000, AmountPaid: 2000},
		},
	}))
	_, err := srv.Pay(t.Context(), momenttest.Payment{Bill: "UBR-1", Amount: 1500})
	require.NoError(t, err)
	state := srv.State()
	payment := state.Payments[0].PaymentID
	require.Equal(t, `customer bcus_1 UCR-1 balance ZAR 20.00
customer bcus_2 UCR-2
account bacc_1 UAR-1 of bcus_1 balance JPY -10
bill bill_1 UBR-1 of bacc_1 unpaid ZAR 15.00 of ZAR 20.00 paid
bill bill_2 UBR-2 of bcus_2 paid ZAR 20.00 of ZAR 20.00 paid
payment `+payment+` to bill_1 ZAR 15.00
`, state.String())

	state.Bills[0].AmountPaid = 0
	*state.Customers[0].Balance = 0
	require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", newCustomer, "Idempotency-Key: k").status)
	srv.State().Responses[0].Body[0] = 'X'
	assert.Equal(t, byte('{'), srv.State().Responses[0].Body[0])
	assert.Equal(t, moment.Amount(1500), srv.State().Bills[0].AmountPaid, "it is a copy")
	assert.Equal(t, moment.Amount(2000), *srv.State().Customers[0].Balance)
}

// journal counts the customers, responses and payments of each change, and how often it was synced.
type journal struct {
	saved  []int
	synced int
}

func (j *journal) Append(s momenttest.State) {
	j.saved = append(j.saved, len(s.Customers)*100+len(s.Responses)*10+len(s.Payments))
}

func (j *journal) Replace(s momenttest.State) { j.saved = append(j.saved, -1); j.Append(s) }
func (j *journal) Sync()                      { j.synced = len(j.saved) }

// A change is kept before its response is sent, and only what changed.
func TestWithJournal(t *testing.T) {
	kept := new(journal)
	srv := momenttest.NewServer(momenttest.WithJournal(kept))
	t.Cleanup(srv.Close)
	for _, step := range []struct {
		why, method, path, body, key string
		want                         int // 0: nothing is saved
	}{
		{"a customer and its response", "POST", "/billing/customers", `{"external_reference": "new", "currency": "ZAR"}`, "k", 110},
		{"the response again", "POST", "/billing/customers", `{"external_reference": "new", "currency": "ZAR"}`, "k", 0},
		{"a rejection is a response", "POST", "/billing/customers", newCustomer, "l", 10},
		{"a look", "GET", "/billing/customers/new", "", "", 0},
		{"a change", "PATCH", "/billing/customers/new", `{"name": "Jane Doe"}`, "", 100},
		{"a rejected change", "PATCH", "/billing/customers/new", `{"name": 1}`, "", 0},
	} {
		kept.saved = nil
		send(t, srv, step.method, step.path, step.body, "Idempotency-Key: "+step.key)
		if step.want == 0 {
			require.Empty(t, kept.saved, step.why)
			continue
		}
		require.Equal(t, []int{step.want}, kept.saved, step.why)
		require.Equal(t, 1, kept.synced, step.why)
	}
	kept.saved = nil
	e := newEndpoint(t)
	srv.SetWebhook(e.URL, webhookSecret)
	_, err := srv.Pay(t.Context(), momenttest.Payment{Customer: "new", Amount: 1})
	require.NoError(t, err)
	require.Equal(t, []int{1}, kept.saved)
	require.NoError(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "a"}}}))
	require.Equal(t, []int{1, 100}, kept.saved)
	require.NoError(t, srv.Restore(momenttest.State{Customers: []moment.Customer{{ExternalReference: "b"}, {ExternalReference: "c"}}}))
	require.Equal(t, []int{1, 100, -1, 200}, kept.saved)
	srv.Reset()
	require.Equal(t, []int{1, 100, -1, 200, -1, 100}, kept.saved, "the seeded balances")
	require.Equal(t, 6, kept.synced)
}

func TestPaymentRules(t *testing.T) {
	rules := func(r moment.PaymentRules) *moment.PaymentRules { return &r }
	anything := moment.PaymentRules{UnderpaymentAllowed: true, OverpaymentAllowed: true}
	for _, row := range []struct {
		why    string
		rules  *moment.PaymentRules
		amount moment.Amount
		says   string // after the id; "": accepted
		paid   moment.Amount
		left   moment.Amount
	}{
		{"none: it cannot be paid against", nil, 2000, " has no payment_rules, so it cannot be paid against", 0, 0},
		{"all at once", rules(moment.PaymentRules{}), 2000, "", 2000, 0},
		{"less is rejected", rules(moment.PaymentRules{OverpaymentAllowed: true}), 1999, " has ZAR 20.00 left to pay, not ZAR 19.99: its payment_rules reject underpayment", 0, 0},
		{"more is rejected", rules(moment.PaymentRules{UnderpaymentAllowed: true}), 2001, " has ZAR 20.00 left to pay, not ZAR 20.01: its payment_rules reject overpayment", 0, 0},
		{"less", &anything, 1, "", 1, 1999},
		{"more", &anything, 2001, "", 2001, 0},
		{"as much as an amount_paid can be", &anything, 99_999_999, "", 99_999_999, 0},
		{"more than that", &anything, 100_000_000, " would have an amount_paid of more than 99999999", 0, 0},
		{"the least", rules(moment.PaymentRules{MinAmount: moment.MinorUnits(500), UnderpaymentAllowed: true}), 500, "", 500, 1500},
		{"less than that", rules(moment.PaymentRules{MinAmount: moment.MinorUnits(500), UnderpaymentAllowed: true}), 499, " accepts payments of ZAR 5.00 or more, not ZAR 4.99: see min_amount in its payment_rules", 0, 0},
		{"the most", rules(moment.PaymentRules{MaxAmount: moment.MinorUnits(500), UnderpaymentAllowed: true}), 500, "", 500, 1500},
		{"more than that", rules(moment.PaymentRules{MaxAmount: moment.MinorUnits(500), UnderpaymentAllowed: true}), 501, " accepts payments of ZAR 5.00 or less, not ZAR 5.01: see max_amount in its payment_rules", 0, 0},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			require.NoError(t, srv.Seed(momenttest.State{
				Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR-1", Currency: moment.ZAR, Balance: moment.MinorUnits(2000), PaymentRules: row.rules}},
				Bills:     []moment.Bill{{ID: "bill_1", ExternalReference: "UBR-1", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: row.rules}},
			}))
			_, err := srv.Pay(t.Context(), momenttest.Payment{Bill: "bill_1", Amount: row.amount})
			bill := srv.State().Bills[0]
			if row.says != "" {
				require.EqualError(t, err, "momenttest: pay: bill_1"+row.says)
				require.Equal(t, moment.Amount(2000), bill.AmountRemaining)
				require.Empty(t, srv.State().Payments)
			} else {
				require.NoError(t, err)
				require.Equal(t, row.paid, bill.AmountPaid)
				require.Equal(t, row.left, bill.AmountRemaining)
			}
			if row.rules == nil || row.amount > 99_999_999 {
				return // on bills only
			}
			_, err = srv.Pay(t.Context(), momenttest.Payment{Customer: "bcus_1", Amount: row.amount})
			if row.says != "" {
				require.EqualError(t, err, "momenttest: pay: bcus_1"+row.says)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, moment.MinorUnits(2000), srv.State().Customers[0].Balance, "the merchant reconciles it")
		})
	}
	t.Run("where no balance is kept, no payment is too much or too little", func(t *testing.T) {
		srv := newServer(t)
		require.NoError(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "UCR-1", Currency: moment.ZAR, PaymentRules: &moment.PaymentRules{}}}}))
		_, err := srv.Pay(t.Context(), momenttest.Payment{Customer: "UCR-1", Amount: 1})
		require.NoError(t, err)
	})
	t.Run("earlier payments count for the maximum of amount_paid", func(t *testing.T) {
		srv := newServer(t)
		require.NoError(t, srv.Seed(momenttest.State{
			Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR-1"}},
			Bills:     []moment.Bill{{ID: "bill_1", ExternalReference: "UBR-1", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, AmountPaid: 1, PaymentRules: &anything}},
		}))
		_, err := srv.Pay(t.Context(), momenttest.Payment{Bill: "bill_1", Amount: 99_999_999})
		require.EqualError(t, err, "momenttest: pay: bill_1 would have an amount_paid of more than 99999999")
	})
	t.Run("a merchant may set amount_paid within the rules", func(t *testing.T) {
		srv := newServer(t)
		require.NoError(t, srv.Seed(momenttest.State{
			Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR-1"}},
			Bills:     []moment.Bill{{ExternalReference: "UBR-1", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: &anything}},
		}))
		require.Equal(t, "0", field(t, send(t, srv, "PATCH", "/billing/bills/UBR-1", `{"amount_paid": 2001}`), "amount_remaining"))
	})
}

func TestWithClock(t *testing.T) {
	now := time.Date(2025, time.January, 31, 23, 59, 59, 0, time.UTC)
	srv := momenttest.NewServer(momenttest.WithClock(func() time.Time { return now }))
	t.Cleanup(srv.Close)
	client := srv.Client()
	create := func(reference string, resp *moment.Response) *moment.Bill {
		bill, err := client.Bills.Create(t.Context(), moment.BillCreateParams{
			Customer: moment.CustomerCreateParams{ExternalReference: reference}, ExternalReference: reference, Currency: moment.ZAR, AmountDue: 2000,
		}, moment.WithIdempotencyKey("k-"+reference), moment.WithResponse(resp))
		require.NoError(t, err)
		return bill
	}
	var resp moment.Response
	bill := create("a", &resp)
	require.Equal(t, moment.NewDate(2025, time.January, 31), bill.BillDate)
	require.Equal(t, now.Add(24*time.Hour), srv.State().Responses[0].Expires)

	verifier, err := moment.NewWebhookVerifier(webhookSecret, moment.WithClock(func() time.Time { return now }))
	require.NoError(t, err)
	var told *moment.Event
	e := newEndpoint(t, verifier.Handler(func(_ context.Context, e *moment.Event) error {
		told = e
		return nil
	}).ServeHTTP)
	srv.SetWebhook(e.URL, webhookSecret)
	_, err = srv.Pay(t.Context(), momenttest.Payment{Bill: bill.ID, Amount: 2000})
	require.NoError(t, err)
	require.Equal(t, now, told.Timestamp.UTC())
	require.Equal(t, now, told.Data.(*moment.AmountApplied).CreatedAt)

	now = now.Add(24*time.Hour - time.Second)
	create("a", &resp)
	require.True(t, resp.Replayed)
	require.Equal(t, moment.NewDate(2025, time.February, 1), create("b", &resp).BillDate)
	now = now.Add(time.Second)
	require.Len(t, srv.State().Responses, 1, "that of the first is forgotten")
}
