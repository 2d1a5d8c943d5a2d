package momenttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moment-billing/moment-go"
)

// Payment is a payment of a customer, an account or a bill: exactly one of the three is set, to its
// id or its external reference.
type Payment struct {
	Customer string // its balance does not change
	Account  string // its balance does not change
	Bill     string // its amount_paid grows

	Amount moment.Amount // 1 or more, in minor units of the currency of the customer, account or bill
}

// Pay applies a payment and delivers an obligation.amount_applied event to the endpoint of
// [Handler.SetWebhook]. It returns when the endpoint has acknowledged the event or after
// [MaxDeliveryAttempts]. Pay does not return an error if the endpoint does not acknowledge the
// event; check [Delivery.Acknowledged].
//
// A bill's amount_paid, amount_remaining and status change. The balances of customers and accounts
// do not, because the merchant reconciles them with the event.
//
// It returns an error without a Delivery, and changes nothing, if Payment does not have exactly one
// target, if the Amount is below 1, if the target does not exist, is a voided bill, has no
// currency, or has payment_rules that reject the Amount, and if ctx has ended. If ctx ends later,
// before the event is acknowledged, it returns an error and the Delivery, and the payment stays
// applied.
func (h *Handler) Pay(ctx context.Context, p Payment) (*Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("momenttest: pay: %w", err)
	}
	to, body, err := h.pay(p)
	if err != nil {
		return nil, fmt.Errorf("momenttest: pay: %w", err)
	}
	d := &Delivery{MessageID: newMessageID(), Body: body}
	if to == nil {
		return d, nil
	}
	// The lock is not held, because the endpoint may call the service.
	if err := d.deliver(ctx, *to, h.now); err != nil {
		return d, fmt.Errorf("momenttest: pay: the payment is applied, its event is not acknowledged: %w", err)
	}
	return d, nil
}

// pay applies a payment and returns its event, and the webhook that receives it.
func (h *Handler) pay(p Payment) (*webhook, []byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	data, err := h.apply(p)
	if err != nil {
		return nil, nil, err
	}
	h.payments = append(h.payments, data)
	h.changed()
	return h.webhook, encode(event{"evt_" + randomID(), "obligation.amount_applied", data}), nil
}

type event struct {
	ID   string        `json:"id"`
	Type string        `json:"type"`
	Data amountApplied `json:"data"`
}

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

func (h *Handler) apply(p Payment) (amountApplied, error) {
	now := h.now().UTC().Format(time.RFC3339)
	data := amountApplied{
		ID:        "ob_" + randomID(),
		Amount:    int64(p.Amount),
		PaymentID: "pay_" + randomID(),
		CreatedAt: now,
		UpdatedAt: now,
	}
	switch {
	case !exactlyOne(p.Customer, p.Account, p.Bill):
		return data, errors.New("exactly one of Customer, Account and Bill must be set")
	case p.Amount < 1:
		return data, fmt.Errorf("the amount must be 1 or more, not %d", p.Amount)
	}
	to, notFound := h.obligation(p.Customer, p.Account, p.Bill)
	if notFound != nil {
		return data, errors.New(notFound.Detail)
	}
	data.CustomerID, data.AccountID, data.BillID = to.ids()
	switch {
	case to.customer != nil:
		return applyToBalance(data, data.CustomerID, &to.customer.balance)
	case to.account != nil:
		return applyToBalance(data, data.AccountID, &to.account.balance)
	default:
		data.Currency, data.Metadata = to.bill.Currency, to.bill.Metadata
		return data, to.bill.pay(data.Amount)
	}
}

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

// pay adds to the amount paid, if the bill's payment rules allow it.
func (b *bill) pay(amount int64) error {
	switch {
	case b.Status == voided:
		return fmt.Errorf("%s is voided: it can no longer be paid", b.ID)
	case b.PaymentRules == nil:
		return fmt.Errorf("%s has no payment_rules, so it cannot be paid against", b.ID)
	}
	if err := b.PaymentRules.check(b.ID, b.Currency, amount, &b.AmountRemaining); err != nil {
		return err
	}
	if amount > maxAmount-b.AmountPaid {
		return fmt.Errorf("%s would have an amount_paid of more than %d", b.ID, maxAmount)
	}
	b.setPaid(b.AmountPaid + amount)
	return nil
}

// applyToBalance checks the payment of a customer or an account. It does not change the balance,
// because the merchant reconciles it. Without payment rules, every amount is accepted.
func applyToBalance(data amountApplied, id string, b *balance) (amountApplied, error) {
	if b.Currency == "" {
		return data, fmt.Errorf("%s has no currency, so it cannot be paid", id)
	}
	data.Currency, data.Metadata = b.Currency, b.Metadata
	if b.PaymentRules == nil {
		return data, nil
	}
	return data, b.PaymentRules.check(id, b.Currency, data.Amount, b.Balance)
}
