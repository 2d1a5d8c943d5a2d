package momenttest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestBills(t *testing.T) {
	const everyField = `{
		"id": "bill_H4jp6KnU5cPw263v1jyz4",
		"external_reference": "UBR-1",
		"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
		"account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
		"status": "unpaid",
		"currency": "ZAR",
		"amount_due": 2000,
		"amount_paid": 0,
		"amount_remaining": 2000,
		"bill_date": "2025-01-01",
		"due_date": "2025-01-31",
		"payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false},
		"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
	}`
	srv := newSample(t)
	account := send(t, srv, "GET", "/billing/accounts/UAR1234567890", "")
	accountID, customerID := field(t, account, "id"), field(t, account, "customer_id")
	created := send(t, srv, "POST", "/billing/bills", `{
		"metadata": {"order_id": "ord_789012", "customer_id": "cust_123456"},
		"due_date": "2025-01-31",
		"bill_date": "2025-01-01",
		"amount_due": 2000,
		"currency": "ZAR",
		"external_reference": "UBR-1",
		"account": "`+accountID+`"
	}`)
	requireObject(t, created, 201, everyField)
	id := field(t, created, "id")
	require.Regexp(t, anyID, id)
	require.Equal(t, accountID, field(t, created, "account_id"))
	require.Equal(t, customerID, field(t, created, "customer_id"))

	t.Run("retrieve by id", func(t *testing.T) {
		requireObject(t, send(t, srv, "GET", "/billing/bills/"+id, ""), 200, everyField)
	})
	t.Run("retrieve by reference", func(t *testing.T) {
		requireObject(t, send(t, srv, "GET", "/billing/bills/UBR-1", ""), 200, everyField)
	})
	t.Run("update by id", func(t *testing.T) {
		const updated = `{
			"id": "bill_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UBR-1",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"status": "unpaid",
			"currency": "ZAR",
			"amount_due": 2000,
			"amount_paid": 1500,
			"amount_remaining": 500,
			"bill_date": "2025-01-01",
			"due_date": "2025-01-31",
			"payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false},
			"metadata": {"customer_id": "cust_1", "order_id": "ord_789012", "region": "west"}
		}`
		requireObject(t, send(t, srv, "PATCH", "/billing/bills/"+id,
			`{"currency": "ZAR", "amount_paid": 1500, "metadata": {"region": "west", "customer_id": "cust_1"}}`), 200, updated)
		requireObject(t, send(t, srv, "GET", "/billing/bills/"+id, ""), 200, updated)
	})
	t.Run("fields that cannot be updated are ignored", func(t *testing.T) {
		before := send(t, srv, "GET", "/billing/bills/UBR-1", "")
		a := send(t, srv, "PATCH", "/billing/bills/UBR-1", `{
			"external_reference": "x", "customer": "nobody", "account": 1, "status": "paid", "amount_due": 1,
			"amount_remaining": 0, "bill_date": "tomorrow", "due_date": null
		}`)
		require.Equal(t, 200, a.status)
		require.Equal(t, before.body, a.body)
	})
	t.Run("void by id", func(t *testing.T) {
		const gone = `{
			"id": "bill_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UBR-1",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"status": "voided",
			"currency": "ZAR",
			"amount_due": 2000,
			"amount_paid": 1500,
			"amount_remaining": 500,
			"bill_date": "2025-01-01",
			"due_date": "2025-01-31",
			"payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false},
			"metadata": {"customer_id": "cust_1", "order_id": "ord_789012", "region": "west"}
		}`
		requireObject(t, send(t, srv, "POST", "/billing/bills/"+id+"/void", ``), 200, gone)
		requireObject(t, send(t, srv, "GET", "/billing/bills/UBR-1", ""), 200, gone)
	})
	t.Run("void by reference; any body is ignored", func(t *testing.T) {
		a := send(t, srv, "POST", "/billing/bills/UBR1234567890/void", `no JSON`)
		require.Equal(t, 200, a.status, a.body)
		require.Equal(t, "voided", field(t, a, "status"))
	})
	t.Run("on a customer: no account_id", func(t *testing.T) {
		for _, customer := range []string{customerID, "UCR1234567890"} {
			a := send(t, srv, "POST", "/billing/bills", `{
				"customer": "`+customer+`", "external_reference": "on-`+customer+`",
				"currency": "JPY", "amount_due": 10, "bill_date": "2025-01-01"
			}`)
			require.Equal(t, customerID, field(t, a, "customer_id"))
			require.Equal(t, "<nil>", field(t, a, "account_id"))
		}
	})
	t.Run("the least bill, on an account by reference", func(t *testing.T) {
		a := send(t, srv, "POST", "/billing/bills",
			`{"account": "UAR1234567890", "external_reference": "least", "currency": "ZAR", "amount_due": 1}`)
		require.Equal(t, 201, a.status, a.body)
		require.Equal(t, accountID, field(t, a, "account_id"))
		require.Regexp(t, `^\d{4}-\d\d-\d\d$`, field(t, a, "bill_date"))
		require.NotContains(t, a.body, "due_date")
		require.NotContains(t, a.body, "metadata")
	})
	t.Run("amount_paid is ignored on create", func(t *testing.T) {
		a := send(t, srv, "POST", "/billing/bills",
			`{"account": "UAR1234567890", "external_reference": "prepaid", "currency": "ZAR", "amount_due": 5, "amount_paid": 5, "status": "paid"}`)
		require.Equal(t, "0", field(t, a, "amount_paid"))
		require.Equal(t, "unpaid", field(t, a, "status"))
	})
	t.Run("a reference is unique", func(t *testing.T) {
		requireProblem(t, send(t, srv, "POST", "/billing/bills",
			`{"account": "UAR1234567890", "external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1}`), 409,
			`external_reference "UBR-1" belongs to another bill.`)
	})
	t.Run("unknown", func(t *testing.T) {
		const detail = `No bill has the id or external reference "bill_H4jp6KnU5cPw263v1jyz4".`
		requireProblem(t, send(t, srv, "GET", "/billing/bills/bill_H4jp6KnU5cPw263v1jyz4", ``), 404, detail)
		requireProblem(t, send(t, srv, "PATCH", "/billing/bills/bill_H4jp6KnU5cPw263v1jyz4", `{}`), 404, detail)
		requireProblem(t, send(t, srv, "POST", "/billing/bills/bill_H4jp6KnU5cPw263v1jyz4/void", ``), 404, detail)
	})
}

