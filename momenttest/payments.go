package momenttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/moment-billing/moment-go"
)

// Payment is a payment of a customer, an account, a bill or a payment request: exactly one of the
// four is set, to its id or, except for a payment request, its external reference.
type Payment struct {
	Customer string // its balance does not change
	Account  string // its balance does not change
	Bill     string // its amount_paid grows
	Request  string // becomes paid; the Amount must be its full amount

	Amount moment.Amount // 1 or more, in minor units of the target's currency
	Method string        // the type in payment_method_details; empty: a card, the credit Visa that ends in 4242

	// AnyAmount accepts an Amount that the payment_rules or the amount due reject: an overpayment,
	// for example. A payment request can still be paid in full only.
	AnyAmount bool
	Deliver   Deliver // when the events are delivered; the zero value is DeliverNow

	id string // empty: a new one
}

// Deliver says when the events of a payment are delivered.
type Deliver string

// The values of Deliver.
const (
	DeliverNow   Deliver = "now"   // before Pay returns
	DeliverHold  Deliver = "hold"  // by Resend, which requires WithOutbox
	DeliverNever Deliver = "never" // as if the event was lost
)

func (d Deliver) now() bool { return d == "" || d == DeliverNow }

// Pay records a payment, which [moment.PaymentsService.Get] finds, and delivers its event to the
// endpoint of [Handler.SetWebhook]: obligation.amount_applied or, for a payment request,
// payment.succeeded and then payment_request.paid. It returns when the endpoint has acknowledged
// each event, or after [MaxDeliveryAttempts]. With [WithOutbox], it returns after the first
// attempt. Pay does not return an error if the endpoint does not acknowledge an event; check
// [Delivery.Acknowledged]. The Delivery is that of the last event.
//
// A bill's amount_paid, amount_remaining and status change. The balances of customers and accounts
// do not, because the merchant reconciles them with the event. A payment request becomes paid,
// without another change, because Moment does not document that its payment is applied to a bill.
//
// Pay returns an error without a Delivery, and does not change anything, in these cases: ctx has
// ended; Payment does not have exactly one target; the Amount is below 1; the target does not
// exist, is a voided bill, has no currency, or has payment_rules that reject the Amount; or the
// payment request has another amount, or can no longer be paid. If ctx ends before an event is
// acknowledged, Pay returns an error and the Delivery, and the payment stays recorded.
func (h *Handler) Pay(ctx context.Context, p Payment) (*Delivery, error) {
	return h.settle(ctx, "pay", p, h.pay)
}

// settle records a payment and delivers its events.
func (h *Handler) settle(ctx context.Context, op string, p Payment, record func(Payment) ([]event, error)) (*Delivery, error) {
	err := ctx.Err()
	var to *webhook
	var messages []*message
	if err == nil {
		to, messages, err = h.recordPayment(p, record)
	}
	if err != nil {
		return nil, fmt.Errorf("momenttest: %s: %w", op, err)
	}
	h.sync()
	if p.Deliver == DeliverHold || p.Deliver == DeliverNever {
		to = nil
	}
	return h.deliverAll(ctx, op+": the payment is recorded, its event is not acknowledged", messages, to)
}

// deliverAll delivers one message after the other, without the lock, because the endpoint may call
// the service.
func (h *Handler) deliverAll(ctx context.Context, failure string, messages []*message, to *webhook) (d *Delivery, err error) {
	for i, m := range messages {
		next := &Delivery{MessageID: m.ID, Body: m.Event}
		if to != nil {
			next, err = h.deliver(ctx, m, *to)
		}
		next.Previous, d = d, next
		if err != nil {
			h.release(messages[i+1:])
			return d, fmt.Errorf("momenttest: %s: %w", failure, err)
		}
	}
	return d, nil
}

// release passes messages to the outbox.
func (h *Handler) release(messages []*message) {
	h.mu.Lock()
	for _, m := range messages {
		m.sending = false
	}
	h.mu.Unlock()
	h.wakeOutbox()
}

