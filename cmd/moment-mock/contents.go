package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// version is the version of this form.
const version = 3

// contents is one JSON object: a seed, an export, or the start of a state file. In a state file, an
// object of the same form follows for each change. An object with a version replaces everything
// before it. One without is a change, whose objects replace those with the same id.
type contents struct {
	Version       int    `json:"version,omitempty"`
	WebhookSecret string `json:"webhook_secret,omitempty"` // in state files only
	momenttest.State
}

var errVersion = fmt.Errorf("not of version %d", version)

// readContents returns the merged objects, and the offset at which the last complete one ends. It
// drops a truncated object at the end, because a killed process can leave one, and no response was
// sent for its change. Without any object, found is false.
func readContents(from io.Reader) (all contents, end int64, found bool, err error) {
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	merged := new(merger)
	for {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && found:
			return merged.contents(), end, found, nil
		case err != nil:
			return contents{}, 0, found, err
		}
		read, err := readObject(raw)
		if err != nil {
			return contents{}, 0, found, err
		}
		if !found || read.Version != 0 {
			merged.begin(read)
		} else {
			merged.change(read)
		}
		found, end = true, decoder.InputOffset()
	}
}

// readObject checks the version before all else, because another version may have other members.
func readObject(raw json.RawMessage) (read contents, err error) {
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return contents{}, err
	}
	if raw[0] != '{' {
		return contents{}, errors.New("not a JSON object")
	}
	if head.Version != nil && *head.Version != version {
		return contents{}, errVersion
	}
	if err := decode(raw, &read); err != nil {
		return contents{}, err
	}
	return read, nil
}

// merger applies changes to the contents before them.
type merger struct {
	head      contents
	customers index[moment.Customer]
	accounts  index[moment.Account]
	bills     index[moment.Bill]
	payments  index[moment.AmountApplied]
	requests  index[moment.PaymentRequest]
	details   index[moment.Payment]
	responses index[momenttest.SavedResponse]
	messages  index[momenttest.Message]
}

func (m *merger) begin(c contents) {
	*m = merger{head: c}
	m.change(c)
}

func (m *merger) change(c contents) {
	m.head.ClockOffset = c.ClockOffset
	m.customers.put(c.Customers, func(o *moment.Customer) string { return o.ID })
	m.accounts.put(c.Accounts, func(o *moment.Account) string { return o.ID })
	m.bills.put(c.Bills, func(o *moment.Bill) string { return o.ID })
	m.payments.put(c.Payments, func(o *moment.AmountApplied) string { return o.ID })
	m.requests.put(c.PaymentRequests, func(o *moment.PaymentRequest) string { return o.ID })
	m.details.put(c.PaymentDetails, func(o *moment.Payment) string { return o.ID })
	m.responses.put(c.Responses, func(o *momenttest.SavedResponse) string { return o.IdempotencyKey })
	m.messages.put(c.Outbox, func(o *momenttest.Message) string { return o.ID })
}

func (m *merger) contents() contents {
	c := m.head
	c.Customers, c.Accounts, c.Bills, c.Payments = m.customers.all, m.accounts.all, m.bills.all, m.payments.all
	c.PaymentRequests, c.PaymentDetails = m.requests.all, m.details.all
	c.Responses, c.Outbox = m.responses.all, m.messages.all
	return c
}

// index is a list of objects, and where each id is in it. Objects of a seed may have no id.
type index[T any] struct {
	all []T
	at  map[string]int
}

func (x *index[T]) put(objects []T, id func(*T) string) {
	if x.at == nil {
		x.at = map[string]int{}
	}
	for i := range objects {
		name := id(&objects[i])
		if at, ok := x.at[name]; ok && name != "" {
			x.all[at] = objects[i]
			continue
		}
		x.at[name] = len(x.all)
		x.all = append(x.all, objects[i])
	}
}
