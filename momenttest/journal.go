package momenttest

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
)

// Journal keeps the data of a server, so that the next one can begin with it: see [WithJournal].
// Append and Replace are called one at a time, in the order of the changes. They must not call the
// handler.
type Journal interface {
	// Append stores the objects that a change created or updated. An object or a message replaces
	// the one with the same id, a response the one with the same key, and the clock's offset the
	// previous offset. Only expired responses may be removed.
	Append(changed State)
	// Replace stores a State in place of everything stored before.
	Replace(all State)
	// Sync returns when the data of all earlier calls of Append and Replace is durable. Several
	// goroutines call it at once, before they send a response or deliver an event.
	Sync()
}

// WithJournal stores each change in a journal. [Handler.Restore] loads the stored data.
func WithJournal(j Journal) Option {
	return Option{func(h *Handler) { h.journal = j }}
}

// changed is called after each change, under the lock. Its caller then calls sync without the lock,
// before a response or an event reports the change.
func (h *Handler) changed() {
	if changed, some := h.takeChanges(h.journal != nil); some && h.journal != nil {
		h.journal.Append(changed)
	}
}

// replaced is changed after all data has been replaced.
func (h *Handler) replaced() {
	h.takeChanges(false)
	if h.journal != nil {
		h.journal.Replace(h.state())
	}
}

func (h *Handler) sync() {
	if h.journal != nil {
		h.journal.Sync()
	}
}

// takeChanges reports whether there were changes since the last call. It returns the new and
// updated objects if the caller needs copies.
func (h *Handler) takeChanges(copies bool) (State, bool) {
	customers, accounts, bills := h.customers.takeChanged(), h.accounts.takeChanged(), h.bills.takeChanged()
	requests, details, messages := h.paymentRequests.takeChanged(), h.paymentDetails.takeChanged(), h.messages.takeChanged()
	payments, keys := h.payments[h.keptPayments:], h.changedKeys
	some := len(customers)+len(accounts)+len(bills)+len(requests)+len(details)+len(messages)+len(payments)+len(keys) > 0 || h.clockMoved
	h.keptPayments, h.changedKeys, h.clockMoved = len(h.payments), nil, false
	if !some || !copies {
		return State{}, some
	}
	changed := State{
		Customers:       copied[moment.Customer](customers),
		Accounts:        copied[moment.Account](accounts),
		Bills:           copied[moment.Bill](bills),
		Payments:        copied[moment.AmountApplied](payments),
		PaymentRequests: copied[moment.PaymentRequest](requests),
		PaymentDetails:  copied[moment.Payment](details),
		Responses:       []SavedResponse{},
		Outbox:          copiedMessages(messages),
		ClockOffset:     time.Duration(h.offset.Load()),
	}
	for _, key := range keys {
		if saved, ok := h.keys[key]; ok && !saved.inFlight() {
			changed.Responses = append(changed.Responses, saved.export(key))
		}
	}
	return changed, true
}

func (s savedResponse) export(key string) SavedResponse {
	return SavedResponse{key, s.fingerprint, s.response.status, bytes.Clone(s.response.body), s.expires}
}

func compareResponses(a, b SavedResponse) int {
	return cmp.Or(a.Expires.Compare(b.Expires), strings.Compare(a.IdempotencyKey, b.IdempotencyKey))
}

// touch marks an object as changed.
func (c *collection[T]) touch(object *T) {
	if !slices.Contains(c.changed, object) {
		c.changed = append(c.changed, object)
	}
}

func (c *collection[T]) takeChanged() []*T {
	changed := c.changed
	c.changed = nil
	return changed
}
