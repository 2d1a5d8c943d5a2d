package momenttest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAccounts(t *testing.T) {
	const everyField = `{
		"id": "bacc_H4jp6KnU5cPw263v1jyz4",
		"external_reference": "UAR-1",
		"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
		"name": "Subscription Account",
		"currency": "ZAR",
		"balance": 2000,
		"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
	}`
	srv := newServer(t)
	owner := send(t, srv, "POST", "/billing/customers", `{"external_reference": "UCR-1"}`)
	require.Equal(t, 201, owner.status)
	ownerID := field(t, owner, "id")
	created := send(t, srv, "POST", "/billing/accounts", `{
		"metadata": {"order_id": "ord_789012", "customer_id": "cust_123456"},
		"balance": 2000,
		"currency": "ZAR",
		"name": "Subscription Account",
		"external_reference": "UAR-1",
		"customer": "`+ownerID+`"
	}`)
	requireObject(t, created, 201, everyField)
	id := field(t, created, "id")
	require.Regexp(t, anyID, id)
	require.Equal(t, ownerID, field(t, created, "customer_id"))

	t.Run("retrieve by id", func(t *testing.T) {
		requireObject(t, send(t, srv, "GET", "/billing/accounts/"+id, ""), 200, everyField)
	})
	t.Run("retrieve by reference", func(t *testing.T) {
		requireObject(t, send(t, srv, "GET", "/billing/accounts/UAR-1", ""), 200, everyField)
	})
	t.Run("update by id", func(t *testing.T) {
		requireObject(t, send(t, srv, "PATCH", "/billing/accounts/"+id, `{
			"name": "Savings", "currency": "USD", "balance": -1, "metadata": {"region": "west", "customer_id": "cust_1"}
		}`), 200, `{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UAR-1",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Savings",
			"currency": "USD",
			"balance": -1,
			"metadata": {"customer_id": "cust_1", "order_id": "ord_789012", "region": "west"}
		}`)
	})
	t.Run("update by reference; a balance of 0 is one", func(t *testing.T) {
		const updated = `{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UAR-1",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Savings",
			"currency": "USD",
			"balance": 0,
			"metadata": {"customer_id": "cust_1", "order_id": "ord_789012", "region": "west"}
		}`
		requireObject(t, send(t, srv, "PATCH", "/billing/accounts/UAR-1", `{"balance": 0}`), 200, updated)
		requireObject(t, send(t, srv, "GET", "/billing/accounts/"+id, ""), 200, updated)
	})
	t.Run("an account stays with its customer, and has no email or phone", func(t *testing.T) {
		before := send(t, srv, "GET", "/billing/accounts/UAR-1", "")
		a := send(t, srv, "PATCH", "/billing/accounts/UAR-1", `{"customer": "nobody", "customer_id": 1, "external_reference": "x", "email": "e", "phone": 1}`)
		require.Equal(t, 200, a.status)
		require.Equal(t, before.body, a.body)
	})
	t.Run("on a customer by reference; the least account", func(t *testing.T) {
		a := send(t, srv, "POST", "/billing/accounts", `{"external_reference": "UAR-2", "customer": "UCR-1"}`)
		requireObject(t, a, 201, `{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UAR-2",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4"
		}`)
		require.Equal(t, ownerID, field(t, a, "customer_id"))
	})
	t.Run("a reference is unique per kind", func(t *testing.T) {
		requireProblem(t, send(t, srv, "POST", "/billing/accounts", `{"external_reference": "UAR-1", "customer": "UCR-1"}`), 409,
			`external_reference "UAR-1" belongs to another account.`)
		require.Equal(t, 201, send(t, srv, "POST", "/billing/accounts", `{"external_reference": "UCR-1", "customer": "UCR-1"}`).status)
	})
	t.Run("unknown, other kinds' ids and references too", func(t *testing.T) {
		for _, other := range []string{"bacc_H4jp6KnU5cPw263v1jyz4", ownerID, "nobody"} {
			for _, method := range []string{"GET", "PATCH"} {
				requireProblem(t, send(t, srv, method, "/billing/accounts/"+other, `{}`), 404,
					`No account has the id or external reference "`+other+`".`)
			}
		}
	})
}
