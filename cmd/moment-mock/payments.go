package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/localhost"
	"github.com/moment-billing/moment-go/momenttest"
)

const (
	paymentsPath = "/_mock/payments"
	maxOrder     = 64 << 10
)

// order is what is posted to paymentsPath.
type order struct {
	To     string `json:"to"`     // an id or an external reference
	Amount string `json:"amount"` // a decimal
}

// receipt is the response.
type receipt struct {
	To           string          `json:"to"`                  // the id
	Money        string          `json:"money"`               // ZAR 15.00
	Remaining    string          `json:"remaining,omitempty"` // of a bill: ZAR 5.00
	MessageID    string          `json:"message_id"`
	Attempts     int             `json:"attempts"` // 0 if events go nowhere
	Acknowledged bool            `json:"acknowledged"`
	Status       int             `json:"status"`          // of the endpoint's last response; 0 if there was none
	Error        string          `json:"error,omitempty"` // why there was none
	Event        json.RawMessage `json:"event"`
}

// refusal is the response if nothing was paid: problem details, like the service's.
type refusal struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// handler is the fake with a path that records payments.
type handler struct {
	fake *momenttest.Handler
	host string // of --listen; may be ""
}

func newHandler(listen string, options ...momenttest.Option) *handler {
	host, _, _ := net.SplitHostPort(listen)
	return &handler{momenttest.NewHandler(append(options, momenttest.WithHost(host))...), host}
}

// ServeHTTP does not use http.ServeMux, because that redirects untidy paths, which the fake
// rejects.
//
// Web pages that a browser on this machine has opened cannot pay. JSON for another site needs a
// consent (CORS) that is not given here, and the fake rejects the requests of a page whose own name
// was made to resolve to this machine.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != paymentsPath || !localhost.Accepts(r.Host, h.host) {
		h.fake.ServeHTTP(w, r)
		return
	}
	receipt, rejection := h.pay(w, r)
	if rejection != nil {
		rejection.Title = http.StatusText(rejection.Status)
		writeJSON(w, rejection.Status, "application/problem+json", rejection)
		return
	}
	writeJSON(w, http.StatusOK, "application/json", receipt)
}

func writeJSON(w http.ResponseWriter, status int, mediaType string, content any) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content) //nolint:errchkjson // a client that has disconnected needs no response
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{Status: status, Detail: fmt.Sprintf(format, args...)}
}

func (h *handler) pay(w http.ResponseWriter, r *http.Request) (*receipt, *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, refuse(http.StatusMethodNotAllowed, "the method must be POST")
	}
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "the header Content-Type must be application/json")
	}
	var o order
	if err := decode(http.MaxBytesReader(w, r.Body, maxOrder), &o); err != nil || o.To == "" || o.Amount == "" {
		return nil, refuse(http.StatusBadRequest, `the body must be JSON like {"to": "bill_…", "amount": "15.00"}, and nothing else; the amount is a string`)
	}
	target, refused := h.find(o.To)
	if refused != nil {
		return nil, refused
	}
	money, err := moment.ParseMoney(o.Amount, target.currency)
	var bad *moment.ArgumentError
	switch {
	case errors.As(err, &bad):
		return nil, refuse(http.StatusBadRequest, "amount: %s", bad.Reason)
	case err != nil: // of the currency
		return nil, refuse(http.StatusUnprocessableEntity, "%s: %v", target.id, err)
	case money.Amount < 1:
		return nil, refuse(http.StatusBadRequest, "amount: must be more than 0, not %s", o.Amount)
	}
	target.payment.Amount = money.Amount
	// The event is delivered even if the client disconnects, because the payment is applied.
	delivery, err := h.fake.Pay(context.WithoutCancel(r.Context()), target.payment)
	if delivery == nil {
		return nil, refuse(http.StatusUnprocessableEntity, "%s", strings.TrimPrefix(err.Error(), "momenttest: pay: "))
	}
	receipt := &receipt{
		To: target.id, Money: money.String(), Remaining: h.remaining(target.payment.Bill),
		MessageID: delivery.MessageID, Attempts: delivery.Attempts, Acknowledged: delivery.Acknowledged(), Status: delivery.Status, Event: delivery.Body,
	}
	if delivery.Err != nil {
		receipt.Error = delivery.Err.Error()
	}
	return receipt, nil
}

// target is what can be paid.
type target struct {
	kind     string
	id       string
	currency moment.Currency // "" if it has none
	payment  momenttest.Payment
}

// find looks a target up by its id or its external reference, which is unique among objects of one
// kind only.
func (h *handler) find(name string) (target, *refusal) {
	var found []target
	state := h.fake.State()
	for i := range state.Customers {
		if c := &state.Customers[i]; name == c.ID || name == c.ExternalReference {
			found = append(found, target{"customer", c.ID, c.Currency, momenttest.Payment{Customer: c.ID}})
		}
	}
	for i := range state.Accounts {
		if a := &state.Accounts[i]; name == a.ID || name == a.ExternalReference {
			found = append(found, target{"account", a.ID, a.Currency, momenttest.Payment{Account: a.ID}})
		}
	}
	for i := range state.Bills {
		if b := &state.Bills[i]; name == b.ID || name == b.ExternalReference {
			found = append(found, target{"bill", b.ID, b.Currency, momenttest.Payment{Bill: b.ID}})
		}
	}
	if i := slices.IndexFunc(found, func(t target) bool { return t.id == name }); i >= 0 {
		found = found[i : i+1] // because a bill's reference may be another bill's id
	}
	switch {
	case len(found) == 0 && strings.HasPrefix(name, "pr_"):
		return target{}, refuse(http.StatusUnprocessableEntity, "moment-mock does not support payments of payment requests yet, so it cannot pay %q: use the Go package momenttest", name)
	case len(found) == 0:
		return target{}, refuse(http.StatusNotFound, "no bill, account or customer has the id or external reference %q", name)
	case len(found) > 1:
		var all []string
		for _, t := range found {
			all = append(all, t.kind+" "+t.id)
		}
		return target{}, refuse(http.StatusConflict, "%q is the external reference of %s: name one by its id", name, strings.Join(all, " and of "))
	case found[0].currency == "":
		return target{}, refuse(http.StatusUnprocessableEntity, "%s has no currency, so it cannot be paid", found[0].id)
	}
	return found[0], nil
}

// remaining is what is left to pay of a bill, if there is an id of one.
func (h *handler) remaining(id string) string {
	if id == "" {
		return "" // a balance is the merchant's, and State copies all there is
	}
	state := h.fake.State()
	for i := range state.Bills {
		if state.Bills[i].ID == id {
			return state.Bills[i].RemainingMoney().String()
		}
	}
	return ""
}

// decode reads one JSON value and nothing else: what is not understood could matter.
func decode(from io.Reader, into any) error {
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows after its end")
	}
	return nil
}
