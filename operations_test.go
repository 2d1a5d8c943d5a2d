package moment_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// operations are the documented ones, each with the call that makes it, what it sends and what it
// gets. The answers are those of Moment's reference.
var operations = []struct {
	method   string // CustomersService.Create
	op       string // as errors call it
	request  string // method and path
	body     string
	status   int
	answer   string
	call     func(context.Context, *moment.Client) (any, error)
	returned string // the id in what the call returns
}{
	{
		"CustomersService.Create", "create customer", "POST /billing/customers",
		`{"external_reference":"UCR1234567890","name":"John Doe","email":"john.doe@example.com","phone":"+27123456789",
		  "currency":"ZAR","balance":2000,"metadata":{"order_id":"ord_789012"}}`,
		201, testkit.CustomerJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.Customers.Create(ctx, moment.CustomerCreateParams{
				ExternalReference: "UCR1234567890", Name: "John Doe", Email: "john.doe@example.com", Phone: "+27123456789",
				Currency: moment.ZAR, Balance: moment.MinorUnits(2000), Metadata: map[string]string{"order_id": "ord_789012"},
			})
		}, "bcus_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"CustomersService.Get", "get customer", "GET /billing/customers/{customer}", "", 200, testkit.CustomerJSON,
		func(ctx context.Context, c *moment.Client) (any, error) { return c.Customers.Get(ctx, "UCR1234567890") }, "bcus_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"CustomersService.Update", "update customer", "PATCH /billing/customers/{customer}",
		`{"name":"John Doe","email":"","phone":"+27123456789","currency":"ZAR","balance":0,"metadata":{"order_id":""}}`, 200, testkit.CustomerJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.Customers.Update(ctx, "UCR1234567890", moment.CustomerUpdateParams{
				Name: moment.Ptr("John Doe"), Email: moment.Ptr(""), Phone: moment.Ptr("+27123456789"),
				Currency: moment.Ptr(moment.ZAR), Balance: moment.MinorUnits(0), Metadata: map[string]string{"order_id": ""},
			})
		}, "bcus_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"AccountsService.Create", "create account", "POST /billing/accounts",
		`{"customer":"bcus_H4jp6KnU5cPw263v1jyz4","external_reference":"UAR1234567890","name":"Subscription Account",
		  "currency":"ZAR","balance":2000,"metadata":{"order_id":"ord_789012"}}`, 201, testkit.AccountJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.Accounts.Create(ctx, moment.AccountCreateParams{
				Customer: moment.ExistingCustomer("bcus_H4jp6KnU5cPw263v1jyz4"), ExternalReference: "UAR1234567890",
				Name: "Subscription Account", Currency: moment.ZAR, Balance: moment.MinorUnits(2000),
				Metadata: map[string]string{"order_id": "ord_789012"},
			})
		}, "bacc_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"AccountsService.Get", "get account", "GET /billing/accounts/{account}", "", 200, testkit.AccountJSON,
		func(ctx context.Context, c *moment.Client) (any, error) { return c.Accounts.Get(ctx, "UAR1234567890") }, "bacc_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"AccountsService.Update", "update account", "PATCH /billing/accounts/{account}",
		`{"name":"Primary Account","currency":"ZAR","balance":-500,"metadata":{"order_id":"ord_789012"}}`, 200, testkit.AccountJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.Accounts.Update(ctx, "UAR1234567890", moment.AccountUpdateParams{
				Name: moment.Ptr("Primary Account"), Currency: moment.Ptr(moment.ZAR), Balance: moment.MinorUnits(-500),
				Metadata: map[string]string{"order_id": "ord_789012"},
			})
		}, "bacc_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"BillsService.Create", "create bill", "POST /billing/bills",
		`{"account":"bacc_H4jp6KnU5cPw263v1jyz4","external_reference":"UBR1234567890","currency":"ZAR","amount_due":2000,
		  "bill_date":"2025-01-01","due_date":"2025-01-31","metadata":{"order_id":"ord_789012"}}`, 201, testkit.BillJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.Bills.Create(ctx, moment.BillCreateParams{
				Account: moment.ExistingAccount("bacc_H4jp6KnU5cPw263v1jyz4"), ExternalReference: "UBR1234567890",
				Currency: moment.ZAR, AmountDue: 2000, BillDate: moment.NewDate(2025, time.January, 1),
				DueDate: moment.NewDate(2025, time.January, 31), Metadata: map[string]string{"order_id": "ord_789012"},
			})
		}, "bill_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"BillsService.Get", "get bill", "GET /billing/bills/{bill}", "", 200, testkit.BillJSON,
		func(ctx context.Context, c *moment.Client) (any, error) { return c.Bills.Get(ctx, "UBR1234567890") }, "bill_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"BillsService.Update", "update bill", "PATCH /billing/bills/{bill}",
		`{"currency":"ZAR","amount_paid":0,"metadata":{"order_id":"ord_789012"}}`, 200, testkit.BillJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.Bills.Update(ctx, "UBR1234567890", moment.BillUpdateParams{
				Currency: moment.Ptr(moment.ZAR), AmountPaid: moment.MinorUnits(0), Metadata: map[string]string{"order_id": "ord_789012"},
			})
		}, "bill_H4jp6KnU5cPw263v1jyz4",
	},
	{
		"BillsService.Void", "void bill", "POST /billing/bills/{bill}/void", "", 200, strings.Replace(testkit.BillJSON, "unpaid", "voided", 1),
		func(ctx context.Context, c *moment.Client) (any, error) { return c.Bills.Void(ctx, "UBR1234567890") }, "bill_H4jp6KnU5cPw263v1jyz4",
	},
}

