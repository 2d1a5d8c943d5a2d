package momenttest

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Limits of the outbox.
const (
	maxMessages     = 10_000
	maxAttempts     = 100 // that are kept of a message
	maxSending      = 256 // concurrent attempts
	maxKeptResponse = 4 << 10
)

// WithOutbox keeps each event with its attempts and their responses: see [Handler.Outbox]. Pay
// returns after the first attempt. If the endpoint does not acknowledge it, the server retries
// after each of the waits, on its own clock: move it with [Handler.Advance]. A Retry-After makes a
// wait longer. Without arguments, the waits are 5 s, 30 s, 5 min, 30 min and 2 h, because Moment
// does not document its own. Pay makes the retries with a wait of 0 before it returns, so
// WithOutbox(0, 0) keeps events, and delivers them like a server without an outbox.
//
// Only the last 10,000 events are kept, and every event that still has a next attempt. Of each
// event, the last 100 attempts are kept.
func WithOutbox(waits ...time.Duration) Option {
	if len(waits) == 0 {
		waits = []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
	}
	return Option{func(h *Handler) { h.keepsEvents, h.waits = true, slices.Clone(waits) }}
}

// WithDeliveryObserver sets a function that is called after each attempt to deliver an event, with
// the attempt as the last one of the Message. Attempts of different events call it concurrently.
func WithDeliveryObserver(observe func(Message)) Option {
	return Option{func(h *Handler) { h.observe = observe }}
}

// Message is an event in the outbox.
type Message struct {
	ID            string          `json:"message_id"`               // the webhook-id, the same in all attempts
	Event         json.RawMessage `json:"event"`                    // byte for byte as it is signed
	CreatedAt     time.Time       `json:"created_at"`               // on the server's clock, like all times here
	NextAttemptAt time.Time       `json:"next_attempt_at,omitzero"` // zero without a next attempt
	Attempts      []Attempt       `json:"attempts"`                 // the last 100
}

// Attempt is an attempt to deliver an event.
type Attempt struct {
	At       time.Time `json:"at"`                 // the webhook-timestamp
	URL      string    `json:"url"`                // without its password
	Status   int       `json:"status"`             // of the response; 0 without a response
	Response string    `json:"response,omitempty"` // at most the first 4 KiB of its body
	Error    string    `json:"error,omitempty"`    // why there was no response
	Resent   bool      `json:"resent,omitempty"`   // by Resend, and not one of the retries

	SentAt      time.Time `json:"sent_at,omitzero"`       // if Resend.Age made At earlier
	OtherSecret bool      `json:"other_secret,omitempty"` // it was signed with Resend.Secret
}

// Acknowledged reports whether the endpoint responded with a 2xx.
func (a Attempt) Acknowledged() bool { return a.Status/100 == 2 }

// Acknowledged reports whether an attempt was acknowledged.
func (m Message) Acknowledged() bool { return slices.ContainsFunc(m.Attempts, Attempt.Acknowledged) }

// Outbox returns the events that [WithOutbox] keeps, in the order of their creation.
func (h *Handler) Outbox() []Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return copiedMessages(h.messages.ordered)
}

// Message returns the event of the outbox with a message id.
func (h *Handler) Message(id string) (m Message, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if found := h.messages.byID[id]; found != nil {
		return found.copy(), true
	}
	return Message{}, false
}

func copiedMessages(messages []*message) []Message {
	all := make([]Message, len(messages))
	for i, m := range messages {
		all[i] = m.copy()
	}
	return all
}

// message is a Message that may be being delivered.
type message struct {
	Message

	sending  bool // by Pay or by the outbox
	revision int  // grows with each change: see OutboxAfter
}

func (m *message) copy() Message {
	c := m.Message
	c.Event, c.Attempts = slices.Clone(c.Event), append([]Attempt{}, c.Attempts...)
	return c
}

// retries returns how many of the attempts count for the waits.
func (m *message) retries() (n int) {
	for _, a := range m.Attempts {
		if !a.Resent {
			n++
		}
	}
	return n
}

// keep adds a message to the outbox.
func (h *Handler) keep(m *message) {
	h.revise(m)
	_ = h.messages.add(m, m.ID, m.ID, "") // its id is new
	for len(h.messages.ordered) > maxMessages {
		i := slices.IndexFunc(h.messages.ordered, func(m *message) bool { return m.NextAttemptAt.IsZero() && !m.sending })
		if i < 0 {
			return
		}
		delete(h.messages.byID, h.messages.ordered[i].ID)
		delete(h.messages.byReference, h.messages.ordered[i].ID)
		h.messages.ordered = slices.Delete(h.messages.ordered, i, i+1)
	}
}

