package moment_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
		{"an id that is only its prefix", getCustomer("UCR1234567890"), with(testkit.CustomerJSON, customerID, "bcus_"), "id does not begin with bcus_"},
		{"the customer that was created", createCustomer(moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Currency: "zar"}), testkit.CustomerJSON, ""},
		{"a balance is not compared, because payments change it", createCustomer(moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Balance: moment.MinorUnits(1)}), testkit.CustomerJSON, ""},
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

// A member that no amount depends on is left empty if it has an unexpected form. Any other is an
// error.
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

// encoding/json decodes all fields of a struct that embeds an object.
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

func TestErrorNamesWhyABodyIsNotJSON(t *testing.T) {
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

// A missing member that the reference always has is logged, and is not an error.
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

// infos returns a logger at level info, without the time.
func infos(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// Do reads up to 2 MiB, because it may call an operation that lists objects; the other calls read
// up to 256 KiB.
func TestLimitsOfSuccesses(t *testing.T) {
	text := func(size int) string { return fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", size-len(`{"a":""}`))) }
	for _, row := range []struct {
		size int
		says string
	}{
		{2 << 20, ""},
		{2<<20 + 1, "moment: GET /x: 200 OK: the response is larger than 2 MiB"},
	} {
		var out struct{ A string }
		err := clientOf(t, testkit.Serve(t, testkit.Respond(200, text(row.size)))).Do(t.Context(), "GET", "/x", nil, &out)
		if row.says == "" {
			require.NoError(t, err)
			continue
		}
		assert.EqualError(t, err, row.says)
	}
	padded := func(size int) string { return testkit.BillJSON + strings.Repeat(" ", size-len(testkit.BillJSON)) }
	require.NoError(t, calls["GET"](t.Context(), clientOf(t, testkit.Serve(t, testkit.Respond(200, padded(256<<10))))))
	assert.EqualError(t, calls["GET"](t.Context(), clientOf(t, testkit.Serve(t, testkit.Respond(200, padded(256<<10+1))))),
		"moment: get bill: 200 OK: the response is larger than 256 KiB")
}

// A success that is not the requested object is an error, and never a zero struct.
func TestUnexpectedBodyIsAnError(t *testing.T) {
	for _, body := range []string{`{}`, `{"id":""}`, `{"id":"bill_"}`, `{"id":"bcus_H4jp6KnU5cPw263v1jyz4"}`, `{"id":"xbill_1"}`, `{"items":[]}`, `[]`, `null`, `"bill_1"`, `1`} {
		s := testkit.Serve(t, testkit.Respond(200, body))
		bill, err := clientOf(t, s).Bills.Get(t.Context(), "UBR1")
		assert.Nil(t, bill, body)
		var connection *moment.ConnectionError
		require.ErrorAs(t, err, &connection, body)
		assert.Equal(t, 200, connection.Status)
		assert.ErrorContains(t, err, "moment: get bill: 200 OK: unexpected response body: ")
		s.Only(t)
	}
	s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON), testkit.Respond(200, testkit.BillJSON), testkit.Respond(204, ""))
	c := clientOf(t, s, moment.WithMaxRetries(0))
	_, err := c.Customers.Get(t.Context(), "UCR1")
	require.ErrorContains(t, err, "id does not begin with bcus_")
	_, err = c.Accounts.Get(t.Context(), "UAR1")
	require.ErrorContains(t, err, "id does not begin with bacc_")
	_, err = c.Bills.Void(t.Context(), "UBR1")
	require.ErrorIs(t, err, moment.ErrOutcomeUnknown, "204 and no bill")
}

// endless is a body that never ends and counts the bytes read.
type endless struct {
	read   atomic.Int64
	closed atomic.Bool
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func (e *endless) Close() error { e.closed.Store(true); return nil }

func TestBodiesAreReadUpToALimit(t *testing.T) {
	for _, row := range []struct {
		status int
		limit  int64
		length int64
		says   string
	}{
		{200, 256<<10 + 1<<10, -1, "the response is larger than 256 KiB"},
		{200, 0, 64 << 20, "the response is larger than 256 KiB"}, // by its Content-Length, without reading the body
		{404, 128<<10 + 1<<10, -1, "404 Not Found"},
		{404, 128<<10 + 1<<10, 64 << 20, "404 Not Found"},
	} {
		body := &endless{}
		c := clientThrough(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: row.status, Body: body, ContentLength: row.length}, nil
		})
		err := calls["GET"](t.Context(), c)
		assert.ErrorContains(t, err, row.says)
		assert.LessOrEqual(t, body.read.Load(), row.limit)
		assert.True(t, body.closed.Load())
	}
}

func TestTruncatedBodyIsAnError(t *testing.T) {
	// Half of a body that is valid JSON: only the length shows that it is truncated.
	s := testkit.Serve(t, testkit.TruncateAfter(testkit.BillJSON))
	bill, err := clientOf(t, s).Bills.Get(t.Context(), "UBR1")
	assert.Nil(t, bill)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.EqualError(t, err, "moment: get bill: 200 OK: truncated response: unexpected EOF (4 attempts)")
	assert.Len(t, s.Received(), 4)
}

// The errors of Do name members, and not their values, which may be personal data.
func TestDecodeErrorsQuoteNoValues(t *testing.T) {
	for _, row := range []struct{ body, says string }{
		{`{"at":"Jane Roe"}`, "a time in it is not in the form of RFC 3339"},
		{`{"metadata":{"Jane Roe":"Jane Roe"}}`, "metadata is of type string, not int"},
		{`{"items":[{"count":"Jane Roe"}]}`, "a member of items is of type string, not int"},
		{`{"items":"Jane Roe"}`, "items is of type string, not []struct { Count int }"},
		{`["Jane Roe"]`, "it is of type array, not object"},
	} {
		var out struct {
			At       time.Time
			Metadata map[string]int        `json:"metadata"`
			Items    []struct{ Count int } `json:"items"`
		}
		s := testkit.Serve(t, testkit.Respond(200, row.body))
		err := clientOf(t, s).Do(t.Context(), "GET", "/x", nil, &out)
		require.ErrorContains(t, err, "unexpected response body: ")
		assert.ErrorContains(t, err, row.says)
		assert.NotContains(t, err.Error(), "Jane")
	}
}
