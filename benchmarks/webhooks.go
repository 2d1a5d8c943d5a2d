package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/PaddleHQ/paddle-go-sdk/v4"
	"github.com/PaddleHQ/paddle-go-sdk/v4/pkg/paddlenotification"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stripe/stripe-go/v85"
	stripewebhook "github.com/stripe/stripe-go/v85/webhook"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/moment-billing/moment-go"
)

// The same event of some 400 bytes, a payment, in the form of each service.
const (
	momentEvent = `{"id":"evt_2341234567890abcdef","type":"obligation.amount_applied","data":{"id":"ob_N2a38DJQWPL8K4X42354234","amount":2000,"currency":"ZAR",` +
		`"payment_id":"pay_1313235234843nmafdsa","account_id":"bacc_H4jp6KnU5cPw263v1jyz4","metadata":{"customer_id":"cust_123456","order_id":"ord_789012"},` +
		`"created_at":"2025-01-31T12:00:00Z","updated_at":"2025-01-31T12:00:00Z"}}`
	stripeEvent = `{"id":"evt_2341234567890abcdef","object":"event","api_version":"` + stripe.APIVersion + `","type":"payment_intent.succeeded","created":1738324800,` +
		`"livemode":false,"data":{"object":{"id":"pi_N2a38DJQWPL8K4X42354234","object":"payment_intent","amount":2000,"currency":"zar","customer":"cus_H4jp6KnU5cPw26",` +
		`"metadata":{"customer_id":"cust_123456","order_id":"ord_789012"},"created":1738324800}}}`
	paddleEvent = `{"event_id":"evt_2341234567890abcdef","event_type":"transaction.paid","occurred_at":"2025-01-31T12:00:00Z","notification_id":"ntf_01hsdn977e920kb",` +
		`"data":{"id":"txn_N2a38DJQWPL8K4X42354234","status":"paid","currency_code":"ZAR","customer_id":"ctm_H4jp6KnU5cPw263v1jyz4",` +
		`"custom_data":{"customer_id":"cust_123456","order_id":"ord_789012"},"created_at":"2025-01-31T12:00:00Z","updated_at":"2025-01-31T12:00:00Z"}}`
)

// payment is the struct into which a hand-written receiver decodes the event.
type payment struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data struct {
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
	} `json:"data"`
}

func measureWebhooks(s settings) ([]table, error) {
	var tables []table
	for _, size := range []int{400, 16 << 10, 1 << 20} {
		receivers, err := newReceivers(time.Now())
		if err != nil {
			return nil, err
		}
		var contenders []contender
		body := fmt.Appendf(nil, `{"note":"%s"}`, strings.Repeat("n", size-len(`{"note":""}`)))
		for _, r := range receivers {
			contenders = append(contenders, contender{r.name, r.verify(body)})
		}
		measurements, err := measure(s, contenders)
		if err != nil {
			return nil, err
		}
		t := timesTable("Verifying a webhook of "+bytesText(size), "Bare HMAC computes and compares the MAC of the header's and the body's bytes, and does nothing else. "+
			"Stripe and Paddle have their own signature schemes. Paddle's function reads the body of a request.", measurements)
		if len(tables) == 0 {
			t = t.inSummary("verify a webhook of " + bytesText(size))
		}
		tables = append(tables, t)
	}
	receivers, err := newReceivers(time.Now())
	if err != nil {
		return nil, err
	}
	var contenders []contender
	for _, r := range receivers {
		contenders = append(contenders, contender{r.name, r.decode()})
	}
	contenders[0].name += " and json.Unmarshal"
	measurements, err := measure(s, contenders)
	t := timesTable("Verifying and decoding an event of 400 bytes", "The event is decoded into a struct of its own type. If a library does not decode, json.Unmarshal into the struct of the first row follows; "+
		"with Stripe, json.Unmarshal of the event's object follows, as its documentation says.", measurements)
	return append(tables, t.inSummary("verify and decode an event")), err
}

func bytesText(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}

// receiver verifies and decodes events that it signed before.
type receiver struct {
	name   string
	verify func(body []byte) func() error
	decode func() func() error
}

var errNotVerified = errors.New("a right signature is rejected")

