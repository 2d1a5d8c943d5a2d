package testkit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// The keys of the webhooks in tests: the current key, and an old one.
var (
	WebhookKey    = []byte("an example key, not a secret one")
	OldWebhookKey = []byte("an example key that was replaced")
)

// SignedAt is the current time of the verifiers in tests.
var SignedAt = time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)

// The event of Moment's guide for account balances, and one with the other members of the
// reference.
const (
	EventJSON = `{
	  "id": "evt_2341234567890abcdef",
	  "type": "obligation.amount_applied",
	  "data": {
	    "id": "ob_N2a38DJQWPL8K4X42354234",
	    "amount": 2000,
	    "currency": "ZAR",
	    "payment_id": "pay_1313235234843nmafdsa",
	    "account_id": "bacc_H4jp6KnU5cPw263v1jyz4"
	  }
	}`
	FullEventJSON = `{"id":"evt_1","type":"obligation.amount_applied","data":{"id":"ob_1","amount":-500,"currency":"ZAR","payment_id":"pay_1","bill_id":"bill_1",` +
		`"metadata":{"order_id":"ord_789012"},"created_at":"2025-01-31T12:00:00Z","updated_at":"2025-01-31T14:00:00.5+02:00","new":[1]},"new":{}}`
)

// SignWebhook returns the headers of a message. It follows Moment's reference and does not use this
// module's own code.
func SignWebhook(key []byte, id string, at time.Time, body string) http.Header {
	if len(key) == 0 {
		key = make([]byte, sha256.BlockSize) // equal to an empty key in HMAC, because FIPS 140 rejects an empty key
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+timestamp+"."+body)
	return http.Header{
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {timestamp},
		"Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
}

// Deliver sends a webhook to a handler and returns the response.
func Deliver(h http.Handler, method string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/webhooks/moment", body)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// WithHeader returns a copy of header in which name has the values.
func WithHeader(header http.Header, name string, values ...string) http.Header {
	header = header.Clone()
	header[name] = values
	return header
}
