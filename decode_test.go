package moment_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// A success is the requested object, or the call fails and the outcome of a write is unknown.
func TestSuccessIsTheRequestedObject(t *testing.T) {
	const (
		customerID = "bcus_H4jp6KnU5cPw263v1jyz4"
		accountID  = "bacc_H4jp6KnU5cPw263v1jyz4"
		billID     = "bill_H4jp6KnU5cPw263v1jyz4"
	)
	type calling func(context.Context, *moment.Client) (any, error)
	getCustomer := func(id string) calling {
		return func(ctx context.Context, c *moment.Client) (any, error) { return c.Customers.Get(ctx, id) }
	}
	createCustomer := func(p moment.CustomerCreateParams) calling {
		return func(ctx context.Context, c *moment.Client) (any, error) { return c.Customers.Create(ctx, p) }
	}
	createAccount := func(p moment.AccountCreateParams) calling {
		p.ExternalReference = "UAR1234567890"
		return func(ctx context.Context, c *moment.Client) (any, error) { return c.Accounts.Create(ctx, p) }
	}
	getAccount := func(id string) calling {
		return func(ctx context.Context, c *moment.Client) (any, error) { return c.Accounts.Get(ctx, id) }
	}
	getBill := func(id string) calling {
		return func(ctx context.Context, c *moment.Client) (any, error) { return c.Bills.Get(ctx, id) }
	}
	createBill := func(change func(*moment.BillCreateParams)) calling {
		p := billParams
		change(&p)
		return func(ctx context.Context, c *moment.Client) (any, error) { return c.Bills.Create(ctx, p) }
	}
	same := func(*moment.BillCreateParams) {}
	updateBill := func(ctx context.Context, c *moment.Client) (any, error) {
		return c.Bills.Update(ctx, "UBR1234567890", moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500)})
	}
	voidBill := func(ctx context.Context, c *moment.Client) (any, error) { return c.Bills.Void(ctx, "UBR1234567890") }
	with := func(object string, pairs ...string) string {
		require.NotEqual(t, object, strings.NewReplacer(pairs...).Replace(object))
		return strings.NewReplacer(pairs...).Replace(object)
	}
	voided := with(testkit.BillJSON, "unpaid", "voided")

	for _, row := range []struct {
		why  string
		call calling
		body string
		says string // empty for a success
	}{
		{"the customer, by reference", getCustomer("UCR1234567890"), testkit.CustomerJSON, ""},
		{"the customer, by id", getCustomer(customerID), testkit.CustomerJSON, ""},
		{"another customer", getCustomer("UCR1"), testkit.CustomerJSON, "neither id nor external_reference is the requested one"},
		{"references are compared by letter case", getCustomer("ucr1234567890"), testkit.CustomerJSON, "neither id nor external_reference is the requested one"},
		{"a bill in place of a customer", getCustomer("UBR1234567890"), testkit.BillJSON, "id does not begin with bcus_"},
		{"no id", getCustomer("UCR1234567890"), with(testkit.CustomerJSON, `"id"`, `"ID2"`), "id does not begin with bcus_"},
		{"an id of nothing but its prefix", getCustomer("UCR1234567890"), with(testkit.CustomerJSON, customerID, "bcus_"), "id does not begin with bcus_"},
		{"the customer that was created", createCustomer(moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Currency: "zar"}), testkit.CustomerJSON, ""},
		{"a balance is not compared: payments change it", createCustomer(moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Balance: moment.MinorUnits(1)}), testkit.CustomerJSON, ""},
		{"another customer than was created", createCustomer(moment.CustomerCreateParams{ExternalReference: "UCR1"}), testkit.CustomerJSON, "external_reference is not as it was sent"},
		{"in another currency", createCustomer(moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Currency: moment.USD}), testkit.CustomerJSON, "currency is not as it was sent"},

		{"the account, by reference", getAccount("UAR1234567890"), testkit.AccountJSON, ""},
		{"the account, by id", getAccount(accountID), testkit.AccountJSON, ""},
		{"another account", getAccount("UAR1"), testkit.AccountJSON, "neither id nor external_reference is the requested one"},
		{"a customer in place of an account", getAccount("UCR1234567890"), testkit.CustomerJSON, "id does not begin with bacc_"},
		{"the account that was created", createAccount(moment.AccountCreateParams{Customer: moment.ExistingCustomer(customerID), Currency: moment.ZAR}), testkit.AccountJSON, ""},
		{"for a customer by reference, which cannot be compared", createAccount(moment.AccountCreateParams{Customer: moment.ExistingCustomer("UCR1")}), testkit.AccountJSON, ""},
		{"another account than was created", func(ctx context.Context, c *moment.Client) (any, error) {
			return c.Accounts.Create(ctx, moment.AccountCreateParams{Customer: moment.ExistingCustomer(customerID), ExternalReference: "UAR1"})
		}, testkit.AccountJSON, "external_reference is not as it was sent"},
		{"under another customer", createAccount(moment.AccountCreateParams{Customer: moment.ExistingCustomer("bcus_1")}), testkit.AccountJSON, "customer_id is not as it was sent"},
		{"under another customer, by pointer", createAccount(moment.AccountCreateParams{Customer: moment.Ptr(moment.ExistingCustomer("bcus_1"))}), testkit.AccountJSON, "customer_id is not as it was sent"},
		{"in another currency", createAccount(moment.AccountCreateParams{Customer: moment.ExistingCustomer(customerID), Currency: moment.USD}), testkit.AccountJSON, "currency is not as it was sent"},

		{"the bill, by reference", getBill("UBR1234567890"), testkit.BillJSON, ""},
		{"the bill, by id", getBill(billID), testkit.BillJSON, ""},
		{"another bill", getBill("UBR1"), testkit.BillJSON, "neither id nor external_reference is the requested one"},
		{"a fragment", getBill("bill_1"), `{"id":"bill_1"}`, "status is missing"},
		{"no status", getBill(billID), with(testkit.BillJSON, `"status"`, `"state"`), "status is missing"},
		{"the status null", getBill(billID), with(testkit.BillJSON, `"unpaid"`, "null"), "status is missing"},
		{"no currency", getBill(billID), with(testkit.BillJSON, `"currency"`, `"coin"`), "currency is missing"},
		{"no amount due", getBill(billID), with(testkit.BillJSON, `"amount_due"`, `"due"`), "amount_due is missing"},
		{"the amount due null", getBill(billID), with(testkit.BillJSON, "2000", "null"), "amount_due is missing"},
		{"no amount paid", getBill(billID), with(testkit.BillJSON, `"amount_paid"`, `"paid"`), "amount_paid is missing"},
		{"no amount remaining", getBill(billID), with(testkit.BillJSON, `"amount_remaining"`, `"rest"`), "amount_remaining is missing"},
		{"an amount of 0 is not missing", getBill(billID), with(testkit.BillJSON, "1500", "0"), ""},
		{"a status that is unknown", getBill(billID), with(testkit.BillJSON, "unpaid", "disputed"), ""},

		{"the bill that was raised", createBill(same), testkit.BillJSON, ""},
		{"a currency in small letters is the same", createBill(same), with(testkit.BillJSON, "ZAR", "zar"), ""},
		{"another bill than was raised", createBill(func(p *moment.BillCreateParams) { p.ExternalReference = "UBR1" }), testkit.BillJSON, "external_reference is not as it was sent"},
		{"another amount: a service that replays a key without comparing bodies", createBill(func(p *moment.BillCreateParams) { p.AmountDue = 2001 }), testkit.BillJSON, "amount_due is not as it was sent"},
		{"another currency", createBill(func(p *moment.BillCreateParams) { p.Currency = moment.USD }), testkit.BillJSON, "currency is not as it was sent"},
		{"the customer's id", createBill(func(p *moment.BillCreateParams) { p.Customer = moment.ExistingCustomer(customerID) }), testkit.BillJSON, ""},
		{"another customer's", createBill(func(p *moment.BillCreateParams) { p.Customer = moment.ExistingCustomer("bcus_1") }), testkit.BillJSON, "customer_id is not as it was sent"},
		{"the account's id", createBill(func(p *moment.BillCreateParams) { p.Customer, p.Account = nil, moment.ExistingAccount(accountID) }), testkit.BillJSON, ""},
		{"another account's", createBill(func(p *moment.BillCreateParams) { p.Customer, p.Account = nil, moment.ExistingAccount("bacc_1") }), testkit.BillJSON, "account_id is not as it was sent"},
		{"another account's, by pointer", createBill(func(p *moment.BillCreateParams) {
			p.Customer, p.Account = nil, moment.Ptr(moment.ExistingAccount("bacc_1"))
		}), testkit.BillJSON, "account_id is not as it was sent"},
		{"another customer's, with a new account", createBill(func(p *moment.BillCreateParams) {
			p.Customer, p.Account = nil, moment.AccountCreateParams{Customer: moment.ExistingCustomer("bcus_1"), ExternalReference: "UAR1"}
		}), testkit.BillJSON, "customer_id is not as it was sent"},
		{"another customer's, with a pointer to a new account", createBill(func(p *moment.BillCreateParams) {
			p.Customer, p.Account = nil, &moment.AccountCreateParams{Customer: moment.ExistingCustomer("bcus_1"), ExternalReference: "UAR1"}
		}), testkit.BillJSON, "customer_id is not as it was sent"},
		{"all three new", createBill(func(p *moment.BillCreateParams) {
			p.Customer, p.Account = nil, moment.AccountCreateParams{Customer: moment.CustomerCreateParams{ExternalReference: "UCR1"}, ExternalReference: "UAR1"}
		}), testkit.BillJSON, ""},

		{"the bill that was updated", updateBill, testkit.BillJSON, ""},
		{"another bill than was updated", updateBill, with(testkit.BillJSON, "UBR1234567890", "UBR1"), "neither id nor external_reference is the requested one"},
		{"the bill that was voided", voidBill, voided, ""},
		{"voided, in capitals", voidBill, with(testkit.BillJSON, "unpaid", "VOIDED"), ""},
		{"a void that is not voided", voidBill, testkit.BillJSON, "status is not voided"},
		{"another bill than was voided", voidBill, with(voided, "UBR1234567890", "UBR1"), "neither id nor external_reference is the requested one"},
	} {
		t.Run(row.why, func(t *testing.T) {
			s := testkit.Serve(t, testkit.Respond(200, row.body))
			got, err := row.call(t.Context(), clientOf(t, s))
			s.Only(t)
			if row.says == "" {
				require.NoError(t, err)
				return
			}
			assert.Nil(t, got)
			require.ErrorContains(t, err, "200 OK: unexpected response body: "+row.says)
			assert.NotContains(t, err.Error(), "1234567890", "the text has no identifier")
			var failure *moment.ConnectionError
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, s.Only(t).Method != "GET", failure.OutcomeUnknown)
		})
	}
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

