package main

import (
	"net/http"
	"net/url"
	"strings"
)

// webhook is the endpoint that events are sent to, and the secrets that sign them.
type webhook struct {
	url              string // "": nowhere
	secret, previous string // previous: "" for none
}

// shown is the URL without its password.
func (w webhook) shown() string {
	if u, err := url.Parse(w.url); err == nil && w.url != "" {
		return u.Redacted()
	}
	return ""
}

func (m *mock) currentWebhook() webhook {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.webhook
}

func (m *mock) setWebhook(w webhook) { m.changeWebhook(func(now *webhook) { *now = w }) }

// changeWebhook holds the lock until the fake uses the changed webhook, so that no change
// overwrites another one.
func (m *mock) changeWebhook(change func(*webhook)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.webhook)
	m.fake.SetWebhook(m.webhook.url, m.webhook.secret)
}

// redact removes the secrets from text that others have written.
func (m *mock) redact(text string) string {
	w := m.currentWebhook()
	for _, secret := range []string{w.secret, w.previous} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[webhook secret]")
		}
	}
	return text
}

func (m *mock) getWebhook(*adminRequest) (any, *rejection) {
	w := m.currentWebhook()
	return map[string]any{"url": w.shown(), "secret_set": w.secret != "", "previous_secret_set": w.previous != ""}, nil
}

// putWebhook changes the webhook. The current secret becomes the previous one, as in a rotation.
func (m *mock) putWebhook(r *adminRequest) (any, *rejection) {
	var sent struct {
		URL      *string `json:"url"`
		Secret   string  `json:"secret"`
		Previous string  `json:"previous_secret"`
	}
	if rejected := r.decode(&sent); rejected != nil {
		return nil, rejected
	}
	target := ""
	if sent.URL != nil && *sent.URL != "" {
		var err error
		if target, err = readURL("url", *sent.URL, exampleEndpoint); err != nil {
			return nil, reject(http.StatusUnprocessableEntity, "%v", err)
		}
	}
	for _, s := range []struct{ name, secret string }{{"secret", sent.Secret}, {"previous_secret", sent.Previous}} {
		if err := checkSecret(s.secret); s.secret != "" && err != nil {
			return nil, reject(http.StatusUnprocessableEntity, "%s: %v", s.name, err)
		}
	}
	m.changeWebhook(func(w *webhook) {
		if sent.URL != nil {
			w.url = target
		}
		if sent.Secret != "" {
			w.secret, w.previous = sent.Secret, w.secret
		}
		if sent.Previous != "" {
			w.previous = sent.Previous
		}
	})
	return m.getWebhook(r)
}
