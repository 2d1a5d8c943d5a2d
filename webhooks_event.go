package moment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Event is an event that Moment reports by a webhook.
type Event struct {
	ID   string    // evt_…
	Type EventType // decides the type of Data
	Data EventData // *AmountApplied, *PaymentRequest, *Payment, or *UnknownEvent

	// Raw is the whole body as received. To process an event later, store Raw and MessageID,
	// because Parse would reject the old timestamp. Then decode the member data of Raw into a
	// variable of Data's type with encoding/json.
	Raw json.RawMessage
	// MessageID is the same for each delivery of one event. A [Deduplicator] recognises an event by
	// it.
	MessageID string
	// Timestamp is when this delivery was signed.
	Timestamp time.Time
}

// EventType is the type of an event. An unknown type is kept as received.
type EventType string

// The types of events that this version knows. Only EventTypeAmountApplied shows that a bill or a
// balance was paid, because Moment does not document whether the payment of a payment request is
// applied to one.
const (
	EventTypeAmountApplied EventType = "obligation.amount_applied" // Data is an [*AmountApplied]

	EventTypePaymentRequestCreated EventType = "payment_request.created" // Data is a [*PaymentRequest]
	EventTypePaymentRequestUpdated EventType = "payment_request.updated" // Data is a [*PaymentRequest]
	EventTypePaymentRequestPaid    EventType = "payment_request.paid"    // Data is a [*PaymentRequest]

	EventTypePaymentSucceeded     EventType = "payment.succeeded"      // Data is a [*Payment]
	EventTypePaymentAttemptFailed EventType = "payment.attempt_failed" // Data is a [*Payment]
	EventTypePaymentFailed        EventType = "payment.failed"         // Data is a [*Payment]
	EventTypePaymentCaptured      EventType = "payment.captured"       // Data is a [*Payment]
	EventTypePaymentVoided        EventType = "payment.voided"         // Data is a [*Payment]
)

// EventData is the data of an event: an [*AmountApplied], a [*PaymentRequest], a [*Payment], or an
// [*UnknownEvent] for an unknown type. Later versions add types, so a switch over them needs a
// default that does nothing. An event about money without an exact amount or a currency causes
// [ErrMalformedEvent].
type EventData interface{ isEventData() }

// AmountApplied reports that a payment was applied to a bill, or to the balance of a customer or an
// account. Moment updates the bill. The merchant must update the balance. The amount is negative if
// a payment is reversed.
//
// An event without an exact amount, a currency and exactly one of the three ids causes
// [ErrMalformedEvent]. Any other field is left empty if its member is missing or has an unexpected
// form. [Event.Raw] contains the member.
type AmountApplied struct {
	ID        string   `json:"id"`     // of the obligation: ob_…
	Amount    Amount   `json:"amount"` // minor units
	Currency  Currency `json:"currency"`
	PaymentID string   `json:"payment_id"` // pay_…

	// One of these three is set: see Obligation.
	CustomerID string `json:"customer_id,omitempty"` // bcus_…
	AccountID  string `json:"account_id,omitempty"`  // bacc_…
	BillID     string `json:"bill_id,omitempty"`     // bill_…

	Metadata  map[string]string `json:"metadata,omitempty"`
	CreatedAt time.Time         `json:"created_at,omitzero"` // zero: not stated, or it could not be read
	UpdatedAt time.Time         `json:"updated_at,omitzero"` // zero: not stated, or it could not be read
}

// Money returns the amount in its currency.
func (a *AmountApplied) Money() Money { return a.Amount.In(a.Currency) }

// ObligationKind is the kind of object that a payment was applied to.
type ObligationKind string

// The kinds of obligations.
const (
	ObligationCustomer ObligationKind = "customer" // a customer's balance
	ObligationAccount  ObligationKind = "account"  // an account's balance
	ObligationBill     ObligationKind = "bill"     // a bill's remaining amount
)

// Obligation returns the kind and the id of the object that the payment was applied to.
func (a *AmountApplied) Obligation() (kind ObligationKind, id string) {
	switch {
	case a.CustomerID != "":
		return ObligationCustomer, a.CustomerID
	case a.AccountID != "":
		return ObligationAccount, a.AccountID
	case a.BillID != "":
		return ObligationBill, a.BillID
	default:
		return "", ""
	}
}

// UnknownEvent is the data of an event whose type this version does not know. Return nil for it,
// because Moment asks receivers to acknowledge such events.
type UnknownEvent struct {
	Data json.RawMessage // as received; nil if it is missing
}

func (*AmountApplied) isEventData()  {}
func (*PaymentRequest) isEventData() {}
func (*Payment) isEventData()        {}
func (*UnknownEvent) isEventData()   {}

