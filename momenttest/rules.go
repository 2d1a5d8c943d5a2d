package momenttest

import (
	"fmt"

	"github.com/moment-billing/moment-go"
)

// paymentRules define which payments are accepted.
type paymentRules struct {
	MinAmount           *int64 `json:"min_amount,omitempty"` // nil: no minimum
	MaxAmount           *int64 `json:"max_amount,omitempty"` // nil: no maximum
	UnderpaymentAllowed bool   `json:"underpayment_allowed"`
	OverpaymentAllowed  bool   `json:"overpayment_allowed"`
}

// check returns an error if the rules reject a payment to the object with the id. owed is the
// amount left to pay, or nil if that is not known.
func (r *paymentRules) check(id, currency string, amount int64, owed *int64) error {
	money := func(minorUnits int64) moment.Money { return moment.Amount(minorUnits).In(moment.Currency(currency)) }
	switch {
	case r.MinAmount != nil && amount < *r.MinAmount:
		return fmt.Errorf("%s accepts payments of %s or more, not %s: see min_amount in its payment_rules", id, money(*r.MinAmount), money(amount))
	case r.MaxAmount != nil && amount > *r.MaxAmount:
		return fmt.Errorf("%s accepts payments of %s or less, not %s: see max_amount in its payment_rules", id, money(*r.MaxAmount), money(amount))
	case owed == nil:
		return nil
	case amount > *owed && !r.OverpaymentAllowed:
		return fmt.Errorf("%s has %s left to pay, not %s: its payment_rules reject overpayment", id, money(*owed), money(amount))
	case amount < *owed && !r.UnderpaymentAllowed:
		return fmt.Errorf("%s has %s left to pay, not %s: its payment_rules reject underpayment", id, money(*owed), money(amount))
	}
	return nil
}
