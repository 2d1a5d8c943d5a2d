package moment_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// An event of some 400 bytes from the reference.
const eventOf400Bytes = `{"id":"evt_2341234567890abcdef","type":"obligation.amount_applied","data":{"id":"ob_N2a38DJQWPL8K4X42354234","amount":2000,"currency":"ZAR",` +
	`"payment_id":"pay_1313235234843nmafdsa","account_id":"bacc_H4jp6KnU5cPw263v1jyz4","metadata":{"customer_id":"cust_123456","order_id":"ord_789012"},` +
	`"created_at":"2025-01-31T12:00:00Z","updated_at":"2025-01-31T12:00:00Z"}}`

// plainPayment is a hand-written payment: encoding/json decodes it without methods.
type plainPayment struct {
	ID         string            `json:"id"`
	Amount     int64             `json:"amount"`
	Currency   string            `json:"currency"`
	PaymentID  string            `json:"payment_id"`
	CustomerID string            `json:"customer_id"`
	AccountID  string            `json:"account_id"`
	BillID     string            `json:"bill_id"`
	Metadata   map[string]string `json:"metadata"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
}

// The pair compares Parse with its minimum: the MAC, and decoding the event once.
func BenchmarkWebhook(b *testing.B) {
	header := testkit.SignWebhook(testkit.WebhookKey, "msg_p5jXN8AQM9LWM0D4loKWxJek", testkit.SignedAt, eventOf400Bytes)
	body := []byte(eventOf400Bytes)
	b.Run("HMAC and json.Unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mac := hmac.New(sha256.New, testkit.WebhookKey)
			_, _ = io.WriteString(mac, header.Get("Webhook-Id")+"."+header.Get("Webhook-Timestamp")+".")
			_, _ = mac.Write(body)
			mac.Sum(nil)
			var event struct {
				ID   string           `json:"id"`
				Type moment.EventType `json:"type"`
				Data plainPayment     `json:"data"`
			}
			require.NoError(b, json.Unmarshal(body, &event))
		}
	})
	b.Run("Parse", func(b *testing.B) {
		b.ReportAllocs()
		v := newVerifier(b)
		for b.Loop() {
			_, err := v.Parse(header, body)
			require.NoError(b, err)
		}
	})
}
