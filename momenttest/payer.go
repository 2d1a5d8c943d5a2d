package momenttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/moment-billing/moment-go"
)

// maxForm is the maximum size of a form of the payer's page.
const maxForm = 4 << 10

// servePayer responds with the payer's page: /_pay/{target} asks for money, and
// /_pay/{target}/{payment} is the receipt. The page is not an operation of the service: its
// requests need no API key, are not recorded, and meet no fault.
func (h *Handler) servePayer(w http.ResponseWriter, r *http.Request) {
	target, payment, isReceipt := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), payPath), "/")
	switch target, _ = url.PathUnescape(target); {
	case r.Method == http.MethodPost && !isReceipt:
		h.submitPayer(w, r, target)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, POST")
		writePayer(w, http.StatusMethodNotAllowed, payerPage{Problem: "This page accepts GET, and POST of its own forms."})
	case isReceipt:
		page, status := h.receiptPage(target, payment)
		writePayer(w, status, page)
	default:
		page, status := h.payerPage(target)
		writePayer(w, status, page)
	}
}

// submitPayer pays or declines, and redirects to the receipt, so that a reload does not pay again.
func (h *Handler) submitPayer(w http.ResponseWriter, r *http.Request, target string) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		writePayer(w, http.StatusForbidden, payerPage{Problem: "This form was sent by another site. Open the page again, and pay there."})
		return
	}
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/x-www-form-urlencoded" {
		writePayer(w, http.StatusUnsupportedMediaType, payerPage{Problem: "This page accepts its own forms only: application/x-www-form-urlencoded."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		writePayer(w, http.StatusBadRequest, payerPage{Problem: "The form could not be read."})
		return
	}
	page, status := h.payerPage(target)
	if status != http.StatusOK {
		writePayer(w, status, page)
		return
	}
	payment := r.PostForm.Get("payment")
	err := h.submit(r.Context(), page.target, payment, r.PostForm)
	if err != nil && !h.hasPayment(payment) {
		page.Error, page.Sent = payerError(err, page.target.payment), r.PostForm.Get("amount")
		writePayer(w, http.StatusUnprocessableEntity, page)
		return
	}
	http.Redirect(w, r, page.Path+"/"+payment, http.StatusSeeOther) //nolint:gosec // an id in its form, below a path of this server
}

// submit pays, or declines, under the id that the form contains. A form that is submitted twice
// pays once, because the second payment has the id of the first.
func (h *Handler) submit(ctx context.Context, to payerTarget, id string, form url.Values) error {
	if !paymentIdentifier.valid(id) {
		return errors.New("the form lacks its payment: open the page again")
	}
	money, err := moment.ParseMoney(strings.TrimSpace(form.Get("amount")), to.currency)
	if err != nil {
		return fmt.Errorf("the amount must be a number such as %s", exampleAmount(to.currency))
	}
	if money.Amount < 1 {
		return fmt.Errorf("the amount must be %s or more, not %s", to.money(1), money)
	}
	p := to.payment
	p.Amount, p.id = money.Amount, id
	pay := h.Pay
	if form.Has("decline") {
		pay = h.FailPayment
	}
	// The event is delivered even if the payer closes the page, because the payment is recorded. If
	// the endpoint does not acknowledge it, that is not the payer's business.
	delivery, err := pay(context.WithoutCancel(ctx), p)
	if delivery != nil {
		return nil
	}
	return err
}

func (h *Handler) hasPayment(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, p := h.getPayment(id, nil)
	return p == nil
}

// exampleAmount is 10 of a currency's major units: 10.00 for ZAR, 10 for JPY.
func exampleAmount(currency moment.Currency) string {
	exponent, _ := currency.Exponent()
	if exponent == 0 {
		return "10"
	}
	return "10." + strings.Repeat("0", exponent)
}

// payerError returns an error as a sentence for the payer, who knows neither ids nor payment_rules.
func payerError(err error, to Payment) string {
	text := err.Error()
	for _, prefix := range []string{"momenttest: ", "pay: ", "fail payment: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	text, _, _ = strings.Cut(text, ": its payment_rules")
	text, _, _ = strings.Cut(text, ": see ")
	noun := "this balance"
	switch {
	case to.Bill != "":
		noun = "this bill"
	case to.Request != "":
		noun = "this payment request"
	}
	text = strings.ReplaceAll(text, to.target(), noun)
	return capitalise(strings.TrimSuffix(text, ".")) + "."
}

func writePayer(w http.ResponseWriter, status int, page payerPage) {
	page.Style = payerStyle
	var body bytes.Buffer
	if err := payerTemplate.Execute(&body, page); err != nil {
		panic("momenttest: " + err.Error())
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", payerPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	// With no-referrer, browsers would send "Origin: null" with the page's own forms.
	header.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
