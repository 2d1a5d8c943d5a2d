package moment_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

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

// A member that no amount depends on must not cause the rejection of an event, because Moment would
// deliver it for ever.
func TestEventsAreReadLeniently(t *testing.T) {
	const event = `{"id":"evt_1","type":"obligation.amount_applied","data":{"amount":1500,"currency":"ZAR","bill_id":"bill_1",%}}`
	for _, row := range []struct{ why, body string }{
		{"an empty time", strings.Replace(event, "%", `"created_at":""`, 1)},
		{"a time in another form", strings.Replace(event, "%", `"created_at":"2025-01-31 12:00:00","updated_at":1738324800`, 1)},
		{"metadata of another form", strings.Replace(event, "%", `"metadata":{"a":"x","b":1}`, 1)},
		{"ids that are numbers", strings.Replace(event, "%", `"id":1,"payment_id":2`, 1)},
		{"an id of the event that is a number", strings.Replace(strings.Replace(event, `"evt_1"`, "1", 1), "%", `"id":"ob_1"`, 1)},
		{"an exact amount with decimals", strings.Replace(strings.Replace(event, "1500", "1500.00", 1), "%", `"id":"ob_1"`, 1)},
		{"a currency in lower case, as one of Moment's samples", strings.Replace(strings.Replace(event, "ZAR", "zar", 1), "%", `"id":"ob_1"`, 1)},
		{"a currency in lower case, beside a member in another form", strings.Replace(strings.Replace(event, "ZAR", "zar", 1), "%", `"id":1`, 1)},
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

func TestParse(t *testing.T) {
	account := &moment.AmountApplied{
		ID: "ob_N2a38DJQWPL8K4X42354234", Amount: 2000, Currency: "ZAR", PaymentID: "pay_1313235234843nmafdsa", AccountID: "bacc_H4jp6KnU5cPw263v1jyz4",
	}
	for _, row := range []struct {
		why, body string
		id        string
		typ       moment.EventType
		data      moment.EventData
	}{
		{"the event of Moment's guide", testkit.EventJSON, "evt_2341234567890abcdef", moment.EventTypeAmountApplied, account},
		{
			"all members, and unknown ones; the amount is negative, as for a payment that is reversed", testkit.FullEventJSON, "evt_1", moment.EventTypeAmountApplied,
			&moment.AmountApplied{
				ID: "ob_1", Amount: -500, Currency: "ZAR", PaymentID: "pay_1", BillID: "bill_1", Metadata: map[string]string{"order_id": "ord_789012"},
				CreatedAt: testkit.SignedAt, UpdatedAt: time.Date(2025, time.January, 31, 14, 0, 0, 5e8, time.FixedZone("", 2*60*60)),
			},
		},
		{
			"an amount of zero is not missing", `{"type":"obligation.amount_applied","data":{"amount":0,"currency":"QQQ","customer_id":"bcus_1"}}`, "", moment.EventTypeAmountApplied,
			&moment.AmountApplied{Currency: "QQQ", CustomerID: "bcus_1"},
		},
		{
			"empty ids are missing", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","customer_id":"","account_id":null,"bill_id":"bill_1"}}`, "", moment.EventTypeAmountApplied,
			&moment.AmountApplied{Amount: 1, Currency: "ZAR", BillID: "bill_1"},
		},
		{"a type that Moment has announced", `{"id":"evt_2","type":"bill.created","data":{"id":"bill_1"}}`, "evt_2", "bill.created", &moment.UnknownEvent{Data: json.RawMessage(`{"id":"bill_1"}`)}},
		{"data of another form", `{"data":{"amount":"2000","created_at":1},"type":"payment_session.failed","id":"evt_3"}`, "evt_3", "payment_session.failed", &moment.UnknownEvent{Data: json.RawMessage(`{"amount":"2000","created_at":1}`)}},
		{"data that is not an object", `{"type":"ping","data":[1]}`, "", "ping", &moment.UnknownEvent{Data: json.RawMessage(`[1]`)}},
		{"without data", `{"type":"ping"}`, "", "ping", &moment.UnknownEvent{}},
	} {
		header := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, row.body)
		body := []byte(row.body)
		got, err := newVerifier(t).Parse(header, body)
		require.NoError(t, err, row.why)
		if want, ok := row.data.(*moment.AmountApplied); ok {
			data := got.Data.(*moment.AmountApplied)
			assert.True(t, data.UpdatedAt.Equal(want.UpdatedAt), row.why)
			data.UpdatedAt = want.UpdatedAt // the same time in another *time.Location
		}
		assert.Equal(t, &moment.Event{ID: row.id, Type: row.typ, Data: row.data, Raw: json.RawMessage(row.body), MessageID: "msg_1", Timestamp: testkit.SignedAt.Local()}, got, row.why)
		clear(body)
		assert.Equal(t, row.body, string(got.Raw), "a copy, because the caller may reuse the buffer")

		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(row.body))
		r.Header = header
		fromRequest, err := newVerifier(t).ParseRequest(r)
		require.NoError(t, err, row.why)
		assert.Equal(t, got.Raw, fromRequest.Raw, row.why)
	}
}

// eventData has the type of data for each known type of event.
var eventData = map[moment.EventType]moment.EventData{
	"obligation.amount_applied": &moment.AmountApplied{},
	"payment_request.created":   &moment.PaymentRequest{}, "payment_request.updated": &moment.PaymentRequest{}, "payment_request.paid": &moment.PaymentRequest{},
	"payment.succeeded": &moment.Payment{}, "payment.attempt_failed": &moment.Payment{}, "payment.failed": &moment.Payment{},
	"payment.captured": &moment.Payment{}, "payment.voided": &moment.Payment{},
}

