package moment_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

func TestBadParamsAreNeverSent(t *testing.T) {
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

func TestCheckReference(t *testing.T) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	for _, reference := range []string{"a", "-", "_", "UBR1234567890", allowed, strings.Repeat("a", 255), "bcus_1"} {
		assert.NoError(t, moment.CheckReference(reference), reference)
	}
	for r := rune(0); r <= 0x180; r++ { // ASCII, and later characters that contain bytes of ASCII letters
		if !strings.ContainsRune(allowed, r) {
			assert.Error(t, moment.CheckReference("a"+string(r)), "%q", r)
		}
	}
	assert.Error(t, moment.CheckReference("a\xff"), "not UTF-8")
	for _, row := range []struct{ reference, reason string }{
		{"", "is empty"},
		{"UBR 1", `must not contain ' ' (U+0020): an external reference has only a-z, A-Z, 0-9, "_" and "-"`},
		{"UBR1\n", `must not contain '\n' (U+000A): an external reference has only a-z, A-Z, 0-9, "_" and "-"`},
		{"é" + strings.Repeat("a", 300), `must not contain 'é' (U+00E9): an external reference has only a-z, A-Z, 0-9, "_" and "-"`},
		{"UBR\u20111", `must not contain '‑' (U+2011): an external reference has only a-z, A-Z, 0-9, "_" and "-"`}, // looks like a hyphen
		{strings.Repeat("a", 256), "has 256 characters: 255 are allowed"},
	} {
		assertArgumentError(t, moment.CheckReference(row.reference), "check reference", "reference", row.reason, row.reference)
	}
}

func TestLimitsOfTheReference(t *testing.T) {
	assert.EqualValues(t, 99_999_999, moment.MaxBillAmount)
	assert.Equal(t, []int{255, 10, 40, 500}, []int{moment.MaxNameLength, moment.MaxMetadataPairs, moment.MaxMetadataKeyLength, moment.MaxMetadataValueLength})
}
