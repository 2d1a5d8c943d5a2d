package momenttest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCustomers(t *testing.T) {
	const everyField = `{
		"id": "bcus_H4jp6KnU5cPw263v1jyz4",
		"external_reference": "UCR-1",
		"name": "John Doe",
		"email": "john.doe@example.com",
		"phone": "+27123456789",
		"currency": "ZAR",
		"balance": 2000,
		"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
	}`
	srv := newServer(t)
	created := send(t, srv, "POST", "/billing/customers", `{
		"metadata": {"order_id": "ord_789012", "customer_id": "cust_123456"},
		"balance": 2000,
		"currency": "ZAR",
		"phone": "+27123456789",
		"email": "john.doe@example.com",
		"name": "John Doe",
		"external_reference": "UCR-1"
	}`)
	requireObject(t, created, 201, everyField)
	id := field(t, created, "id")
	require.Regexp(t, anyID, id)

	t.Run("retrieve by id", func(t *testing.T) {
		requireObject(t, send(t, srv, "GET", "/billing/customers/"+id, ""), 200, everyField)
	})
	t.Run("retrieve by reference", func(t *testing.T) {
		requireObject(t, send(t, srv, "GET", "/billing/customers/UCR-1", ""), 200, everyField)
	})
	t.Run("update by id", func(t *testing.T) {
		const updated = `{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UCR-1",
			"name": "Jane Doe",
			"email": "jane.doe@example.com",
			"phone": "+12",
			"currency": "USD",
			"balance": -1,
			"metadata": {"customer_id": "cust_1", "order_id": "ord_789012", "region": "west"}
		}`
		requireObject(t, send(t, srv, "PATCH", "/billing/customers/"+id, `{
			"name": "Jane Doe", "email": "jane.doe@example.com", "phone": "+12", "currency": "USD", "balance": -1,
			"metadata": {"region": "west", "customer_id": "cust_1"}
		}`), 200, updated)
		requireObject(t, send(t, srv, "GET", "/billing/customers/"+id, ""), 200, updated)
	})
	t.Run("update by reference; a balance of 0 is one", func(t *testing.T) {
		requireObject(t, send(t, srv, "PATCH", "/billing/customers/UCR-1", `{"balance": 0}`), 200, `{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UCR-1",
			"name": "Jane Doe",
			"email": "jane.doe@example.com",
			"phone": "+12",
			"currency": "USD",
			"balance": 0,
			"metadata": {"customer_id": "cust_1", "order_id": "ord_789012", "region": "west"}
		}`)
	})
	t.Run("a minimal customer; fields without a value are left out", func(t *testing.T) {
		requireObject(t, send(t, srv, "POST", "/billing/customers", `{"external_reference": "least"}`), 201,
			`{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "least"}`)
	})
	t.Run("unknown fields are ignored", func(t *testing.T) {
		const same = `{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "same"}`
		requireObject(t, send(t, srv, "POST", "/billing/customers",
			`{"external_reference": "same", "id": "bcus_mine", "payment_rules": {"min_amount": 1}}`), 201, same)
		requireObject(t, send(t, srv, "PATCH", "/billing/customers/same",
			`{"external_reference": "other", "id": "bcus_mine", "payment_rules": 1}`), 200, same)
		require.Equal(t, 404, send(t, srv, "GET", "/billing/customers/other", "").status)
		require.Equal(t, 404, send(t, srv, "GET", "/billing/customers/bcus_mine", "").status)
	})
	t.Run("a rejected update changes nothing, not even what came before the mistake", func(t *testing.T) {
		before := send(t, srv, "GET", "/billing/customers/UCR-1", "")
		require.Equal(t, 400, send(t, srv, "PATCH", "/billing/customers/UCR-1",
			`{"name": "Nobody", "balance": 7, "metadata": {"a": "b", "c": 1}}`).status)
		require.Equal(t, before.body, send(t, srv, "GET", "/billing/customers/UCR-1", "").body)
	})
	t.Run("a reference is unique", func(t *testing.T) {
		requireProblem(t, send(t, srv, "POST", "/billing/customers", `{"external_reference": "UCR-1"}`), 409,
			`external_reference "UCR-1" belongs to another customer.`)
	})
	t.Run("references are case-sensitive", func(t *testing.T) {
		require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", `{"external_reference": "ucr-1"}`).status)
	})
	t.Run("unknown", func(t *testing.T) {
		for _, method := range []string{"GET", "PATCH"} {
			requireProblem(t, send(t, srv, method, "/billing/customers/bcus_H4jp6KnU5cPw263v1jyz4", `{}`), 404,
				`No customer has the id or external reference "bcus_H4jp6KnU5cPw263v1jyz4".`)
		}
	})
}
