package momenttest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestComposites(t *testing.T) {
	const (
		customer = `{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR-1", "name": "John Doe", "metadata": {"a": "b"}}`
		account  = `{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR-1", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Primary Account", "currency": "ZAR", "balance": 5000
		}`
		onCustomer = `{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR-1",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"status": "unpaid", "currency": "ZAR", "amount_due": 2000, "amount_paid": 0, "amount_remaining": 2000,
			"bill_date": "2025-01-01", "payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false}
		}`
		onAccount = `{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR-1",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"status": "unpaid", "currency": "ZAR", "amount_due": 2000, "amount_paid": 0, "amount_remaining": 2000,
			"bill_date": "2025-01-01", "payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false}
		}`
	)
	for _, row := range []struct {
		why, before, path, body string
		want                    map[string]string // what there is afterwards, by path
		response                string
	}{
		{
			why: "customer and account", path: "/billing/accounts",
			body: `{
				"customer": {"external_reference": "UCR-1", "name": "John Doe", "metadata": {"a": "b"}},
				"external_reference": "UAR-1", "name": "Primary Account", "currency": "ZAR", "balance": 5000
			}`,
			response: account,
			want:     map[string]string{"/billing/customers/UCR-1": customer, "/billing/accounts/UAR-1": account},
		},
		{
			why: "customer and bill, no account", path: "/billing/bills",
			body: `{
				"customer": {"external_reference": "UCR-1", "name": "John Doe", "metadata": {"a": "b"}},
				"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 2000, "bill_date": "2025-01-01"
			}`,
			response: onCustomer,
			want:     map[string]string{"/billing/customers/UCR-1": customer, "/billing/bills/UBR-1": onCustomer},
		},
		{
			why: "customer, account and bill", path: "/billing/bills",
			body: `{
				"account": {
					"customer": {"external_reference": "UCR-1", "name": "John Doe", "metadata": {"a": "b"}},
					"external_reference": "UAR-1", "name": "Primary Account", "currency": "ZAR", "balance": 5000
				},
				"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 2000, "bill_date": "2025-01-01"
			}`,
			response: onAccount,
			want: map[string]string{
				"/billing/customers/UCR-1": customer, "/billing/accounts/UAR-1": account, "/billing/bills/UBR-1": onAccount,
			},
		},
		{
			why: "account and bill for a customer that is there", path: "/billing/bills",
			before: `{"external_reference": "UCR-1", "name": "John Doe", "metadata": {"a": "b"}}`,
			body: `{
				"account": {
					"customer": "UCR-1",
					"external_reference": "UAR-1", "name": "Primary Account", "currency": "ZAR", "balance": 5000
				},
				"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 2000, "bill_date": "2025-01-01"
			}`,
			response: onAccount,
			want: map[string]string{
				"/billing/customers/UCR-1": customer, "/billing/accounts/UAR-1": account, "/billing/bills/UBR-1": onAccount,
			},
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			if row.before != "" {
				require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", row.before).status)
			}
			a := send(t, srv, "POST", row.path, row.body, "Idempotency-Key: k")
			requireObject(t, a, 201, row.response)
			for path, want := range row.want {
				requireObject(t, send(t, srv, "GET", path, ""), 200, want)
			}

			// The ids in the response lead to the parts.
			customerID, accountID := field(t, a, "customer_id"), field(t, a, "account_id")
			require.Equal(t, 200, send(t, srv, "GET", "/billing/customers/"+customerID, "").status)
			if accountID != "<nil>" {
				require.Equal(t, customerID, field(t, send(t, srv, "GET", "/billing/accounts/"+accountID, ""), "customer_id"))
			}

			// With the same key it is replayed, not rejected for its references.
			again := send(t, srv, "POST", row.path, row.body, "Idempotency-Key: k")
			require.Equal(t, a.body, again.body)
			require.Equal(t, 201, again.status)
		})
	}
}