// newMessages returns the messages of events. The outbox keeps them unless they are never to be
// delivered. They are due immediately, because the process may end before their first attempt.
func (h *Handler) newMessages(deliver Deliver, bodies ...[]byte) []*message {
	messages := make([]*message, len(bodies))
	for i, body := range bodies {
		m := &message{Message: Message{Event: body, CreatedAt: h.now().UTC()}}
		if deliver != DeliverNever {
			m.ID = newMessageID()
		}
		if m.sending = deliver.now() && h.webhook != nil; m.sending {
			m.NextAttemptAt = m.CreatedAt
		}
		if h.keepsEvents && deliver != DeliverNever {
			h.keep(m)
		}
		messages[i] = m
	}
	return messages
}

// recordPayment records a payment and returns its events, and the webhook that receives them.
func (h *Handler) recordPayment(p Payment, record func(Payment) ([]event, error)) (*webhook, []*message, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !exactlyOne(p.Customer, p.Account, p.Bill, p.Request):
		return nil, nil, errors.New("exactly one of Customer, Account, Bill and Request must be set")
	case p.Amount < 1:
		return nil, nil, fmt.Errorf("the amount must be 1 or more, not %d", p.Amount)
	case !p.Deliver.now() && p.Deliver != DeliverHold && p.Deliver != DeliverNever:
		return nil, nil, fmt.Errorf("Deliver must be now, hold or never, not %q", p.Deliver)
	}
	events, err := record(p)
	if err != nil {
		return nil, nil, err
	}
	bodies := make([][]byte, len(events))
	for i, e := range events {
		bodies[i] = encode(e)
	}
	messages := h.newMessages(p.Deliver, bodies...)
	h.changed()
	return h.webhook, messages, nil
}

// pay records a payment and returns the events about it.
func (h *Handler) pay(p Payment) ([]event, error) {
	t, err := h.check(p)
	if err != nil {
		return nil, err
	}
	h.addPayment(t.made)
	if r := t.request; r != nil {
		r.Status, r.PaymentID, r.UpdatedAt = paid, t.made.ID, t.made.CreatedAt
		h.paymentRequests.touch(r)
		return []event{newEvent("payment.succeeded", t.made), newEvent("payment_request.paid", r)}, nil
	}
	if b := t.bill; b != nil {
		b.setPaid(b.AmountPaid + t.applied.Amount)
		h.bills.touch(b)
	}
	h.payments = append(h.payments, t.applied)
	return []event{newEvent("obligation.amount_applied", t.applied)}, nil
}

type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data any    `json:"data"`
}

func newEvent(kind string, data any) event { return event{"evt_" + randomID(), kind, data} }

type amountApplied struct {
	ID         string            `json:"id"`
	Amount     int64             `json:"amount"`
	Currency   string            `json:"currency"`
	PaymentID  string            `json:"payment_id"`
	CustomerID string            `json:"customer_id,omitempty"` // exactly one of the three is set
	AccountID  string            `json:"account_id,omitempty"`
	BillID     string            `json:"bill_id,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"` // of the customer, account or bill
	CreatedAt  string            `json:"created_at"`
	UpdatedAt  string            `json:"updated_at"`
}

// transfer is a payment that may be recorded, and the change that it makes.
type transfer struct {
	made    *payment
	applied amountApplied
	bill    *bill // nil, unless a bill is paid
	request *paymentRequest
}

