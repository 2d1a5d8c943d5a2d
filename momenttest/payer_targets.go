package momenttest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
)

// payable is an object that has a payer's page.
type payable interface {
	id() string
	link() payerLink
	page(h *Handler) payerPage // under the lock
}

// payerTargets finds what a name means: the id of a checkout session or of an object. Otherwise, it
// finds every object that has the name as its external reference.
func (h *Handler) payerTargets(name string) []payable {
	for _, r := range h.paymentRequests.ordered {
		if r.ID == name || r.Link != nil && r.Link.CheckoutSessionID == name {
			return []payable{requestPayable{r}}
		}
	}
	if b, ok := h.bills.byID[name]; ok {
		return []payable{billPayable{b}}
	}
	if a, ok := h.accounts.byID[name]; ok {
		return []payable{accountPayable{a}}
	}
	if c, ok := h.customers.byID[name]; ok {
		return []payable{customerPayable{c}}
	}
	var found []payable
	if b, ok := h.bills.byReference[name]; ok {
		found = append(found, billPayable{b})
	}
	if a, ok := h.accounts.byReference[name]; ok {
		found = append(found, accountPayable{a})
	}
	if c, ok := h.customers.byReference[name]; ok {
		found = append(found, customerPayable{c})
	}
	return found
}

type requestPayable struct{ *paymentRequest }

func (r requestPayable) id() string { return r.ID }

func (r requestPayable) money() moment.Money {
	return moment.Amount(r.Amount).In(moment.Currency(r.Currency))
}

func (r requestPayable) link() payerLink {
	return payerLink{payPath + r.ID, "Payment request " + r.ExternalReference, r.money().String()}
}

func (r requestPayable) page(h *Handler) payerPage {
	r.expire(h.now())
	page := payerPage{
		Title:  "The test merchant asks you for",
		Amount: r.money().String(),
		Facts: facts(
			payerFact{"For", r.Description, "payer-description"},
			payerFact{"Reference", r.ExternalReference, "payer-reference"},
			payerFact{"Pay before", longTime(r.ExpiresAt), "payer-due"},
		),
	}
	switch r.Status {
	case paid:
		page.Title = "This payment request is paid"
		page.setStatus(paid, "Thank you. There is nothing left to pay.")
	case expiredRequest:
		page.Title = "This payment request has expired"
		page.setStatus(expiredRequest, "It can no longer be paid. Ask the merchant for another one.")
	case failedRequest:
		page.Title = "This payment request has failed"
		page.setStatus(failedRequest, "It can no longer be paid. Ask the merchant for another one.")
	default:
		page.target = payerTarget{
			payment: Payment{Request: r.ID}, currency: moment.Currency(r.Currency), owed: &r.Amount,
			rules: &paymentRules{}, limit: math.MaxInt64,
		}
	}
	return page
}

type billPayable struct{ *bill }

func (b billPayable) id() string { return b.ID }

func (b billPayable) money(minorUnits int64) string {
	return moment.Amount(minorUnits).In(moment.Currency(b.Currency)).String()
}

func (b billPayable) link() payerLink {
	return payerLink{payPath + b.ID, "Bill " + b.ExternalReference, b.money(b.AmountRemaining)}
}

