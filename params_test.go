package moment_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

var (
	inlineCustomer = moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890", Name: "John <Doe>", Email: "john.doe@example.com", Phone: "+27123456789", Currency: moment.ZAR,
		Balance: moment.MinorUnits(-9223372036854775808), Metadata: map[string]string{"order_id": "ord_789012"},
	}
	inlineAccount = moment.AccountCreateParams{
		Customer: inlineCustomer, ExternalReference: "UAR1234567890", Name: "Subscription Account", Currency: moment.ZAR,
		Balance: moment.MinorUnits(9007199254740993), Metadata: map[string]string{"": ""},
	}
)

func TestParamsAreReadBack(t *testing.T) {
	readBack(t, moment.CustomerCreateParams{}, `{"external_reference":""}`)
	readBack(t, moment.CustomerCreateParams{ExternalReference: "UCR1", Balance: moment.MinorUnits(0)}, `{"external_reference":"UCR1","balance":0}`)
	readBack(t, inlineCustomer, `{"external_reference":"UCR1234567890","name":"John \u003cDoe\u003e","email":"john.doe@example.com",`+
		`"phone":"+27123456789","currency":"ZAR","balance":-9223372036854775808,"metadata":{"order_id":"ord_789012"}}`)
	readBack(t, moment.AccountCreateParams{}, `{"customer":null,"external_reference":""}`)
	readBack(t, moment.AccountCreateParams{Customer: moment.ExistingCustomer("")}, `{"customer":"","external_reference":""}`)
	readBack(t, moment.AccountCreateParams{Customer: moment.ExistingCustomer("bcus_1"), ExternalReference: "UAR1"},
		`{"customer":"bcus_1","external_reference":"UAR1"}`)
	readBack(t, moment.AccountCreateParams{Customer: moment.CustomerCreateParams{ExternalReference: "UCR1"}, ExternalReference: "UAR1"},
		`{"customer":{"external_reference":"UCR1"},"external_reference":"UAR1"}`)
	readBack(t, moment.BillCreateParams{}, `{"external_reference":"","currency":"","amount_due":0}`)
	readBack(t, billParams, `{"customer":"UCR1234567890","external_reference":"UBR1234567890","currency":"ZAR","amount_due":2000,`+
		`"bill_date":"2025-01-01","due_date":"2025-01-31"}`)
	readBack(t, moment.BillCreateParams{Account: moment.ExistingAccount("UAR1"), AmountDue: 9223372036854775807},
		`{"account":"UAR1","external_reference":"","currency":"","amount_due":9223372036854775807}`)
	readBack(t, moment.BillCreateParams{Customer: inlineCustomer, Account: inlineAccount, ExternalReference: "UBR1"},
		`{"customer":`+encoded(t, inlineCustomer)+`,"account":`+encoded(t, inlineAccount)+`,"external_reference":"UBR1","currency":"","amount_due":0}`)
}

// readBack encodes params as a request has them, and decodes them.
func readBack[T any](t *testing.T, params T, wire string) {
	t.Helper()
	data, err := json.Marshal(params)
	require.NoError(t, err)
	assert.Equal(t, wire, string(data), "the bytes of a request")
	var got T
	require.NoError(t, json.Unmarshal(data, &got), wire)
	assert.Equal(t, params, got, wire)
}

func TestParamsFromOtherJSON(t *testing.T) {
	for _, row := range []struct {
		why, body string
		want      moment.BillCreateParams
	}{
		{"null is absent", `{"customer":null,"account":null,"bill_date":null,"due_date":null,"metadata":null}`, moment.BillCreateParams{}},
		{"unknown members are ignored, as encoding/json does", `{"note":"x","account":{"note":1,"customer":{"note":{}}}}`, moment.BillCreateParams{
			Account: moment.AccountCreateParams{Customer: moment.CustomerCreateParams{}},
		}},
		{"white space", "{ \"customer\" :\n \"UCR1\" }", moment.BillCreateParams{Customer: moment.ExistingCustomer("UCR1")}},
		{"an escaped string", `{"customer":"\u0055CR1"}`, moment.BillCreateParams{Customer: moment.ExistingCustomer("UCR1")}},
		{"an exact amount in another form", `{"amount_due":2e3}`, moment.BillCreateParams{AmountDue: 2000}},
	} {
		got := moment.BillCreateParams{Customer: moment.ExistingCustomer("UCR0"), AmountDue: 1, DueDate: moment.NewDate(2025, 1, 31)}
		if assert.NoError(t, json.Unmarshal([]byte(row.body), &got), row.why) {
			assert.Equal(t, row.want, got, "%s; and no field is left from before", row.why)
		}
	}
}

func TestNullParamsLeaveAValueAlone(t *testing.T) {
	bill, account := billParams, inlineAccount
	require.NoError(t, json.Unmarshal([]byte(`null`), &bill))
	require.NoError(t, json.Unmarshal([]byte(`null`), &account))
	assert.Equal(t, billParams, bill)
	assert.Equal(t, inlineAccount, account)
}

