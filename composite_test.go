package moment_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

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
			"pointers do as well",
			moment.BillCreateParams{Account: &moment.AccountCreateParams{Customer: &customer, ExternalReference: "UAR1"}, Customer: &existing, ExternalReference: "UBR1"},
			`{"account":{"customer":{"external_reference":"UCR1","name":"John Doe"},"external_reference":"UAR1"},"customer":"UCR1",
			  "external_reference":"UBR1","currency":"","amount_due":0}`,
		},
		{
			"customer and account together are for the service to judge",
			moment.BillCreateParams{Account: moment.ExistingAccount("UAR1"), Customer: existing, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 1},
			`{"account":"UAR1","customer":"UCR1","external_reference":"UBR1","currency":"ZAR","amount_due":1}`,
		},
		{
			"a balance of zero is not the same as none",
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

func apply(ctx context.Context, c *moment.Client, params any) error {
	var err error
	switch p := params.(type) {
	case moment.CustomerCreateParams:
		_, err = c.Customers.Create(ctx, p)
	case moment.AccountCreateParams:
		_, err = c.Accounts.Create(ctx, p)
	case moment.BillCreateParams:
		_, err = c.Bills.Create(ctx, p)
	case moment.CustomerUpdateParams:
		_, err = c.Customers.Update(ctx, "REF", p)
	case moment.AccountUpdateParams:
		_, err = c.Accounts.Update(ctx, "REF", p)
	case moment.BillUpdateParams:
		_, err = c.Bills.Update(ctx, "REF", p)
	}
	return err
}

func TestArgumentsThatAreNeverSent(t *testing.T) {
	ok := moment.ExistingCustomer("UCR1")
	var noCustomer *moment.CustomerCreateParams
	var noAccount *moment.AccountCreateParams
	var noReference *moment.ExistingCustomer
	var noAccountReference *moment.ExistingAccount
	for _, row := range []struct {
		params any
		says   string
	}{
		{moment.AccountCreateParams{}, "create account: customer: is missing"},
		{moment.AccountCreateParams{Customer: moment.ExistingCustomer("")}, "create account: customer: is empty"},
		{moment.AccountCreateParams{Customer: moment.Ptr(moment.ExistingCustomer(""))}, "create account: customer: is empty"},
		{moment.AccountCreateParams{Customer: noReference}, "create account: customer: is empty"},
		{moment.AccountCreateParams{Customer: struct{ moment.CustomerRef }{ok}}, "create account: customer: is a moment.CustomerRef of another kind"},
		{moment.AccountCreateParams{Customer: noCustomer}, "create account: customer: is a nil *CustomerCreateParams"},
		{moment.BillCreateParams{}, "create bill: customer: is missing, and so is account: a bill belongs to one of the two"},
		{moment.BillCreateParams{Customer: moment.ExistingCustomer("")}, "create bill: customer: is empty"},
		{moment.BillCreateParams{Customer: noCustomer}, "create bill: customer: is a nil *CustomerCreateParams"},
		{moment.BillCreateParams{Account: moment.ExistingAccount("")}, "create bill: account: is empty"},
		{moment.BillCreateParams{Account: noAccountReference}, "create bill: account: is empty"},
		{moment.BillCreateParams{Account: struct{ moment.AccountRef }{moment.ExistingAccount("UAR1")}}, "create bill: account: is a moment.AccountRef of another kind"},
		{moment.BillCreateParams{Account: noAccount}, "create bill: account: is a nil *AccountCreateParams"},
		{moment.BillCreateParams{Account: moment.AccountCreateParams{}}, "create bill: account.customer: is missing"},
		{moment.BillCreateParams{Account: &moment.AccountCreateParams{}}, "create bill: account.customer: is missing"},
		{moment.BillCreateParams{Account: moment.AccountCreateParams{Customer: noCustomer}}, "create bill: account.customer: is a nil *CustomerCreateParams"},
		{moment.BillCreateParams{Account: moment.AccountCreateParams{Customer: moment.ExistingCustomer("")}}, "create bill: account.customer: is empty"},
		{moment.BillCreateParams{Customer: ok, DueDate: moment.NewDate(2025, time.February, 30)}, "create bill: due_date: 2025-02-30 is not a day: February 2025 has 28 days"},
		{moment.BillCreateParams{Customer: ok, BillDate: moment.NewDate(2025, 13, 1)}, "create bill: bill_date: 2025-13-01 is not a day: months are 01 to 12"},
		{moment.CustomerCreateParams{Name: "J\xfcrgen"}, "create customer: name: is not valid UTF-8"},
		{moment.CustomerCreateParams{ExternalReference: "\xff"}, "create customer: external_reference: is not valid UTF-8"},
		{moment.CustomerCreateParams{Email: "\xff"}, "create customer: email: is not valid UTF-8"},
		{moment.CustomerCreateParams{Phone: "\xff"}, "create customer: phone: is not valid UTF-8"},
		{moment.CustomerCreateParams{Currency: "\xff"}, "create customer: currency: is not valid UTF-8"},
		{moment.CustomerCreateParams{Metadata: map[string]string{"\xff": ""}}, "create customer: metadata: is not valid UTF-8"},
		{moment.CustomerCreateParams{Metadata: map[string]string{"": "\xff"}}, "create customer: metadata: is not valid UTF-8"},
		{moment.AccountCreateParams{Customer: ok, ExternalReference: "\xff"}, "create account: external_reference: is not valid UTF-8"},
		{moment.AccountCreateParams{Customer: ok, Name: "\xff"}, "create account: name: is not valid UTF-8"},
		{moment.AccountCreateParams{Customer: ok, Currency: "\xff"}, "create account: currency: is not valid UTF-8"},
		{moment.AccountCreateParams{Customer: moment.ExistingCustomer("\xff")}, "create account: customer: is not valid UTF-8"},
		{moment.AccountCreateParams{Customer: &moment.CustomerCreateParams{Name: "\xff"}}, "create account: customer.name: is not valid UTF-8"},
		{moment.BillCreateParams{Customer: ok, ExternalReference: "\xff"}, "create bill: external_reference: is not valid UTF-8"},
		{moment.BillCreateParams{Customer: ok, Currency: "\xff"}, "create bill: currency: is not valid UTF-8"},
		{moment.BillCreateParams{Account: moment.ExistingAccount("\xff")}, "create bill: account: is not valid UTF-8"},
		{moment.BillCreateParams{Account: moment.AccountCreateParams{Customer: moment.CustomerCreateParams{Name: "\xff"}}}, "create bill: account.customer.name: is not valid UTF-8"},
		{moment.CustomerUpdateParams{Name: moment.Ptr("\xff")}, "update customer: name: is not valid UTF-8"},
		{moment.CustomerUpdateParams{Email: moment.Ptr("\xff")}, "update customer: email: is not valid UTF-8"},
		{moment.CustomerUpdateParams{Phone: moment.Ptr("\xff")}, "update customer: phone: is not valid UTF-8"},
		{moment.CustomerUpdateParams{Currency: moment.Ptr(moment.Currency("\xff"))}, "update customer: currency: is not valid UTF-8"},
		{moment.AccountUpdateParams{Name: moment.Ptr("\xff")}, "update account: name: is not valid UTF-8"},
		{moment.AccountUpdateParams{Currency: moment.Ptr(moment.Currency("\xff"))}, "update account: currency: is not valid UTF-8"},
		{moment.BillUpdateParams{Currency: moment.Ptr(moment.Currency("\xff"))}, "update bill: currency: is not valid UTF-8"},
		{moment.BillUpdateParams{Metadata: map[string]string{"a": "\xff"}}, "update bill: metadata: is not valid UTF-8"},
	} {
		s := testkit.Serve(t, testkit.Respond(201, testkit.BillJSON))
		err := apply(t.Context(), clientOf(t, s), row.params)
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.says)
		assert.EqualError(t, err, "moment: "+row.says)
		assert.Empty(t, s.Received(), row.says)
	}
}

func TestTextReachesTheServiceUnchanged(t *testing.T) {
	for _, name := range []string{"Jürgen", "\ufffd", `\ufffd`, `\\ufffd`, `\`, `\\`, "a\u2028b", "<&>", "\x00", `"`, "😀"} {
		s := testkit.Serve(t, testkit.Respond(201, testkit.CustomerJSON))
		require.NoError(t, apply(t.Context(), clientOf(t, s), moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: name}), "%q", name)
		assert.Equal(t, name, testkit.StringMember(t, s.Only(t).Body, "name"))
	}
}
