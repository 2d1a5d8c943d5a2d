package moment_test

import (
	"context"
	"testing"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var customerOperations = []operation{
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
}

func TestCustomerIsDecoded(t *testing.T) {
	customer, err := clientOf(t, testkit.Serve(t, testkit.Respond(200, testkit.CustomerJSON))).Customers.Get(t.Context(), "UCR1234567890")
	require.NoError(t, err)
	assert.Equal(t, "UCR1234567890", customer.ExternalReference)
	assert.Equal(t, "John Doe", customer.Name)
	assert.Equal(t, "john.doe@example.com", customer.Email)
	balance, ok := customer.BalanceMoney()
	assert.True(t, ok)
	assert.Equal(t, "ZAR 50.00", balance.String())
	assert.Nil(t, customer.PaymentRules)
}

func TestUnusualCustomerIsDecoded(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, `{
	  "id": "bcus_1", "external_reference": "UCR1", "a_new_field": {"of": ["another", "version"]}, "currency": "QQQ",
	  "balance": -1,
	  "payment_rules": {"min_amount": 0, "max_amount": 99999999, "underpayment_allowed": true, "overpayment_allowed": false, "new": 1},
	  "metadata": {"customer_id": "cust_123456"}
	}`), testkit.Respond(200, `{"id": "bcus_1", "external_reference": "UCR1", "balance": 5}`), testkit.Respond(200, `{"id": "bcus_1", "external_reference": "UCR1", "currency": "ZAR"}`))
	c := clientOf(t, s)
	customer, err := c.Customers.Get(t.Context(), "UCR1")
	require.NoError(t, err, "unknown fields do not break decoding")
	balance, ok := customer.BalanceMoney()
	assert.True(t, ok)
	assert.Equal(t, "-1 QQQ (minor units)", balance.String(), "an unknown currency is kept")
	require.NotNil(t, customer.PaymentRules)
	assert.Equal(t, moment.Amount(0), *customer.PaymentRules.MinAmount, "0 is not a missing balance")
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
}
