package momenttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
)

// State is the data of a server, in the order of creation. As JSON, it can be stored and passed to
// [Handler.Seed] later.
type State struct {
	Customers []moment.Customer      `json:"customers"` // with their current balances
	Accounts  []moment.Account       `json:"accounts"`  // with their current balances
	Bills     []moment.Bill          `json:"bills"`     // with their amounts paid, and voided ones too
	Payments  []moment.AmountApplied `json:"payments"`  // that Handler.Pay applied to customers, accounts and bills

	PaymentRequests []moment.PaymentRequest `json:"payment_requests"` // with their current status
	PaymentDetails  []moment.Payment        `json:"payment_details"`  // how each payment was made, or failed

	Responses []SavedResponse `json:"responses"` // to requests with an idempotency key
	Outbox    []Message       `json:"outbox"`    // events and their deliveries, with WithOutbox

	// ClockOffset is how far the clock was moved, in nanoseconds as JSON.
	ClockOffset time.Duration `json:"clock_offset"`
}

// SavedResponse is the response to the first request with an idempotency key. It is replayed until
// Expires.
type SavedResponse struct {
	IdempotencyKey string          `json:"idempotency_key"` // of the request
	Fingerprint    string          `json:"fingerprint"`     // a hash of the path and the body
	Status         int             `json:"status"`          // of the response: a success or a failure
	Body           json.RawMessage `json:"body"`            // of the response
	Expires        time.Time       `json:"expires"`         // from then on, the key is forgotten
}

// String returns a line for each customer, account, bill, payment request and payment.
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

// State returns a copy of all data of the server. Idempotency keys of requests in flight are not in
// it.
func (h *Handler) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state()
}

func (h *Handler) state() State {
	h.forgetExpired()
	state := State{
		Customers: copied[moment.Customer](h.customers.ordered),
		Accounts:  copied[moment.Account](h.accounts.ordered),
		Bills:     copied[moment.Bill](h.bills.ordered),
		Payments:  copied[moment.AmountApplied](h.payments),
		Responses: []SavedResponse{},
		Outbox:    copiedMessages(h.messages.ordered),

		ClockOffset: time.Duration(h.offset.Load()),
	}
	for _, r := range h.paymentRequests.ordered {
		r.expire(h.now())
	}
	state.PaymentRequests = copied[moment.PaymentRequest](h.paymentRequests.ordered)
	state.PaymentDetails = copied[moment.Payment](h.paymentDetails.ordered)
	for key, saved := range h.keys {
		if !saved.inFlight() {
			state.Responses = append(state.Responses, saved.export(key))
		}
	}
	slices.SortFunc(state.Responses, compareResponses)
	return state
}

// copied converts objects to the types of package moment, by their JSON.
func copied[T, F any](objects []F) []T {
	all := make([]T, len(objects))
	for i, object := range objects {
		if err := json.Unmarshal(encode(object), &all[i]); err != nil {
			panic("momenttest: " + err.Error())
		}
	}
	return all
}
