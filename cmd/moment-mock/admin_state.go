package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

type health struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Replaced  int64     `json:"replaced"`             // how often all data was reset or imported
	ForwardTo string    `json:"forward_to,omitempty"` // none: events go nowhere
}

func (m *mock) getHealth(*adminRequest) (any, *rejection) {
	return health{"moment-mock", programVersion(), m.started.UTC(), m.replaced.Load(), m.currentWebhook().shown()}, nil
}

// programVersion is that of the module, or (devel).
func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func (m *mock) getState(*adminRequest) (any, *rejection) {
	state := m.fake.State()
	for i := range state.Outbox {
		state.Outbox[i] = m.detail(state.Outbox[i]).Message
	}
	return contents{Version: version, State: state}, nil
}

func (m *mock) putState(r *adminRequest) (any, *rejection) {
	var members map[string]json.RawMessage
	if rejected := r.decode(&members); rejected != nil {
		return nil, rejected
	}
	sent, _, _, err := readContents(bytes.NewReader(r.body))
	switch {
	case errors.Is(err, errVersion):
		return nil, reject(http.StatusBadRequest, "the body is %v: send the form that GET /_mock/state returns", err)
	case err != nil:
		status := http.StatusBadRequest
		if isState(r.body) {
			status = http.StatusUnprocessableEntity
		}
		return nil, reject(status, "the body must be as GET /_mock/state returns it: %s", decodeReason(err))
	}
	if err := m.fake.Restore(sent.State); err != nil {
		return nil, reject(http.StatusUnprocessableEntity, "%s", strings.TrimPrefix(err.Error(), "momenttest: restore: "))
	}
	m.replaced.Add(1)
	return nil, nil
}

// isState reports whether an import has the right form, apart from the objects in it.
func isState(body []byte) bool {
	var form struct {
		Version         int         `json:"version"`
		WebhookSecret   string      `json:"webhook_secret"`
		Customers       []anyObject `json:"customers"`
		Accounts        []anyObject `json:"accounts"`
		Bills           []anyObject `json:"bills"`
		Payments        []anyObject `json:"payments"`
		PaymentRequests []anyObject `json:"payment_requests"`
		PaymentDetails  []anyObject `json:"payment_details"`
		Responses       []anyObject `json:"responses"`
		Outbox          []anyObject `json:"outbox"`
		ClockOffset     int64       `json:"clock_offset"`
	}
	return decode(body, &form) == nil
}

type anyObject map[string]json.RawMessage

func (m *mock) deleteState(*adminRequest) (any, *rejection) {
	m.fake.Reset()
	m.replaced.Add(1)
	return nil, nil
}