func TestOperationsOnTheWire(t *testing.T) {
	for _, o := range operations {
		t.Run(o.op, func(t *testing.T) {
			s := testkit.Serve(t, testkit.Respond(o.status, o.answer))
			got, err := o.call(t.Context(), clientOf(t, s))
			require.NoError(t, err)
			assert.Equal(t, o.returned, idOf(t, got))

			r := s.Only(t)
			method, path, _ := strings.Cut(o.request, " ")
			if before, rest, found := strings.Cut(path, "{"); found {
				_, after, _ := strings.Cut(rest, "}")
				path = before + testkit.StringMember(t, o.answer, "external_reference") + after
			}
			assert.Equal(t, method, r.Method)
			assert.Equal(t, testkit.BasePath+path, r.URI)
			assert.Equal(t, method == "POST", r.Header.Get("Idempotency-Key") != "")
			if o.body == "" {
				assert.Empty(t, r.Body)
				assert.NotContains(t, r.Header, "Content-Type")
			} else {
				assert.JSONEq(t, o.body, r.Body)
			}
			if method == "POST" && o.body == "" {
				assert.Equal(t, "0", r.Header.Get("Content-Length"))
			}
		})
	}
}

func idOf(t *testing.T, object any) string {
	t.Helper()
	switch o := object.(type) {
	case *moment.Customer:
		return o.ID
	case *moment.Account:
		return o.ID
	case *moment.Bill:
		return o.ID
	default:
		t.Fatalf("unexpected %T", object)
		return ""
	}
}

func TestOperationsNameThemselvesInErrors(t *testing.T) {
	for _, o := range operations {
		s := testkit.Serve(t, testkit.Respond(404, testkit.ProblemJSON, "X-Request-Id: req_1"))
		_, err := o.call(t.Context(), clientOf(t, s))
		require.ErrorIs(t, err, moment.ErrNotFound)
		assert.EqualError(t, err, "moment: "+o.op+": 404 Not Found: There is no bill with this identifier. (request id req_1)")
	}
}

// Every method of a service has an operation in its comment and an example, and together they are
// the documented ones: no more, no less.
func TestOperationComments(t *testing.T) {
	documented := map[string]string{}
	pkg := testkit.PackageDocs(t, ".", "github.com/moment-billing/moment-go")
	for _, typ := range pkg.Types {
		if !strings.HasSuffix(typ.Name, "Service") {
			continue
		}
		for _, m := range typ.Methods {
			if m.Level > 0 {
				continue // what every service has
			}
			first, _, _ := strings.Cut(m.Doc, "\n\n")
			_, operation, found := strings.Cut(strings.ReplaceAll(first, "\n", " "), ": ")
			require.True(t, found, "%s.%s names no operation", typ.Name, m.Name)
			operation, _, _ = strings.Cut(operation, ".")
			documented[typ.Name+"."+m.Name] = strings.TrimSpace(operation)
			if assert.NotEmpty(t, m.Examples, "%s.%s has no example", typ.Name, m.Name) {
				assert.NotEmpty(t, m.Examples[0].Output, "%s.%s has an example that is not run", typ.Name, m.Name)
			}
		}
	}
	want := map[string]string{}
	for _, o := range operations {
		want[o.method] = o.request
	}
	assert.Equal(t, want, documented)
}