func TestEventsOfPaymentRequestsAndPayments(t *testing.T) {
	parse := func(body string) (*moment.Event, error) {
		return newVerifier(t).Parse(testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, body), []byte(body))
	}
	for kind, want := range eventData {
		object := testkit.PaymentJSON
		switch want.(type) {
		case *moment.AmountApplied:
			continue
		case *moment.PaymentRequest:
			object = testkit.PaymentRequestJSON
		}
		e, err := parse(`{"id":"wh_12345","type":"` + string(kind) + `","data":` + object + `}`)
		require.NoError(t, err, kind)
		assert.Equal(t, "wh_12345", e.ID, "as in one of the samples")
		assert.IsType(t, want, e.Data, kind)
		assert.JSONEq(t, object, strings.Replace(encoded(t, e.Data), `"paid_amount"`, `"authorised_amount":null,"paid_amount"`, 1), kind)

		// An optional member in an unexpected form does not cause a rejection, because Moment would
		// deliver the event for ever.
		for _, row := range []struct{ why, data, malformed string }{
			{"only required members", `{"amount":1,"currency":"ZAR"}`, ""},
			{"every optional member of another form", `{"amount":1,"currency":"zar","id":1,"type":1,"status":[],"payment_id":{},"external_reference":1,"description":1,"expires_at":"x","link":"x","push":1,
				"metadata":1,"created_at":1,"updated_at":"","country":1,"mode":1,"intent":1,"reconciliation_reference":1,"payment_method_details":1,"last_payment_error":"x","capture_method":1,
				"authorised_amount":"1","paid_amount":0.5,"voided_amount":[]}`, ""},
			{"no data", "", "amount is missing"},
			{"null", `null`, "amount is missing"},
			{"no amount", `{"currency":"ZAR"}`, "amount is missing"},
			{"no currency", `{"amount":1}`, "currency is missing"},
			{"an inexact amount", `{"amount":0.5,"currency":"ZAR"}`, "amount is not an exact integer"},
			{"a text", `"Jane Roe"`, "it is of type string, not object"},
		} {
			body := `{"id":"evt_1","type":"` + string(kind) + `","data":` + row.data + `}`
			if row.data == "" {
				body = `{"id":"evt_1","type":"` + string(kind) + `"}`
			}
			e, err := parse(body)
			if row.malformed != "" {
				require.ErrorIs(t, err, moment.ErrMalformedEvent, row.why)
				require.EqualError(t, err, "moment: malformed webhook event: "+row.malformed, row.why)
				continue
			}
			require.NoError(t, err, row.why)
			assert.Equal(t, "ZAR 0.01", e.Data.(interface{ Money() moment.Money }).Money().String(), row.why)
		}
	}
	for _, kind := range []string{"payment_session.completed", "payment_page.payment_received", "payment_request.expired", "payment.refunded"} {
		e, err := parse(`{"type":"` + kind + `","data":{"amount":"x"}}`)
		require.NoError(t, err, kind)
		assert.Equal(t, &moment.UnknownEvent{Data: json.RawMessage(`{"amount":"x"}`)}, e.Data, kind)
	}
}

func TestObligation(t *testing.T) {
	for want, data := range map[moment.ObligationKind]moment.AmountApplied{
		moment.ObligationCustomer: {CustomerID: "id_1"}, moment.ObligationAccount: {AccountID: "id_1"}, moment.ObligationBill: {BillID: "id_1"},
	} {
		kind, id := data.Obligation()
		assert.Equal(t, want, kind)
		assert.Equal(t, "id_1", id)
	}
	kind, id := new(moment.AmountApplied).Obligation()
	assert.Empty(t, kind)
	assert.Empty(t, id)
	assert.Equal(t, "ZAR 20.00", (&moment.AmountApplied{Amount: 2000, Currency: "ZAR"}).Money().String())
}

// A signed body is malformed, or it is an event with the contents of the body.
func FuzzEvent(f *testing.F) {
	for _, body := range []string{
		testkit.EventJSON, testkit.FullEventJSON, "", "null", "{}", `{"type":"ping","data":null}`, `{"Type":"ping"}`, `{"type":"a","type":"obligation.amount_applied","data":{}}`,
		`{"type":"obligation.amount_applied","data":{"amount":1e3,"currency":"ZAR","bill_id":"b"}}`,
		`{"type":"obligation.amount_applied","data":{"amount":1,"AMOUNT":2,"currency":"ZAR","bill_id":"b"}}`,
		`{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":"b","created_at":null}}`,
		"{\"type\":\"\xff\"}",
		`{"type":"payment_request.paid","data":` + testkit.PaymentRequestJSON + `}`, `{"type":"payment.succeeded","data":` + testkit.PaymentJSON + `}`,
		`{"type":"payment.failed","data":{"amount":1,"currency":"zar","last_payment_error":[]}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e, err := newVerifier(t).Parse(testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, body), []byte(body))
		if err != nil {
			assert.Nil(t, e)
			assert.ErrorIs(t, err, moment.ErrMalformedEvent)
			isOneLine(t, err)
			return
		}
		assert.NotEmpty(t, e.Type)
		assert.Equal(t, body, string(e.Raw))
		want := eventData[e.Type]
		if want == nil {
			want = &moment.UnknownEvent{}
		}
		assert.IsType(t, want, e.Data)
		if data, ok := e.Data.(interface{ Money() moment.Money }); ok {
			assert.NotEmpty(t, data.Money().Currency)
		}
		if data, ok := e.Data.(*moment.AmountApplied); ok {
			kind, id := data.Obligation()
			assert.NotEmpty(t, kind)
			assert.NotEmpty(t, id)
		}
	})
}
