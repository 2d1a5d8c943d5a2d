package moment

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// PaymentsService calls the operation on payments. Use it as [Client.Payments].
type PaymentsService struct{ service }

var getPayment = operation{"get payment", http.MethodGet, "/collect/payments/{payment}"}

// Payment is a payment, or an attempt to pay. A payment that succeeded does not show that a bill or
// a balance was paid. Only an [AmountApplied] event shows that. Its PaymentID is the ID of the
// payment.
//
// Moment does not document whether the next attempt after a decline has the same id, or whether
// ExternalReference and Metadata are those of the payment request.
//
// A field other than ID, Status, Amount and Currency is left empty if it has an unexpected form. Do
// not embed a Payment in a struct that is decoded from JSON.
type Payment struct {
	ID                      string            `json:"id"`     // pay_… or p_…
	Status                  PaymentStatus     `json:"status"` // draft, succeeded, failed or another: see [PaymentStatus]
	Amount                  Amount            `json:"amount"` // minor units
	Currency                Currency          `json:"currency"`
	Country                 string            `json:"country,omitempty"`                  // ISO 3166 alpha-2: "ZA"
	Mode                    Mode              `json:"mode,omitempty"`                     // test or live
	Intent                  string            `json:"intent,omitempty"`                   // "payment", or the verification of a payment method
	ReconciliationReference string            `json:"reconciliation_reference,omitempty"` // set by Moment
	ExternalReference       string            `json:"external_reference,omitempty"`       // set by the merchant
	Method                  PaymentMethod     `json:"payment_method_details,omitzero"`    // a card, for example
	LastError               *PaymentError     `json:"last_payment_error,omitempty"`       // nil: none, or it could not be read
	CaptureMethod           string            `json:"capture_method,omitempty"`           // "automatic" or "manual"
	AuthorisedAmount        *Amount           `json:"authorised_amount,omitempty"`        // minor units; nil: not stated
	PaidAmount              *Amount           `json:"paid_amount,omitempty"`              // minor units; nil: not stated
	VoidedAmount            *Amount           `json:"voided_amount,omitempty"`            // minor units; nil: not stated
	Metadata                map[string]string `json:"metadata,omitempty"`
	CreatedAt               time.Time         `json:"created_at,omitzero"` // zero: not stated, or it could not be read
	UpdatedAt               time.Time         `json:"updated_at,omitzero"` // zero: not stated, or it could not be read
}

// PaymentStatus is the state of a payment. An unknown status is kept as received.
type PaymentStatus string

// The statuses of Moment's reference.
const (
	PaymentStatusDraft         PaymentStatus = "draft"          // not started
	PaymentStatusInitiating    PaymentStatus = "initiating"     // being started
	PaymentStatusPendingAction PaymentStatus = "pending_action" // the payer must act
	PaymentStatusProcessing    PaymentStatus = "processing"     // in progress
	PaymentStatusSucceeded     PaymentStatus = "succeeded"      // the payer paid
	PaymentStatusFailed        PaymentStatus = "failed"         // see LastError
	PaymentStatusCancelled     PaymentStatus = "cancelled"      // was cancelled
	PaymentStatusExpired       PaymentStatus = "expired"        // has expired
)

// PaymentMethod is how a payer pays: by a card, Capitec Pay, Instant EFT, Zapper, MTN MoMo or
// another kind.
type PaymentMethod struct {
	Type string          // "card", for example; as received
	Card *PaymentCard    // nil if it is not a card
	Raw  json.RawMessage // the whole object as received, from which JSON is written; may contain personal data
}

// PaymentCard is the card that a payer paid with.
type PaymentCard struct {
	Type   string `json:"type,omitempty"`   // "credit", for example
	Scheme string `json:"scheme,omitempty"` // "visa", for example
	BIN    string `json:"bin,omitempty"`    // the first digits of its number
	Last4  string `json:"last4,omitempty"`  // the last digits of its number
}