// Members on which no money depends are left empty where their form is unexpected; the others are
// errors.
func TestObjectsAreReadLeniently(t *testing.T) {
	for _, row := range []struct{ why, member, says string }{
		{"an empty date", `"due_date":""`, ""},
		{"a date with a time", `"due_date":"2025-01-31T00:00:00Z"`, ""},
		{"a date that is a number", `"bill_date":20250131`, ""},
		{"a date that does not exist", `"bill_date":"2025-02-30"`, ""},
		{"payment rules that are a list", `"payment_rules":[]`, ""},
		{"payment rules with an inexact amount", `"payment_rules":{"min_amount":0.5}`, ""},
		{"metadata that is a list", `"metadata":["a"]`, ""},
		{"several at once", `"due_date":"","bill_date":"","metadata":1,"payment_rules":1`, ""},
		{"names in another letter case", `"Due_Date":"","METADATA":1`, ""},
		{"an amount that is a text", `"amount_due":"2000","due_date":""`, "amount_due is of type string, not moment.Amount"},
		{"an inexact amount", `"due_date":"","amount_paid":0.5`, "amount_paid is not an exact integer"},
		{"a reference that is a number", `"external_reference":1`, "external_reference is of type number, not string"},
	} {
		s := testkit.Serve(t, testkit.Respond(201, strings.Replace(testkit.BillJSON, `"bill_date": "2025-01-01",`, row.member+",", 1)))
		var resp moment.Response
		bill, err := clientOf(t, s).Bills.Create(t.Context(), billParams, moment.WithResponse(&resp))
		assert.Contains(t, string(resp.Body), row.member, "the response as it was received")
		if row.says != "" {
			require.ErrorContains(t, err, row.says, row.why)
			continue
		}
		require.NoError(t, err, row.why)
		assert.True(t, bill.BillDate.IsZero(), row.why)
		assert.Empty(t, bill.Metadata, row.why)
		assert.Nil(t, bill.PaymentRules, row.why)
		assert.Equal(t, moment.Amount(2000), bill.AmountDue, row.why)
	}

	s := testkit.Serve(t, testkit.Respond(200, `{"id":"bcus_1","balance":2e3,"payment_rules":[],"metadata":{"a":"x","b":1,"c":["y"],"d":"z"}}`),
		testkit.Respond(200, `{"id":"bacc_1","customer_id":"bcus_1","payment_rules":0,"metadata":0}`),
		testkit.Respond(200, `{"id":"bacc_1","customer_id":"bcus_1","metadata":0,"balance":1.5}`))
	customer, err := clientOf(t, s).Customers.Get(t.Context(), "bcus_1")
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"bcus_1","external_reference":"","balance":2000,"metadata":{"a":"x","d":"z"}}`, encoded(t, customer))
	account, err := clientOf(t, s).Accounts.Get(t.Context(), "bacc_1")
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"bacc_1","external_reference":"","customer_id":"bcus_1"}`, encoded(t, account))
	_, err = clientOf(t, s).Accounts.Get(t.Context(), "bacc_1")
	require.ErrorContains(t, err, "unexpected response body: balance is not an exact integer")
}