// check returns the payment that p makes, without a change.
func (h *Handler) check(p Payment) (transfer, error) {
	if _, taken := h.paymentDetails.byID[p.id]; taken {
		return transfer{}, fmt.Errorf("%s exists already", p.id)
	}
	if p.Request != "" {
		return h.checkRequestPayment(p)
	}
	to, notFound := h.obligation(p.Customer, p.Account, p.Bill)
	if notFound != nil {
		return transfer{}, errors.New(notFound.Detail)
	}
	now := formatTime(h.now())
	data := amountApplied{
		ID:        "ob_" + randomID(),
		Amount:    int64(p.Amount),
		PaymentID: p.newID(),
		CreatedAt: now,
		UpdatedAt: now,
	}
	data.CustomerID, data.AccountID, data.BillID = to.ids()
	var reference string
	var err error
	switch {
	case to.customer != nil:
		reference = to.customer.ExternalReference
		data, err = applyToBalance(data, data.CustomerID, &to.customer.balance, p.AnyAmount)
	case to.account != nil:
		reference = to.account.ExternalReference
		data, err = applyToBalance(data, data.AccountID, &to.account.balance, p.AnyAmount)
	default:
		reference = to.bill.ExternalReference
		data.Currency, data.Metadata = to.bill.Currency, to.bill.Metadata
		err = to.bill.checkPayment(data.Amount, p.AnyAmount)
	}
	if err != nil {
		return transfer{}, err
	}
	made := h.newPayment(data.PaymentID, data.Amount, data.Currency, p.Method, reference, data.Metadata)
	return transfer{made: made, applied: data, bill: to.bill}, nil
}

func (p Payment) newID() string { return cmp.Or(p.id, "pay_"+randomID()) }

// target names the paid object in errors.
func (p Payment) target() string { return cmp.Or(p.Request, p.Bill, p.Account, p.Customer) }

func exactlyOne(names ...string) bool {
	n := 0
	for _, name := range names {
		if name != "" {
			n++
		}
	}
	return n == 1
}

// obligation is the target of a payment: one of the three is set.
type obligation struct {
	customer *customer
	account  *account
	bill     *bill
}

// obligation finds the target by the one name that is not empty: an id or an external reference.
func (h *Handler) obligation(customer, account, bill string) (to obligation, notFound *problem) {
	switch {
	case customer != "":
		to.customer, notFound = h.customers.find(customer)
	case account != "":
		to.account, notFound = h.accounts.find(account)
	default:
		to.bill, notFound = h.bills.find(bill)
	}
	return to, notFound
}

// ids returns the id of the target, and two empty strings.
func (to obligation) ids() (customer, account, bill string) {
	switch {
	case to.customer != nil:
		return to.customer.ID, "", ""
	case to.account != nil:
		return "", to.account.ID, ""
	default:
		return "", "", to.bill.ID
	}
}

// checkPayment returns an error if the bill's payment rules do not allow the amount.
func (b *bill) checkPayment(amount int64, anyAmount bool) error {
	switch {
	case b.Status == voided:
		return fmt.Errorf("%s is voided: it can no longer be paid", b.ID)
	case anyAmount:
		return b.checkTotal(amount)
	case b.PaymentRules == nil:
		return fmt.Errorf("%s has no payment_rules, so it cannot be paid against", b.ID)
	}
	if err := b.PaymentRules.check(b.ID, b.Currency, amount, &b.AmountRemaining); err != nil {
		return err
	}
	return b.checkTotal(amount)
}

func (b *bill) checkTotal(amount int64) error {
	if amount > maxAmount-b.AmountPaid {
		return fmt.Errorf("%s would have an amount_paid of more than %d", b.ID, maxAmount)
	}
	return nil
}

// applyToBalance checks the payment of a customer or an account. It does not change the balance,
// because the merchant reconciles it. Without payment rules, every amount is accepted.
func applyToBalance(data amountApplied, id string, b *balance, anyAmount bool) (amountApplied, error) {
	if b.Currency == "" {
		return data, fmt.Errorf("%s has no currency, so it cannot be paid", id)
	}
	data.Currency, data.Metadata = b.Currency, b.Metadata
	if b.PaymentRules == nil || anyAmount {
		return data, nil
	}
	return data, b.PaymentRules.check(id, b.Currency, data.Amount, b.Balance)
}
