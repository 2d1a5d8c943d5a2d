package moment

import (
	"context"
	"encoding/json"
	"net/http"
)

// accountPrefix begins the ids of accounts. External references of accounts may not begin with it.
const accountPrefix = "bacc_"

// AccountsService calls the operations on accounts: parts of a customer with a balance or bills of
// their own. Use it as [Client.Accounts].
type AccountsService struct{ service }

var (
	createAccount = operation{"create account", http.MethodPost, "/billing/accounts"}
	getAccount    = operation{"get account", http.MethodGet, "/billing/accounts/{account}"}
	updateAccount = operation{"update account", http.MethodPatch, "/billing/accounts/{account}"}
)

// Account is a part of a customer, with a balance or bills of its own.
type Account struct {
	ID                string        `json:"id"`                 // bacc_…
	ExternalReference string        `json:"external_reference"` // set by the merchant
	CustomerID        string        `json:"customer_id"`        // bcus_…
	Name              string        `json:"name,omitempty"`
	Currency          Currency      `json:"currency,omitempty"`
	Balance           *Amount       `json:"balance,omitempty"`       // minor units; positive is owed; nil: Moment stores none
	PaymentRules      *PaymentRules `json:"payment_rules,omitempty"` // nil: the account cannot be paid, or they could not be read

	Metadata map[string]string `json:"metadata,omitempty"`
}

// BalanceMoney returns the balance in the account's currency, and false if the account lacks a
// balance or a currency.
func (a *Account) BalanceMoney() (Money, bool) { return balanceMoney(a.Balance, a.Currency) }

func (a *Account) decode(body []byte) error {
	*a = Account{} // an earlier attempt may have left something
	err := json.Unmarshal(body, a)
	if err != nil && isOdd(err) {
		var wire struct {
			Account
			PaymentRules lenient[*PaymentRules] `json:"payment_rules"`
			Metadata     lenientMetadata        `json:"metadata"`
		}
		err = readLeniently(body, &wire, "balance")
		*a = wire.Account
		a.PaymentRules, a.Metadata = wire.PaymentRules.value, wire.Metadata
	}
	if err == nil && !hasID(a.ID, accountPrefix) {
		err = errWrongID(accountPrefix)
	}
	return err
}

func (a *Account) names(idOrReference string) bool {
	return a.ID == idOrReference || a.ExternalReference == idOrReference
}

func (a *Account) absent() []string {
	return missing(member{"external_reference", a.ExternalReference == ""}, member{"customer_id", a.CustomerID == ""})
}

// AccountRef names the account of a bill: an [ExistingAccount], or an [AccountCreateParams] to
// create the account in the same call.
type AccountRef interface{ accountRef() }

// ExistingAccount is the id (bacc_…) or the external reference of an account.
type ExistingAccount string

func (ExistingAccount) accountRef()     {}
func (AccountCreateParams) accountRef() {}

// checkAccountRef rejects an empty or nil reference. ref may be nil, because the account is
// optional.
func checkAccountRef(ref AccountRef, param string) error {
	switch r := ref.(type) {
	case nil:
		return nil
	case ExistingAccount:
		return checkExisting(string(r), param)
	case *ExistingAccount:
		return checkExisting(string(deref(r)), param)
	case AccountCreateParams:
		return prefixParam(param, r.check())
	case *AccountCreateParams:
		if r == nil {
			return argErrorf(param, "is a nil *AccountCreateParams")
		}
		return prefixParam(param, r.check())
	default: // a struct that embeds one, because it would be encoded differently
		return argErrorf(param, "is a moment.AccountRef of another kind")
	}
}

// splitAccount returns the id or external reference in ref, or the params of a new account.
func splitAccount(ref AccountRef) (existing string, inline *AccountCreateParams) {
	switch r := ref.(type) {
	case ExistingAccount:
		return string(r), nil
	case *ExistingAccount:
		return string(deref(r)), nil
	case AccountCreateParams:
		return "", &r
	case *AccountCreateParams:
		return "", r
	}
	return "", nil
}

// accountID returns the id in ref, or "" for an external reference or the params of a new account.
func accountID(ref AccountRef) string {
	if existing, _ := splitAccount(ref); hasID(existing, accountPrefix) {
		return existing
	}
	return ""
}