func TestParamsThatCannotBeReadBack(t *testing.T) {
	for _, row := range []struct{ body, says string }{
		{`{"customer":1}`, "customer: is of type number, neither string nor object"},
		{`{"customer":true}`, "customer: is of type bool, neither string nor object"},
		{`{"customer":["UCR1"]}`, "customer: is of type array, neither string nor object"},
		{`{"account":1.5}`, "account: is of type number, neither string nor object"},
		{`{"account":[]}`, "account: is of type array, neither string nor object"},
		{`{"account":{"customer":false}}`, "account.customer: is of type bool, neither string nor object"},
		{`{"account":{"customer":{"balance":1.5}}}`, "account.customer.balance: is not an exact integer"},
		{`{"account":{"customer":{"name":1}}}`, "account.customer.name: is of type number, not string"},
		{`{"account":{"balance":"20"}}`, "account.balance: is of type string, not moment.Amount"},
		{`{"account":{"external_reference":{}}}`, "account.external_reference: is of type object, not string"},
		{`{"customer":{"balance":9223372036854775808}}`, "customer.balance: is not an exact integer"},
		{`{"amount_due":20.01}`, "amount_due: is not an exact integer"},
		{`{"amount_due":1e-1}`, "amount_due: is not an exact integer"},
		{`{"AMOUNT_DUE":0.5,"amount_due":1}`, "amount_due: is not an exact integer"},
		{`{"currency":1}`, "currency: is of type number, not moment.Currency"},
		{`{"metadata":[]}`, "metadata: is of type array, not object"},
		{`{"due_date":"2025-02-30"}`, "due_date: 2025-02-30 is not a day: February 2025 has 28 days"},
		{`{"due_date":""}`, `due_date: "" is not in the form YYYY-MM-DD, like "2025-01-31"`},
		{`{"bill_date":20250131}`, "bill_date: is of type number, not string"},
		{`[]`, "params: is of type array, not object"},
		{`"UBR1"`, "params: is of type string, not object"},
	} {
		got := billParams
		err := json.Unmarshal([]byte(row.body), &got)
		var bad *moment.ArgumentError
		if assert.ErrorAs(t, err, &bad, row.body) {
			assert.Equal(t, "moment: decode params: "+row.says, bad.Error())
		}
		assert.Equal(t, billParams, got, "unchanged: %s", row.body)
	}
}

func TestErrorOfParamsDoesNotQuoteMetadata(t *testing.T) {
	for _, body := range []string{`{"metadata":{"secret":7}}`, `{"account":{"metadata":{"secret":7}}}`, `{"customer":{"metadata":{"secret":7}}}`} {
		err := json.Unmarshal([]byte(body), new(moment.BillCreateParams))
		require.ErrorIs(t, err, moment.ErrInvalidArgument, body)
		assert.ErrorContains(t, err, "metadata")
		assert.NotContains(t, err.Error(), "secret")
		assert.NotContains(t, err.Error(), "7")
	}
}

// A job contains params in a field. CustomerCreateParams do not have UnmarshalJSON, so a struct
// that embeds them is decoded completely.
func TestParamsInAJob(t *testing.T) {
	type job struct {
		moment.CustomerCreateParams

		ID     string                       `json:"id"`
		Params *moment.BillCreateParams     `json:"params"`
		Others []moment.AccountCreateParams `json:"others"`
	}
	want := job{inlineCustomer, "job-1", &billParams, []moment.AccountCreateParams{inlineAccount, {}}}
	var got job
	require.NoError(t, json.Unmarshal([]byte(encoded(t, want)), &got))
	assert.Equal(t, want, got)
}

// FuzzParams encodes and decodes params of all forms, and decodes any text.
func FuzzParams(f *testing.F) {
	f.Add("UCR1", "John Doe", int64(2000), uint8(0), `{"customer":"UCR1"}`)
	f.Add("bcus_1", "<&>\u2028", int64(-9223372036854775808), uint8(0b101), `{"account":{"customer":{"balance":1e3}}}`)
	f.Add("", "", int64(9007199254740993), uint8(0xff), `{"due_date":null,"amount_due":0.10}`)
	f.Fuzz(func(t *testing.T, reference, text string, amount int64, form uint8, stored string) {
		if reference, text = strings.ToValidUTF8(reference, ""), strings.ToValidUTF8(text, ""); !utf8.ValidString(reference + text) {
			t.Skip()
		}
		customer := moment.CustomerCreateParams{ExternalReference: reference, Name: text, Email: reference, Phone: text, Currency: moment.Currency(reference)}
		account := moment.AccountCreateParams{Customer: moment.ExistingCustomer(text), ExternalReference: reference, Name: text}
		bill := moment.BillCreateParams{Customer: moment.ExistingCustomer(text), ExternalReference: reference, Currency: moment.Currency(text), AmountDue: moment.Amount(amount)}
		if form&1 != 0 {
			customer.Balance, account.Balance = moment.MinorUnits(amount), moment.MinorUnits(-amount)
		}
		if form&2 != 0 {
			customer.Metadata, bill.Metadata = map[string]string{reference: text, text: reference}, map[string]string{text: text}
		}
		if form&4 != 0 {
			bill.Customer, account.Customer = customer, customer
		}
		if form&8 != 0 {
			bill.Account = account
		}
		if form&16 != 0 {
			bill.Account = moment.ExistingAccount(reference)
		}
		if form&32 != 0 {
			bill.DueDate = moment.DateOf(time.Unix(amount%(1<<35), 0).UTC())
		}
		var gotCustomer moment.CustomerCreateParams
		require.NoError(t, json.Unmarshal([]byte(encoded(t, customer)), &gotCustomer))
		assert.Equal(t, customer, gotCustomer)
		var gotAccount moment.AccountCreateParams
		require.NoError(t, json.Unmarshal([]byte(encoded(t, account)), &gotAccount))
		assert.Equal(t, account, gotAccount)
		var gotBill moment.BillCreateParams
		require.NoError(t, json.Unmarshal([]byte(encoded(t, bill)), &gotBill))
		assert.Equal(t, bill, gotBill)

		var first, again moment.BillCreateParams
		if json.Unmarshal([]byte(stored), &first) == nil {
			require.NoError(t, json.Unmarshal([]byte(encoded(t, first)), &again))
			assert.Equal(t, encoded(t, first), encoded(t, again))
		}
	})
}