// UnmarshalJSON leaves a field empty if it has an unexpected form. That is an error for the amount,
// the currency and the three ids, and an inexact amount is an error too. Do not embed an
// AmountApplied in a struct that is decoded from JSON, because the struct would inherit this
// method.
func (a *AmountApplied) UnmarshalJSON(data []byte) error {
	type plain AmountApplied
	var wire struct {
		plain
		ID        lenient[string]    `json:"id"`
		PaymentID lenient[string]    `json:"payment_id"`
		Metadata  lenientMetadata    `json:"metadata"`
		CreatedAt lenient[time.Time] `json:"created_at"`
		UpdatedAt lenient[time.Time] `json:"updated_at"`
	}
	wire.plain = plain(*a)
	if err := readLeniently(data, &wire, "amount"); err != nil {
		return err
	}
	*a = AmountApplied(wire.plain)
	a.ID, a.PaymentID, a.Metadata = wire.ID.value, wire.PaymentID.value, wire.Metadata
	a.CreatedAt, a.UpdatedAt = wire.CreatedAt.value, wire.UpdatedAt.value
	a.Currency = inCapitals(a.Currency)
	return nil
}

// noAmount marks a missing amount. It cannot be paid.
const noAmount Amount = math.MinInt64

// decodeEvent decodes the most frequent event in one pass: an AmountApplied whose members have the
// documented form.
func decodeEvent(d delivery, body []byte) (*Event, error) {
	type plain AmountApplied
	var wire struct {
		ID   string    `json:"id"`
		Type EventType `json:"type"`
		Data plain     `json:"data"`
	}
	wire.Data.Amount = noAmount
	// The id is a copy, because the adaptors of fasthttp and Fiber reuse the memory of header
	// strings for the next request.
	event := &Event{MessageID: strings.Clone(d.id), Timestamp: d.at, Raw: bytes.Clone(body)}
	if err := json.Unmarshal(body, &wire); err != nil || wire.Type != EventTypeAmountApplied {
		return decodeOther(event)
	}
	event.ID, event.Type = wire.ID, wire.Type
	wire.Data.Currency = inCapitals(wire.Data.Currency)
	return event.with((*AmountApplied)(&wire.Data))
}

// decodeOther decodes any event.
func decodeOther(event *Event) (*Event, error) {
	var wire struct {
		ID   json.RawMessage `json:"id"`
		Type EventType       `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(event.Raw, &wire); err != nil {
		return nil, malformed(err, event.Raw)
	}
	_ = json.Unmarshal(wire.ID, &event.ID) // it is left empty if it has an unexpected form, because MessageID identifies the event
	event.Type = wire.Type
	if event.Type == "" {
		return nil, malformed(errors.New("type is missing"), event.Raw)
	}
	data := newMoneyData(event.Type)
	if data == nil {
		event.Data = &UnknownEvent{wire.Data}
		return event, nil
	}
	if len(wire.Data) > 0 {
		if err := data.UnmarshalJSON(wire.Data); err != nil {
			return nil, malformed(err, event.Raw)
		}
	}
	return event.with(data)
}

// moneyData is the data of an event about money.
type moneyData interface {
	EventData
	json.Unmarshaler
	Money() Money
}

// newMoneyData returns a value to decode the data into, or nil for an unknown type of event.
func newMoneyData(t EventType) moneyData {
	switch t {
	case EventTypeAmountApplied:
		return &AmountApplied{Amount: noAmount}
	case EventTypePaymentRequestCreated, EventTypePaymentRequestUpdated, EventTypePaymentRequestPaid:
		return &PaymentRequest{Amount: noAmount}
	case EventTypePaymentSucceeded, EventTypePaymentAttemptFailed, EventTypePaymentFailed, EventTypePaymentCaptured, EventTypePaymentVoided:
		return &Payment{Amount: noAmount}
	default:
		return nil
	}
}

// with completes an event about money, or returns an error if a required member is missing.
func (e *Event) with(data moneyData) (*Event, error) {
	applied, isApplied := data.(*AmountApplied)
	switch {
	case data.Money().Amount == noAmount:
		return nil, malformed(errors.New("amount is missing"), e.Raw)
	case data.Money().Currency == "":
		return nil, malformed(errors.New("currency is missing"), e.Raw)
	case isApplied && !applied.oneObligation():
		return nil, malformed(errors.New("it must have exactly one of customer_id, account_id and bill_id"), e.Raw)
	}
	e.Data = data
	return e, nil
}

func (a *AmountApplied) oneObligation() bool {
	n := 0
	for _, id := range []string{a.CustomerID, a.AccountID, a.BillID} {
		if id != "" {
			n++
		}
	}
	return n == 1
}

// malformed returns the error of a malformed event that Moment signed.
func malformed(err error, body []byte) error {
	if isOdd(err) {
		return fmt.Errorf("%w: %w", ErrMalformedEvent, withoutValues(err))
	}
	return fmt.Errorf("%w: the body %s", ErrMalformedEvent, notJSON(body))
}
