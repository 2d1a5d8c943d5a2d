package momenttest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
)

// Seed adds the objects that a test starts with. They may have ids of your choice, payment rules
// and amounts paid, and bills may be voided. Members that are required on creation are required
// here. Missing ids are generated, and so are members that follow from others. The CustomerID of an
// account and the CustomerID or AccountID of a bill may be an id or an external reference. A bill
// without PaymentRules cannot be paid.
//
// If the service would reject an object, Seed does not add any, and the error names the object and
// the reason.
func (h *Handler) Seed(state State) error {
	err := h.addSeed(state)
	if err != nil {
		return fmt.Errorf("momenttest: seed: %w", err)
	}
	h.sync()
	h.wakeOutbox()
	return nil
}

func (h *Handler) addSeed(state State) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, offset := h.data, h.offset.Load()
	h.data = before.clone()
	if state.ClockOffset != 0 {
		h.offset.Store(int64(state.ClockOffset))
		h.clockMoved = true
	}
	if err := h.seed(state); err != nil {
		h.data = before
		h.offset.Store(offset)
		return err
	}
	changed, some := h.takeChanges(true)
	if some && h.journal != nil {
		h.journal.Append(changed)
	}
	changed.ClockOffset = state.ClockOffset
	h.seeds = append(h.seeds, changed)
	return nil
}

// Reset restores the data that Seed added and the clock. It removes everything else: faults,
// events, requests and saved responses too. It does not change the webhook, the options or the
// generated ids of seeded objects.
func (h *Handler) Reset() {
	h.mu.Lock()
	h.clear()
	for _, seed := range h.seeds {
		h.offset.Store(int64(cmp.Or(seed.ClockOffset, time.Duration(h.offset.Load()))))
		if err := h.seed(seed); err != nil {
			panic("momenttest: reset: " + err.Error()) // it was accepted before
		}
	}
	h.faults, h.requests, h.requestBytes = nil, nil, 0
	h.replaced()
	h.mu.Unlock()
	h.sync()
	h.wakeOutbox()
}

// Restore replaces all data of the server by a State, and continues the deliveries of its outbox.
// It does not change faults, recorded requests or the data that [Handler.Reset] restores. Like
// [Handler.Seed], it does not change anything if an object is rejected.
func (h *Handler) Restore(state State) error {
	err := h.restore(state)
	if err != nil {
		return fmt.Errorf("momenttest: restore: %w", err)
	}
	h.sync()
	h.wakeOutbox()
	return nil
}

func (h *Handler) restore(state State) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, offset, expiry := h.data, h.offset.Load(), h.nextExpiry
	h.clear()
	h.offset.Store(int64(state.ClockOffset))
	if err := h.seed(state); err != nil {
		h.data, h.nextExpiry = before, expiry
		h.offset.Store(offset)
		return err
	}
	h.replaced()
	return nil
}

// clear removes all data, and sets the clock back.
func (h *Handler) clear() {
	h.data, h.nextExpiry = newData(), time.Time{}
	h.offset.Store(0)
}

func (h *Handler) seed(state State) error {
	// In this order, because objects refer to those before. The first error ends it, because others
	// often follow from it.
	for _, seed := range []func() error{
		func() error { return seedEach("Customers", state.Customers, h.seedCustomer) },
		func() error { return seedEach("Accounts", state.Accounts, h.seedAccount) },
		func() error { return seedEach("Bills", state.Bills, h.seedBill) },
		func() error { return seedEach("Payments", state.Payments, h.seedPayment) },
		func() error { return seedEach("PaymentRequests", state.PaymentRequests, h.seedPaymentRequest) },
		func() error { return seedEach("PaymentDetails", state.PaymentDetails, h.seedPaymentDetails) },
		func() error { return seedEach("Responses", state.Responses, h.seedResponse) },
		func() error { return seedEach("Outbox", state.Outbox, h.seedMessage) },
	} {
		if err := seed(); err != nil {
			return err
		}
	}
	return nil
}

func seedEach[T any](name string, all []T, seed func(*params, T) *problem) error {
	for i, object := range all {
		sent, err := seedParams(object)
		if err != nil {
			return fmt.Errorf("%s[%d]: %w", name, i, err)
		}
		if p := seed(sent, object); p != nil {
			return fmt.Errorf("%s[%d]: %s", name, i, strings.TrimSuffix(p.Detail, "."))
		}
	}
	return nil
}

// seedParams returns an object's members as parameters. Empty strings count as left out.
func seedParams(object any) (*params, error) {
	body, err := json.Marshal(object)
	var bad *moment.ArgumentError // for an invalid Date
	switch {
	case errors.As(err, &bad):
		return nil, bad
	case err != nil:
		return nil, err
	}
	p, problem := readParams(body)
	if problem != nil {
		return nil, errors.New(problem.Detail)
	}
	maps.DeleteFunc(p.fields, func(_ string, value json.RawMessage) bool { return string(value) == `""` })
	return p, nil
}

func (h *Handler) seedCustomer(p *params, _ moment.Customer) *problem {
	c := h.newCustomer(p)
	p.text("id", idForm("bcus_"), &c.ID)
	p.paymentRules(&c.PaymentRules)
	if p.problem() != nil {
		return p.problem()
	}
	return h.addCustomer(c, "")
}

func (h *Handler) seedAccount(p *params, _ moment.Account) *problem {
	p.rename("customer_id", "customer")
	a := h.newAccount(p)
	p.text("id", idForm("bacc_"), &a.ID)
	p.paymentRules(&a.PaymentRules)
	if p.problem() != nil {
		return p.problem()
	}
	return h.addAccount(a, "")
}

