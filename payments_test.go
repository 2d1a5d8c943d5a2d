package moment_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

const paymentID = "pay_1313235234843nmafdsa"

var paymentOperations = []operation{{
	"PaymentsService.Get", "get payment", "GET /collect/payments/{payment}", "", 200, testkit.PaymentJSON,
	func(ctx context.Context, c *moment.Client) (any, error) { return c.Payments.Get(ctx, paymentID) }, paymentID,
}}

func TestPaymentIsDecoded(t *testing.T) {
	got, err := clientOf(t, testkit.Serve(t, testkit.Respond(200, testkit.PaymentJSON))).Payments.Get(t.Context(), paymentID)
	require.NoError(t, err)
	at := time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)
	assert.Equal(t, &moment.Payment{
		ID: paymentID, Status: moment.PaymentStatusSucceeded, Amount: 2000, Currency: moment.ZAR, Country: "ZA", Mode: moment.ModeTest, Intent: "payment",
		ReconciliationReference: "MOM123", ExternalReference: "UBR1234567890", CaptureMethod: "automatic", PaidAmount: moment.MinorUnits(2000),
		Method: moment.PaymentMethod{
			Type: "card", Card: &moment.PaymentCard{Type: "credit", Scheme: "visa", BIN: "424242", Last4: "4242"},
			Raw: json.RawMessage(`{"type": "card", "card": {"type": "credit", "scheme": "visa", "bin": "424242", "last4": "4242"}}`),
		},
		Metadata: map[string]string{"order_id": "ord_789012"}, CreatedAt: at, UpdatedAt: at.Add(time.Second),
	}, got)
	assert.Equal(t, "ZAR 20.00", got.Money().String())
	assert.JSONEq(t, strings.Replace(testkit.PaymentJSON, `"authorised_amount": null,`, "", 1), encoded(t, got))
}

func TestUnusualPaymentsAreDecoded(t *testing.T) {
	const all = testkit.PaymentJSON
	const card = `{"type": "card", "card": {"type": "credit", "scheme": "visa", "bin": "424242", "last4": "4242"}}`
	lastError := func(object string) string {
		return with(t, all, `"capture_method"`, `"last_payment_error": `+object+`, "capture_method"`)
	}
	for _, row := range []struct {
		why, body string
		check     func(*assert.Assertions, *moment.Payment)
	}{
		{"a kind whose members are not known", with(t, all, card, `{"type": "capitec_pay", "capitec_pay": {"account": [1]}}`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(moment.PaymentMethod{Type: "capitec_pay", Raw: json.RawMessage(`{"type": "capitec_pay", "capitec_pay": {"account": [1]}}`)}, p.Method)
		}},
		{"an unknown kind", with(t, all, card, `{"type": "cowrie"}`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(moment.PaymentMethod{Type: "cowrie", Raw: json.RawMessage(`{"type": "cowrie"}`)}, p.Method)
		}},
		{"a card of another form", with(t, all, `{"type": "credit", "scheme": "visa", "bin": "424242", "last4": "4242"}`, `"4242"`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(moment.PaymentMethod{Type: "card", Raw: json.RawMessage(`{"type": "card", "card": "4242"}`)}, p.Method)
		}},
		{"a method that is a text", with(t, all, card, `"card"`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(moment.PaymentMethod{Raw: json.RawMessage(`"card"`)}, p.Method)
		}},
		{"no method yet", with(t, all, card, `null`), func(is *assert.Assertions, p *moment.Payment) {
			is.Zero(p.Method)
			is.NotContains(encoded(t, p), "payment_method_details")
		}},
		{"spelt as in the overview", with(t, all, `"authorised_amount": null`, `"authorised_amount": 2500`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(moment.MinorUnits(2500), p.AuthorisedAmount)
		}},
		{"spelt as in the changelog", with(t, all, `"authorised_amount": null`, `"authorized_amount": 2500`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(moment.MinorUnits(2500), p.AuthorisedAmount)
		}},
		{"both spellings, one of them null", with(t, all, `"authorised_amount": null`, `"authorized_amount": 2500, "authorised_amount": null`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(moment.MinorUnits(2500), p.AuthorisedAmount)
		}},
		{"amounts of zero are not missing", with(t, with(t, all, `"authorised_amount": null`, `"voided_amount": 0, "authorised_amount": 0`), `"paid_amount": 2000`, `"paid_amount": 0`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal([]*moment.Amount{moment.MinorUnits(0), moment.MinorUnits(0), moment.MinorUnits(0)}, []*moment.Amount{p.AuthorisedAmount, p.PaidAmount, p.VoidedAmount})
		}},
		{"an optional amount that is not exact is left empty", with(t, all, `"paid_amount": 2000`, `"paid_amount": 20.5, "voided_amount": "5"`), func(is *assert.Assertions, p *moment.Payment) {
			is.Nil(p.PaidAmount)
			is.Nil(p.VoidedAmount)
		}},
		{"a declined card", lastError(`{"error_code": "card_declined", "decline_code": "insufficient_funds", "message": "No", "timestamp": "2025-01-31T12:00:00Z"}`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(&moment.PaymentError{Code: "card_declined", DeclineCode: "insufficient_funds", Message: "No", Timestamp: time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)}, p.LastError)
		}},
		{"an error with a time of another form keeps its code", lastError(`{"error_code": "card_declined", "timestamp": 1, "decline_code": 5}`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(&moment.PaymentError{Code: "card_declined"}, p.LastError)
		}},
		{"no error", lastError(`null`), func(is *assert.Assertions, p *moment.Payment) { is.Nil(p.LastError) }},
		{"an id as in one of the samples", with(t, all, paymentID, "p_1"), func(is *assert.Assertions, p *moment.Payment) { is.Equal("p_1", p.ID) }},
		{"a status and an intent that are unknown", with(t, with(t, all, `"succeeded"`, `"disputed"`), `"intent": "payment"`, `"intent": "payout"`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal(moment.PaymentStatus("disputed"), p.Status)
			is.Equal("payout", p.Intent)
		}},
		{"a currency in small letters, as in one of the samples, formats", with(t, all, `"ZAR"`, `"zar"`), func(is *assert.Assertions, p *moment.Payment) {
			is.Equal("ZAR 20.00", p.Money().String())
		}},
		{"members of other forms", with(t, with(t, with(t, all, `"ZA"`, `710`), `"test"`, `true`), `"2025-01-31T12:00:01Z"`, `"now"`), func(is *assert.Assertions, p *moment.Payment) {
			is.Empty(p.Country)
			is.Empty(p.Mode)
			is.True(p.UpdatedAt.IsZero())
			is.Equal("4242", p.Method.Card.Last4)
			is.Equal("UBR1234567890", p.ExternalReference)
		}},
	} {
		t.Run(row.why, func(t *testing.T) {
			id := paymentID
			if strings.Contains(row.body, `"p_1"`) {
				id = "p_1"
			}
			got, err := clientOf(t, testkit.Serve(t, testkit.Respond(200, row.body))).Payments.Get(t.Context(), id)
			require.NoError(t, err)
			row.check(assert.New(t), got)
			var again moment.Payment
			require.NoError(t, json.Unmarshal([]byte(encoded(t, got)), &again))
			again.Method.Raw, got.Method.Raw = nil, nil // encoded without white space
			assert.Equal(t, got, &again)
		})
	}
}

