package moment

import (
	"context"
	"errors"
	"net/http"

	"github.com/moment-billing/moment-go/internal/transport"
)

// lookup looks up existing objects by their external references, for one call of Ensure.
type lookup struct {
	s       service
	op      string         // "ensure bill"
	options requestOptions // of the call of Ensure
}

// get returns the object with an external reference, and the body of the response. It rejects an
// object that has the reference only as its id, because that is another object.
func get[T any, P ensurable[T]](ctx context.Context, l *lookup, op operation, reference string, response *Response) (P, []byte, error) {
	o := l.options // adapted to a GET
	o.response, o.key, o.callerKey, o.idempotency = response, "", false, transport.Safe
	object, res, err := callWith(ctx, l.s, op, reference, nil, func(object P) error {
		if object.reference() != reference {
			return errors.New("external_reference is not the requested one")
		}
		return nil
	}, &o)
	return object, res.Body, l.withKey(err)
}

// getIfAny is like get, but returns nil if the service reports that the object does not exist.
func getIfAny[T any, P ensurable[T]](ctx context.Context, l *lookup, op operation, reference string) (P, []byte, error) {
	object, body, err := get[T, P](ctx, l, op, reference, nil)
	if isAbsent(err) {
		err = nil
	}
	return object, body, err
}

// isAbsent reports whether err is the service's own 404. A gateway's 404 does not show that an
// object is absent.
func isAbsent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.FromService
}

// withKey sets the first key in an error, because the caller passes it to the next call of Ensure.
func (l *lookup) withKey(err error) error {
	var failure *Error
	if errors.As(err, &failure) {
		failure.IdempotencyKey = l.options.key
	}
	var connection *ConnectionError
	if errors.As(err, &connection) {
		connection.IdempotencyKey = l.options.key
	}
	return err
}

func (l *lookup) mismatch(reference string, different []string, existing any) error {
	return &MismatchError{Op: l.op, Reference: reference, Differences: different, Existing: existing, IdempotencyKey: l.options.key}
}

func (p *CustomerCreateParams) reference() string { return p.ExternalReference }
func (p *AccountCreateParams) reference() string  { return p.ExternalReference }
func (p *BillCreateParams) reference() string     { return p.ExternalReference }

func (c *Customer) reference() string { return c.ExternalReference }
func (a *Account) reference() string  { return a.ExternalReference }
func (b *Bill) reference() string     { return b.ExternalReference }

func (p *CustomerCreateParams) checkReferences() error {
	return checkIdentifier(p.ExternalReference, "external_reference")
}

func (p *AccountCreateParams) checkReferences() error {
	if err := checkCustomerLookup(p.Customer, "customer"); err != nil {
		return err
	}
	return checkIdentifier(p.ExternalReference, "external_reference")
}

func (p *BillCreateParams) checkReferences() error {
	if err := checkCustomerLookup(p.Customer, "customer"); err != nil {
		return err
	}
	existing, inline := splitAccount(p.Account)
	switch {
	case inline != nil:
		if err := inline.checkReferences(); err != nil {
			return prefixParam("account", err)
		}
	case p.Account != nil:
		if err := checkIdentifier(existing, "account"); err != nil {
			return err
		}
	}
	return checkIdentifier(p.ExternalReference, "external_reference")
}

func checkCustomerLookup(ref CustomerRef, param string) error {
	existing, inline := splitCustomer(ref)
	switch {
	case inline != nil:
		return prefixParam(param, inline.checkReferences())
	case ref != nil:
		return checkIdentifier(existing, param)
	}
	return nil
}

func (p *CustomerCreateParams) nameExisting(context.Context, *lookup) ([]string, error) {
	return nil, nil
}

func (p *AccountCreateParams) nameExisting(ctx context.Context, l *lookup) (ids []string, err error) {
	p.Customer, ids, err = l.nameCustomer(ctx, p.Customer, "customer")
	return ids, err
}

// nameExisting names customers first, and an account only if no customer was named. The order is
// fixed, because a later call with the same first key must make the same creates, even if other
// objects exist by then.
func (p *BillCreateParams) nameExisting(ctx context.Context, l *lookup) (ids []string, err error) {
	p.Customer, ids, err = l.nameCustomer(ctx, p.Customer, "customer")
	_, inline := splitAccount(p.Account)
	if inline == nil || err != nil {
		return ids, err
	}
	copied := *inline // because inline may be the caller's
	customer, more, err := l.nameCustomer(ctx, inline.Customer, "account.customer")
	copied.Customer = customer
	ids = append(ids, more...)
	if err != nil || len(ids) > 0 {
		p.Account = copied
		return ids, err
	}
	account, body, err := getIfAny[Account](ctx, l, getAccount, inline.ExternalReference)
	if err != nil || account == nil {
		return nil, err
	}
	different, err := inline.differences(ctx, l, account, body)
	if err == nil && len(different) > 0 {
		err = l.mismatch(inline.ExternalReference, prefixed("account", different), account)
	}
	p.Account = ExistingAccount(account.ID)
	return []string{account.ID}, err
}

// nameCustomer replaces the params of a customer in ref with the customer's id, if the customer
// exists. If the customer differs from the params, the error is a [*MismatchError].
func (l *lookup) nameCustomer(ctx context.Context, ref CustomerRef, param string) (CustomerRef, []string, error) {
	_, inline := splitCustomer(ref)
	if inline == nil {
		return ref, nil, nil
	}
	customer, body, err := getIfAny[Customer](ctx, l, getCustomer, inline.ExternalReference)
	if err != nil || customer == nil {
		return ref, nil, err
	}
	different, err := inline.differences(ctx, l, customer, body)
	if err == nil && len(different) > 0 {
		err = l.mismatch(inline.ExternalReference, prefixed(param, different), customer)
	}
	return ExistingCustomer(customer.ID), []string{customer.ID}, err
}
