package moment

import (
	"cmp"
	"context"
	"net/http"
	"time"
)

const paymentRequestPrefix = "pr_"

// PaymentRequestsService calls the operations on payment requests, which ask a payer for an amount
// by a link or by a push to a banking app. Use it as [Client.PaymentRequests].
type PaymentRequestsService struct{ service }

var (
	createPaymentRequest = operation{"create payment request", http.MethodPost, "/collect/payment_requests"}
	getPaymentRequest    = operation{"get payment request", http.MethodGet, "/collect/payment_requests/{payment_request}"}
	updatePaymentRequest = operation{"update payment request", http.MethodPatch, "/collect/payment_requests/{payment_request}"}
)

// PaymentRequest asks a payer for an amount, to be paid in full. Moment does not document a link to
// a bill: use ExternalReference or Metadata. Only an [AmountApplied] event shows that a bill was
// paid.
//
// A field other than ID, Status, Amount and Currency is left empty if it has an unexpected form. Do
// not embed a PaymentRequest in a struct that is decoded from JSON.
type PaymentRequest struct {
	ID                string               `json:"id"`                   // pr_…
	Type              PaymentRequestType   `json:"type"`                 // a link or a push
	Status            PaymentRequestStatus `json:"status"`               // active, paid, expired or failed
	PaymentID         string               `json:"payment_id,omitempty"` // pay_… or p_…, once it is paid: see [PaymentsService.Get]
	Amount            Amount               `json:"amount"`               // minor units
	Currency          Currency             `json:"currency"`
	ExternalReference string               `json:"external_reference,omitempty"` // set by the merchant
	Description       string               `json:"description,omitempty"`        // at most 500 characters
	ExpiresAt         time.Time            `json:"expires_at,omitzero"`          // zero: none, or it could not be read
	Link              *PaymentLink         `json:"link,omitempty"`               // for the type link
	Push              *PaymentPush         `json:"push,omitempty"`               // for the type push; beta
	Metadata          map[string]string    `json:"metadata,omitempty"`
	CreatedAt         time.Time            `json:"created_at,omitzero"` // zero: it could not be read
	UpdatedAt         time.Time            `json:"updated_at,omitzero"` // zero: it could not be read
}

// PaymentRequestType is link or push. An unknown type is kept as received.
type PaymentRequestType string

// PaymentRequestStatus is the state of a payment request. An unknown status is kept as received.
type PaymentRequestStatus string

// The types and statuses of Moment's reference.
const (
	PaymentRequestTypeLink PaymentRequestType = "link" // a link to share
	PaymentRequestTypePush PaymentRequestType = "push" // a push to a banking app; beta

	PaymentRequestStatusActive  PaymentRequestStatus = "active"  // can be paid
	PaymentRequestStatusPaid    PaymentRequestStatus = "paid"    // can no longer be changed
	PaymentRequestStatusExpired PaymentRequestStatus = "expired" // can no longer be paid; no event is documented
	PaymentRequestStatusFailed  PaymentRequestStatus = "failed"  // only for a push
)

// PaymentLink is the page on which a payment request is paid.
type PaymentLink struct {
	CheckoutSessionID string `json:"checkout_session_id,omitempty"` // chk_…
	URL               string `json:"url"`                           // to share with the payer
}

// PaymentPush is the banking app that receives the push. Beta: it may change.
type PaymentPush struct {
	Provider string       `json:"provider"`          // "capitec"
	Capitec  *CapitecPush `json:"capitec,omitempty"` // for the provider "capitec"
}

// CapitecPush is the payer's account with Capitec. Beta: it may change.
type CapitecPush struct {
	PhoneNumber string `json:"phone_number"` // E.164: +27823778084
}

// Money returns the amount in its currency.
func (r *PaymentRequest) Money() Money { return r.Amount.In(r.Currency) }

// UnmarshalJSON leaves a field empty if it has an unexpected form. An inexact amount is an error.
func (r *PaymentRequest) UnmarshalJSON(data []byte) error {
	type plain PaymentRequest
	var wire struct {
		plain
		Link *struct {
			PaymentLink
			LinkURL string `json:"link_url"` // the name of url on older pages of the reference
		} `json:"link"`
		Push      lenient[*PaymentPush] `json:"push"`
		ExpiresAt lenient[time.Time]    `json:"expires_at"`
		Metadata  lenientMetadata       `json:"metadata"`
		CreatedAt lenient[time.Time]    `json:"created_at"`
		UpdatedAt lenient[time.Time]    `json:"updated_at"`
	}
	wire.plain = plain(*r)
	if err := readMoney(data, &wire); err != nil {
		return err
	}
	*r = PaymentRequest(wire.plain)
	r.Currency = inCapitals(r.Currency)
	if link := wire.Link; link != nil {
		link.URL = cmp.Or(link.URL, link.LinkURL)
		r.Link = &link.PaymentLink
	}
	r.Push, r.Metadata = wire.Push.value, wire.Metadata
	r.ExpiresAt, r.CreatedAt, r.UpdatedAt = wire.ExpiresAt.value, wire.CreatedAt.value, wire.UpdatedAt.value
	return nil
}