func TestBillStatus(t *testing.T) {
	type state struct{ status, paid, remaining string }
	type step struct {
		why, body string // an empty body: void
		rejected  int
		want      state
	}
	for _, row := range []struct {
		why   string
		steps []step
	}{
		{"from unpaid to paid and back", []step{
			{"amount_paid is set", `{"amount_paid": 1500}`, 0, state{"unpaid", "1500", "500"}},
			{"not added", `{"amount_paid": 1999}`, 0, state{"unpaid", "1999", "1"}},
			{"more than is due", `{"amount_paid": 2001}`, 422, state{"unpaid", "1999", "1"}},
			{"settled", `{"amount_paid": 2000}`, 0, state{"paid", "2000", "0"}},
			{"set again to the same", `{"amount_paid": 2000}`, 0, state{"paid", "2000", "0"}},
			{"an update of something else", `{"metadata": {"a": "b"}}`, 0, state{"paid", "2000", "0"}},
			{"lowered", `{"amount_paid": 1500}`, 0, state{"unpaid", "1500", "500"}},
			{"nothing paid at all", `{"amount_paid": 0}`, 0, state{"unpaid", "0", "2000"}},
		}},
		{"voided while unpaid", []step{
			{"void", ``, 0, state{"voided", "0", "2000"}},
			{"voided once only", ``, 409, state{"voided", "0", "2000"}},
			{"it cannot be paid", `{"amount_paid": 1}`, 409, state{"voided", "0", "2000"}},
			{"nor changed in any way", `{"metadata": {"a": "b"}}`, 409, state{"voided", "0", "2000"}},
			{"not even in none", `{}`, 409, state{"voided", "0", "2000"}},
			{"409 goes before 422: too much", `{"amount_paid": 2001}`, 409, state{"voided", "0", "2000"}},
			{"409 goes before 422: another currency", `{"currency": "USD"}`, 409, state{"voided", "0", "2000"}},
		}},
		{"a paid bill may be voided", []step{
			{"pay", `{"amount_paid": 2000}`, 0, state{"paid", "2000", "0"}},
			{"void", ``, 0, state{"voided", "2000", "0"}},
			{"and is not unpaid again", `{"amount_paid": 0}`, 409, state{"voided", "2000", "0"}},
		}},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newSample(t)
			for _, step := range row.steps {
				method, path := "PATCH", "/billing/bills/UBR1234567890"
				if step.body == "" {
					method, path = "POST", path+"/void"
				}
				a := send(t, srv, method, path, step.body)
				if step.rejected != 0 {
					require.Equal(t, step.rejected, a.status, "%s: %s", step.why, a.body)
					a = send(t, srv, "GET", "/billing/bills/UBR1234567890", "")
				}
				require.Equal(t, 200, a.status, "%s: %s", step.why, a.body)
				require.Equal(t, step.want,
					state{field(t, a, "status"), field(t, a, "amount_paid"), field(t, a, "amount_remaining")}, step.why)
			}
		})
	}
	t.Run("the errors of a voided bill", func(t *testing.T) {
		srv := newSample(t)
		a := send(t, srv, "POST", "/billing/bills/UBR1234567890/void", ``)
		id := field(t, a, "id")
		requireProblem(t, send(t, srv, "POST", "/billing/bills/UBR1234567890/void", ``), 409, `The bill "`+id+`" is already voided.`)
		requireProblem(t, send(t, srv, "PATCH", "/billing/bills/UBR1234567890", `{}`), 409, `bill "`+id+`" is voided: it can no longer be changed.`)
	})
}

// The prefix of bills' ids is not reserved, so a bill's reference can be another bill's id.
func TestReferenceThatIsAnotherBillsID(t *testing.T) {
	srv := newServer(t)
	require.NoError(t, srv.Seed(momenttest.State{
		Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR-1"}},
		Bills:     []moment.Bill{{ID: "bill_1", ExternalReference: "UBR-1", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000}},
	}))
	a := send(t, srv, "POST", "/billing/bills", `{"external_reference": "bill_1", "customer": "bcus_1", "currency": "ZAR", "amount_due": 1}`)
	require.Equal(t, 201, a.status, a.body)
	assert.Equal(t, "UBR-1", field(t, send(t, srv, "GET", "/billing/bills/bill_1", ""), "external_reference"), "an id takes precedence")
	assert.Equal(t, "bill_1", field(t, send(t, srv, "GET", "/billing/bills/"+field(t, a, "id"), ""), "external_reference"))
	require.NoError(t, newServer(t).Seed(srv.State()), "such a state can be restored")
	a = send(t, srv, "POST", "/billing/bills", `{"external_reference": "bill_1", "customer": "bcus_1", "currency": "ZAR", "amount_due": 1}`)
	requireProblem(t, a, 409, `external_reference "bill_1" belongs to another bill.`)
}
