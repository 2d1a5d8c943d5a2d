package momenttest_test

import (
	"strings"
	"testing"
)

// TestDocumentedSamples sends the requests that Moment's guides print and expects the
// responses they print, ids aside. The one difference: the guides leave a bill's
// payment_rules out, which the reference has.
func TestDocumentedSamples(t *testing.T) {
	type step struct {
		why, method, path, body string
		status                  int
		want                    string
	}
	for _, guide := range []struct {
		name  string
		steps []step
	}{
		{"Quickstart: Account Balance", []step{
			{"Step 1: Create a customer", "POST", "/billing/customers", `{
				"external_reference": "UCR1234567890",
				"name": "John Doe",
				"email": "john.doe@example.com"
			}`, 201, `{
				"id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UCR1234567890",
				"name": "John Doe",
				"email": "john.doe@example.com"
			}`},
			{"Step 2: Create an account", "POST", "/billing/accounts", `{
				"customer": "bcus_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UAR1234567890",
				"name": "Subscription Account",
				"currency": "ZAR",
				"balance": 2000
			}`, 201, `{
				"id": "bacc_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UAR1234567890",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"name": "Subscription Account",
				"currency": "ZAR",
				"balance": 2000
			}`},
		}},
		{"Common Operations", []step{
			{"the objects that the page assumes", "POST", "/billing/bills", sampleBill, 201, `{
				"id": "bill_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UBR1234567890",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
				"status": "unpaid",
				"currency": "ZAR",
				"amount_due": 2000,
				"amount_paid": 0,
				"amount_remaining": 2000,
				"bill_date": "2025-01-01",
				"due_date": "2025-01-31",
				"payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false}
			}`},
			{"Update a customer balance", "PATCH", "/billing/customers/bcus_H4jp6KnU5cPw263v1jyz4", `{
				"balance": 5000
			}`, 200, `{
				"id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UCR1234567890",
				"name": "John Doe",
				"email": "john.doe@example.com",
				"currency": "ZAR",
				"balance": 5000
			}`},
			{"Update an account balance", "PATCH", "/billing/accounts/bacc_H4jp6KnU5cPw263v1jyz4", `{
				"balance": 10000
			}`, 200, `{
				"id": "bacc_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UAR1234567890",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"name": "Subscription Account",
				"currency": "ZAR",
				"balance": 10000
			}`},
			{"Update a bill", "PATCH", "/billing/bills/bill_H4jp6KnU5cPw263v1jyz4", `{
				"amount_paid": 1500
			}`, 200, `{
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
				"due_date": "2025-01-31",
				"payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false}
			}`},
			{"the customer is unchanged by its account", "GET", "/billing/customers/bcus_H4jp6KnU5cPw263v1jyz4", ``, 200, `{
				"id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UCR1234567890",
				"name": "John Doe",
				"email": "john.doe@example.com",
				"currency": "ZAR",
				"balance": 5000
			}`},
		}},
		{"Overview, example 3: two accounts", []step{
			{"Step 1: an account under a new customer", "POST", "/billing/accounts", `{
				"customer": {"external_reference": "UCR1234567890", "name": "John Doe"},
				"external_reference": "primary",
				"name": "Primary Account",
				"currency": "ZAR",
				"balance": 5000
			}`, 201, `{
				"id": "bacc_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "primary",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"name": "Primary Account",
				"currency": "ZAR",
				"balance": 5000
			}`},
			{"Step 2: the second under the same", "POST", "/billing/accounts", `{
				"customer": "bcus_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "secondary",
				"name": "Secondary Account",
				"currency": "ZAR",
				"balance": 2000
			}`, 201, `{
				"id": "bacc_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "secondary",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"name": "Secondary Account",
				"currency": "ZAR",
				"balance": 2000
			}`},
			{"a balance of one", "PATCH", "/billing/accounts/secondary", `{"balance": 10000}`, 200, `{
				"id": "bacc_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "secondary",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"name": "Secondary Account",
				"currency": "ZAR",
				"balance": 10000
			}`},
			{"other accounts under the same customer are unchanged", "GET", "/billing/accounts/primary", ``, 200, `{
				"id": "bacc_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "primary",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"name": "Primary Account",
				"currency": "ZAR",
				"balance": 5000
			}`},
		}},
		{"Overview, example 7: a customer's name, and the metadata of its bill", []step{
			{"the bill, under a new customer", "POST", "/billing/bills", `{
				"customer": {"external_reference": "UCR1234567890", "name": "John Doe"},
				"external_reference": "UBR1234567890",
				"currency": "ZAR",
				"amount_due": 2000,
				"bill_date": "2025-01-01",
				"metadata": {"customer_id": "cust_123456"}
			}`, 201, `{
				"id": "bill_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UBR1234567890",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"status": "unpaid",
				"currency": "ZAR",
				"amount_due": 2000,
				"amount_paid": 0,
				"amount_remaining": 2000,
				"bill_date": "2025-01-01",
				"payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false},
				"metadata": {"customer_id": "cust_123456"}
			}`},
			{"the name", "PATCH", "/billing/customers/UCR1234567890", `{"name": "Jane Doe"}`, 200, `{
				"id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UCR1234567890",
				"name": "Jane Doe"
			}`},
			{"the metadata", "PATCH", "/billing/bills/UBR1234567890", `{"metadata": {"order_id": "ord_789012"}}`, 200, `{
				"id": "bill_H4jp6KnU5cPw263v1jyz4",
				"external_reference": "UBR1234567890",
				"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
				"status": "unpaid",
				"currency": "ZAR",
				"amount_due": 2000,
				"amount_paid": 0,
				"amount_remaining": 2000,
				"bill_date": "2025-01-01",
				"payment_rules": {"underpayment_allowed": true, "overpayment_allowed": false},
				"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
			}`},
		}},
	} {
		t.Run(guide.name, func(t *testing.T) {
			srv := newServer(t)
			ids := map[string]string{} // the sample's ids, and the server's
			for _, step := range guide.steps {
				for sample, given := range ids {
					step.path = strings.ReplaceAll(step.path, sample, given)
					step.body = strings.ReplaceAll(step.body, sample, given)
				}
				a := send(t, srv, step.method, step.path, step.body)
				requireObject(t, a, step.status, step.want)
				for _, id := range givenID.FindAllString(a.body, -1) {
					ids[id[:5]+"H4jp6KnU5cPw263v1jyz4"] = id
				}
			}
		})
	}
}