// newReceivers returns receivers that sign at the time now, because some libraries read the clock.
func newReceivers(now time.Time) ([]receiver, error) {
	key := []byte("24 bytes of key, or more")
	secret := moment.RawWebhookSecret(key)
	ours, err := moment.NewWebhookVerifier(secret)
	if err != nil {
		return nil, err
	}
	standard, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	bySvix, err := svix.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	// sign makes the headers of Standard Webhooks.
	sign := func(body []byte) http.Header {
		signature, err := standard.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", now, body)
		if err != nil {
			panic(err) // it never fails
		}
		return http.Header{
			"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
			"Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)},
			"Webhook-Signature": {signature},
		}
	}
	paddles := paddle.NewWebhookVerifier(string(key), paddle.VerifierWithTimestampTolerance(3*time.Minute))

	return []receiver{
		{
			"bare HMAC",
			func(body []byte) func() error {
				header := sign(body)
				want := mac(key, header, body)
				return func() error { return compare(mac(key, header, body), want) }
			},
			func() func() error {
				body := []byte(momentEvent)
				header := sign(body)
				want := mac(key, header, body)
				return func() error {
					if err := compare(mac(key, header, body), want); err != nil {
						return err
					}
					return unmarshalPayment(body)
				}
			},
		},
		{
			ourName,
			func(body []byte) func() error {
				header := sign(body)
				return func() error { return ours.Verify(header, body) }
			},
			func() func() error {
				body := []byte(momentEvent)
				header := sign(body)
				return func() error {
					event, err := ours.Parse(header, body)
					if err != nil {
						return err
					}
					if data, ok := event.Data.(*moment.AmountApplied); !ok || data.Amount != 2000 {
						return fmt.Errorf("decoded %+v", event)
					}
					return nil
				}
			},
		},
		standardReceiver("standard-webhooks", sign, standard.Verify),
		standardReceiver("svix-webhooks", sign, bySvix.Verify),
		stripeReceiver(string(key), now),
		paddleReceiver(paddles, key, now),
	}, nil
}

func mac(key []byte, header http.Header, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = io.WriteString(m, header.Get("Webhook-Id")+"."+header.Get("Webhook-Timestamp")+".")
	_, _ = m.Write(body)
	return m.Sum(nil)
}

func compare(got, want []byte) error {
	if !hmac.Equal(got, want) {
		return errNotVerified
	}
	return nil
}

func unmarshalPayment(body []byte) error {
	var event payment
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	if event.Data.Amount != 2000 {
		return fmt.Errorf("decoded %+v", event)
	}
	return nil
}

// standardReceiver returns the receiver of a library that knows the scheme but not the events.
func standardReceiver(name string, sign func([]byte) http.Header, verify func([]byte, http.Header) error) receiver {
	return receiver{
		name,
		func(body []byte) func() error {
			header := sign(body)
			return func() error { return verify(body, header) }
		},
		func() func() error {
			body := []byte(momentEvent)
			header := sign(body)
			return func() error {
				if err := verify(body, header); err != nil {
					return err
				}
				return unmarshalPayment(body)
			}
		},
	}
}

func stripeReceiver(secret string, now time.Time) receiver {
	sign := func(body []byte) string {
		return stripewebhook.GenerateTestSignedPayload(&stripewebhook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: now}).Header
	}
	return receiver{
		stripeName,
		func(body []byte) func() error {
			header := sign(body)
			return func() error { return stripewebhook.ValidatePayload(body, header, secret) }
		},
		func() func() error {
			body := []byte(stripeEvent)
			header := sign(body)
			return func() error {
				event, err := stripewebhook.ConstructEvent(body, header, secret)
				if err != nil {
					return err
				}
				var intent stripe.PaymentIntent
				if err := json.Unmarshal(event.Data.Raw, &intent); err != nil {
					return err
				}
				if intent.Amount != 2000 {
					return fmt.Errorf("decoded %+v", intent)
				}
				return nil
			}
		},
	}
}

func paddleReceiver(verifier *paddle.WebhookVerifier, key []byte, now time.Time) receiver {
	sign := func(body []byte) http.Header {
		timestamp := strconv.FormatInt(now.Unix(), 10)
		m := hmac.New(sha256.New, key)
		_, _ = io.WriteString(m, timestamp+":")
		_, _ = m.Write(body)
		return http.Header{"Paddle-Signature": {"ts=" + timestamp + ";h1=" + hex.EncodeToString(m.Sum(nil))}}
	}
	verify := func(header http.Header, body []byte) (*http.Request, error) {
		request := &http.Request{Header: header, Body: io.NopCloser(bytes.NewReader(body))}
		ok, err := verifier.Verify(request)
		if err == nil && !ok {
			err = errNotVerified
		}
		return request, err
	}
	return receiver{
		paddleName,
		func(body []byte) func() error {
			header := sign(body)
			return func() error {
				_, err := verify(header, body)
				return err
			}
		},
		func() func() error {
			body := []byte(paddleEvent)
			header := sign(body)
			return func() error {
				request, err := verify(header, body)
				if err != nil {
					return err
				}
				text, err := io.ReadAll(request.Body)
				if err != nil {
					return err
				}
				var event paddlenotification.TransactionPaid
				if err := json.Unmarshal(text, &event); err != nil {
					return err
				}
				if event.Data.ID != "txn_N2a38DJQWPL8K4X42354234" {
					return fmt.Errorf("decoded %+v", event)
				}
				return nil
			}
		},
	}
}