// PaymentError is the reason for the failure of the last attempt to pay.
type PaymentError struct {
	Code        string    `json:"error_code"`             // "card_declined", for example
	DeclineCode string    `json:"decline_code,omitempty"` // "insufficient_funds", for example
	Message     string    `json:"message,omitempty"`      // for people
	Timestamp   time.Time `json:"timestamp,omitzero"`     // zero: none, or it could not be read
}

// Money returns the amount in its currency.
func (p *Payment) Money() Money { return p.Amount.In(p.Currency) }

// UnmarshalJSON leaves a field empty if it has an unexpected form. An inexact Amount is an error.
func (p *Payment) UnmarshalJSON(data []byte) error {
	type plain Payment
	var wire struct {
		plain
		LastError *struct {
			PaymentError
			Timestamp lenient[time.Time] `json:"timestamp"`
		} `json:"last_payment_error"`
		AuthorisedAmount lenient[*Amount]   `json:"authorised_amount"`
		AuthorizedAmount lenient[*Amount]   `json:"authorized_amount"` // the spelling in Moment's changelog
		PaidAmount       lenient[*Amount]   `json:"paid_amount"`
		VoidedAmount     lenient[*Amount]   `json:"voided_amount"`
		Metadata         lenientMetadata    `json:"metadata"`
		CreatedAt        lenient[time.Time] `json:"created_at"`
		UpdatedAt        lenient[time.Time] `json:"updated_at"`
	}
	wire.plain = plain(*p)
	if err := readMoney(data, &wire); err != nil {
		return err
	}
	*p = Payment(wire.plain)
	p.Currency = inCapitals(p.Currency)
	if last := wire.LastError; last != nil {
		last.PaymentError.Timestamp = last.Timestamp.value
		p.LastError = &last.PaymentError
	}
	p.AuthorisedAmount = cmp.Or(wire.AuthorisedAmount.value, wire.AuthorizedAmount.value)
	p.PaidAmount, p.VoidedAmount, p.Metadata = wire.PaidAmount.value, wire.VoidedAmount.value, wire.Metadata
	p.CreatedAt, p.UpdatedAt = wire.CreatedAt.value, wire.UpdatedAt.value
	return nil
}

// UnmarshalJSON stores data in Raw, and decodes the type and the card.
func (m *PaymentMethod) UnmarshalJSON(data []byte) error {
	var wire struct {
		Type lenient[string]       `json:"type"`
		Card lenient[*PaymentCard] `json:"card"`
	}
	_ = json.Unmarshal(data, &wire) // Type and Card stay empty if data is not an object
	*m = PaymentMethod{Type: wire.Type.value, Card: wire.Card.value}
	if string(data) != "null" {
		m.Raw = bytes.Clone(data)
	}
	return nil
}

// MarshalJSON returns Raw, or an object of the other fields if Raw is nil.
func (m PaymentMethod) MarshalJSON() ([]byte, error) {
	if m.Raw != nil {
		return m.Raw, nil
	}
	return json.Marshal(struct {
		Type string       `json:"type"`
		Card *PaymentCard `json:"card,omitempty"`
	}{m.Type, m.Card})
}

func (p *Payment) decode(body []byte) error {
	*p = Payment{Amount: noAmount}
	if err := p.UnmarshalJSON(body); err != nil {
		return err
	}
	if !hasID(p.ID, "pay_") && !hasID(p.ID, "p_") {
		return errors.New("id does not begin with pay_ or p_")
	}
	return checkMoney(string(p.Status), p.Money())
}

func (p *Payment) names(id string) bool { return p.ID == id }

func (p *Payment) absent() []string { return nil } // the reference does not document which are always present

// Get returns a payment: GET /collect/payments/{payment}. The id is the PaymentID of an
// [AmountApplied] or of a [PaymentRequest].
//
// Errors to expect:
//
//   - [ErrNotFound]: the payment does not exist
func (s *PaymentsService) Get(ctx context.Context, id string, opts ...RequestOption) (*Payment, error) {
	return call[Payment](ctx, s.service, getPayment, id, nil, nil, opts)
}
