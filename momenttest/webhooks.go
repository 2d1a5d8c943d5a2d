package momenttest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"time"

	"github.com/moment-billing/moment-go/internal/signature"
)

// SetWebhook sets where the events of payments go from now on, and the secret that
// they are signed with: whsec_ and base64, of at least 16 bytes. Plain HTTP will do, and
// the certificate of an [httptest.NewTLSServer] is not trusted.
// With an empty URL they go nowhere, as before the first call, and the secret does
// not matter. It panics if the URL is not an absolute one of HTTP or HTTPS, or the
// secret is none.
func (h *Handler) SetWebhook(endpointURL, secret string) {
	var w *webhook
	if endpointURL != "" {
		u, err := url.Parse(endpointURL)
		switch {
		case err != nil:
			panic("momenttest: webhook URL: " + err.Error())
		case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
			panic("momenttest: webhook URL: " + strconv.Quote(endpointURL) + " is not of the form http://host/path or https://host/path")
		}
		w = &webhook{endpointURL, mustParse(secret)}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.webhook = w
}

// SignWebhook returns the headers webhook-id, webhook-timestamp and webhook-signature
// of a message, as Moment sends them. What is refused is tested by changing them, or
// with a time long ago. It panics if the secret is none: see [Handler.SetWebhook].
func SignWebhook(secret, messageID string, at time.Time, body []byte) http.Header {
	return sign(mustParse(secret), messageID, at, body)
}

func sign(key *signature.Key, messageID string, at time.Time, body []byte) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	header := http.Header{}
	header.Set("Webhook-Id", messageID)
	header.Set("Webhook-Timestamp", timestamp)
	header.Set("Webhook-Signature", key.Sign(messageID, timestamp, body))
	return header
}

// NewWebhookRequest returns a request that delivers an event: a POST, signed now,
// under a new message id. The event is sent as it is if it is a []byte, a
// [json.RawMessage] or a string; anything else is encoded as JSON. Moment sends objects
// with id, type and data, which is not checked here: what is malformed can be tested.
//
// The request is good for both sides: for an [http.Handler] with
// [httptest.NewRecorder], where the target may be a path alone, and for an
// [http.Client]. To deliver the same message twice, give it its body again:
// req.Body, _ = req.GetBody(). Like [httptest.NewRequest], it panics
// if an argument is no good, which is fine in a test.
func NewWebhookRequest(target, secret string, event any) *http.Request {
	var body []byte
	switch event := event.(type) {
	case []byte:
		body = event
	case json.RawMessage:
		body = event
	case string:
		body = []byte(event)
	default:
		body = encode(event)
	}
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, target, bytes.NewReader(body))
	req.RequestURI = "" // a client refuses it; handlers go by URL
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Header = SignWebhook(secret, newMessageID(), time.Now(), body)
	req.Header.Set("Content-Type", "application/json")
	return req
}

func newMessageID() string { return "msg_" + randomID() }

// mustParse reads a secret. What it panics with does not repeat it.
func mustParse(secret string) *signature.Key {
	key, err := signature.ParseSecret(secret)
	if err != nil {
		panic("momenttest: the webhook secret " + err.Error())
	}
	return key
}
