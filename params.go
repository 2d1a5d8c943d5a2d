package moment

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
)

// UnmarshalJSON decodes params that were stored as JSON, for example in a job queue. In customer, a
// string becomes an [ExistingCustomer] and an object a [CustomerCreateParams]. An amount that is
// not an exact integer is an error, and unknown members are ignored. It sets every field of p, so
// that no field of an earlier job remains. Every error about a member is an [*ArgumentError].
//
// Do not embed an AccountCreateParams in a struct that is decoded from JSON, because the struct
// would inherit this method, and its other fields would not be decoded.
func (p *AccountCreateParams) UnmarshalJSON(data []byte) error {
	if isNull(data) {
		return nil // null changes nothing, as for any other type
	}
	type plain AccountCreateParams
	var wire struct {
		plain
		Customer json.RawMessage `json:"customer"`
	}
	if err := decodeParams(data, &wire, "balance"); err != nil {
		return err
	}
	customer, err := decodeCustomerRef(wire.Customer, "customer")
	if err != nil {
		return err
	}
	*p = AccountCreateParams(wire.plain)
	p.Customer = customer
	return nil
}

// UnmarshalJSON decodes stored params as [AccountCreateParams.UnmarshalJSON] does. In account, a
// string becomes an [ExistingAccount] and an object an [AccountCreateParams].
//
// Do not embed a BillCreateParams in a struct that is decoded from JSON, because the struct would
// inherit this method, and its other fields would not be decoded.
func (p *BillCreateParams) UnmarshalJSON(data []byte) error {
	if isNull(data) {
		return nil // null changes nothing, as for any other type
	}
	type plain BillCreateParams
	var wire struct {
		plain
		Customer json.RawMessage `json:"customer"`
		Account  json.RawMessage `json:"account"`
		BillDate json.RawMessage `json:"bill_date"`
		DueDate  json.RawMessage `json:"due_date"`
	}
	if err := decodeParams(data, &wire, "amount_due"); err != nil {
		return err
	}
	read := BillCreateParams(wire.plain)
	var err error
	if read.Customer, err = decodeCustomerRef(wire.Customer, "customer"); err != nil {
		return err
	}
	if read.Account, err = decodeAccountRef(wire.Account, "account"); err != nil {
		return err
	}
	if read.BillDate, err = decodeDate(wire.BillDate, "bill_date"); err != nil {
		return err
	}
	if read.DueDate, err = decodeDate(wire.DueDate, "due_date"); err != nil {
		return err
	}
	*p = read
	return nil
}

func decodeCustomerRef(value json.RawMessage, param string) (CustomerRef, error) {
	switch {
	case isNull(value):
		return nil, nil //nolint:nilnil // the reference is optional
	case value[0] == '"':
		var existing ExistingCustomer
		err := json.Unmarshal(value, &existing)
		return existing, err
	case value[0] == '{':
		var inline CustomerCreateParams
		if err := decodeParams(value, &inline, "balance"); err != nil {
			return nil, prefixParam(param, err)
		}
		return inline, nil
	default:
		return nil, errNotRef(value, param)
	}
}

func decodeAccountRef(value json.RawMessage, param string) (AccountRef, error) {
	switch {
	case isNull(value):
		return nil, nil //nolint:nilnil // the reference is optional
	case value[0] == '"':
		var existing ExistingAccount
		err := json.Unmarshal(value, &existing)
		return existing, err
	case value[0] == '{':
		var inline AccountCreateParams
		if err := inline.UnmarshalJSON(value); err != nil {
			return nil, prefixParam(param, err)
		}
		return inline, nil
	default:
		return nil, errNotRef(value, param)
	}
}

func decodeDate(value json.RawMessage, param string) (d Date, err error) {
	if isNull(value) {
		return Date{}, nil
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return Date{}, errParams(param, "is of type "+jsonType(value)+", not string")
	}
	d, reason := parseDate(text)
	if reason != "" {
		return Date{}, errParams(param, reason)
	}
	return d, nil
}

// decodeParams decodes a JSON object into params that have no UnmarshalJSON. The error names the
// member.
func decodeParams(object []byte, params any, amounts ...string) error {
	err := checkAmounts(object, amounts...)
	if err == nil {
		err = json.Unmarshal(object, params)
	}
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return err
	}
	mismatch.Field = strings.TrimPrefix(mismatch.Field, "plain.")
	if mismatch.Field == "" {
		mismatch.Field, mismatch.Type = "params", reflect.TypeFor[map[string]any]() // so that the error says "object" and not a Go type
	}
	return errParams(explain(mismatch))
}

func errParams(param, reason string) error {
	return &ArgumentError{Op: "decode params", Param: param, Reason: reason}
}

func errNotRef(value json.RawMessage, param string) error {
	return errParams(param, "is of type "+jsonType(value)+", neither string nor object")
}

// isNull reports whether a member is null or absent.
func isNull(value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" }
