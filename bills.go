package moment

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

const billPrefix = "bill_"

// BillsService calls the operations on bills: amounts to be collected once. Use it as
// [Client.Bills].
type BillsService struct{ service }

var (
	createBill = operation{"create bill", http.MethodPost, "/billing/bills"}
	getBill    = operation{"get bill", http.MethodGet, "/billing/bills/{bill}"}
	updateBill = operation{"update bill", http.MethodPatch, "/billing/bills/{bill}"}
	voidBill   = operation{"void bill", http.MethodPost, "/billing/bills/{bill}/void"}
)

// Bill is an amount to be collected once, from a customer or for one of its accounts.
type Bill struct {
	ID                string        `json:"id"`                   // bill_…
	ExternalReference string        `json:"external_reference"`   // set by the merchant
	CustomerID        string        `json:"customer_id"`          // bcus_…
	AccountID         string        `json:"account_id,omitempty"` // bacc_…; empty if the bill is the customer's own
	Status            BillStatus    `json:"status"`               // unpaid, paid or voided
	Currency          Currency      `json:"currency"`
	AmountDue         Amount        `json:"amount_due"`              // minor units
	AmountPaid        Amount        `json:"amount_paid"`             // minor units
	AmountRemaining   Amount        `json:"amount_remaining"`        // minor units
	BillDate          Date          `json:"bill_date,omitzero"`      // the day of the bill; zero: none, or it could not be read
	DueDate           Date          `json:"due_date,omitzero"`       // the day by which it should be paid; zero: none, or it could not be read
	PaymentRules      *PaymentRules `json:"payment_rules,omitempty"` // nil: the bill cannot be paid, or they could not be read

	Metadata map[string]string `json:"metadata,omitempty"`
}

// BillStatus is the state of a bill. An unknown status is kept as received.
type BillStatus string

// The statuses of Moment's reference.
const (
	BillStatusUnpaid BillStatus = "unpaid" // not fully paid
	BillStatusPaid   BillStatus = "paid"   // nothing remains to be paid
	BillStatusVoided BillStatus = "voided" // can never be paid or changed
)

// UnmarshalText accepts the statuses of the reference in any letter case, because one of Moment's
// pages writes them in capitals.
func (s *BillStatus) UnmarshalText(text []byte) error {
	*s = BillStatus(text)
	for _, known := range []BillStatus{BillStatusUnpaid, BillStatusPaid, BillStatusVoided} {
		if strings.EqualFold(string(*s), string(known)) {
			*s = known
		}
	}
	return nil
}

// DueMoney returns the amount due in the bill's currency.
func (b *Bill) DueMoney() Money { return b.AmountDue.In(b.Currency) }

// PaidMoney returns the amount paid in the bill's currency.
func (b *Bill) PaidMoney() Money { return b.AmountPaid.In(b.Currency) }

// RemainingMoney returns the amount still to be paid, as the service calculated it, in the bill's
// currency.
func (b *Bill) RemainingMoney() Money { return b.AmountRemaining.In(b.Currency) }

func (b *Bill) decode(body []byte) error {
	empty := Bill{AmountDue: noAmount, AmountPaid: noAmount, AmountRemaining: noAmount}
	*b = empty
	err := json.Unmarshal(body, b)
	if err != nil && isOdd(err) {
		var wire struct {
			Bill
			BillDate     lenient[Date]          `json:"bill_date"`
			DueDate      lenient[Date]          `json:"due_date"`
			PaymentRules lenient[*PaymentRules] `json:"payment_rules"`
			Metadata     lenientMetadata        `json:"metadata"`
		}
		wire.Bill = empty
		err = readLeniently(body, &wire, "amount_due", "amount_paid", "amount_remaining")
		*b = wire.Bill
		b.BillDate, b.DueDate = wire.BillDate.value, wire.DueDate.value
		b.PaymentRules, b.Metadata = wire.PaymentRules.value, wire.Metadata
	}
	if err != nil {
		return err
	}
	if !hasID(b.ID, billPrefix) {
		return errWrongID(billPrefix)
	}
	if names := missing(member{"status", b.Status == ""}, member{"currency", b.Currency == ""}, member{"amount_due", b.AmountDue == noAmount},
		member{"amount_paid", b.AmountPaid == noAmount}, member{"amount_remaining", b.AmountRemaining == noAmount}); len(names) > 0 {
		return errors.New(names[0] + " is missing")
	}
	return nil
}

