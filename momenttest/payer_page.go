package momenttest

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/moment-billing/moment-go"
)

//go:embed payer/*.html
var payerFiles embed.FS

//go:embed payer/page.css
var payerCSS string

var (
	payerTemplate = template.Must(template.ParseFS(payerFiles, "payer/page.html", "payer/ask.html", "payer/receipt.html"))
	payerStyle    = template.CSS(payerCSS) //nolint:gosec // it is embedded
	payerPolicy   = func() string {
		sum := sha256.Sum256([]byte(payerCSS))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	}()
)

// maxPayerLinks is the maximum number of other debts on a page.
const maxPayerLinks = 20

// payerPage is the data of page.html: a problem, a receipt, or a form.
type payerPage struct {
	Style   template.CSS
	Title   string
	Problem string // instead of everything below, except Links
	Receipt *receiptView
	Links   []payerLink

	Path               string // of the page, by the target's id
	Amount             string // that is asked for; empty: none is known
	Status, StatusText string
	Facts              []payerFact
	Error              string // of the form that was sent
	Sent               string // the amount in it
	NextPayment        string // the id of the payment that the forms make
	All, AllText       string // the amount in full, as a decimal and as money; empty: it cannot be paid
	Part               *partView

	target payerTarget
}

type (
	payerFact struct{ Name, Value, TestID string }
	payerLink struct{ Path, Name, Amount string }
	partView  struct{ Currency, Hint, Example string }
)

// payerTarget is what a page asks to be paid.
type payerTarget struct {
	payment  Payment // without an amount
	currency moment.Currency
	owed     *int64 // nil: not known
	rules    *paymentRules
	limit    int64 // the maximum of one payment under any rules
}

// payerPage returns the page of a target, and its status.
func (h *Handler) payerPage(name string) (payerPage, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := h.payerTargets(name)
	switch {
	case len(found) == 0:
		return payerPage{
			Title:   "There is nothing to pay here",
			Problem: fmt.Sprintf("No payment request, bill, account or customer has the id or the external reference %q.", name),
		}, http.StatusNotFound
	case len(found) > 1:
		page := payerPage{Title: "Which one is it?", Problem: fmt.Sprintf("The external reference %q belongs to several.", name)}
		for _, object := range found {
			page.Links = append(page.Links, object.link())
		}
		return page, http.StatusMultipleChoices
	}
	page := found[0].page(h)
	page.Path = payPath + url.PathEscape(found[0].id())
	page.NextPayment = "pay_" + randomID()
	page.offer()
	return page, http.StatusOK
}

// offer sets the forms: the whole amount, and any other that the rules allow.
func (p *payerPage) offer() {
	t := p.target
	if t.currency == "" {
		return
	}
	least, most := int64(1), t.limit
	if r := t.rules; r != nil {
		least, most = max(least, deref(r.MinAmount, least)), min(most, deref(r.MaxAmount, most))
		if t.owed != nil && !r.UnderpaymentAllowed {
			least = max(least, *t.owed)
		}
		if t.owed != nil && !r.OverpaymentAllowed {
			most = min(most, *t.owed)
		}
	}
	if t.owed != nil && *t.owed >= least && *t.owed <= most {
		all := t.money(*t.owed)
		p.All, _ = all.Decimal()
		p.AllText = all.String()
	}
	if _, err := t.currency.Exponent(); err != nil || least > most || least == most && p.All != "" {
		return // without an exponent, an amount cannot be entered
	}
	p.Part = &partView{Currency: string(t.currency), Example: exampleAmount(t.currency)}
	switch {
	case most < math.MaxInt64:
		p.Part.Hint = "From " + t.money(least).String() + " to " + t.money(most).String()
	default:
		p.Part.Hint = t.money(least).String() + " or more"
	}
}

func (t payerTarget) money(minorUnits int64) moment.Money {
	return moment.Amount(minorUnits).In(t.currency)
}

func deref(p *int64, otherwise int64) int64 {
	if p == nil {
		return otherwise
	}
	return *p
}

// receiptView is what receipt.html shows.
type receiptView struct {
	Paid         bool
	Amount, Text string
	Facts        []payerFact
	Part         bool   // something is left to pay
	Path         string // of the page that was paid
}

// receiptPage returns the receipt of a payment.
func (h *Handler) receiptPage(target, id string) (payerPage, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.paymentDetails.byID[id]
	if !ok {
		return payerPage{Title: "There is no such receipt", Problem: fmt.Sprintf("No payment has the id %q.", id)}, http.StatusNotFound
	}
	view := &receiptView{
		Paid:   p.Status == succeededPayment,
		Amount: moment.Amount(p.Amount).In(moment.Currency(p.Currency)).String(),
		Text:   "Thank you. This is your receipt.",
		Path:   payPath + url.PathEscape(target),
		Facts: facts(
			payerFact{"Reference", p.ExternalReference, "receipt-reference"},
			payerFact{"Method", methodText(p.Method), "receipt-method"},
			payerFact{"Time", longTime(p.CreatedAt), "receipt-time"},
			payerFact{"Payment id", p.ID, "receipt-payment"},
		),
	}
	if b, ok := h.bills.byID[target]; ok && view.Paid && b.AmountRemaining > 0 && b.Status != voided {
		view.Part = true
		view.Facts = append(view.Facts, payerFact{"Left to pay", billPayable{b}.money(b.AmountRemaining), "receipt-left"})
	}
	page := payerPage{Title: "Receipt for " + view.Amount, Receipt: view}
	if !view.Paid {
		page.Title, view.Text = "Card declined", "Nothing was paid."
		if p.LastError != nil {
			view.Text = p.LastError.Message + " Nothing was paid."
		}
	}
	return page, http.StatusOK
}

// methodText describes how a payment was made: "Visa that ends in 4242".
func methodText(method json.RawMessage) string {
	var m struct {
		Type string `json:"type"`
		Card struct {
			Scheme string `json:"scheme"`
			Last4  string `json:"last4"`
		} `json:"card"`
	}
	_ = json.Unmarshal(method, &m) // it is stored as JSON
	if m.Card.Last4 == "" {
		return m.Type
	}
	return cmp.Or(capitalise(m.Card.Scheme), "Card") + " that ends in " + m.Card.Last4
}

// facts leaves out those without a value.
func facts(all ...payerFact) []payerFact {
	var known []payerFact
	for _, f := range all {
		if f.Value != "" {
			known = append(known, f)
		}
	}
	return known
}

func longTime(rfc3339 string) string {
	at, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		return rfc3339
	}
	return at.UTC().Format("2 January 2006, 15:04 MST")
}

func longDate(date string) string {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return day.Format("2 January 2006")
}