// AccountCreateParams are the fields of a new account. The limits are Moment's, and the service
// checks them.
type AccountCreateParams struct {
	// Customer is required: an [ExistingCustomer], or a [CustomerCreateParams] to create both in
	// one call.
	Customer CustomerRef `json:"customer"`
	// ExternalReference is required: 1 to 255 of a-z, A-Z, 0-9, "_" and "-", unique among the
	// merchant's accounts, and not beginning with "bacc_".
	ExternalReference string   `json:"external_reference"`
	Name              string   `json:"name,omitempty"`     // at most 255 characters
	Currency          Currency `json:"currency,omitempty"` // required with a Balance by Moment's reference
	Balance           *Amount  `json:"balance,omitempty"`  // minor units; positive is owed, negative is credit

	// Metadata has at most 10 pairs, with keys of at most 40 and values of at most 500 characters.
	Metadata map[string]string `json:"metadata,omitempty"`
}

func (p *AccountCreateParams) check() error {
	if err := checkCustomerRef(p.Customer, "customer"); err != nil {
		return err
	}
	return checkTexts(p.Metadata, param{"external_reference", p.ExternalReference}, param{"name", p.Name},
		param{"currency", string(p.Currency)})
}

// accepts returns an error if a response is not the account of the params.
func (p *AccountCreateParams) accepts(a *Account) error {
	customer := customerID(p.Customer)
	switch {
	case a.ExternalReference != p.ExternalReference:
		return errDiffers("external_reference")
	case customer != "" && a.CustomerID != customer:
		return errDiffers("customer_id")
	case otherCurrency(p.Currency, a.Currency):
		return errDiffers("currency")
	}
	return nil
}

// AccountUpdateParams are the fields of an account to change. Nil leaves a field unchanged, and a
// pointer to a zero value sends the zero value. Moment does not document how to clear a field. See
// [AccountCreateParams] for the limits.
type AccountUpdateParams struct {
	Name     *string   `json:"name,omitempty"`
	Currency *Currency `json:"currency,omitempty"`
	Balance  *Amount   `json:"balance,omitempty"` // minor units; replaces the old balance

	// Metadata is merged: keys that are not sent remain. Moment does not document how to remove a
	// key.
	Metadata map[string]string `json:"metadata,omitempty"`
}

func (p *AccountUpdateParams) check() error {
	return checkTexts(p.Metadata, param{"name", deref(p.Name)}, param{"currency", string(deref(p.Currency))})
}

// Create creates an account, and its customer if params contain a new one: POST /billing/accounts.
//
// Errors to expect:
//
//   - [ErrBadRequest]: a field is missing or malformed
//   - [ErrNotFound]: the customer does not exist
//   - [ErrConflict]: an external reference already exists
//   - [ErrOutcomeUnknown]: the account may have been created
//
// An error matches both of the last two if a copy of the call may be in flight. After an error, a
// new customer may have been created, because Moment does not document that the call is atomic.
func (s *AccountsService) Create(ctx context.Context, params AccountCreateParams, opts ...RequestOption) (*Account, error) {
	return call[Account](ctx, s.service, createAccount, "", &params, params.accepts, opts)
}

// Ensure creates an account, or returns the existing account if it is the same: POST
// /billing/accounts, and GET /billing/accounts/{account} if the create does not settle the outcome.
// See [BillsService.Ensure].
//
// An account is the same if its external reference, its customer and the fields that params set are
// equal. The balance is not compared, because payments change it.
//
// Errors to expect:
//
//   - [*MismatchError], which matches [ErrConflict]: the account, or its customer, exists and
//     differs
//   - [ErrUnprocessable]: your idempotency key was used with other params
//   - [ErrOutcomeUnknown]: the outcome of the create is not settled
//   - the errors of Create
//
// After an error, a new customer in params may have been created, because Moment does not document
// that the call is atomic.
func (s *AccountsService) Ensure(ctx context.Context, params AccountCreateParams, opts ...RequestOption) (*Account, error) {
	return ensure[Account](ctx, s.service, "ensure account", createAccount, getAccount, &params, opts)
}

// Get returns an account: GET /billing/accounts/{account}.
//
// Errors to expect:
//
//   - [ErrNotFound]: the account does not exist
func (s *AccountsService) Get(ctx context.Context, idOrReference string, opts ...RequestOption) (*Account, error) {
	return call[Account](ctx, s.service, getAccount, idOrReference, nil, nil, opts)
}

// Update changes the fields of an account that are set in params: PATCH
// /billing/accounts/{account}. Update is retried only if the service cannot have applied it,
// because the balance in params may be out of date by then.
//
// Errors to expect:
//
//   - [ErrNotFound]: the account does not exist
//   - [ErrBadRequest]: a field is malformed
//   - [ErrOutcomeUnknown]: the update may have been applied
func (s *AccountsService) Update(ctx context.Context, idOrReference string, params AccountUpdateParams, opts ...RequestOption) (*Account, error) {
	return call[Account](ctx, s.service, updateAccount, idOrReference, &params, nil, opts)
}