// A struct that embeds an object is decoded by encoding/json, all of it.
func TestObjectsCanBeEmbedded(t *testing.T) {
	var out struct {
		moment.Bill
		Fee moment.Amount `json:"fee"`
	}
	s := testkit.Serve(t, testkit.Respond(200, strings.Replace(testkit.BillJSON, "{", `{"fee":5,`, 1)))
	require.NoError(t, clientOf(t, s).Do(t.Context(), "GET", "/billing/bills/UBR1234567890", nil, &out))
	assert.Equal(t, moment.Amount(5), out.Fee)
	assert.Equal(t, moment.Amount(2000), out.AmountDue)
}

// An optional member in an unexpected form does not change how the others are read.
func TestReadingLenientlyChangesNoOtherMember(t *testing.T) {
	for _, data := range []string{
		`"amount":1500,"AMOUNT":1,"currency":"ZAR","bill_id":"b"`,
		`"amount":1500,"amount":null,"currency":"ZAR","bill_id":"b"`,
		`"amount":1,"amount":1500,"currency":"ZAR","bill_id":"b"`,
		`"amount":1500,"currency":"ZAR","bill_id":"b","metadata":{"a":null,"b":"c"}`,
		`"amount":1500,"currency":"ZAR","bill_id":"b","metadata":{"a":"b"},"metadata":{"c":"d"}`,
		`"amount":1500,"currency":"ZAR","bill_id":"b","id":"ob_1","ID":"ob_2","payment_id":"pay_1"`,
	} {
		parse := func(more string) *moment.AmountApplied {
			body := `{"type":"obligation.amount_applied","data":{` + data + more + `}}`
			e, err := newVerifier(t).Parse(testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, body), []byte(body))
			require.NoError(t, err)
			return e.Data.(*moment.AmountApplied)
		}
		assert.Equal(t, parse(""), parse(`,"created_at":""`), data)
	}
}

