package moment

import (
	"context"
	"encoding/json"
)

// differences does not compare the balance, because payments change it.
func (p *CustomerCreateParams) differences(_ context.Context, _ *lookup, c *Customer, body []byte) ([]string, error) {
	return missing(
		member{"name", differs(p.Name, c.Name)},
		member{"email", differs(p.Email, c.Email)},
		member{"phone", differs(p.Phone, c.Phone)},
		member{"currency", otherCurrency(p.Currency, c.Currency)},
		member{"metadata", otherMetadata(p.Metadata, c.Metadata, body)},
	), nil
}

// differences does not compare the balance, because payments change it.
func (p *AccountCreateParams) differences(ctx context.Context, l *lookup, a *Account, body []byte) ([]string, error) {
	different, err := l.customerDifferences(ctx, p.Customer, a.CustomerID, "customer")
	return append(different, missing(
		member{"name", differs(p.Name, a.Name)},
		member{"currency", otherCurrency(p.Currency, a.Currency)},
		member{"metadata", otherMetadata(p.Metadata, a.Metadata, body)},
	)...), err
}

// differences compares the members that decide the payer, the amount and the dates. A voided bill
// always differs, because it cannot be paid.
func (p *BillCreateParams) differences(ctx context.Context, l *lookup, b *Bill, body []byte) ([]string, error) {
	different, err := l.customerDifferences(ctx, p.Customer, b.CustomerID, "customer")
	if err != nil {
		return nil, err
	}
	account, err := l.accountDifferences(ctx, p.Account, b)
	return append(append(different, account...), missing(
		member{"currency", otherCurrency(p.Currency, b.Currency)},
		member{"amount_due", p.AmountDue != b.AmountDue},
		member{"bill_date", otherDate(p.BillDate, b.BillDate, "bill_date", body)},
		member{"due_date", otherDate(p.DueDate, b.DueDate, "due_date", body)},
		member{"status", b.Status == BillStatusVoided},
	)...), err
}

// customerDifferences compares id, the customer of an existing object, with the customer in ref. It
// does not compare the other fields in ref, because the customer may have been updated since. param
// is the name of the parameter.
func (l *lookup) customerDifferences(ctx context.Context, ref CustomerRef, id, param string) ([]string, error) {
	reference, inline := splitCustomer(ref)
	switch {
	case ref == nil:
		return nil, nil
	case inline != nil:
		reference = inline.ExternalReference
	case hasID(reference, customerPrefix):
		return missing(member{param, reference != id}), nil
	}
	customer, _, err := getIfAny[Customer](ctx, l, getCustomer, reference)
	if err != nil {
		return nil, err
	}
	return missing(member{param, customer == nil || customer.ID != id}), nil
}

// accountDifferences compares the account of an existing bill with the account in the params.
func (l *lookup) accountDifferences(ctx context.Context, ref AccountRef, b *Bill) ([]string, error) {
	reference, inline := splitAccount(ref)
	switch {
	case ref == nil: // the bill must not be on an account
		return missing(member{"account", b.AccountID != ""}), nil
	case inline != nil:
		reference = inline.ExternalReference
	case hasID(reference, accountPrefix):
		return missing(member{"account", reference != b.AccountID}), nil
	}
	account, _, err := getIfAny[Account](ctx, l, getAccount, reference)
	if err != nil {
		return nil, err
	}
	if account == nil || account.ID != b.AccountID {
		return []string{"account"}, nil
	}
	if inline == nil {
		return nil, nil
	}
	return l.customerDifferences(ctx, inline.Customer, b.CustomerID, "account.customer")
}

// prefixed puts the name of the parameter before each name: "customer.name".
func prefixed(param string, names []string) []string {
	for i, name := range names {
		names[i] = param + "." + name
	}
	return names
}

// differs reports whether a text was set and the existing text is not equal.
func differs(set, existing string) bool { return set != "" && set != existing }

func otherDate(set, existing Date, name string, body []byte) bool {
	return !set.IsZero() && set != existing && !unreadable[Date](body, name)
}

// otherMetadata compares only the pairs that were set, because an update may have added others.
func otherMetadata(set, existing map[string]string, body []byte) bool {
	for key, value := range set {
		if got, found := existing[key]; found && got != value || !found && !unreadable[map[string]string](body, "metadata") {
			return true
		}
	}
	return false
}

// unreadable reports whether an optional member of a response was left empty because it has an
// unexpected form.
func unreadable[T any](body []byte, name string) bool {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members) // cannot fail, because the object was decoded from body
	value, found := members[name]
	return found && json.Unmarshal(value, new(T)) != nil
}
