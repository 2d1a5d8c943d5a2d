package momenttest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// eventOf decodes an event as the endpoint received it.
func eventOf(t *testing.T, body []byte) (kind string, data map[string]any) {
	t.Helper()
	var event struct {
		Type string         `json:"type"`
		Data map[string]any `json:"data"`
	}
	require.NoError(t, json.Unmarshal(body, &event))
	return event.Type, event.Data
}

// A payment request is paid in full: two events, and the payment can be read.
func TestPayARequest(t *testing.T) {
	srv, clock := newClocked(t)
	e := newEndpoint(t)
	srv.SetWebhook(e.URL, webhookSecret)
	id := field(t, send(t, srv, "POST", requestsPath, asked), "id")
	clock.add(time.Minute)
	d, err := srv.Pay(t.Context(), momenttest.Payment{Request: id, Amount: 2000})
	require.NoError(t, err)
	require.Len(t, e.received(), 2)
	assert.True(t, d.Acknowledged())
	assert.True(t, d.Previous.Acknowledged())
	assert.Nil(t, d.Previous.Previous)
	assert.NotEqual(t, d.MessageID, d.Previous.MessageID)

	kind, paid := eventOf(t, d.Body)
	assert.Equal(t, "payment_request.paid", kind)
	assert.Equal(t, "paid", paid["status"])
	assert.Equal(t, "2025-01-31T12:01:00Z", paid["updated_at"])
	kind, payment := eventOf(t, d.Previous.Body)
	assert.Equal(t, "payment.succeeded", kind)
	assert.Equal(t, paid["payment_id"], payment["id"])

	got := send(t, srv, "GET", "/collect/payments/"+paid["payment_id"].(string), "")
	requireObject(t, got, 200, `{"id":"`+field(t, got, "id")+`","status":"succeeded","amount":2000,"currency":"ZAR","mode":"test","intent":"payment",
		"reconciliation_reference":"`+field(t, got, "reconciliation_reference")+`","external_reference":"UBR1234567890",
		"payment_method_details":{"type":"card","card":{"type":"credit","scheme":"visa","bin":"424242","last4":"4242"}},"capture_method":"automatic",
		"metadata":{"bill":"UBR1234567890"},"created_at":"2025-01-31T12:01:00Z","updated_at":"2025-01-31T12:01:00Z"}`)
	assert.Equal(t, "paid", field(t, send(t, srv, "GET", requestsPath+"/"+id, ""), "status"))
	assert.Empty(t, srv.State().Payments, "it is applied to no customer, account or bill")
	requireProblem(t, send(t, srv, "PATCH", requestsPath+"/"+id, `{"description":"x"}`, "Idempotency-Key: late"), 409, `The payment request "`+id+`" is paid: it can no longer be changed.`)
	requireProblem(t, send(t, srv, "GET", "/collect/payments/pay_1", ""), 404, `No payment has the id "pay_1".`)
}

// Paying a request does not change a bill with the same reference.
func TestPayingARequestDoesNotPayABill(t *testing.T) {
	srv := newSample(t)
	id := field(t, send(t, srv, "POST", requestsPath, asked), "id")
	_, err := srv.Pay(t.Context(), momenttest.Payment{Request: id, Amount: 2000})
	require.NoError(t, err)
	assert.Equal(t, "0", field(t, send(t, srv, "GET", "/billing/bills/UBR1234567890", ""), "amount_paid"))
}