// A payment event is delivered again until it is accepted: a member on which no money depends must
// not reject it for ever.
func TestEventsAreReadLeniently(t *testing.T) {
	const event = `{"id":"evt_1","type":"obligation.amount_applied","data":{"amount":1500,"currency":"ZAR","bill_id":"bill_1",%}}`
	for _, row := range []struct{ why, body string }{
		{"an empty time", strings.Replace(event, "%", `"created_at":""`, 1)},
		{"a time in another form", strings.Replace(event, "%", `"created_at":"2025-01-31 12:00:00","updated_at":1738324800`, 1)},
		{"metadata of another form", strings.Replace(event, "%", `"metadata":{"a":"x","b":1}`, 1)},
		{"ids that are numbers", strings.Replace(event, "%", `"id":1,"payment_id":2`, 1)},
		{"an id of the event that is a number", strings.Replace(strings.Replace(event, `"evt_1"`, "1", 1), "%", `"id":"ob_1"`, 1)},
		{"an exact amount with decimals", strings.Replace(strings.Replace(event, "1500", "1500.00", 1), "%", `"id":"ob_1"`, 1)},
		{"an exact amount with an exponent", strings.Replace(strings.Replace(event, "1500", "15e2", 1), "%", `"created_at":""`, 1)},
	} {
		header := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, row.body)
		e, err := newVerifier(t).Parse(header, []byte(row.body))
		require.NoError(t, err, row.why)
		assert.Equal(t, row.body, string(e.Raw), row.why)
		payment, ok := e.Data.(*moment.AmountApplied)
		require.True(t, ok, row.why)
		assert.Equal(t, "ZAR 15.00", payment.Money().String(), row.why)
		assert.True(t, payment.CreatedAt.IsZero(), row.why)
		assert.NotContains(t, payment.Metadata, "b", row.why)

		var stored struct{ Data moment.AmountApplied }
		require.NoError(t, json.Unmarshal(e.Raw, &stored), "processed later")
		assert.Equal(t, *payment, stored.Data, row.why)
	}
}