func (b billPayable) page(h *Handler) payerPage {
	page := payerPage{
		Title:  "Your bill from the test merchant",
		Amount: b.money(b.AmountRemaining),
		Facts: facts(
			payerFact{"Bill", b.ExternalReference, "payer-reference"},
			payerFact{"Customer", h.customers.byID[b.CustomerID].Name, "payer-customer"},
			payerFact{"Dated", longDate(b.BillDate), "payer-date"},
			payerFact{"Due", longDate(b.DueDate), "payer-due"},
		),
	}
	if b.AmountPaid > 0 {
		page.Facts = append(page.Facts, payerFact{"Paid so far", b.money(b.AmountPaid) + " of " + b.money(b.AmountDue), "payer-paid"})
	}
	page.target = payerTarget{
		payment: Payment{Bill: b.ID}, currency: moment.Currency(b.Currency), owed: &b.AmountRemaining,
		rules: b.PaymentRules, limit: maxAmount - b.AmountPaid,
	}
	switch {
	case b.Status == voided:
		page.Title, page.Amount = "This bill is cancelled", ""
		page.setStatus(voided, "The merchant voided it. There is nothing to pay.")
	case b.Status == paid:
		page.Title, page.Amount = "This bill is paid", b.money(b.AmountPaid)
		page.setStatus(paid, "Thank you. There is nothing left to pay.")
	case b.PaymentRules == nil:
		page.setStatus(failedRequest, "This bill has no payment_rules, so it cannot be paid.")
	case b.DueDate != "" && b.DueDate < h.now().UTC().Format(time.DateOnly):
		page.setStatus("overdue", "This bill is overdue.")
	}
	if b.Status == voided || b.PaymentRules == nil {
		page.target = payerTarget{}
	}
	return page
}

type accountPayable struct{ *account }

func (a accountPayable) id() string { return a.ID }

func (a accountPayable) link() payerLink {
	return payerLink{payPath + a.ID, "Account " + a.ExternalReference, a.text()}
}

func (a accountPayable) page(h *Handler) payerPage {
	page := a.balance.page("Your account with the test merchant", Payment{Account: a.ID})
	page.Facts = facts(
		payerFact{"Account", joined(a.Name, a.ExternalReference), "payer-reference"},
		payerFact{"Customer", h.customers.byID[a.CustomerID].Name, "payer-customer"},
	)
	page.Links = h.outstanding(func(b *bill) bool { return b.AccountID == a.ID }, func(*account) bool { return false })
	return page
}

type customerPayable struct{ *customer }

func (c customerPayable) id() string { return c.ID }

func (c customerPayable) link() payerLink {
	return payerLink{payPath + c.ID, "Customer " + c.ExternalReference, c.text()}
}

func (c customerPayable) page(h *Handler) payerPage {
	page := c.balance.page("Your balance with the test merchant", Payment{Customer: c.ID})
	page.Facts = facts(payerFact{"Customer", joined(c.Name, c.ExternalReference), "payer-reference"})
	page.Links = h.outstanding(func(b *bill) bool { return b.CustomerID == c.ID }, func(a *account) bool { return a.CustomerID == c.ID })
	return page
}

// page returns the page of a balance. Its amount is unknown without a balance, and a credit is not a
// debt.
func (b *balance) page(title string, to Payment) payerPage {
	page := payerPage{Title: title, Amount: b.text()}
	page.target = payerTarget{payment: to, currency: moment.Currency(b.Currency), owed: b.Balance, rules: b.PaymentRules, limit: math.MaxInt64}
	switch {
	case b.Currency == "":
		page.Title = "There is nothing to pay here"
		page.setStatus("none", "The merchant tracks no balance here.")
	case b.Balance != nil && *b.Balance <= 0:
		page.setStatus(paid, "Nothing is due.")
	}
	return page
}

// text is the balance as money, or empty without a balance.
func (b *balance) text() string {
	if b.Balance == nil {
		return ""
	}
	return moment.Amount(*b.Balance).In(moment.Currency(b.Currency)).String()
}

// outstanding lists the unpaid bills and the balances that are due.
func (h *Handler) outstanding(hasBill func(*bill) bool, hasAccount func(*account) bool) []payerLink {
	var links []payerLink
	for _, a := range h.accounts.ordered {
		if hasAccount(a) && a.Balance != nil && *a.Balance > 0 {
			links = append(links, accountPayable{a}.link())
		}
	}
	for _, b := range h.bills.ordered {
		if hasBill(b) && b.Status == unpaid && b.PaymentRules != nil {
			links = append(links, billPayable{b}.link())
		}
	}
	return links[:min(len(links), maxPayerLinks)]
}

func (p *payerPage) setStatus(status, text string) { p.Status, p.StatusText = status, text }

// joined is a name and, in brackets, a reference.
func joined(name, reference string) string {
	if name == "" {
		return reference
	}
	return fmt.Sprintf("%s (%s)", name, reference)
}

func capitalise(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] }