func (b *Bill) names(idOrReference string) bool {
	return b.ID == idOrReference || b.ExternalReference == idOrReference
}

func (b *Bill) absent() []string {
	return missing(member{"external_reference", b.ExternalReference == ""}, member{"customer_id", b.CustomerID == ""})
}

// checkVoided rejects a response to a void if the bill is not voided.
func checkVoided(b *Bill) error {
	if b.Status != BillStatusVoided {
		return errors.New("status is not voided")
	}
	return nil
}

// BillCreateParams are the fields of a new bill. The limits are Moment's, and the service checks
// them.
type BillCreateParams struct {
	// A bill belongs to a Customer or to an Account: one of the two is required. It is an existing
	// one, or the params of a new one, which the same call creates. The params of a new account may
	// contain those of a new customer.
	Customer CustomerRef `json:"customer,omitempty"` // [ExistingCustomer] or [CustomerCreateParams]
	Account  AccountRef  `json:"account,omitempty"`  // [ExistingAccount] or [AccountCreateParams]
	// ExternalReference is required: 1 to 255 of a-z, A-Z, 0-9, "_" and "-", unique among the
	// merchant's bills, and not beginning with "bcus_".
	ExternalReference string   `json:"external_reference"`
	Currency          Currency `json:"currency"`           // required
	AmountDue         Amount   `json:"amount_due"`         // required; minor units, 1 to 99 999 999
	BillDate          Date     `json:"bill_date,omitzero"` // zero: today
	DueDate           Date     `json:"due_date,omitzero"`  // zero: none

	// Metadata has at most 10 pairs, with keys of at most 40 and values of at most 500 characters.
	Metadata map[string]string `json:"metadata,omitempty"`
}

func (p *BillCreateParams) check() error {
	if p.Customer == nil && p.Account == nil {
		return argErrorf("customer", "is missing, and so is account: a bill belongs to one of the two")
	}
	if p.Customer != nil {
		if err := checkCustomerRef(p.Customer, "customer"); err != nil {
			return err
		}
	}
	if err := checkAccountRef(p.Account, "account"); err != nil {
		return err
	}
	if err := checkDate(p.BillDate, "bill_date"); err != nil {
		return err
	}
	if err := checkDate(p.DueDate, "due_date"); err != nil {
		return err
	}
	return checkTexts(p.Metadata, param{"external_reference", p.ExternalReference}, param{"currency", string(p.Currency)})
}

// accepts returns an error if a response is not the bill of the params.
func (p *BillCreateParams) accepts(b *Bill) error {
	customer, account := customerID(p.Customer), accountID(p.Account)
	if _, inline := splitAccount(p.Account); inline != nil {
		customer = customerID(inline.Customer)
	}
	switch {
	case b.ExternalReference != p.ExternalReference:
		return errDiffers("external_reference")
	case customer != "" && b.CustomerID != customer:
		return errDiffers("customer_id")
	case account != "" && b.AccountID != account:
		return errDiffers("account_id")
	case otherCurrency(p.Currency, b.Currency):
		return errDiffers("currency")
	case b.AmountDue != p.AmountDue:
		return errDiffers("amount_due")
	}
	return nil
}

// BillUpdateParams are the fields of a bill to change. Nil leaves a field unchanged, and a pointer
// to a zero value sends the zero value. Moment does not document how to clear a field. See
// [BillCreateParams] for the limits.
type BillUpdateParams struct {
	Currency   *Currency `json:"currency,omitempty"`    // the bill's own; required with AmountPaid by Moment's reference
	AmountPaid *Amount   `json:"amount_paid,omitempty"` // minor units, 0 to 99 999 999; replaces the old amount, and is not added to it

	// Metadata is merged: keys that are not sent remain. Moment does not document how to remove a
	// key.
	Metadata map[string]string `json:"metadata,omitempty"`
}

func (p *BillUpdateParams) check() error {
	return checkTexts(p.Metadata, param{"currency", string(deref(p.Currency))})
}

// Create creates a bill, and its account and customer if params contain new ones: POST
// /billing/bills.
//
// Errors to expect:
//
//   - [ErrBadRequest]: a field is missing or malformed
//   - [ErrNotFound]: the account or the customer does not exist
//   - [ErrConflict]: an external reference already exists
//   - [ErrOutcomeUnknown]: the bill may have been created
//
// An error matches both of the last two if a copy of the call may be in flight. After an error, a
// new account or customer may have been created, because Moment does not document that the call is
// atomic.
func (s *BillsService) Create(ctx context.Context, params BillCreateParams, opts ...RequestOption) (*Bill, error) {
	return call[Bill](ctx, s.service, createBill, "", &params, params.accepts, opts)
}

