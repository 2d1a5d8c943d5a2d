package momenttest

type account struct {
	ID                string `json:"id"`
	ExternalReference string `json:"external_reference"`
	CustomerID        string `json:"customer_id"`
	Name              string `json:"name,omitempty"`
	balance

	customer *customer
}

// change reads the parameters that both create and update accept.
func (a *account) change(p *params) {
	p.text("name", shortText, &a.Name)
	a.balance.change(p)
}

func (h *Handler) newAccount(p *params) *account {
	a := &account{ID: "bacc_" + randomID()}
	p.require("external_reference", "customer")
	p.text("external_reference", newReference("bacc_"), &a.ExternalReference)
	a.change(p)
	// Read last, because a malformed parameter is reported before an object that does not exist.
	a.customer = h.customers.refer(p, h.newCustomer)
	a.CustomerID = a.customer.ID
	return a
}

// addAccount stores an account, after its customer if the customer is new too.
func (h *Handler) addAccount(a *account, path string) *problem {
	if p := h.addCustomer(a.customer, path+"customer."); p != nil {
		return p
	}
	return h.accounts.add(a, a.ID, a.ExternalReference, path)
}
