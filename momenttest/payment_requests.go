package momenttest

import (
	"math"
	"net/http"
	"time"

	"github.com/moment-billing/moment-go"
)

const (
	linkRequest = "link"
	pushRequest = "push"

	payPath = "/_pay/" // of the payer's page, to which a link leads

	linkLife = 24 * time.Hour
	pushLife = 2 * time.Minute

	activeRequest  = "active"
	expiredRequest = "expired"
	failedRequest  = "failed"
)

type paymentRequest struct {
	ID                string            `json:"id"`
	Type              string            `json:"type"`
	Status            string            `json:"status"`
	PaymentID         string            `json:"payment_id,omitempty"`
	Amount            int64             `json:"amount"`
	Currency          string            `json:"currency"`
	ExternalReference string            `json:"external_reference,omitempty"`
	Description       string            `json:"description,omitempty"`
	ExpiresAt         string            `json:"expires_at"`
	Link              *paymentLink      `json:"link,omitempty"`
	Push              *paymentPush      `json:"push,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
	CreatedAt         string            `json:"created_at"`
	UpdatedAt         string            `json:"updated_at"`
}

type paymentLink struct {
	CheckoutSessionID string `json:"checkout_session_id"`
	URL               string `json:"url"`
}

type paymentPush struct {
	Provider string      `json:"provider"`
	Capitec  capitecPush `json:"capitec"`
}

type capitecPush struct {
	PhoneNumber string `json:"phone_number"`
}

var (
	requestType       = oneOf(linkRequest, pushRequest)
	requestStatus     = oneOf(activeRequest, paid, expiredRequest, failedRequest)
	pushProvider      = oneOf("capitec")
	requestReference  = matching("1 to 255 of a-z, A-Z, 0-9, _ and -", `^[a-zA-Z0-9_-]{1,255}$`)
	description       = atMost(500)
	paymentIdentifier = matching("an id: pay_ or p_ and then letters and digits", `^(pay|p)_[a-zA-Z0-9]+$`)
	timestamp         = textForm{
		"a time as in RFC 3339, such as 2025-01-31T12:00:00Z",
		func(s string) bool { _, err := time.Parse(time.RFC3339, s); return err == nil },
	}
)

func (h *Handler) newPaymentRequest(p *params) *paymentRequest {
	now := h.now()
	r := &paymentRequest{ID: "pr_" + randomID(), Type: linkRequest, Status: activeRequest, CreatedAt: formatTime(now), UpdatedAt: formatTime(now)}
	p.require("amount", "currency")
	p.integer("amount", 1, math.MaxInt64, &r.Amount)
	p.text("currency", currencyCode, &r.Currency)
	p.text("type", requestType, &r.Type)
	var push *paymentPush
	if r.Type == pushRequest || p.has("push") { // a malformed one is rejected on a link too
		push = p.push()
	}
	if r.Type == pushRequest {
		r.Push = push
	} else {
		session := "chk_" + randomID()
		r.Link = &paymentLink{session, h.origin + payPath + session}
	}
	r.change(p, now)
	r.expire(now)
	return r
}

// change reads what both create and update accept.
func (r *paymentRequest) change(p *params, now time.Time) {
	p.text("external_reference", requestReference, &r.ExternalReference)
	p.text("description", description, &r.Description)
	if string(p.fields["expires_at"]) == "null" { // as documented; the default
		delete(p.fields, "expires_at")
		r.ExpiresAt = ""
	}
	p.text("expires_at", timestamp, &r.ExpiresAt)
	if r.ExpiresAt == "" {
		r.ExpiresAt = formatTime(now.Add(r.life()))
	}
	p.metadata(&r.Metadata)
}

// life is how long a request can be paid unless it says otherwise.
func (r *paymentRequest) life() time.Duration {
	if r.Type == pushRequest {
		return pushLife
	}
	return linkLife
}

func (p *params) push() *paymentPush {
	push := &paymentPush{}
	p.require("push")
	sent, ok := p.object("push", "an object with provider and capitec")
	if !ok {
		return push
	}
	sent.require("provider", "capitec")
	sent.text("provider", pushProvider, &push.Provider)
	if capitec, ok := sent.object("capitec", "an object with phone_number"); ok {
		capitec.require("phone_number")
		capitec.text("phone_number", phoneNumber, &push.Capitec.PhoneNumber)
	}
	return push
}

func (h *Handler) addPaymentRequest(r *paymentRequest, path string) *problem {
	return h.paymentRequests.add(r, r.ID, r.ID, path) // not under its reference: no lookup by it is documented
}

// findPaymentRequest finds a request by its id. One that has expired by now says so.
func (h *Handler) findPaymentRequest(id string) (*paymentRequest, *problem) {
	r, ok := h.paymentRequests.byID[id]
	if !ok {
		return nil, newProblem(http.StatusNotFound, "No payment request has the id %q.", id)
	}
	r.expire(h.now())
	return r, nil
}

// expire sets the status by the clock: an active request expires, and an expired one becomes active
// again if an update moved expires_at.
func (r *paymentRequest) expire(now time.Time) {
	expires, err := time.Parse(time.RFC3339, r.ExpiresAt)
	switch over := err == nil && !now.Before(expires); {
	case r.Status == activeRequest && over:
		r.Status = expiredRequest
	case r.Status == expiredRequest && !over:
		r.Status = activeRequest
	}
}

func (h *Handler) getPaymentRequest(id string, _ []byte) (any, *problem) {
	r, p := h.findPaymentRequest(id)
	return r, p
}

func (h *Handler) updatePaymentRequest(id string, body []byte) (any, *problem) {
	r, p := h.findPaymentRequest(id)
	if p != nil {
		return nil, p
	}
	sent, p := readParams(body)
	if p != nil {
		return nil, p
	}
	changed := *r
	changed.change(sent, h.now())
	if p := sent.problem(); p != nil {
		return nil, p
	}
	if r.Status == paid {
		return nil, newProblem(http.StatusConflict, "The payment request %q is paid: it can no longer be changed.", r.ID)
	}
	changed.UpdatedAt = formatTime(h.now())
	changed.expire(h.now())
	*r = changed
	h.paymentRequests.touch(r)
	return r, nil
}

// seedPaymentRequest adds a request unchanged, including a paid or expired one.
func (h *Handler) seedPaymentRequest(p *params, given moment.PaymentRequest) *problem {
	r := h.newPaymentRequest(p)
	p.text("id", idForm("pr_"), &r.ID)
	p.text("status", requestStatus, &r.Status)
	if r.Status == expiredRequest && given.ExpiresAt.IsZero() {
		r.ExpiresAt = formatTime(h.now()) // so that it stays expired
	}
	p.text("payment_id", paymentIdentifier, &r.PaymentID)
	p.text("created_at", timestamp, &r.CreatedAt)
	p.text("updated_at", timestamp, &r.UpdatedAt)
	if (r.Status == paid) != (r.PaymentID != "") {
		p.failf(http.StatusBadRequest, "payment_id", "is required of a request that is paid, and of no other")
	}
	if given.Link != nil && r.Link != nil {
		r.Link = &paymentLink{given.Link.CheckoutSessionID, given.Link.URL}
	}
	if p.problem() != nil {
		return p.problem()
	}
	return h.addPaymentRequest(r, "")
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// originOf returns what the links of a request's response begin with: the service that it was sent
// to.
func originOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