func TestUndecodableBodiesAreNamed(t *testing.T) {
	for body, says := range map[string]string{
		"":                          `the response body is empty (Content-Type "application/json")`,
		" \n":                       `the response body is empty (Content-Type "application/json")`,
		"\x1f\x8b\x08 and so on":    `the response body is compressed with gzip, and nothing decompressed it (Content-Type "application/json")`,
		"\ufeff" + testkit.BillJSON: `the response body begins with a byte order mark (Content-Type "application/json")`,
		"\xff\xfe{\x00}\x00":        `the response body begins with a byte order mark (Content-Type "application/json")`,
		"<html>":                    `the response body is not JSON (Content-Type "application/json")`,
	} {
		s := testkit.Serve(t, testkit.Respond(200, body))
		err := calls["GET"](t.Context(), clientOf(t, s, moment.WithMaxRetries(0)))
		assert.EqualError(t, err, "moment: get bill: 200 OK: "+says)
		err = clientOf(t, s, moment.WithMaxRetries(0)).Do(t.Context(), "GET", "/x", nil, new(any))
		assert.EqualError(t, err, "moment: GET /x: 200 OK: "+says)
	}
}

// What is always present according to the reference, and is missing, is logged and not an error.
func TestAbsentMembersAreLogged(t *testing.T) {
	for _, row := range []struct {
		body string
		call func(context.Context, *moment.Client) error
		want string
	}{
		{`{"id":"bcus_1"}`, func(ctx context.Context, c *moment.Client) error {
			_, err := c.Customers.Get(ctx, "bcus_1")
			return err
		}, "path=/billing/customers/{customer} members=[external_reference]"},
		{`{"id":"bacc_1"}`, func(ctx context.Context, c *moment.Client) error { _, err := c.Accounts.Get(ctx, "bacc_1"); return err }, `path=/billing/accounts/{account} members="[external_reference customer_id]"`},
		{strings.Replace(testkit.BillJSON, "customer_id", "client_id", 1), func(ctx context.Context, c *moment.Client) error { return calls["GET"](ctx, c) }, "path=/billing/bills/{bill} members=[customer_id]"},
		{testkit.BillJSON, func(ctx context.Context, c *moment.Client) error { return calls["GET"](ctx, c) }, ""},
	} {
		s := testkit.Serve(t, testkit.Respond(200, row.body))
		var out strings.Builder
		require.NoError(t, row.call(t.Context(), clientOf(t, s, moment.WithLogger(infos(&out)))))
		if row.want == "" {
			assert.Empty(t, out.String())
			continue
		}
		assert.Equal(t, `level=INFO msg="moment: response lacks members" method=GET `+row.want+"\n", out.String())
		require.NoError(t, row.call(t.Context(), clientOf(t, s)), "without a logger")
	}
}

// FuzzAmount: a JSON number is read if its value is an int64, exactly, and otherwise it is an
// error.
func FuzzAmount(f *testing.F) {
	for _, number := range []string{
		"0", "-0", "2000", "2000.0", "2000.00", "2e3", "2E+3", "2.5e1", "2.50e1", "0.2e4", "2000e-3", "200e-3", "-1500.0", "0e999999999", "0.000", "1e-1", "1.5",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "9223372036854775807.0", "0.9223372036854775807e19",
		"1e18", "1e19", "1e999999999", "1e-999999999", "1e99999999999999999999", "00", "01", "+1", ".5", "5.", "1e", "-", "", "null", `"1"`, "true", "{}", "[]",
	} {
		f.Add(number)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := moment.Amount(-7)
		err := json.Unmarshal([]byte(text), &got)
		trimmed := strings.Trim(text, " \t\r\n") // the white space of JSON
		if trimmed == "null" {
			assert.NoError(t, err)
			assert.Equal(t, moment.Amount(-7), got)
			return
		}
		if i := strings.IndexAny(trimmed, "eE"); len(trimmed) > 200 || i >= 0 && len(trimmed)-i > 4 {
			return // big.Rat would take for ever
		}
		isNumber := json.Valid([]byte(trimmed)) && strings.IndexAny(trimmed, "-0123456789") == 0
		want, ok := new(big.Rat).SetString(trimmed)
		if !isNumber || !ok || !want.IsInt() || !want.Num().IsInt64() {
			assert.Error(t, err, text)
			return
		}
		require.NoError(t, err, text)
		assert.Equal(t, want.Num().Int64(), int64(got), text)
	})
}

// A text that is not a JSON number is not an amount, even if nobody has checked it before.
func TestAmountRejectsWhatIsNotJSON(t *testing.T) {
	for _, text := range []string{"x", "1_000", "0x10", "1e1e1", "1.2.3", "--1", "1,000", " 1", "Inf", "NaN", "e5", ".", "-.e1", ""} {
		var a moment.Amount
		assert.Error(t, a.UnmarshalJSON([]byte(text)), text)
	}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

// infos is a logger from level info on, without the time.
func infos(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}
