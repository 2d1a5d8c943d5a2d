package main

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/momenttest"
)

// eventHead has the members of an event that lists and logs show.
type eventHead struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

func headOf(event json.RawMessage) (head eventHead) {
	_ = json.Unmarshal(event, &head) // an imported event may be any JSON
	return head
}

// eventSummary is an event in the list.
type eventSummary struct {
	MessageID     string     `json:"message_id"`
	EventID       string     `json:"event_id"`
	Type          string     `json:"type"`
	CreatedAt     time.Time  `json:"created_at"`
	Acknowledged  bool       `json:"acknowledged"`
	Attempts      int        `json:"attempts"`
	Status        int        `json:"status"`          // of the last attempt; 0 without a response
	Error         string     `json:"error,omitempty"` // why it had none
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"`

	Event json.RawMessage `json:"event"`
}

// eventDetail is an event with its attempts.
type eventDetail struct {
	EventID      string `json:"event_id"`
	Type         string `json:"type"`
	Acknowledged bool   `json:"acknowledged"`
	momenttest.Message
}

func (m *mock) getEvents(r *adminRequest) (any, *rejection) {
	after, limit, rejected := r.listQuery()
	if rejected != nil {
		return nil, rejected
	}
	outbox, revision := m.fake.OutboxAfter(after)
	if !r.URL.Query().Has("after") {
		outbox = m.fake.Outbox() // in the order of creation
	}
	events := []eventSummary{}
	for _, kept := range newest(outbox, limit) {
		head := headOf(kept.Event)
		e := eventSummary{
			MessageID: kept.ID, EventID: head.ID, Type: head.Type, CreatedAt: kept.CreatedAt,
			Acknowledged: kept.Acknowledged(), Attempts: len(kept.Attempts), Event: kept.Event,
		}
		if e.Attempts > 0 {
			last := kept.Attempts[e.Attempts-1]
			e.Status, e.Error = last.Status, m.redact(last.Error)
		}
		if !kept.NextAttemptAt.IsZero() {
			e.NextAttemptAt = &kept.NextAttemptAt
		}
		events = append(events, e)
	}
	return map[string]any{"events": events, "revision": revision}, nil
}

func (m *mock) getEvent(r *adminRequest) (any, *rejection) {
	kept, ok := m.fake.Message(r.id)
	if !ok {
		return nil, noMessage(r.id)
	}
	return m.detail(kept), nil
}

func noMessage(id string) *rejection {
	return reject(http.StatusNotFound, "no event has the message id %q: see /_mock/events", id)
}

func (m *mock) detail(kept momenttest.Message) eventDetail {
	head := headOf(kept.Event)
	for i := range kept.Attempts {
		kept.Attempts[i].Response = m.redact(kept.Attempts[i].Response)
		kept.Attempts[i].Error = m.redact(kept.Attempts[i].Error)
	}
	return eventDetail{head.ID, head.Type, kept.Acknowledged(), kept}
}

// eventTypeForm allows what the documentation has, and more of its kind.
var eventTypeForm = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`)

func (m *mock) postEvent(r *adminRequest) (any, *rejection) {
	var sent struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if rejected := r.decode(&sent); rejected != nil {
		return nil, rejected
	}
	if len(sent.Type) > 100 || !eventTypeForm.MatchString(sent.Type) {
		return nil, reject(http.StatusBadRequest, "type is required: words of a-z, 0-9 and _ with full stops between them, such as bill.created")
	}
	if sent.Data == nil {
		return nil, reject(http.StatusBadRequest, `data is required: any JSON, such as {"id": "bill_1"}`)
	}
	d, err := m.fake.Send(context.WithoutCancel(r.Context()), sent.Type, sent.Data)
	if d == nil {
		return nil, reject(http.StatusBadRequest, "%s", strings.TrimPrefix(err.Error(), "momenttest: send: "))
	}
	return m.getEvent(&adminRequest{id: d.MessageID})
}

func (m *mock) deliverEvent(r *adminRequest) (any, *rejection) {
	sent := struct {
		Times  int    `json:"times"`
		Secret string `json:"secret"`
		Age    string `json:"age"`
	}{Times: 1, Secret: "current", Age: "0s"}
	if rejected := r.decode(&sent); rejected != nil {
		return nil, rejected
	}
	age, ok := parseDuration(sent.Age)
	switch {
	case sent.Times < 1 || sent.Times > 100:
		return nil, reject(http.StatusBadRequest, "times must be an integer from 1 to 100")
	case sent.Secret != "current" && sent.Secret != "previous":
		return nil, reject(http.StatusBadRequest, "secret must be current or previous: set the secrets with PUT /_mock/webhook")
	case !ok:
		return nil, reject(http.StatusBadRequest, "age must be a duration such as 10m")
	}
	if _, ok := m.fake.Message(r.id); !ok {
		return nil, noMessage(r.id)
	}
	hook := m.currentWebhook()
	resend := momenttest.Resend{Times: sent.Times, Age: age}
	switch {
	case hook.url == "":
		return nil, reject(http.StatusConflict, "no webhook URL is set: start moment-mock with --forward-to, or set a URL with PUT /_mock/webhook")
	case sent.Secret == "previous" && hook.previous == "":
		return nil, reject(http.StatusConflict, "there is no previous secret: set one with PUT /_mock/webhook")
	case sent.Secret == "previous":
		resend.Secret = hook.previous
	}
	if _, err := m.fake.Resend(context.WithoutCancel(r.Context()), r.id, resend); err != nil {
		return nil, reject(http.StatusConflict, "%s", strings.TrimPrefix(err.Error(), "momenttest: resend: "))
	}
	return m.getEvent(r)
}

var durationForm = regexp.MustCompile(`^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,3}$`)

func parseDuration(text string) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	return d, err == nil && durationForm.MatchString(text)
}