func TestPayARequestRejects(t *testing.T) {
	srv := newServer(t)
	e := newEndpoint(t)
	srv.SetWebhook(e.URL, webhookSecret)
	id := field(t, send(t, srv, "POST", requestsPath, asked), "id")
	push := field(t, send(t, srv, "POST", requestsPath, `{"type":"push","amount":1,"currency":"ZAR","push":{"provider":"capitec","capitec":{"phone_number":"+27823778084"}}}`), "id")
	for _, row := range []struct {
		why     string
		payment momenttest.Payment
		says    string
	}{
		{"a part", momenttest.Payment{Request: id, Amount: 1999}, id + " is paid in full or not at all: the amount must be ZAR 20.00, not ZAR 19.99"},
		{"too much", momenttest.Payment{Request: id, Amount: 2001}, id + " is paid in full or not at all: the amount must be ZAR 20.00, not ZAR 20.01"},
		{"no amount", momenttest.Payment{Request: id}, "the amount must be 1 or more, not 0"},
		{"by its reference", momenttest.Payment{Request: "UBR1234567890", Amount: 2000}, `No payment request has the id "UBR1234567890".`},
		{"a request and a bill", momenttest.Payment{Request: id, Bill: "UBR1234567890", Amount: 2000}, "exactly one of Customer, Account, Bill and Request must be set"},
	} {
		d, err := srv.Pay(t.Context(), row.payment)
		require.EqualError(t, err, "momenttest: pay: "+row.says, row.why)
		require.Nil(t, d)
		_, err = srv.FailPayment(t.Context(), row.payment)
		require.EqualError(t, err, "momenttest: fail payment: "+row.says, row.why)
	}
	_, err := srv.FailPayment(t.Context(), momenttest.Payment{Request: id, Amount: 2000, Method: "zapper"})
	require.EqualError(t, err, "momenttest: fail payment: only cards can be declined: leave the method empty")
	require.Empty(t, e.received())

	_, err = srv.Pay(t.Context(), momenttest.Payment{Request: id, Amount: 2000})
	require.NoError(t, err)
	paid, err := srv.Client().PaymentRequests.Get(t.Context(), id)
	require.NoError(t, err)
	_, err = srv.Pay(t.Context(), momenttest.Payment{Request: id, Amount: 2000})
	require.EqualError(t, err, "momenttest: pay: "+id+" is paid already, by "+paid.PaymentID)
	_, err = srv.FailPayment(t.Context(), momenttest.Payment{Request: push, Amount: 1})
	require.NoError(t, err)
	_, err = srv.Pay(t.Context(), momenttest.Payment{Request: push, Amount: 1})
	require.EqualError(t, err, "momenttest: pay: "+push+" is failed: it can no longer be paid")
}

// Each payment can be read, for every target and method.
func TestEveryPaymentCanBeRead(t *testing.T) {
	srv := newSample(t)
	for _, row := range []struct {
		payment   momenttest.Payment
		reference string
		method    string
	}{
		{momenttest.Payment{Customer: "UCR1234567890", Amount: 1}, "UCR1234567890", "card"},
		{momenttest.Payment{Account: "UAR1234567890", Amount: 1, Method: "card"}, "UAR1234567890", "card"},
		{momenttest.Payment{Bill: "UBR1234567890", Amount: 1, Method: "capitec_pay"}, "UBR1234567890", "capitec_pay"},
	} {
		d, err := srv.Pay(t.Context(), row.payment)
		require.NoError(t, err)
		assert.Nil(t, d.Previous)
		_, data := eventOf(t, d.Body)
		payment, err := srv.Client().Payments.Get(t.Context(), data["payment_id"].(string))
		require.NoError(t, err)
		assert.Equal(t, row.reference, payment.ExternalReference)
		assert.Equal(t, row.method, payment.Method.Type)
		assert.Equal(t, row.method == "card", payment.Method.Card != nil)
		assert.Equal(t, "ZAR 0.01", payment.Money().String())
		assert.Equal(t, moment.PaymentStatusSucceeded, payment.Status)
	}
}

func TestFailPayment(t *testing.T) {
	srv := newSample(t)
	e := newEndpoint(t)
	srv.SetWebhook(e.URL, webhookSecret)
	id := field(t, send(t, srv, "POST", requestsPath, asked), "id")
	bill := send(t, srv, "GET", "/billing/bills/UBR1234567890", "").body
	for i, p := range []momenttest.Payment{{Request: id, Amount: 2000}, {Bill: "UBR1234567890", Amount: 2000}, {Customer: "UCR1234567890", Amount: 1}} {
		d, err := srv.FailPayment(t.Context(), p)
		require.NoError(t, err)
		require.Len(t, e.received(), 2*(i+1))
		kind, data := eventOf(t, d.Body)
		assert.Equal(t, "payment.failed", kind)
		kind, _ = eventOf(t, d.Previous.Body)
		assert.Equal(t, "payment.attempt_failed", kind)
		payment, err := srv.Client().Payments.Get(t.Context(), data["id"].(string))
		require.NoError(t, err)
		assert.Equal(t, moment.PaymentStatusFailed, payment.Status)
		assert.Equal(t, "card_declined", payment.LastError.Code)
		assert.Equal(t, "insufficient_funds", payment.LastError.DeclineCode)
		assert.Equal(t, payment.CreatedAt, payment.LastError.Timestamp)
	}
	assert.Equal(t, "active", field(t, send(t, srv, "GET", requestsPath+"/"+id, ""), "status"), "the payer may try again")
	assert.Equal(t, bill, send(t, srv, "GET", "/billing/bills/UBR1234567890", "").body)
	assert.Empty(t, srv.State().Payments)
}
