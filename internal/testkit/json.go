package testkit

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// SecretKey is the API key that the tests use.
const SecretKey = "sk_test_YOUR_SECRET_KEY"

// The objects of Moment's reference and guides. Customer, account and bill are as printed there;
// the payment request and the payment have the members of the reference.
const (
	CustomerJSON = `{
	  "id": "bcus_H4jp6KnU5cPw263v1jyz4",
	  "external_reference": "UCR1234567890",
	  "name": "John Doe",
	  "email": "john.doe@example.com",
	  "currency": "ZAR",
	  "balance": 5000
	}`
	AccountJSON = `{
	  "id": "bacc_H4jp6KnU5cPw263v1jyz4",
	  "external_reference": "UAR1234567890",
	  "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
	  "name": "Subscription Account",
	  "currency": "ZAR",
	  "balance": 10000
	}`
	BillJSON = `{
	  "id": "bill_H4jp6KnU5cPw263v1jyz4",
	  "external_reference": "UBR1234567890",
	  "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
	  "account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
	  "status": "unpaid",
	  "currency": "ZAR",
	  "amount_due": 2000,
	  "amount_paid": 1500,
	  "amount_remaining": 500,
	  "bill_date": "2025-01-01",
	  "due_date": "2025-01-31"
	}`
	PaymentRequestJSON = `{
	  "id": "pr_H4jp6KnU5cPw263v1jyz4",
	  "type": "link",
	  "status": "active",
	  "amount": 2000,
	  "currency": "ZAR",
	  "external_reference": "UBR1234567890",
	  "description": "Water, January",
	  "expires_at": "2025-02-01T12:00:00Z",
	  "link": {"checkout_session_id": "chk_H4jp6KnU5cPw263v1jyz4", "url": "https://pay.momentpay.net/chk_H4jp6KnU5cPw263v1jyz4"},
	  "metadata": {"order_id": "ord_789012"},
	  "created_at": "2025-01-31T12:00:00Z",
	  "updated_at": "2025-01-31T12:00:00Z"
	}`
	PaymentJSON = `{
	  "id": "pay_1313235234843nmafdsa",
	  "status": "succeeded",
	  "amount": 2000,
	  "currency": "ZAR",
	  "country": "ZA",
	  "mode": "test",
	  "intent": "payment",
	  "reconciliation_reference": "MOM123",
	  "external_reference": "UBR1234567890",
	  "payment_method_details": {"type": "card", "card": {"type": "credit", "scheme": "visa", "bin": "424242", "last4": "4242"}},
	  "capture_method": "automatic",
	  "authorised_amount": null,
	  "paid_amount": 2000,
	  "metadata": {"order_id": "ord_789012"},
	  "created_at": "2025-01-31T12:00:00Z",
	  "updated_at": "2025-01-31T12:00:01Z"
	}`
	ProblemJSON = `{
	  "type": "https://api.momentco.io/docs/errors#not-found",
	  "title": "Not Found",
	  "status": 404,
	  "detail": "There is no bill with this identifier.",
	  "instance": "/billing/bills/bill_H4jp6KnU5cPw263v1jyz4"
	}`
)

// StringMember returns a string member of a JSON object, or "" if it is missing.
func StringMember(t testing.TB, object, name string) string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(object), &members))
	text, _ := members[name].(string)
	return text
}
