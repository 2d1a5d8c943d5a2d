package main

import (
	"bytes"
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
	ForwardTo string    `json:"forward_to,omitempty"` // none: events go nowhere
}

func (m *mock) getHealth(*adminRequest) (any, *rejection) {
	return health{"moment-mock", programVersion(), m.started.UTC(), m.currentWebhook().shown()}, nil
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
	sent, _, found, err := readContents(bytes.NewReader(r.body))
	switch {
	case errors.Is(err, errVersion):
		return nil, reject(http.StatusBadRequest, "the body is %v: send what GET /_mock/state returns", err)
	case err != nil || !found:
		reason := "it is empty"
		if err != nil {
			reason = decodeReason(err)
		}
		return nil, reject(http.StatusBadRequest, "the body must be a JSON object as GET /_mock/state returns it: %s", reason)
	}
	if err := m.fake.Restore(sent.State); err != nil {
		return nil, reject(http.StatusUnprocessableEntity, "%s", strings.TrimPrefix(err.Error(), "momenttest: restore: "))
	}
	return nil, nil
}

func (m *mock) deleteState(*adminRequest) (any, *rejection) {
	m.fake.Reset()
	return nil, nil
}
