package momenttest

import "github.com/moment-billing/moment-go"

// Target is an object that can be paid.
type Target struct {
	Kind     string          // "customer", "account", "bill" or "payment request"
	ID       string          // not the external reference
	Currency moment.Currency // empty if the object has no currency, and so cannot be paid
	Owed     *moment.Amount  // the remaining amount; nil if no balance is tracked
}

// Payment returns a payment of the target.
func (t Target) Payment(amount moment.Amount) Payment {
	p := Payment{Amount: amount}
	switch t.Kind {
	case "customer":
		p.Customer = t.ID
	case "account":
		p.Account = t.ID
	case "bill":
		p.Bill = t.ID
	default:
		p.Request = t.ID
	}
	return p
}

// Targets returns the objects with an id or external reference. Several objects of different kinds
// may have the same external reference. Payment requests are found by their id only.
func (h *Handler) Targets(idOrReference string) (all []Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.customers.lookup(idOrReference); c != nil {
		all = append(all, Target{"customer", c.ID, moment.Currency(c.Currency), (*moment.Amount)(c.Balance)})
	}
	if a := h.accounts.lookup(idOrReference); a != nil {
		all = append(all, Target{"account", a.ID, moment.Currency(a.Currency), (*moment.Amount)(a.Balance)})
	}
	if b := h.bills.lookup(idOrReference); b != nil {
		all = append(all, Target{"bill", b.ID, moment.Currency(b.Currency), moment.MinorUnits(b.AmountRemaining)})
	}
	if r, notFound := h.findPaymentRequest(idOrReference); notFound == nil {
		owed := r.Amount
		if r.Status == paid {
			owed = 0
		}
		all = append(all, Target{"payment request", r.ID, moment.Currency(r.Currency), moment.MinorUnits(owed)})
	}
	for _, t := range all {
		if t.ID == idOrReference {
			return []Target{t} // because an id takes precedence over another object's reference
		}
	}
	return all
}