// finishAttempt records an attempt, and decides when the next one is due.
func (h *Handler) finishAttempt(m *message, a outcome) {
	h.mu.Lock()
	if i := slices.IndexFunc(m.Attempts, func(a Attempt) bool { return a.Resent }); i >= 0 && len(m.Attempts) == maxAttempts {
		m.Attempts = slices.Delete(m.Attempts, i, i+1)
	}
	m.Attempts = append(m.Attempts, a.Attempt)
	h.revise(m)
	switch made := m.retries(); {
	case m.Acknowledged(): // by this attempt, or by one that ended while it was in flight
		m.NextAttemptAt = time.Time{}
	case a.Resent:
	case made > len(h.waits):
		m.NextAttemptAt = time.Time{}
	case h.waits[made-1] == 0:
		m.NextAttemptAt = h.now()
	default:
		m.NextAttemptAt = h.now().Add(max(h.waits[made-1], a.retryAfter))
	}
	if h.messages.byID[m.ID] == m { // and was not removed by Reset meanwhile
		h.messages.touch(m)
		h.changed()
	}
	c := m.copy()
	h.mu.Unlock()
	h.sync()
	if h.observe != nil {
		h.observe(c)
	}
}

// wakeOutbox makes the outbox check again which messages are due.
func (h *Handler) wakeOutbox() {
	select {
	case h.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// runOutbox delivers due messages until Close.
func (h *Handler) runOutbox() {
	for h.closing.Err() == nil {
		h.mu.Lock()
		due := h.takeDue(maxSending - h.sending)
		h.sending += len(due)
		next, pending := h.nextDue()
		h.mu.Unlock()
		for _, m := range due {
			h.working.Go(func() {
				h.retry(m)
				h.mu.Lock()
				h.sending--
				h.mu.Unlock()
				h.wakeOutbox()
			})
		}
		var timeout <-chan time.Time
		if pending {
			timeout = time.After(next)
		}
		select {
		case <-timeout:
		case <-h.wake:
		case <-h.closing.Done():
		}
	}
}

// takeDue returns the messages that are due, at most n unless n is negative. It marks them, so that
// no other goroutine delivers them.
func (h *Handler) takeDue(n int) (due []*message) {
	if h.webhook == nil || !h.keepsEvents {
		return nil
	}
	now := h.now()
	for _, m := range h.messages.ordered {
		if len(due) == n {
			return due
		}
		if !m.sending && !m.NextAttemptAt.IsZero() && !now.Before(m.NextAttemptAt) {
			m.sending = true
			due = append(due, m)
		}
	}
	return due
}

// nextDue returns the time until the next message is due, if there is one. It ignores messages that
// are due already: they wait for an attempt to end or for a webhook, and both wake the outbox.
func (h *Handler) nextDue() (in time.Duration, pending bool) {
	now := h.now()
	for _, m := range h.messages.ordered {
		if m.sending || m.NextAttemptAt.IsZero() || !now.Before(m.NextAttemptAt) {
			continue
		}
		if d := m.NextAttemptAt.Sub(now); !pending || d < in {
			in, pending = d, true
		}
	}
	return in, pending
}

// retryAll makes an attempt for each message.
func (h *Handler) retryAll(due []*message) {
	var attempts sync.WaitGroup
	slots := make(chan bool, maxSending)
	for _, m := range due {
		slots <- true
		attempts.Go(func() { h.retry(m); <-slots })
	}
	attempts.Wait()
}

// retry makes an attempt for a message that takeDue has returned.
func (h *Handler) retry(m *message) {
	h.mu.Lock()
	to := h.webhook
	h.mu.Unlock()
	if to != nil {
		if a := h.attempt(h.closing, m, *to, to.key, h.now()); h.closing.Err() == nil || a.Acknowledged() {
			h.finishAttempt(m, a)
		}
	}
	h.release([]*message{m})
}

// seedMessage adds a message unchanged. A message with a next attempt is delivered when it is due.
func (h *Handler) seedMessage(_ *params, seeded Message) *problem {
	switch {
	case !messageIdentifier.valid(seeded.ID):
		return newProblem(http.StatusBadRequest, "message_id must be %s", messageIdentifier.form)
	case !json.Valid(seeded.Event):
		return newProblem(http.StatusBadRequest, "event is not JSON")
	case h.messages.byID[seeded.ID] != nil:
		return newProblem(http.StatusConflict, "message_id %q belongs to another message", seeded.ID)
	}
	m := &message{Message: seeded}
	m.Message = m.copy()
	m.Event = encode(m.Event) // because stored JSON may be indented, and events are not
	h.keep(m)
	return nil
}

var messageIdentifier = matching("msg_ and then letters and digits", `^msg_[a-zA-Z0-9]+$`)
