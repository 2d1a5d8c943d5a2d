package moment_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

var billOperations = []operation{
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

func TestBillIsDecoded(t *testing.T) {
	bill, err := clientOf(t, testkit.Serve(t, testkit.Respond(200, testkit.BillJSON))).Bills.Get(t.Context(), "UBR1234567890")
	require.NoError(t, err)
	assert.Equal(t, "bacc_H4jp6KnU5cPw263v1jyz4", bill.AccountID)
	assert.Equal(t, moment.BillStatusUnpaid, bill.Status)
	assert.Equal(t, "ZAR 20.00", bill.DueMoney().String())
	assert.Equal(t, "ZAR 15.00", bill.PaidMoney().String())
	assert.Equal(t, "ZAR 5.00", bill.RemainingMoney().String())
	assert.Equal(t, moment.NewDate(2025, time.January, 1), bill.BillDate)
	assert.Equal(t, moment.NewDate(2025, time.January, 31), bill.DueDate)
}

func TestUnusualBillIsDecoded(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, `{"id": "bill_1", "external_reference": "UBR1", "customer_id": "bcus_1", "status": "disputed", "currency": "JPY", "amount_due": 10, "amount_paid": 0, "amount_remaining": 10}`))
	bill, err := clientOf(t, s).Bills.Get(t.Context(), "UBR1")
	require.NoError(t, err)
	assert.Equal(t, moment.BillStatus("disputed"), bill.Status, "an unknown status is kept")
	assert.True(t, bill.DueDate.IsZero())
	assert.Equal(t, "JPY 10", bill.DueMoney().String())
}

func TestStatusInAnyLetterCase(t *testing.T) {
	for text, want := range map[string]moment.BillStatus{
		"PAID": moment.BillStatusPaid, "Unpaid": moment.BillStatusUnpaid, "voided": moment.BillStatusVoided, "Disputed": "Disputed", "": "",
	} {
		var bill moment.Bill
		require.NoError(t, json.Unmarshal([]byte(`{"status":"`+text+`"}`), &bill))
		assert.Equal(t, want, bill.Status)
	}
}

func TestCompositeCreates(t *testing.T) {
	customer := moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "John Doe"}
	account := moment.AccountCreateParams{Customer: customer, ExternalReference: "UAR1"}
	existing := moment.ExistingCustomer("UCR1")
	for _, row := range []struct {
		why    string
		params any
		body   string
	}{
		{
			"customer and account", account,
			`{"customer":{"external_reference":"UCR1","name":"John Doe"},"external_reference":"UAR1"}`,
		},
		{
			"customer and bill",
			moment.BillCreateParams{Customer: customer, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000},
			`{"customer":{"external_reference":"UCR1","name":"John Doe"},"external_reference":"UBR1","currency":"ZAR","amount_due":2000}`,
		},
		{
			"customer, account and bill",
			moment.BillCreateParams{Account: account, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000},
			`{"account":{"customer":{"external_reference":"UCR1","name":"John Doe"},"external_reference":"UAR1"},
			  "external_reference":"UBR1","currency":"ZAR","amount_due":2000}`,
		},
		{
			"account of an existing customer, and bill",
			moment.BillCreateParams{Account: moment.AccountCreateParams{Customer: existing, ExternalReference: "UAR1"}, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000},
			`{"account":{"customer":"UCR1","external_reference":"UAR1"},"external_reference":"UBR1","currency":"ZAR","amount_due":2000}`,
		},
		{
			"pointers",
			moment.BillCreateParams{Account: &moment.AccountCreateParams{Customer: &customer, ExternalReference: "UAR1"}, Customer: &existing, ExternalReference: "UBR1"},
			`{"account":{"customer":{"external_reference":"UCR1","name":"John Doe"},"external_reference":"UAR1"},"customer":"UCR1",
			  "external_reference":"UBR1","currency":"","amount_due":0}`,
		},
		{
			"the service decides about a customer and an account together",
			moment.BillCreateParams{Account: moment.ExistingAccount("UAR1"), Customer: existing, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 1},
			`{"account":"UAR1","customer":"UCR1","external_reference":"UBR1","currency":"ZAR","amount_due":1}`,
		},
		{
			"a balance of zero is not a missing balance",
			moment.AccountCreateParams{Customer: existing, ExternalReference: "UAR1", Balance: moment.MinorUnits(0)},
			`{"customer":"UCR1","external_reference":"UAR1","balance":0}`,
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			s := testkit.Serve(t, testkit.Respond(400, ""))
			require.ErrorIs(t, apply(t.Context(), clientOf(t, s), row.params), moment.ErrBadRequest)
			assert.JSONEq(t, row.body, s.Only(t).Body)
		})
	}
}
