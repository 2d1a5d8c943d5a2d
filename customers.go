package moment

import (
	"context"
	"encoding/json"
	"net/http"
)

// customerPrefix begins the ids of customers. External references of customers and bills may not
// begin with it.
const customerPrefix = "bcus_"

// CustomersService calls the operations on customers: individuals or businesses that can have
// accounts and bills. Use it as [Client.Customers].
type CustomersService struct{ service }

var (
	createCustomer = operation{"create customer", http.MethodPost, "/billing/customers"}
	getCustomer    = operation{"get customer", http.MethodGet, "/billing/customers/{customer}"}
	updateCustomer = operation{"update customer", http.MethodPatch, "/billing/customers/{customer}"}
)

// Customer is an individual or a business that can have accounts and bills.
type Customer struct {
	ID                string        `json:"id"`                 // bcus_…
	ExternalReference string        `json:"external_reference"` // set by the merchant
	Name              string        `json:"name,omitempty"`
	Email             string        `json:"email,omitempty"`
	Phone             string        `json:"phone,omitempty"`
	Currency          Currency      `json:"currency,omitempty"`
	Balance           *Amount       `json:"balance,omitempty"`       // minor units; positive is owed; nil: Moment stores none
	PaymentRules      *PaymentRules `json:"payment_rules,omitempty"` // nil: the customer cannot be paid, or they could not be read

	Metadata map[string]string `json:"metadata,omitempty"`
}

// BalanceMoney returns the balance in the customer's currency, and false if the customer lacks a
// balance or a currency.
func (c *Customer) BalanceMoney() (Money, bool) { return balanceMoney(c.Balance, c.Currency) }

func (c *Customer) decode(body []byte) error {
	*c = Customer{} // an earlier attempt may have left something
	err := json.Unmarshal(body, c)
	if err != nil && isOdd(err) {
		var wire struct {
			Customer
			PaymentRules lenient[*PaymentRules] `json:"payment_rules"`
			Metadata     lenientMetadata        `json:"metadata"`
		}
		err = readLeniently(body, &wire, "balance")
		*c = wire.Customer
		c.PaymentRules, c.Metadata = wire.PaymentRules.value, wire.Metadata
	}
	if err == nil && !hasID(c.ID, customerPrefix) {
		err = errWrongID(customerPrefix)
	}
	return err
}

func (c *Customer) names(idOrReference string) bool {
	return c.ID == idOrReference || c.ExternalReference == idOrReference
}

func (c *Customer) absent() []string {
	return missing(member{"external_reference", c.ExternalReference == ""})
}

// PaymentRules say which payments an object accepts. Only responses contain them.
type PaymentRules struct {
	MinAmount           *Amount `json:"min_amount,omitempty"` // minor units; nil: no minimum
	MaxAmount           *Amount `json:"max_amount,omitempty"` // minor units; nil: no maximum
	UnderpaymentAllowed bool    `json:"underpayment_allowed"` // a payment may be less than is owed
	OverpaymentAllowed  bool    `json:"overpayment_allowed"`  // a payment may be more than is owed
}

// CustomerRef names the customer of an account or a bill: an [ExistingCustomer], or a
// [CustomerCreateParams] to create the customer in the same call.
type CustomerRef interface{ customerRef() }

// ExistingCustomer is the id (bcus_…) or the external reference of a customer.
type ExistingCustomer string

func (ExistingCustomer) customerRef()     {}
func (CustomerCreateParams) customerRef() {}

// checkCustomerRef rejects an empty or nil reference.
func checkCustomerRef(ref CustomerRef, param string) error {
	switch r := ref.(type) {
	case nil:
		return argErrorf(param, "is missing")
	case ExistingCustomer:
		return checkExisting(string(r), param)
	case *ExistingCustomer:
		return checkExisting(string(deref(r)), param)
	case CustomerCreateParams:
		return prefixParam(param, r.check())
	case *CustomerCreateParams:
		if r == nil {
			return argErrorf(param, "is a nil *CustomerCreateParams")
		}
		return prefixParam(param, r.check())
	default: // a struct that embeds one, because it would be encoded differently
		return argErrorf(param, "is a moment.CustomerRef of another kind")
	}
}

// splitCustomer returns the id or external reference in ref, or the params of a new customer.
func splitCustomer(ref CustomerRef) (existing string, inline *CustomerCreateParams) {
	switch r := ref.(type) {
	case ExistingCustomer:
		return string(r), nil
	case *ExistingCustomer:
		return string(deref(r)), nil
	case CustomerCreateParams:
		return "", &r
	case *CustomerCreateParams:
		return "", r
	}
	return "", nil
}

// customerID returns the id in ref, or "" for an external reference or the params of a new
// customer.
func customerID(ref CustomerRef) string {
	if existing, _ := splitCustomer(ref); hasID(existing, customerPrefix) {
		return existing
	}
	return ""
}