// TestCompositesAreValidatedWhole has requests with a mistake at some level: none of
// their parts is created, however good the parts before it.
func TestCompositesAreValidatedWhole(t *testing.T) {
	for _, row := range []struct {
		why, path, body string
		status          int
		detail          string
	}{
		{
			"account malformed, its customer good", "/billing/accounts",
			`{"external_reference": "UAR-1", "balance": "x", "customer": {"external_reference": "UCR-1"}}`,
			400, "balance " + balance,
		},
		{
			"customer malformed", "/billing/accounts",
			`{"external_reference": "UAR-1", "customer": {"external_reference": "UCR-1", "name": 1}}`,
			400, "customer.name " + short,
		},
		{
			"bill malformed, the rest good", "/billing/bills",
			`{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 0, "account":
				{"external_reference": "UAR-1", "customer": {"external_reference": "UCR-1"}}}`,
			400, "amount_due " + amountDue,
		},
		{
			"account in the middle malformed", "/billing/bills",
			`{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "account":
				{"external_reference": "UAR-1", "currency": 1, "customer": {"external_reference": "UCR-1"}}}`,
			400, "account.currency " + currency,
		},
		{
			"customer of the account malformed", "/billing/bills",
			`{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "account":
				{"external_reference": "UAR-1", "customer": {"external_reference": "UCR-1", "metadata": {"k": 1}}}}`,
			400, "account.customer.metadata.k " + value,
		},
		{
			"a bill's account does not exist", "/billing/bills",
			`{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "account": "UAR-1"}`,
			404, `account "UAR-1" does not exist.`,
		},
		{
			"a bill's customer does not exist", "/billing/bills",
			`{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "customer": "UCR-1"}`,
			404, `customer "UCR-1" does not exist.`,
		},
		{
			"an account's customer does not exist", "/billing/accounts",
			`{"external_reference": "UAR-1", "customer": "bcus_H4jp6KnU5cPw263v1jyz4"}`,
			404, `customer "bcus_H4jp6KnU5cPw263v1jyz4" does not exist.`,
		},
		{
			"the customer of a bill's new account does not exist", "/billing/bills",
			`{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "account": {"external_reference": "UAR-1", "customer": "UCR-1"}}`,
			404, `account.customer "UCR-1" does not exist.`,
		},
		{
			"400 goes before 404", "/billing/bills",
			`{"account": {"customer": "UCR-1", "external_reference": "UAR-1", "name": 1}, "external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1}`,
			400, "account.name " + short,
		},
		{
			"404 goes before 409", "/billing/bills",
			`{"external_reference": "existing", "currency": "ZAR", "amount_due": 1, "account": {"external_reference": "UAR-1", "customer": "UCR-1"}}`,
			404, `account.customer "UCR-1" does not exist.`,
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			require.Equal(t, 201, send(t, srv, "POST", "/billing/bills",
				`{"external_reference": "existing", "currency": "ZAR", "amount_due": 1, "customer": {"external_reference": "other"}}`).status)
			requireProblem(t, send(t, srv, "POST", row.path, row.body), row.status, row.detail)
			requireExisting(t, srv, nil)
		})
	}
}

// If a part of a composite request conflicts with an existing object, the parts created before it
// stay.
func TestCompositesAreNotAtomic(t *testing.T) {
	const whole = `{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "account":
		{"external_reference": "UAR-1", "customer": {"external_reference": "UCR-1"}}}`
	for _, row := range []struct {
		why, setupPath, setup, path, body, detail string
		existing                                  []string
	}{
		{
			why:       "the customer's reference exists already: nothing is created",
			setupPath: "/billing/customers", setup: `{"external_reference": "UCR-1"}`,
			path: "/billing/bills", body: whole,
			detail:   `account.customer.external_reference "UCR-1" belongs to another customer.`,
			existing: []string{"customers"}, // that of the setup
		},
		{
			why:       "the account's is: the customer stays",
			setupPath: "/billing/accounts", setup: `{"external_reference": "UAR-1", "customer": {"external_reference": "x"}}`,
			path: "/billing/bills", body: whole,
			detail:   `account.external_reference "UAR-1" belongs to another account.`,
			existing: []string{"customers", "accounts"}, // the latter that of the setup
		},
		{
			why:       "the bill's is: customer and account stay",
			setupPath: "/billing/bills", setup: `{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "customer": {"external_reference": "x"}}`,
			path: "/billing/bills", body: whole,
			detail:   `external_reference "UBR-1" belongs to another bill.`,
			existing: []string{"customers", "accounts", "bills"}, // the latter that of the setup
		},
		{
			why:       "two levels, the account's is: the customer stays",
			setupPath: "/billing/accounts", setup: `{"external_reference": "UAR-1", "customer": {"external_reference": "x"}}`,
			path: "/billing/accounts", body: `{"external_reference": "UAR-1", "customer": {"external_reference": "UCR-1"}}`,
			detail:   `external_reference "UAR-1" belongs to another account.`,
			existing: []string{"customers", "accounts"},
		},
		{
			why:       "two levels, the bill's is: the customer stays",
			setupPath: "/billing/bills", setup: `{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "customer": {"external_reference": "x"}}`,
			path: "/billing/bills", body: `{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "customer": {"external_reference": "UCR-1"}}`,
			detail:   `external_reference "UBR-1" belongs to another bill.`,
			existing: []string{"customers", "bills"},
		},
		{
			why:       "a bill's customer's is: nothing is created",
			setupPath: "/billing/customers", setup: `{"external_reference": "UCR-1"}`,
			path: "/billing/bills", body: `{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "customer": {"external_reference": "UCR-1"}}`,
			detail:   `customer.external_reference "UCR-1" belongs to another customer.`,
			existing: []string{"customers"},
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			require.Equal(t, 201, send(t, srv, "POST", row.setupPath, row.setup).status)
			requireProblem(t, send(t, srv, "POST", row.path, row.body), 409, row.detail)
			requireExisting(t, srv, row.existing)
		})
	}
	t.Run("what stayed is whole, and a corrected request can build on it", func(t *testing.T) {
		srv := newServer(t)
		require.Equal(t, 201, send(t, srv, "POST", "/billing/bills",
			`{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 1, "customer": {"external_reference": "x"}}`).status)
		require.Equal(t, 409, send(t, srv, "POST", "/billing/bills", whole).status)
		customer, account := send(t, srv, "GET", "/billing/customers/UCR-1", ""), send(t, srv, "GET", "/billing/accounts/UAR-1", "")
		require.Equal(t, field(t, customer, "id"), field(t, account, "customer_id"))
		a := send(t, srv, "POST", "/billing/bills", `{"external_reference": "UBR-2", "currency": "ZAR", "amount_due": 1, "account": "UAR-1"}`)
		require.Equal(t, 201, a.status, a.body)
		require.Equal(t, field(t, account, "id"), field(t, a, "account_id"))
	})
}
