package moment

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Event is something that Moment tells about by a webhook.
type Event struct {
	ID   string    // evt_…
	Type EventType // what Data is
	Data EventData // *AmountApplied, or *UnknownEvent

	// Raw is the whole body, as it came. To process an event later, keep it: encoding/json decodes its member data into an
	// AmountApplied.
	Raw json.RawMessage
	// MessageID is the same for each delivery of one event: what a [Deduplicator] goes by.
	MessageID string
	// Timestamp is when this delivery was signed.
	Timestamp time.Time
}

// EventType says what an event is about. One that this package does not know is kept as it came.
type EventType string

// EventTypeAmountApplied is the type of events whose Data is an [*AmountApplied].
const EventTypeAmountApplied EventType = "obligation.amount_applied"

// EventData is what an event tells: [*AmountApplied] or, of a type that this version does not know, [*UnknownEvent]. Later
// versions add types, so a switch over them needs a default that does nothing.
type EventData interface{ isEventData() }

// AmountApplied tells that money came in: a payment was applied to a customer's or an account's balance, or to a bill. Moment
// updates a bill by itself; a balance is the merchant's to update. The amount may be negative, where a payment is taken back.
//
// An event without an amount, a currency or exactly one of the three ids is [ErrMalformedEvent]. The other members are not
// checked: what Moment leaves out is empty.
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

// UnknownEvent is an event of a type that this version does not know: acknowledge it, as Moment asks, and go on.
type UnknownEvent struct {
	Data json.RawMessage // as it came; nil if there was none
}

func (*AmountApplied) isEventData() {}
func (*UnknownEvent) isEventData()  {}

// noAmount stands for an amount that is not there. It is none that can be paid.
const noAmount Amount = math.MinInt64

// decodeEvent takes one pass for what is nearly every event. What does not decode as one may be of another type.
func decodeEvent(d delivery, body []byte) (*Event, error) {
	var wire struct {
		ID   string        `json:"id"`
		Type EventType     `json:"type"`
		Data AmountApplied `json:"data"`
	}
	wire.Data.Amount = noAmount
	event := &Event{MessageID: d.id, Timestamp: d.at, Raw: append(json.RawMessage(nil), body...)}
	if err := json.Unmarshal(body, &wire); err != nil || wire.Type != EventTypeAmountApplied {
		return decodeUnknown(event, err)
	}
	data := &wire.Data
	switch {
	case data.Amount == noAmount:
		return nil, malformed(errors.New("it has no amount"))
	case data.Currency == "":
		return nil, malformed(errors.New("it has no currency"))
	case !data.oneObligation():
		return nil, malformed(errors.New("it has not exactly one of customer_id, account_id and bill_id"))
	}
	event.ID, event.Type, event.Data = wire.ID, wire.Type, data
	return event, nil
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

// decodeUnknown decodes an event that is not what is known by its type, or that did not decode as such because of notKnown.
func decodeUnknown(event *Event, notKnown error) (*Event, error) {
	var wire struct {
		ID   string          `json:"id"`
		Type EventType       `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	err := json.Unmarshal(event.Raw, &wire)
	switch {
	case err != nil:
		return nil, malformed(err)
	case wire.Type == "":
		return nil, malformed(errors.New("it has no type"))
	case wire.Type == EventTypeAmountApplied:
		return nil, malformed(notKnown)
	}
	event.ID, event.Type, event.Data = wire.ID, wire.Type, &UnknownEvent{wire.Data}
	return event, nil
}

// malformed says what is wrong with an event that Moment has signed.
func malformed(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		err = errors.New("it is not JSON")
	}
	return fmt.Errorf("%w: %w", ErrMalformedEvent, withoutValues(err))
}
