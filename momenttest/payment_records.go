package momenttest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/moment-billing/moment-go"
)

// payment is a successful or failed payment, as [moment.PaymentsService.Get] returns it.
type payment struct {
	ID                      string            `json:"id"`
	Status                  string            `json:"status"`
	Amount                  int64             `json:"amount"`
	Currency                string            `json:"currency"`
	Country                 string            `json:"country,omitempty"` // seeded only
	Mode                    string            `json:"mode"`
	Intent                  string            `json:"intent"`
	ReconciliationReference string            `json:"reconciliation_reference"`
	ExternalReference       string            `json:"external_reference,omitempty"` // of the paid object
	Method                  json.RawMessage   `json:"payment_method_details"`
	LastError               *paymentError     `json:"last_payment_error,omitempty"`
	CaptureMethod           string            `json:"capture_method"`
	AuthorisedAmount        *int64            `json:"authorised_amount,omitempty"` // seeded only, as are the next two
	PaidAmount              *int64            `json:"paid_amount,omitempty"`
	VoidedAmount            *int64            `json:"voided_amount,omitempty"`
	Metadata                map[string]string `json:"metadata,omitempty"` // of the paid object
	CreatedAt               string            `json:"created_at"`
	UpdatedAt               string            `json:"updated_at"`
}

type paymentError struct {
	Code        string `json:"error_code"`
	DeclineCode string `json:"decline_code,omitempty"`
	Message     string `json:"message,omitempty"`
	Timestamp   string `json:"timestamp,omitempty"`
}

const (
	succeededPayment = "succeeded"
	failedPayment    = "failed"

	cardMethod = "card"
)

// card is the test card of Moment's guides, 4242 4242 4242 4242.
var card = json.RawMessage(`{"type":"card","card":{"type":"credit","scheme":"visa","bin":"424242","last4":"4242"}}`)

// newPayment returns a payment by a method.
func (h *Handler) newPayment(id string, amount int64, currency, method, reference string, metadata map[string]string) *payment {
	now := formatTime(h.now())
	p := &payment{
		ID: id, Status: succeededPayment, Amount: amount, Currency: currency, Mode: "test", Intent: "payment",
		ReconciliationReference: randomID(), ExternalReference: reference, Method: card, CaptureMethod: "automatic",
		Metadata: metadata, CreatedAt: now, UpdatedAt: now,
	}
	if cmp.Or(method, cardMethod) != cardMethod {
		p.Method = encode(map[string]string{"type": method})
	}
	return p
}

// addPayment stores a payment under a new id.
func (h *Handler) addPayment(p *payment) { _ = h.paymentDetails.add(p, p.ID, p.ID, "") }

func (h *Handler) getPayment(id string, _ []byte) (any, *problem) {
	if p, ok := h.paymentDetails.byID[id]; ok {
		return p, nil
	}
	return nil, newProblem(http.StatusNotFound, "No payment has the id %q.", id)
}

// checkRequestPayment returns the payment of a payment request.
func (h *Handler) checkRequestPayment(p Payment) (transfer, error) {
	r, notFound := h.findPaymentRequest(p.Request)
	switch {
	case notFound != nil:
		return transfer{}, errors.New(notFound.Detail)
	case r.Status == paid:
		return transfer{}, fmt.Errorf("%s is paid already, by %s", r.ID, r.PaymentID)
	case r.Status == expiredRequest:
		return transfer{}, fmt.Errorf("%s expired at %s: it can no longer be paid", r.ID, r.ExpiresAt)
	case r.Status != activeRequest:
		return transfer{}, fmt.Errorf("%s is %s: it can no longer be paid", r.ID, r.Status)
	case int64(p.Amount) != r.Amount:
		currency := moment.Currency(r.Currency)
		return transfer{}, fmt.Errorf("%s is paid in full or not at all: the amount must be %s, not %s", r.ID, moment.Amount(r.Amount).In(currency), p.Amount.In(currency))
	}
	return transfer{made: h.newPayment(p.newID(), r.Amount, r.Currency, p.Method, r.ExternalReference, r.Metadata), request: r}, nil
}

// FailPayment records a declined card, and delivers the events payment.attempt_failed and
// payment.failed. Nothing is paid. [moment.PaymentsService.Get] finds a failed payment whose
// last_payment_error is card_declined, with the decline_code insufficient_funds. Only cards can be
// declined: leave Method empty. A later payment has another id. A payment request of type link does
// not change, and one of type push becomes failed. The Delivery is that of payment.failed. The
// errors are those of [Handler.Pay].
func (h *Handler) FailPayment(ctx context.Context, p Payment) (*Delivery, error) {
	return h.settle(ctx, "fail payment", p, h.decline)
}

func (h *Handler) decline(p Payment) ([]event, error) {
	if p.Method != "" && p.Method != cardMethod {
		return nil, errors.New("only cards can be declined: leave the method empty")
	}
	t, err := h.check(p)
	if err != nil {
		return nil, err
	}
	if r := t.request; r != nil && r.Type == pushRequest {
		r.Status, r.UpdatedAt = failedRequest, t.made.CreatedAt
		h.paymentRequests.touch(r)
	}
	t.made.Status = failedPayment
	t.made.LastError = &paymentError{"card_declined", "insufficient_funds", "The card has insufficient funds.", t.made.CreatedAt}
	h.addPayment(t.made)
	return []event{newEvent("payment.attempt_failed", t.made), newEvent("payment.failed", t.made)}, nil
}

// seedPaymentDetails adds a payment unchanged.
func (h *Handler) seedPaymentDetails(p *params, given moment.Payment) *problem {
	made := h.newPayment("pay_"+randomID(), 0, "", given.Method.Type, "", nil)
	p.require("amount", "currency")
	p.integer("amount", 0, math.MaxInt64, &made.Amount)
	p.text("currency", currencyCode, &made.Currency)
	p.text("id", paymentIdentifier, &made.ID)
	p.text("created_at", timestamp, &made.CreatedAt)
	p.text("updated_at", timestamp, &made.UpdatedAt)
	p.metadata(&made.Metadata)
	if p.problem() != nil {
		return p.problem()
	}
	_ = json.Unmarshal(encode(p.fields), made) // the other members are as in a response
	return h.paymentDetails.add(made, made.ID, made.ID, "")
}