func TestSuccessIsTheRequestedPayment(t *testing.T) {
	const all = testkit.PaymentJSON
	for _, row := range []struct{ why, body, says string }{
		{"another payment", with(t, all, paymentID, "pay_1"), "neither id nor external_reference is the requested one"},
		{"a payment request", testkit.PaymentRequestJSON, "id does not begin with pay_ or p_"},
		{"an id that is only its prefix", with(t, all, paymentID, "p_"), "id does not begin with pay_ or p_"},
		{"no status", with(t, all, `"status"`, `"state"`), "status is missing"},
		{"no currency", with(t, all, `"currency"`, `"coin"`), "currency is missing"},
		{"no amount", with(t, all, `"amount": 2000`, `"sum": 2000`), "amount is missing"},
		{"an inexact amount", with(t, all, `"amount": 2000`, `"amount": 0.5`), "amount is not an exact integer"},
		{"an amount that does not fit", with(t, all, `"amount": 2000`, `"amount": 9223372036854775808`), "amount is not an exact integer"},
	} {
		s := testkit.Serve(t, testkit.Respond(200, row.body))
		got, err := clientOf(t, s).Payments.Get(t.Context(), paymentID)
		assert.Nil(t, got, row.why)
		require.ErrorContains(t, err, "unexpected response body: "+row.says, row.why)
		require.NotErrorIs(t, err, moment.ErrOutcomeUnknown, row.why)
		s.Only(t)
	}
}

// A payment method is encoded as received. A payment method that a test builds has no Raw.
func TestPaymentMethodIsEncoded(t *testing.T) {
	const received = `{"type":"capitec_pay","capitec_pay":{"account":[1]}}`
	var method moment.PaymentMethod
	require.NoError(t, json.Unmarshal([]byte(received), &method))
	assert.JSONEq(t, received, encoded(t, method))
	buffer := []byte(received)
	require.NoError(t, method.UnmarshalJSON(buffer))
	clear(buffer)
	assert.JSONEq(t, received, string(method.Raw), "a copy, because encoding/json reuses its buffer")
	assert.JSONEq(t, `{"type":"card","card":{"scheme":"visa","last4":"4242"}}`, encoded(t, moment.PaymentMethod{Type: "card", Card: &moment.PaymentCard{Scheme: "visa", Last4: "4242"}}))
	assert.JSONEq(t, `{"type":"zapper"}`, encoded(t, moment.PaymentMethod{Type: "zapper"}))
}
