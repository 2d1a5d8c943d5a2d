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
	"strings"
	"time"

	"github.com/moment-billing/moment-go/internal/signature"
)

// SetWebhook sets the endpoint for the events of payments, and the secret that signs them: whsec_
// and base64, of at least 16 bytes. The URL may be plain HTTP. The certificate of an
// [httptest.NewTLSServer] is not trusted. With an empty URL, events are not delivered, and the
// secret is ignored. It panics if the URL is not an absolute HTTP or HTTPS URL, or if the secret is
// malformed.
func (h *Handler) SetWebhook(endpointURL, secret string) {
	if endpointURL == "" {
		h.setWebhook(nil)
		return
	}
	u, err := url.Parse(endpointURL)
	switch {
	case err != nil:
		panic("momenttest: webhook URL: " + err.Error())
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		panic("momenttest: webhook URL: " + strconv.Quote(endpointURL) + " is not of the form http://host/path or https://host/path")
	}
	h.setWebhook(&webhook{endpointURL, u.Redacted(), mustParse(secret), h.deliveries})
}

// SetWebhookHandler is like [Handler.SetWebhook], for an endpoint without a socket: events are
// delivered to a path of the handler, over [net.Pipe]. Use it inside testing/synctest, with
// [InProcess]. It panics if the handler is nil, the path does not begin with a slash, or the secret
// is malformed.
func (h *Handler) SetWebhookHandler(endpoint http.Handler, path, secret string) {
	switch {
	case endpoint == nil:
		panic("momenttest: the webhook handler is nil")
	case !strings.HasPrefix(path, "/"):
		panic("momenttest: webhook path: " + strconv.Quote(path) + " does not begin with a slash")
	}
	target := "http://localhost" + path
	h.setWebhook(&webhook{target, shownURL(target), mustParse(secret), newDeliveryClient(newPipeServer(endpoint).dial)})
}

func (h *Handler) setWebhook(w *webhook) {
	h.mu.Lock()
	h.webhook = w
	h.mu.Unlock()
	h.wakeOutbox()
}

// SignWebhook returns the headers webhook-id, webhook-timestamp and webhook-signature of a message,
// as Moment sends them. To test a rejection, change them, or use a time long ago. It panics if the
// secret is malformed: see [Handler.SetWebhook].
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

// NewWebhookRequest returns a request that delivers an event: a POST, signed now, under a new
// message id. The event is sent unchanged if it is a []byte, a [json.RawMessage] or a string;
// anything else is encoded as JSON. Moment sends objects with id, type and data. This is not
// checked, so that a test can send malformed events.
//
// The request works for an [http.Handler] with [httptest.NewRecorder], where the target may be a
// path alone, and for an [http.Client]. To deliver the same message twice, reset its body:
// req.Body, _ = req.GetBody(). Like [httptest.NewRequest], it panics if an argument is invalid.
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
	req.RequestURI = "" // http.Client rejects it, and handlers use URL
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Header = SignWebhook(secret, newMessageID(), time.Now(), body)
	req.Header.Set("Content-Type", "application/json")
	return req
}

func newMessageID() string { return "msg_" + randomID() }

// mustParse parses a secret, and does not quote it when it panics.
func mustParse(secret string) *signature.Key {
	key, err := signature.ParseSecret(secret)
	if err != nil {
		panic("momenttest: the webhook secret " + err.Error())
	}
	return key
}
