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

// Event is something that Moment tells about by a webhook.
type Event struct {
	ID   string    // evt_…
	Type EventType // what Data is
	Data EventData // *AmountApplied, *PaymentRequest, *Payment, or *UnknownEvent

	// Raw is the whole body, as it was received. To process an event later, store Raw and
	// MessageID, and decode the member data of Raw, not Raw itself, into a variable of Data's type
	// with encoding/json. Parse would reject it by its timestamp.
	Raw json.RawMessage
	// MessageID is the same for each delivery of one event: what a [Deduplicator] goes by.
	MessageID string
	// Timestamp is when this delivery was signed.
	Timestamp time.Time
}

// EventType says what an event is about. One that this package does not know is kept as it came.
type EventType string

// The types of events that this version knows. Only EventTypeAmountApplied says that a bill or a
// balance was paid: whether the payment of a payment request is applied to one is not documented.
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

// EventData is what an event reports: [*AmountApplied], [*PaymentRequest], [*Payment] or, of a type
// that this version does not know, [*UnknownEvent]. Later versions add types, so a switch over them
// needs a default that does nothing. An event about money without an exact amount or a currency is
// [ErrMalformedEvent].
type EventData interface{ isEventData() }

// AmountApplied tells that money came in: a payment was applied to a customer's or an account's
// balance, or to a bill. Moment updates a bill by itself; a balance is the merchant's to update.
// The amount may be negative, where a payment is taken back.
//
// An event without an exact amount, a currency or exactly one of the three ids is
// [ErrMalformedEvent]. Any other member that is missing or not in its documented form is left
// empty; [Event].Raw has it.
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
	CreatedAt time.Time         `json:"created_at,omitzero"` // zero if Moment did not say
	UpdatedAt time.Time         `json:"updated_at,omitzero"` // zero if Moment did not say
}

// Money is the amount in its currency.
func (a *AmountApplied) Money() Money { return a.Amount.In(a.Currency) }

// ObligationKind is what a payment was applied to.
type ObligationKind string

// The kinds of obligations.
const (
	ObligationCustomer ObligationKind = "customer" // a customer's balance
	ObligationAccount  ObligationKind = "account"  // an account's balance
	ObligationBill     ObligationKind = "bill"     // what remains of a bill
)

// Obligation is what the payment was applied to, with its id.
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

// UnknownEvent is an event of a type that this version does not know: acknowledge it, as Moment
// asks, and go on.
type UnknownEvent struct {
	Data json.RawMessage // as it came; nil if there was none
}

func (*AmountApplied) isEventData()  {}
func (*PaymentRequest) isEventData() {}
func (*Payment) isEventData()        {}
func (*UnknownEvent) isEventData()   {}

// UnmarshalJSON reads leniently what no money depends on: all but amount, currency and the three
// ids are left empty if they have an unexpected form. An inexact amount is an error. Do not embed
// an AmountApplied in a struct that is decoded from JSON, because the struct would get this method.
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

// noAmount stands for an amount that is missing. Nobody can pay it.
const noAmount Amount = math.MinInt64

// decodeEvent decodes in one pass nearly every event: an AmountApplied whose members are as
// documented.
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
	_ = json.Unmarshal(wire.ID, &event.ID) // one in an unexpected form is left empty: the MessageID identifies the event
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

// newMoneyData returns data to decode into, nil for a type of events that is unknown.
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

// with completes an event about money, unless a member is missing without which it cannot be
// booked.
func (e *Event) with(data moneyData) (*Event, error) {
	applied, isApplied := data.(*AmountApplied)
	switch {
	case data.Money().Amount == noAmount:
		return nil, malformed(errors.New("amount is missing"), e.Raw)
	case data.Money().Currency == "":
		return nil, malformed(errors.New("currency is missing"), e.Raw)
	case isApplied && !applied.oneObligation():
		return nil, malformed(errors.New("there is not exactly one of customer_id, account_id and bill_id"), e.Raw)
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

// malformed says what is wrong with an event that Moment signed.
func malformed(err error, body []byte) error {
	if isOdd(err) {
		return fmt.Errorf("%w: %w", ErrMalformedEvent, withoutValues(err))
	}
	return fmt.Errorf("%w: the body %s", ErrMalformedEvent, notJSON(body))
}