// Ensure creates a bill, or returns the existing bill if it is the same: POST /billing/bills, and
// GET /billing/bills/{bill} if the create does not settle the outcome. Call Ensure again with the
// same params at any time, for example when the program restarts. After an error, pass the error's
// IdempotencyKey too.
//
// Ensure works without a key from the caller, because references are unique: a second run finds the
// bill. With a key from the caller ([WithIdempotencyKey]), the service recognises a second create
// while the first one is in flight. Derive the key from the content too, because for 24 hours the
// service rejects a key that was used with other params.
//
// After a conflict or an unknown outcome, Ensure looks the bill up by its external reference. An
// existing bill is the same if its customer or account, amount, currency and the dates that params
// set are equal, and it is not voided. A bill on an account is not the same as a bill of the
// customer. The metadata of the bill is not compared.
//
// If the bill does not exist and the service has saved a failure under the key, Ensure continues
// with keys that are derived from the first. One call uses at most 32 keys. If a customer or an
// account in params already exists and is the same, Ensure creates the bill for it. Customers and
// accounts are compared by the fields that params set. The balance is not compared, because
// payments change it.
//
// Errors to expect:
//
//   - [*MismatchError], which matches [ErrConflict]: the bill, or its customer or account, exists
//     and differs
//   - [ErrUnprocessable]: your idempotency key was used with other params
//   - [ErrOutcomeUnknown]: the outcome of the create is not settled
//   - the errors of Create
//
// An error of a lookup is joined to the error of the create. After an error, a new customer or
// account in params may have been created, because Moment does not document that the call is
// atomic.
//
// [WithResponse] returns the last response to a request for the bill. Its StatusCode is 201 if the
// create returned the bill, and 200 if a lookup found it. It is also 200 if this call created the
// bill, but the response was lost.
func (s *BillsService) Ensure(ctx context.Context, params BillCreateParams, opts ...RequestOption) (*Bill, error) {
	return ensure[Bill](ctx, s.service, "ensure bill", createBill, getBill, &params, opts)
}

// Get returns a bill: GET /billing/bills/{bill}.
//
// Errors to expect:
//
//   - [ErrNotFound]: the bill does not exist
func (s *BillsService) Get(ctx context.Context, idOrReference string, opts ...RequestOption) (*Bill, error) {
	return call[Bill](ctx, s.service, getBill, idOrReference, nil, nil, opts)
}

// Update changes the fields of a bill that are set in params: PATCH /billing/bills/{bill}. The
// service recalculates the remaining amount, and sets the status to paid when it is zero. Update is
// retried only if the service cannot have applied it, because a payment may have changed the amount
// paid since.
//
// Errors to expect:
//
//   - [ErrNotFound]: the bill does not exist
//   - [ErrBadRequest]: a field is malformed
//   - [ErrUnprocessable]: the currency is not the bill's, or the amount paid exceeds the amount due
//   - [ErrConflict]: the bill is voided
//   - [ErrOutcomeUnknown]: the update may have been applied
func (s *BillsService) Update(ctx context.Context, idOrReference string, params BillUpdateParams, opts ...RequestOption) (*Bill, error) {
	return call[Bill](ctx, s.service, updateBill, idOrReference, &params, nil, opts)
}

// Void cancels a bill permanently: POST /billing/bills/{bill}/void. A voided bill can be neither
// paid nor changed. The amount due and the dates of a bill cannot be updated: void a wrong bill,
// and create another under another reference. Moment does not document whether a bill that was
// paid, even partly, can be voided.
//
// Errors to expect:
//
//   - [ErrNotFound]: the bill does not exist
//   - [ErrConflict]: the bill is already voided
//   - [ErrOutcomeUnknown]: the bill may have been voided
//
// An error matches both of the last two if a copy of the call may be in flight.
// [ErrOutcomeUnknown] says how to settle the outcome.
func (s *BillsService) Void(ctx context.Context, idOrReference string, opts ...RequestOption) (*Bill, error) {
	return call[Bill](ctx, s.service, voidBill, idOrReference, nil, checkVoided, opts)
}
