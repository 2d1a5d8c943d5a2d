package momenttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/moment-billing/moment-go/internal/signature"
)

// Resend has the options of [Handler.Resend].
type Resend struct {
	Times  int           // number of deliveries; 0 is one
	Secret string        // signs the event, such as the secret before a rotation; empty: the webhook's
	Age    time.Duration // of the timestamp, which is the server's time less Age
}

// Resend delivers an event of [Handler.Outbox] again, acknowledged or not, to the endpoint of
// [Handler.SetWebhook]. Its message id and body stay the same, and each attempt has a new
// timestamp. The Delivery counts only these attempts.
//
//	srv.Resend(ctx, delivery.MessageID, momenttest.Resend{Times: 2})
//	srv.Resend(ctx, delivery.MessageID, momenttest.Resend{Age: 10 * time.Minute}) // a replay attack
//
// Resend returns an error without a Delivery if the event does not exist, if no webhook is set, or
// if the secret is malformed. It returns an error and the Delivery if ctx ends before an attempt is
// acknowledged.
func (h *Handler) Resend(ctx context.Context, messageID string, r Resend) (*Delivery, error) {
	h.mu.Lock()
	m, to := h.messages.byID[messageID], h.webhook
	h.mu.Unlock()
	switch {
	case m == nil:
		return nil, fmt.Errorf("momenttest: resend: no event has the message id %q: see WithOutbox", messageID)
	case to == nil:
		return nil, errors.New("momenttest: resend: no webhook is set: call SetWebhook")
	}
	key := to.key
	if r.Secret != "" {
		var err error
		if key, err = signature.ParseSecret(r.Secret); err != nil {
			return nil, fmt.Errorf("momenttest: resend: the secret %w", err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.closing, cancel)() //nolint:contextcheck // Close ends it too
	d := &Delivery{MessageID: m.ID, Body: m.Event}
	var at time.Time
	for d.Attempts < max(1, r.Times) {
		now := h.now()
		at = later(now.Add(-r.Age), at)
		a := h.attempt(ctx, m, *to, key, at)
		a.Resent, a.OtherSecret = true, r.Secret != ""
		if r.Age > 0 {
			a.SentAt = now.UTC().Truncate(time.Second)
		}
		d.record(a)
		if !a.Acknowledged() && ctx.Err() != nil {
			return d, fmt.Errorf("momenttest: resend: %w", ctx.Err())
		}
		h.finishAttempt(m, a)
	}
	return d, nil
}

// Send delivers an event of any type, such as one that Moment announces and this fake does not
// send. It encodes the data as JSON, signs the event, and does not change other data. Otherwise it
// is like [Handler.Pay].
func (h *Handler) Send(ctx context.Context, eventType string, data any) (*Delivery, error) {
	body, err := json.Marshal(newEvent(eventType, data))
	switch {
	case eventType == "":
		err = errors.New("the type is empty")
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("momenttest: send: %w", err)
	}
	h.mu.Lock()
	messages, to := h.newMessages(DeliverNow, body), h.webhook
	h.changed()
	h.mu.Unlock()
	h.sync()
	return h.deliverAll(ctx, "send: the event is not acknowledged", messages, to)
}