func (r *PaymentRequest) decode(body []byte) error {
	*r = PaymentRequest{Amount: noAmount}
	if err := r.UnmarshalJSON(body); err != nil {
		return err
	}
	if !hasID(r.ID, paymentRequestPrefix) {
		return errWrongID(paymentRequestPrefix)
	}
	return checkMoney(string(r.Status), r.Money())
}

func (r *PaymentRequest) names(id string) bool { return r.ID == id }

func (r *PaymentRequest) absent() []string {
	return missing(member{"type", r.Type == ""}, member{"created_at", r.CreatedAt.IsZero()}, member{"updated_at", r.UpdatedAt.IsZero()})
}

// PaymentRequestCreateParams are the fields of a new payment request. The limits are Moment's, and
// the service checks them.
type PaymentRequestCreateParams struct {
	Amount            Amount             `json:"amount"`                       // required; minor units
	Currency          Currency           `json:"currency"`                     // required
	Type              PaymentRequestType `json:"type,omitempty"`               // empty: a link
	ExternalReference string             `json:"external_reference,omitempty"` // 1 to 255 of a-z, A-Z, 0-9, "_" and "-", such as a bill's
	Description       string             `json:"description,omitempty"`        // at most 500 characters
	ExpiresAt         time.Time          `json:"expires_at,omitzero"`          // zero: after 24 hours for a link, 2 minutes for a push
	Push              *PaymentPush       `json:"push,omitempty"`               // for the type push; beta
	Metadata          map[string]string  `json:"metadata,omitempty"`           // up to 10 pairs: keys of at most 40 characters, values of at most 500
}

func (p *PaymentRequestCreateParams) check() error {
	push := deref(p.Push)
	return checkTexts(p.Metadata, param{"currency", string(p.Currency)}, param{"type", string(p.Type)}, param{"external_reference", p.ExternalReference},
		param{"description", p.Description}, param{"push.provider", push.Provider}, param{"push.capitec.phone_number", deref(push.Capitec).PhoneNumber})
}

// accepts returns an error if a response is not the payment request of the params.
func (p *PaymentRequestCreateParams) accepts(r *PaymentRequest) error {
	switch {
	case p.ExternalReference != "" && r.ExternalReference != p.ExternalReference:
		return errDiffers("external_reference")
	case p.Type != "" && r.Type != "" && r.Type != p.Type:
		return errDiffers("type")
	case otherCurrency(p.Currency, r.Currency):
		return errDiffers("currency")
	case r.Amount != p.Amount:
		return errDiffers("amount")
	}
	return nil
}

// PaymentRequestUpdateParams are the fields of a payment request to change. Nil leaves a field
// unchanged. Moment does not document how to clear a field. See [PaymentRequestCreateParams] for
// the limits.
type PaymentRequestUpdateParams struct {
	ExternalReference *string           `json:"external_reference,omitempty"` // replaces the old one
	Description       *string           `json:"description,omitempty"`        // replaces the old one
	ExpiresAt         *time.Time        `json:"expires_at,omitempty"`         // not the zero time
	Metadata          map[string]string `json:"metadata,omitempty"`
}

func (p *PaymentRequestUpdateParams) check() error {
	if p.ExpiresAt != nil && p.ExpiresAt.IsZero() {
		return argErrorf("expires_at", "is the zero time; nil leaves it unchanged")
	}
	return checkTexts(p.Metadata, param{"external_reference", deref(p.ExternalReference)}, param{"description", deref(p.Description)})
}

// Create creates a payment request: POST /collect/payment_requests.
//
// If the error matches [ErrOutcomeUnknown], call Create again within 24 hours, with the error's
// IdempotencyKey and the same params. After that, only the event payment_request.created shows
// whether the request exists. A replayed response may be out of date, because the request may have
// been paid or expired since: call Get if [Response.Replayed] is set.
//
// Errors to expect:
//
//   - [ErrBadRequest]: a field is missing or malformed
//   - [ErrOutcomeUnknown]: the payment request may have been created
func (s *PaymentRequestsService) Create(ctx context.Context, params PaymentRequestCreateParams, opts ...RequestOption) (*PaymentRequest, error) {
	return call[PaymentRequest](ctx, s.service, createPaymentRequest, "", &params, params.accepts, opts)
}

// Get returns a payment request: GET /collect/payment_requests/{payment_request}. Moment does not
// document a lookup by external reference. It does not document an event for an expiry either: call
// Get, or compare ExpiresAt with the current time.
//
// Errors to expect:
//
//   - [ErrNotFound]: the payment request does not exist
func (s *PaymentRequestsService) Get(ctx context.Context, id string, opts ...RequestOption) (*PaymentRequest, error) {
	return call[PaymentRequest](ctx, s.service, getPaymentRequest, id, nil, nil, opts)
}

// Update changes the fields of a payment request that are set in params: PATCH
// /collect/payment_requests/{payment_request}. Unlike other updates, it sends an idempotency key
// and is retried like a create. A request that was paid cannot be changed.
//
// Errors to expect:
//
//   - [ErrNotFound]: the payment request does not exist
//   - [ErrBadRequest]: a field is malformed
//   - [ErrOutcomeUnknown]: the update may have been applied
func (s *PaymentRequestsService) Update(ctx context.Context, id string, params PaymentRequestUpdateParams, opts ...RequestOption) (*PaymentRequest, error) {
	return call[PaymentRequest](ctx, s.service, updatePaymentRequest, id, &params, nil, opts)
}
