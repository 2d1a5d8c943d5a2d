package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const paymentsPath = "/_mock/payments"

// order is the body of a POST to paymentsPath.
type order struct {
	To        string             `json:"to"`               // an id or an external reference
	Amount    string             `json:"amount,omitempty"` // a decimal; empty: the remaining amount
	AnyAmount bool               `json:"any_amount,omitempty"`
	Declined  bool               `json:"declined,omitempty"`
	Method    string             `json:"method,omitempty"`
	Deliver   momenttest.Deliver `json:"deliver,omitempty"`
}

var decimalForm = regexp.MustCompile(`^[0-9]+([.][0-9]+)?$`)

// receipt is the response.
type receipt struct {
	To        string `json:"to"`                  // the id
	Money     string `json:"money"`               // ZAR 15.00
	Declined  bool   `json:"declined,omitempty"`  // nothing was paid
	Remaining string `json:"remaining,omitempty"` // of a bill or a payment request: ZAR 5.00
	delivery

	Previous *delivery `json:"previous,omitempty"` // of the event before, if there are two
}

// delivery is that of an event, so far.
type delivery struct {
	MessageID     string          `json:"message_id,omitempty"` // none if the event is never delivered
	Attempts      int             `json:"attempts"`             // 0 if it was not sent
	Acknowledged  bool            `json:"acknowledged"`
	Status        int             `json:"status"`          // of the endpoint's last response; 0 without one
	Error         string          `json:"error,omitempty"` // why there was no response
	NextAttemptAt *time.Time      `json:"next_attempt_at,omitempty"`
	Event         json.RawMessage `json:"event"`
}

func (m *mock) newDelivery(d *momenttest.Delivery) delivery {
	c := delivery{MessageID: d.MessageID, Attempts: d.Attempts, Acknowledged: d.Acknowledged(), Status: d.Status, Event: d.Body}
	if d.Err != nil {
		c.Error = m.redact(d.Err.Error())
	}
	if kept, ok := m.fake.Message(d.MessageID); ok && !kept.NextAttemptAt.IsZero() {
		c.NextAttemptAt = &kept.NextAttemptAt
	}
	return c
}

func (m *mock) postPayment(r *adminRequest) (any, *rejection) {
	var o order
	if rejected := r.decode(&o); rejected != nil {
		return nil, rejected
	}
	if o.To == "" {
		return nil, reject(http.StatusBadRequest, `to is required: an id or external reference, as in {"to": "bill_…", "amount": "15.00"}`)
	}
	if o.Amount != "" && !decimalForm.MatchString(o.Amount) {
		return nil, reject(http.StatusBadRequest, "amount: must be a decimal such as 15.00")
	}
	switch o.Deliver {
	case "", momenttest.DeliverNow, momenttest.DeliverHold, momenttest.DeliverNever:
	default:
		return nil, reject(http.StatusBadRequest, "deliver must be now, hold or never")
	}
	target, rejected := m.target(o.To)
	if rejected != nil {
		return nil, rejected
	}
	money, rejected := o.money(target)
	if rejected != nil {
		return nil, rejected
	}
	payment := target.Payment(money.Amount)
	payment.AnyAmount, payment.Method, payment.Deliver = o.AnyAmount, o.Method, o.Deliver
	pay := m.fake.Pay
	if o.Declined {
		pay = m.fake.FailPayment
	}
	// The event is delivered even if the client disconnects, because the payment is applied.
	d, err := pay(context.WithoutCancel(r.Context()), payment)
	if d == nil {
		_, reason, _ := strings.Cut(strings.TrimPrefix(err.Error(), "momenttest: "), ": ")
		if strings.Contains(reason, "payment_rules") {
			reason += ": set any_amount (--any-amount) to ignore them"
		}
		return nil, reject(http.StatusUnprocessableEntity, "%s", reason)
	}
	receipt := receipt{To: target.ID, Money: money.String(), Declined: o.Declined, Remaining: m.remaining(target), delivery: m.newDelivery(d)}
	if d.Previous != nil {
		previous := m.newDelivery(d.Previous)
		receipt.Previous = &previous
	}
	return receipt, nil
}

// target finds the object that an order pays.
func (m *mock) target(name string) (momenttest.Target, *rejection) {
	found := m.fake.Targets(name)
	switch {
	case len(found) == 0:
		return momenttest.Target{}, reject(http.StatusNotFound, "no bill, account, customer or payment request has the id or external reference %q: create it first, or see /_mock/state", name)
	case len(found) > 1:
		var all []string
		for _, t := range found {
			all = append(all, t.Kind+" "+t.ID)
		}
		return momenttest.Target{}, reject(http.StatusConflict, "%q is the external reference of %s: pass one of the ids", name, strings.Join(all, " and of "))
	case found[0].Currency == "":
		return momenttest.Target{}, reject(http.StatusUnprocessableEntity, "%s has no currency: update it with one before it is paid", found[0].ID)
	}
	return found[0], nil
}

// money is the amount of an order, in the currency of its target.
func (o order) money(target momenttest.Target) (moment.Money, *rejection) {
	if o.Amount == "" {
		if target.Owed == nil || *target.Owed < 1 {
			return moment.Money{}, reject(http.StatusUnprocessableEntity, "%s has nothing left to pay: pass an amount", target.ID)
		}
		return target.Owed.In(target.Currency), nil
	}
	money, err := moment.ParseMoney(o.Amount, target.Currency)
	var bad *moment.ArgumentError
	switch {
	case errors.As(err, &bad):
		return money, reject(http.StatusUnprocessableEntity, "amount: %s", bad.Reason)
	case err != nil: // of the currency
		return money, reject(http.StatusUnprocessableEntity, "%s: %v", target.ID, err)
	case money.Amount < 1:
		return money, reject(http.StatusUnprocessableEntity, "amount: must be more than 0, not %s", o.Amount)
	}
	return money, nil
}

// remaining is the amount that is left to pay of a bill or a payment request. A payment does not
// change a balance.
func (m *mock) remaining(target momenttest.Target) string {
	if target.Kind != "bill" && target.Kind != "payment request" {
		return ""
	}
	for _, now := range m.fake.Targets(target.ID) {
		return now.Owed.In(now.Currency).String()
	}
	return ""
}
