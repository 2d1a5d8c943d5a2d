package momenttest

import (
	"math"
	"net/http"
)

// customer has its fields in the order of the reference, like account and bill.
type customer struct {
	ID                string `json:"id"`
	ExternalReference string `json:"external_reference"`
	Name              string `json:"name,omitempty"`
	Email             string `json:"email,omitempty"`
	Phone             string `json:"phone,omitempty"`
	balance
}

// balance has the members that customers and accounts share. The reference requires a currency
// with every balance. The guides send a balance alone, to objects that have a currency. So the
// currency must be in the request or on the object.
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

// change reads the parameters that both create and update accept.
func (c *customer) change(p *params) {
	p.text("name", shortText, &c.Name)
	p.text("email", shortText, &c.Email)
	p.text("phone", phoneNumber, &c.Phone)
	c.balance.change(p)
}

func (h *Handler) newCustomer(p *params) *customer {
	c := &customer{ID: "bcus_" + randomID()}
	p.require("external_reference")
	p.text("external_reference", newReference("bcus_"), &c.ExternalReference)
	c.change(p)
	return c
}

func (h *Handler) addCustomer(c *customer, path string) *problem {
	return h.customers.add(c, c.ID, c.ExternalReference, path)
}