// CustomerCreateParams are the fields of a new customer. The limits are Moment's, and the service
// checks them.
type CustomerCreateParams struct {
	// ExternalReference is required: 1 to 255 of a-z, A-Z, 0-9, "_" and "-", unique among the
	// merchant's customers, and not beginning with "bcus_".
	ExternalReference string   `json:"external_reference"`
	Name              string   `json:"name,omitempty"`     // full name or business name, at most 255 characters
	Email             string   `json:"email,omitempty"`    // at most 255 characters
	Phone             string   `json:"phone,omitempty"`    // E.164: +27123456789
	Currency          Currency `json:"currency,omitempty"` // required with a Balance by Moment's reference
	Balance           *Amount  `json:"balance,omitempty"`  // minor units; positive is owed, negative is credit

	// Metadata has at most 10 pairs, with keys of at most 40 and values of at most 500 characters.
	Metadata map[string]string `json:"metadata,omitempty"`
}

func (p *CustomerCreateParams) check() error {
	return checkTexts(p.Metadata, param{"external_reference", p.ExternalReference}, param{"name", p.Name},
		param{"email", p.Email}, param{"phone", p.Phone}, param{"currency", string(p.Currency)})
}

// accepts returns an error if a response is not the customer of the params.
func (p *CustomerCreateParams) accepts(c *Customer) error {
	switch {
	case c.ExternalReference != p.ExternalReference:
		return errDiffers("external_reference")
	case otherCurrency(p.Currency, c.Currency):
		return errDiffers("currency")
	}
	return nil
}

// CustomerUpdateParams are the fields of a customer to change. Nil leaves a field unchanged, and a
// pointer to a zero value sends the zero value. Moment does not document how to clear a field. See
// [CustomerCreateParams] for the limits.
type CustomerUpdateParams struct {
	Name     *string   `json:"name,omitempty"`
	Email    *string   `json:"email,omitempty"`
	Phone    *string   `json:"phone,omitempty"`
	Currency *Currency `json:"currency,omitempty"`
	Balance  *Amount   `json:"balance,omitempty"` // minor units; replaces the old balance

	// Metadata is merged: keys that are not sent remain. Moment does not document how to remove a
	// key.
	Metadata map[string]string `json:"metadata,omitempty"`
}

func (p *CustomerUpdateParams) check() error {
	return checkTexts(p.Metadata, param{"name", deref(p.Name)}, param{"email", deref(p.Email)},
		param{"phone", deref(p.Phone)}, param{"currency", string(deref(p.Currency))})
}

// Ptr returns a pointer to a copy of v, for the fields of update params. From Go 1.26 on, new(v)
// does the same.
func Ptr[T any](v T) *T { return &v }

// Create creates a customer: POST /billing/customers.
//
// Errors to expect:
//
//   - [ErrBadRequest]: a field is missing or malformed
//   - [ErrConflict]: the external reference already exists
//   - [ErrOutcomeUnknown]: the customer may have been created
//
// An error matches both of the last two if a copy of the call may be in flight.
func (s *CustomersService) Create(ctx context.Context, params CustomerCreateParams, opts ...RequestOption) (*Customer, error) {
	return call[Customer](ctx, s.service, createCustomer, "", &params, params.accepts, opts)
}

// Ensure creates a customer, or returns the existing customer if it is the same: POST
// /billing/customers, and GET /billing/customers/{customer} if the create does not settle the
// outcome. See [BillsService.Ensure].
//
// A customer is the same if its external reference and the fields that params set are equal. The
// balance is not compared, because payments change it.
//
// Errors to expect:
//
//   - [*MismatchError], which matches [ErrConflict]: the customer exists and differs
//   - [ErrUnprocessable]: your idempotency key was used with other params
//   - [ErrOutcomeUnknown]: the outcome of the create is not settled
//   - the errors of Create
func (s *CustomersService) Ensure(ctx context.Context, params CustomerCreateParams, opts ...RequestOption) (*Customer, error) {
	return ensure[Customer](ctx, s.service, "ensure customer", createCustomer, getCustomer, &params, opts)
}

// Get returns a customer: GET /billing/customers/{customer}.
//
// Errors to expect:
//
//   - [ErrNotFound]: the customer does not exist
func (s *CustomersService) Get(ctx context.Context, idOrReference string, opts ...RequestOption) (*Customer, error) {
	return call[Customer](ctx, s.service, getCustomer, idOrReference, nil, nil, opts)
}

// Update changes the fields of a customer that are set in params: PATCH
// /billing/customers/{customer}. Update is retried only if the service cannot have applied it,
// because the balance in params may be out of date by then.
//
// Errors to expect:
//
//   - [ErrNotFound]: the customer does not exist
//   - [ErrBadRequest]: a field is malformed
//   - [ErrOutcomeUnknown]: the update may have been applied
func (s *CustomersService) Update(ctx context.Context, idOrReference string, params CustomerUpdateParams, opts ...RequestOption) (*Customer, error) {
	return call[Customer](ctx, s.service, updateCustomer, idOrReference, &params, nil, opts)
}

func balanceMoney(balance *Amount, currency Currency) (Money, bool) {
	if balance == nil || currency == "" {
		return Money{}, false
	}
	return balance.In(currency), true
}
