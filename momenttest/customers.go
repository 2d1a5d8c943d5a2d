package momenttest

import (
	"math"
	"net/http"
)

// customer has its fields in the order of the reference, as account and bill have.
type customer struct {
	ID                string `json:"id"`
	ExternalReference string `json:"external_reference"`
	Name              string `json:"name,omitempty"`
	Email             string `json:"email,omitempty"`
	Phone             string `json:"phone,omitempty"`
	balance
}

// balance is what customers and accounts have in common. The reference wants a
// currency with every balance; the guides send a balance alone, to objects that
// have a currency already. So one of the two is needed.
type balance struct {
	Currency     string            `json:"currency,omitempty"`
	Balance      *int64            `json:"balance,omitempty"`       // nil: no balance is tracked
	PaymentRules *paymentRules     `json:"payment_rules,omitempty"` // nil, unless seeded
	Metadata     map[string]string `json:"metadata,omitempty"`
}

func (b *balance) change(p *params) {
	p.text("currency", currencyCode, &b.Currency)
	var amount int64
	if p.integer("balance", math.MinInt64, math.MaxInt64, &amount) {
		b.Balance = &amount
	}
	if b.Balance != nil && b.Currency == "" {
		p.failf(http.StatusBadRequest, "currency", "is required with a balance")
	}
	p.metadata(&b.Metadata)
}

// change reads what both create and update accept.
func (c *customer) change(p *params) {
	p.text("name", shortText, &c.Name)
	p.text("email", shortText, &c.Email)
	p.text("phone", phoneNumber, &c.Phone)
	c.balance.change(p)
}

func (h *Handler) newCustomer(p *params) *customer {
	c := &customer{ID: "bcus_" + randomID()}
	p.require("external_reference")
	p.text("external_reference", newReference, &c.ExternalReference)
	c.change(p)
	return c
}

func (h *Handler) addCustomer(c *customer, path string) *problem {
	return h.customers.add(c, c.ID, c.ExternalReference, path)
}