func TestDecodedObjects(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, testkit.CustomerJSON), testkit.Respond(200, testkit.AccountJSON), testkit.Respond(200, testkit.BillJSON))
	c := clientOf(t, s)
	customer, err := c.Customers.Get(t.Context(), "UCR1234567890")
	require.NoError(t, err)
	assert.Equal(t, "UCR1234567890", customer.ExternalReference)
	assert.Equal(t, "John Doe", customer.Name)
	assert.Equal(t, "john.doe@example.com", customer.Email)
	balance, ok := customer.BalanceMoney()
	assert.True(t, ok)
	assert.Equal(t, "ZAR 50.00", balance.String())
	assert.Nil(t, customer.PaymentRules)

	account, err := c.Accounts.Get(t.Context(), "UAR1234567890")
	require.NoError(t, err)
	assert.Equal(t, "bcus_H4jp6KnU5cPw263v1jyz4", account.CustomerID)
	assert.Equal(t, "Subscription Account", account.Name)
	balance, ok = account.BalanceMoney()
	assert.True(t, ok)
	assert.Equal(t, "ZAR 100.00", balance.String())

	bill, err := c.Bills.Get(t.Context(), "UBR1234567890")
	require.NoError(t, err)
	assert.Equal(t, "bacc_H4jp6KnU5cPw263v1jyz4", bill.AccountID)
	assert.Equal(t, moment.BillStatusUnpaid, bill.Status)
	assert.Equal(t, "ZAR 20.00", bill.DueMoney().String())
	assert.Equal(t, "ZAR 15.00", bill.PaidMoney().String())
	assert.Equal(t, "ZAR 5.00", bill.RemainingMoney().String())
	assert.Equal(t, moment.NewDate(2025, time.January, 1), bill.BillDate)
	assert.Equal(t, moment.NewDate(2025, time.January, 31), bill.DueDate)
}

func TestAnswersThatAreRareOrNew(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, `{
	  "id": "bcus_1", "external_reference": "UCR1", "a_new_field": {"of": ["another", "version"]}, "currency": "QQQ",
	  "balance": -1,
	  "payment_rules": {"min_amount": 0, "max_amount": 99999999, "underpayment_allowed": true, "overpayment_allowed": false, "new": 1},
	  "metadata": {"customer_id": "cust_123456"}
	}`), testkit.Respond(200, `{"id": "bcus_1", "external_reference": "UCR1", "balance": 5}`), testkit.Respond(200, `{"id": "bcus_1", "external_reference": "UCR1", "currency": "ZAR"}`),
		testkit.Respond(200, `{"id": "bill_1", "external_reference": "UBR1", "customer_id": "bcus_1", "status": "disputed", "currency": "JPY", "amount_due": 10, "amount_paid": 0, "amount_remaining": 10}`))
	c := clientOf(t, s)
	customer, err := c.Customers.Get(t.Context(), "UCR1")
	require.NoError(t, err, "unknown fields break nothing")
	balance, ok := customer.BalanceMoney()
	assert.True(t, ok)
	assert.Equal(t, "-1 QQQ (minor units)", balance.String(), "an unknown currency is kept")
	require.NotNil(t, customer.PaymentRules)
	assert.Equal(t, moment.Amount(0), *customer.PaymentRules.MinAmount, "0 is not the same as none")
	assert.Equal(t, moment.Amount(99999999), *customer.PaymentRules.MaxAmount)
	assert.True(t, customer.PaymentRules.UnderpaymentAllowed)
	assert.False(t, customer.PaymentRules.OverpaymentAllowed)
	assert.Equal(t, map[string]string{"customer_id": "cust_123456"}, customer.Metadata)

	for _, why := range []string{"a balance without a currency", "a currency without a balance"} {
		customer, err = c.Customers.Get(t.Context(), "UCR1")
		require.NoError(t, err)
		_, ok = customer.BalanceMoney()
		assert.False(t, ok, why)
	}
	bill, err := c.Bills.Get(t.Context(), "UBR1")
	require.NoError(t, err)
	assert.Equal(t, moment.BillStatus("disputed"), bill.Status, "an unknown status is kept")
	assert.True(t, bill.DueDate.IsZero())
	assert.Equal(t, "JPY 10", bill.DueMoney().String())
}