func (h *Handler) seedBill(p *params, seeded moment.Bill) *problem {
	if seeded.AccountID != "" {
		delete(p.fields, "customer_id") // it follows from the account, and is compared below
	}
	p.rename("customer_id", "customer")
	p.rename("account_id", "account")
	b := h.newBill(p)
	p.text("id", idForm("bill_"), &b.ID)
	b.PaymentRules = nil
	p.paymentRules(&b.PaymentRules)
	b.seedAmounts(p, string(seeded.Status))
	if seeded.AccountID != "" && seeded.CustomerID != "" {
		if owner := h.customers.lookup(seeded.CustomerID); owner == nil || owner.ID != b.CustomerID {
			p.failf(http.StatusBadRequest, "customer_id", "%q is not the account's customer", seeded.CustomerID)
		}
	}
	if p.problem() != nil {
		return p.problem()
	}
	return h.addBill(b, "")
}

func (b *bill) seedAmounts(p *params, status string) {
	var amount, remaining int64
	p.integer("amount_paid", 0, maxAmount, &amount)
	p.integer("amount_remaining", 0, maxAmount, &remaining)
	b.setPaid(amount)
	if remaining != 0 && remaining != b.AmountRemaining {
		p.failf(http.StatusBadRequest, "amount_remaining", "must be %d, or left out", b.AmountRemaining)
	}
	switch status {
	case "", b.Status:
	case voided:
		b.Status = voided
	default:
		p.failf(http.StatusBadRequest, "status", "must be %s, which follows from the amounts, or %s, or left out", b.Status, voided)
	}
}

func (h *Handler) seedPayment(_ *params, seeded moment.AmountApplied) *problem {
	now := h.now().UTC()
	p := amountApplied{
		ID:        cmp.Or(seeded.ID, "ob_"+randomID()),
		Amount:    int64(seeded.Amount),
		Currency:  string(seeded.Currency),
		PaymentID: cmp.Or(seeded.PaymentID, "pay_"+randomID()),
		Metadata:  seeded.Metadata,
		CreatedAt: cmp.Or(seeded.CreatedAt, now).Format(time.RFC3339Nano),
		UpdatedAt: cmp.Or(seeded.UpdatedAt, now).Format(time.RFC3339Nano),
	}
	if !exactlyOne(seeded.CustomerID, seeded.AccountID, seeded.BillID) {
		return newProblem(http.StatusBadRequest, "exactly one of customer_id, account_id and bill_id is required")
	}
	to, notFound := h.obligation(seeded.CustomerID, seeded.AccountID, seeded.BillID)
	switch {
	case notFound != nil:
		return notFound
	case seeded.Amount < 1:
		return newProblem(http.StatusBadRequest, "amount must be 1 or more")
	case !currencyCode.valid(p.Currency):
		return newProblem(http.StatusBadRequest, "currency must be %s", currencyCode.form)
	}
	p.CustomerID, p.AccountID, p.BillID = to.ids()
	h.payments = append(h.payments, p)
	return nil
}

func (h *Handler) seedResponse(_ *params, seeded SavedResponse) *problem {
	if p := checkKey(seeded.IdempotencyKey); p != nil {
		return p
	}
	if seeded.Status < 100 || seeded.Status > 599 {
		return newProblem(http.StatusBadRequest, "status %d is not an HTTP status", seeded.Status)
	}
	var body bytes.Buffer
	if err := json.Compact(&body, seeded.Body); err != nil { // because stored JSON may be indented, and responses are not
		return newProblem(http.StatusBadRequest, "body is not JSON")
	}
	h.saveResponse(seeded.IdempotencyKey, savedResponse{seeded.Fingerprint, response{status: seeded.Status, body: body.Bytes()}, seeded.Expires})
	return nil
}

func idForm(prefix string) textForm {
	return matching("an id: "+prefix+" and then letters and digits", "^"+prefix+"[a-zA-Z0-9]+$")
}

// rename renames a member of an object to the parameter that sets it.
func (p *params) rename(member, parameter string) {
	if value, ok := p.fields[member]; ok {
		p.fields[parameter] = value
		delete(p.fields, member)
	}
}

func (p *params) paymentRules(dst **paymentRules) {
	var rules paymentRules
	if value(p, "payment_rules", "an object whose min_amount is not above its max_amount", func(r paymentRules) bool {
		return r.MinAmount == nil || r.MaxAmount == nil || *r.MinAmount <= *r.MaxAmount
	}, &rules) {
		*dst = &rules
	}
}

// data is the state of a service.
type data struct {
	customers collection[customer]
	accounts  collection[account]
	bills     collection[bill]
	payments  []amountApplied

	paymentRequests collection[paymentRequest]
	paymentDetails  collection[payment]

	messages collection[message] // of the outbox

	keys        map[string]savedResponse
	changedKeys []string // since the journal was last written

	keptPayments int // that the journal has
}

func newData() data {
	return data{
		customers:       newCollection[customer]("customer"),
		accounts:        newCollection[account]("account"),
		bills:           newCollection[bill]("bill"),
		paymentRequests: newCollection[paymentRequest]("payment request"),
		paymentDetails:  newCollection[payment]("payment"),
		messages:        newCollection[message]("message"),
		keys:            map[string]savedResponse{},
	}
}

// clone returns a copy. Adding to it does not change the original.
func (d data) clone() data {
	d.customers = d.customers.clone()
	d.accounts = d.accounts.clone()
	d.bills = d.bills.clone()
	d.payments = slices.Clip(d.payments)
	d.paymentRequests = d.paymentRequests.clone()
	d.paymentDetails = d.paymentDetails.clone()
	d.messages = d.messages.clone()
	d.keys = maps.Clone(d.keys)
	d.changedKeys = slices.Clip(d.changedKeys)
	return d
}
