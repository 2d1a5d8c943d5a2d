package momenttest

import (
	"net/http"
	"time"

	"github.com/moment-billing/moment-go"
)

// maxAmount is the maximum amount of a bill.
const maxAmount = int64(moment.MaxBillAmount)

const (
	unpaid = "unpaid"
	paid   = "paid"
	voided = "voided"
)

type bill struct {
	ID                string            `json:"id"`
	ExternalReference string            `json:"external_reference"`
	CustomerID        string            `json:"customer_id"`
	AccountID         string            `json:"account_id,omitempty"` // only on an account's bill
	Status            string            `json:"status"`
	Currency          string            `json:"currency"`
	AmountDue         int64             `json:"amount_due"`
	AmountPaid        int64             `json:"amount_paid"`
	AmountRemaining   int64             `json:"amount_remaining"`
	BillDate          string            `json:"bill_date"`
	DueDate           string            `json:"due_date,omitempty"`
	PaymentRules      *paymentRules     `json:"payment_rules,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`

	customer *customer // nil on an account's bill
	account  *account  // nil on a customer's bill
}

// setPaid sets the amount paid in total, and the amount remaining and the status that follow.
func (b *bill) setPaid(amount int64) {
	b.AmountPaid = amount
	b.AmountRemaining = max(0, b.AmountDue-amount) // the documentation has no negative one
	b.Status = unpaid
	if b.AmountRemaining == 0 {
		b.Status = paid
	}
}

func (b *bill) change(p *params) {
	if b.Status == voided {
		p.failf(http.StatusConflict, "bill", "%q is voided: it can no longer be changed", b.ID)
	}
	currency, amount := b.Currency, b.AmountPaid
	p.text("currency", currencyCode, &currency)
	p.integer("amount_paid", 0, maxAmount, &amount)
	p.metadata(&b.Metadata)
	if currency != b.Currency {
		p.failf(http.StatusUnprocessableEntity, "currency", "differs from the bill's, which is %s", b.Currency)
	}
	if amount > b.AmountDue && !b.overpayable() {
		p.failf(http.StatusUnprocessableEntity, "amount_paid", "may not be above the bill's amount_due of %d", b.AmountDue)
	}
	b.setPaid(amount)
}

func (b *bill) overpayable() bool { return b.PaymentRules != nil && b.PaymentRules.OverpaymentAllowed }

func (h *Handler) newBill(p *params) *bill {
	b := &bill{
		ID:           "bill_" + randomID(),
		BillDate:     h.now().UTC().Format(time.DateOnly),
		PaymentRules: &paymentRules{UnderpaymentAllowed: true},
	}
	p.require("external_reference", "currency", "amount_due")
	p.text("external_reference", newReference("bcus_"), &b.ExternalReference)
	p.text("currency", currencyCode, &b.Currency)
	p.integer("amount_due", 1, maxAmount, &b.AmountDue)
	p.text("bill_date", calendarDate, &b.BillDate)
	p.text("due_date", calendarDate, &b.DueDate)
	p.metadata(&b.Metadata)
	b.setPaid(0)

	// Read last, because a malformed parameter is reported before an object that does not exist.
	switch onCustomer, onAccount := p.has("customer"), p.has("account"); {
	case onCustomer && onAccount:
		p.failf(http.StatusBadRequest, "customer and account", "may not both be sent: a bill belongs to one of them")
	case onCustomer:
		b.customer = h.customers.refer(p, h.newCustomer)
		b.CustomerID = b.customer.ID
	case onAccount:
		b.account = h.accounts.refer(p, h.newAccount)
		b.CustomerID, b.AccountID = b.account.CustomerID, b.account.ID
	default:
		p.failf(http.StatusBadRequest, "customer or account", "is required: a bill belongs to one of them")
	}
	return b
}

// addBill stores a bill, after its customer or account if that is new too.
func (h *Handler) addBill(b *bill, path string) *problem {
	var p *problem
	if b.account != nil {
		p = h.addAccount(b.account, path+"account.")
	} else {
		p = h.addCustomer(b.customer, path+"customer.")
	}
	if p != nil {
		return p
	}
	return h.bills.add(b, b.ID, b.ExternalReference, path)
}

// voidBill ignores a body, because the operation has no parameters. A paid bill can be voided,
// because no documentation forbids it.
func (h *Handler) voidBill(id string, _ []byte) (any, *problem) {
	b, p := h.bills.find(id)
	if p != nil {
		return nil, p
	}
	if b.Status == voided {
		return nil, newProblem(http.StatusConflict, "The bill %q is already voided.", b.ID)
	}
	b.Status = voided
	h.bills.touch(b)
	return b, nil
}
