package momenttest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
)

// State is what a server holds, in the order in which it came. As JSON it can be kept, and given to
// [Handler.Seed] later.
type State struct {
	Customers []moment.Customer      `json:"customers"` // with what they owe now
	Accounts  []moment.Account       `json:"accounts"`  // with what is owed on them now
	Bills     []moment.Bill          `json:"bills"`     // with what is paid, voided ones too
	Payments  []moment.AmountApplied `json:"payments"`  // that Handler.Pay applied to customers, accounts and bills

	PaymentRequests []moment.PaymentRequest `json:"payment_requests"` // with what became of them
	PaymentDetails  []moment.Payment        `json:"payment_details"`  // how each payment was made, or failed

	Responses []SavedResponse `json:"responses"` // to requests with an idempotency key
}

// SavedResponse is what a request with an idempotency key was answered, and is answered again until
// Expires.
type SavedResponse struct {
	IdempotencyKey string          `json:"idempotency_key"` // of the request
	Fingerprint    string          `json:"fingerprint"`     // a hash of the path and the body
	Status         int             `json:"status"`          // of the response: a success or a failure
	Body           json.RawMessage `json:"body"`            // of the response
	Expires        time.Time       `json:"expires"`         // when the key may be used again
}

// String has a line for each customer, account, bill, payment request and payment.
func (s State) String() string {
	var b strings.Builder
	line := func(parts ...string) {
		fmt.Fprintln(&b, strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " "))
	}
	balance := func(money moment.Money, ok bool) string {
		if !ok {
			return ""
		}
		return "balance " + money.String()
	}
	for _, c := range s.Customers {
		line("customer", c.ID, c.ExternalReference, balance(c.BalanceMoney()))
	}
	for _, a := range s.Accounts {
		line("account", a.ID, a.ExternalReference, "of", a.CustomerID, balance(a.BalanceMoney()))
	}
	for i := range s.Bills {
		bill := &s.Bills[i]
		parent := bill.AccountID
		if parent == "" {
			parent = bill.CustomerID
		}
		line("bill", bill.ID, bill.ExternalReference, "of", parent, string(bill.Status), bill.PaidMoney().String(), "of", bill.DueMoney().String(), "paid")
	}
	for _, p := range s.Payments {
		_, id := p.Obligation()
		line("payment", p.PaymentID, "to", id, p.Money().String())
	}
	for i := range s.PaymentRequests {
		r := &s.PaymentRequests[i]
		line("payment request", r.ID, r.ExternalReference, string(r.Status), r.Money().String())
	}
	return b.String()
}

// State returns all that the server holds: a copy, which does not change with it. Idempotency keys
// whose requests still run are not in it.
func (h *Handler) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state()
}

func (h *Handler) state() State {
	state := State{
		Customers: copied[moment.Customer](h.customers.ordered),
		Accounts:  copied[moment.Account](h.accounts.ordered),
		Bills:     copied[moment.Bill](h.bills.ordered),
		Payments:  copied[moment.AmountApplied](h.payments),
	}
	for _, r := range h.paymentRequests.ordered {
		r.expire(h.now())
	}
	state.PaymentRequests = copied[moment.PaymentRequest](h.paymentRequests.ordered)
	state.PaymentDetails = copied[moment.Payment](h.paymentDetails.ordered)
	for key, saved := range h.keys {
		if h.now().Before(saved.expires) { // while a request runs, there is nothing to answer yet
			state.Responses = append(state.Responses, SavedResponse{key, saved.request, saved.response.status, bytes.Clone(saved.response.body), saved.expires})
		}
	}
	slices.SortFunc(state.Responses, func(a, b SavedResponse) int {
		return cmp.Or(a.Expires.Compare(b.Expires), strings.Compare(a.IdempotencyKey, b.IdempotencyKey))
	})
	return state
}

// copied gives objects the types of package moment. The wire is what both sides agree on.
func copied[T, F any](objects []F) []T {
	all := make([]T, len(objects))
	for i, object := range objects {
		if err := json.Unmarshal(encode(object), &all[i]); err != nil {
			panic("momenttest: " + err.Error())
		}
	}
	return all
}
