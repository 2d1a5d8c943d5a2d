package moment_test

import (
	"context"
	"testing"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var accountOperations = []operation{
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
}

func TestAccountIsDecoded(t *testing.T) {
	account, err := clientOf(t, testkit.Serve(t, testkit.Respond(200, testkit.AccountJSON))).Accounts.Get(t.Context(), "UAR1234567890")
	require.NoError(t, err)
	assert.Equal(t, "bcus_H4jp6KnU5cPw263v1jyz4", account.CustomerID)
	assert.Equal(t, "Subscription Account", account.Name)
	balance, ok := account.BalanceMoney()
	assert.True(t, ok)
	assert.Equal(t, "ZAR 100.00", balance.String())
}
