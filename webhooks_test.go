package moment_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

var (
	webhookKey    = []byte("an example key, not a secret one")
	webhookSecret = moment.RawWebhookSecret(webhookKey)
	oldWebhookKey = []byte("an example key that was replaced")
)

// signedAt is now for the verifiers of these tests.
var signedAt = time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)

// The event of Moment's guide for account balances, and what else the reference has in its data.
const (
	eventJSON = `{
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
	fullEventJSON = `{"id":"evt_1","type":"obligation.amount_applied","data":{"id":"ob_1","amount":-500,"currency":"ZAR","payment_id":"pay_1","bill_id":"bill_1",` +
		`"metadata":{"order_id":"ord_789012"},"created_at":"2025-01-31T12:00:00Z","updated_at":"2025-01-31T14:00:00.5+02:00","new":[1]},"new":{}}`
)

// sign makes the headers of a message by what Moment's reference says, and not by this module's own
// code.
func sign(key []byte, id string, at time.Time, body string) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+timestamp+"."+body)
	return http.Header{
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {timestamp},
		"Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
}

func newVerifier(t testing.TB, opts ...moment.WebhookOption) *moment.WebhookVerifier {
	t.Helper()
	opts = append([]moment.WebhookOption{moment.WithClock(func() time.Time { return signedAt })}, opts...)
	v, err := moment.NewWebhookVerifier(webhookSecret, opts...)
	require.NoError(t, err)
	return v
}

// deliver sends a request to a handler and returns the answer.
func deliver(h http.Handler, method string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/webhooks/moment", body)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// with is a header with another value, or with the values given.
func with(header http.Header, name string, values ...string) http.Header {
	header = header.Clone()
	header[name] = values
	return header
}

// What is refused, by Parse with an error and by the handler with a status. Nothing of it reaches
// the merchant's function.
func TestWebhooksThatAreRefused(t *testing.T) {
	good := sign(webhookKey, "msg_1", signedAt, eventJSON)
	at := func(d time.Duration) http.Header { return sign(webhookKey, "msg_1", signedAt.Add(d), eventJSON) }
	event := func(body string) (http.Header, string) { return sign(webhookKey, "msg_1", signedAt, body), body }
	type row struct {
		why    string
		header http.Header
		body   string
		is     error
		says   string
		status int
	}
	rows := []row{ //nolint:prealloc // the others are made of texts
		{"no id", with(good, "Webhook-Id"), eventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Id", 400},
		{"no timestamp", with(good, "Webhook-Timestamp"), eventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Timestamp", 400},
		{"no signature", with(good, "Webhook-Signature"), eventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Signature", 400},
		{"an empty id", with(good, "Webhook-Id", ""), eventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Id", 400},
		{"an empty signature", with(good, "Webhook-Signature", ""), eventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Signature", 400},
		{"nothing at all: not even a webhook", http.Header{}, "", moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Id", 400},
		{"two ids: which was signed?", with(good, "Webhook-Id", "msg_1", "msg_2"), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: Webhook-Id is there twice", 400},
		{"two timestamps", with(good, "Webhook-Timestamp", good.Get("Webhook-Timestamp"), "0"), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: Webhook-Timestamp is there twice", 400},
		{"two signature headers, and neither is right", with(good, "Webhook-Signature", "v1,x", "v1,y"), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature", 400},
		{"signature headers that are empty", with(good, "Webhook-Signature", "", ""), eventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Signature", 400},
		{"a body that something has read", good, "", moment.ErrInvalidSignature, "moment: invalid webhook signature: the body is empty: has something read it before?", 400},
		{"an id that is a part of a recorded body", with(good, "Webhook-Id", `msg_1.1738321200.{"type":"ping","text":"x`), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: Webhook-Id is no id", 400},
		{"a timestamp that is a date", with(good, "Webhook-Timestamp", "2025-01-31T12:00:00Z"), eventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is no number of seconds", 400},
		{"a timestamp with a sign", with(good, "Webhook-Timestamp", "+1738324800"), eventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is no number of seconds", 400},
		{"a timestamp before 1970", with(good, "Webhook-Timestamp", "-1"), eventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is no number of seconds", 400},
		{"a timestamp that does not fit", with(good, "Webhook-Timestamp", "9223372036854775807"), eventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is no number of seconds", 400},
		{"a timestamp that a duration does not reach", with(good, "Webhook-Timestamp", "60000000000"), eventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is no number of seconds", 400},
		{"a timestamp in milliseconds", with(good, "Webhook-Timestamp", good.Get("Webhook-Timestamp")+"000"), eventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is no number of seconds", 400},
		{"a recording", at(-3*time.Minute - time.Second), eventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is 3m1s old", 400},
		{"from the future", at(3*time.Minute + time.Second), eventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is 3m1s in the future", 400},
		{"another body", good, eventJSON + " ", moment.ErrInvalidSignature, "moment: invalid webhook signature", 400},
		{"another id", with(good, "Webhook-Id", "msg_2"), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature", 400},
		{"another timestamp, to make a recording new", with(at(-time.Hour), "Webhook-Timestamp", good.Get("Webhook-Timestamp")), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature", 400},
		{"of another version only", with(good, "Webhook-Signature", "v2"+strings.TrimPrefix(good.Get("Webhook-Signature"), "v1")), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature", 400},
		{"a signature that is none", with(good, "Webhook-Signature", "Bearer x"), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature", 400},
		{"signed by another key", sign(oldWebhookKey, "msg_1", signedAt, eventJSON), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature", 400},
		{"signed by an empty key", sign(nil, "msg_1", signedAt, eventJSON), eventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature", 400},
		{"over 1 MiB", good, strings.Repeat(" ", 1<<20+1), moment.ErrBodyTooLarge, "moment: webhook body too large", 413},
	}
	for _, malformed := range []struct{ why, body, says string }{
		{"empty", ``, "the body is empty"},
		{"not JSON", `amount=2000`, "the body is not JSON"},
		{"cut", eventJSON[:50], "the body is not JSON"},
		{"two of them", eventJSON + eventJSON, "the body is not JSON"},
		{"a list", `[]`, "it is of type array, not object"},
		{"null", `null`, "type is missing"},
		{"without a type", `{"id":"evt_1","data":{}}`, "type is missing"},
		{"a type that is a number", `{"id":"evt_1","type":1}`, "type is of type number, not moment.EventType"},
		{"without data", `{"type":"obligation.amount_applied"}`, "amount is missing"},
		{"without an amount", `{"type":"obligation.amount_applied","data":{"currency":"ZAR","bill_id":"bill_1"}}`, "amount is missing"},
		{"the amount null", `{"type":"obligation.amount_applied","data":{"amount":null,"currency":"ZAR","bill_id":"bill_1"}}`, "amount is missing"},
		{"without a currency", `{"type":"obligation.amount_applied","data":{"amount":1,"bill_id":"bill_1"}}`, "currency is missing"},
		{"without an obligation", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR"}}`, "there is not exactly one of customer_id, account_id and bill_id"},
		{"two obligations", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":"bill_1","account_id":"bacc_1"}}`, "there is not exactly one of customer_id, account_id and bill_id"},
		{"two obligations, in two parts", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":"bill_1"},"data":{"customer_id":"bcus_1"}}`, "there is not exactly one of customer_id, account_id and bill_id"},
		{"an amount that is no whole number of minor units", `{"type":"obligation.amount_applied","data":{"amount":20.5,"currency":"ZAR","bill_id":"bill_1"}}`, "amount is not an exact integer"},
		{"an amount that is a text", `{"type":"obligation.amount_applied","data":{"amount":"2000","currency":"ZAR","bill_id":"bill_1"}}`, "amount is of type string, not moment.Amount"},
		{"an amount that does not fit", `{"type":"obligation.amount_applied","data":{"amount":9223372036854775808,"currency":"ZAR","bill_id":"bill_1"}}`, "amount is not an exact integer"},
		{"an id that is a number", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":1}}`, "bill_id is of type number, not string"},
		{"data of another kind", `{"type":"obligation.amount_applied","data":"Jane Roe"}`, "it is of type string, not object"},
		{"an amount of another form beside a time of another form", `{"type":"obligation.amount_applied","data":{"created_at":"","amount":20.5,"currency":"ZAR","bill_id":"bill_1"}}`, "amount is not an exact integer"},
		{"behind a byte order mark", "\ufeff" + eventJSON, "the body begins with a byte order mark"},
		{"compressed", "\x1f\x8b\x08" + eventJSON, "the body is compressed with gzip, and nothing decompressed it"},
	} {
		header, body := event(malformed.body)
		rows = append(rows, row{malformed.why, header, body, moment.ErrMalformedEvent, "moment: malformed webhook event: " + malformed.says, 400})
	}
	sentinels := []error{moment.ErrMissingHeader, moment.ErrTimestamp, moment.ErrInvalidSignature, moment.ErrBodyTooLarge, moment.ErrMalformedEvent}
	for _, row := range rows {
		t.Run(row.why, func(t *testing.T) {
			v := newVerifier(t)
			e, err := v.Parse(row.header, []byte(row.body))
			assert.Nil(t, e)
			assert.EqualError(t, err, row.says)
			for _, sentinel := range sentinels {
				assert.Equal(t, sentinel == row.is, errors.Is(err, sentinel), "%v", sentinel)
			}
			if row.is == moment.ErrMalformedEvent {
				assert.NoError(t, v.Verify(row.header, []byte(row.body)), "it is signed all the same")
			} else {
				assert.EqualError(t, v.Verify(row.header, []byte(row.body)), row.says)
			}
			var log bytes.Buffer
			h := v.Handler(func(context.Context, *moment.Event) error {
				t.Error("was processed")
				return nil
			}, moment.WithHandlerLogger(slog.New(slog.NewTextHandler(&log, nil))))
			// Of unknown length, as it comes in chunks; and with its length said.
			for _, body := range []io.Reader{struct{ io.Reader }{strings.NewReader(row.body)}, strings.NewReader(row.body)} {
				answer := deliver(h, http.MethodPost, row.header, body)
				assert.Equal(t, row.status, answer.Code)
				assert.Empty(t, answer.Body.String(), "the reason is nobody's but the merchant's")
			}
			line := `level=WARN msg="moment: webhook rejected" error="` + row.says + "\"\n"
			if row.is == moment.ErrMalformedEvent {
				line = `level=ERROR msg="moment: webhook rejected" error="` + row.says + "\" message=msg_1\n"
			}
			assert.Equal(t, 2, strings.Count(log.String(), line), log.String())
		})
	}
}

func TestWebhooksByOtherMethods(t *testing.T) {
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return errors.New("was processed") })
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		answer := deliver(h, method, sign(webhookKey, "msg_1", signedAt, eventJSON), strings.NewReader(eventJSON))
		assert.Equal(t, http.StatusMethodNotAllowed, answer.Code, method)
		assert.Equal(t, "POST", answer.Header().Get("Allow"), method)
	}
}

// counting counts what is read of a body without end.
type counting struct{ read int }

func (c *counting) Read(b []byte) (int, error) {
	c.read += len(b)
	return len(b), nil
}

// Anybody can send to an endpoint: what is not signed costs little.
func TestWebhookBodiesAreNotReadForNothing(t *testing.T) {
	for _, row := range []struct {
		why    string
		header http.Header
		most   int
	}{
		{"without headers", http.Header{}, 0},
		{"a recording", sign(webhookKey, "msg_1", signedAt.Add(-time.Hour), eventJSON), 0},
		{"headers that may be right", sign(webhookKey, "msg_1", signedAt, eventJSON), 1<<20 + 1},
	} {
		body := &counting{}
		r := httptest.NewRequest(http.MethodPost, "/", body)
		r.Header = row.header
		_, err := newVerifier(t).ParseRequest(r)
		assert.Error(t, err, row.why)
		assert.LessOrEqual(t, body.read, row.most, row.why)
	}
}

func TestWebhookOfOneMiB(t *testing.T) {
	body := `{"type":"ping"` + strings.Repeat(" ", 1<<20-15) + "}"
	require.Len(t, body, 1<<20)
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return nil })
	assert.Equal(t, 204, deliver(h, http.MethodPost, sign(webhookKey, "msg_1", signedAt, body), strings.NewReader(body)).Code)
}

func TestWebhookWhoseBodyBreaksOff(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(io.ErrUnexpectedEOF))
	r.Header = sign(webhookKey, "msg_1", signedAt, eventJSON)
	_, err := newVerifier(t).ParseRequest(r)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	answer := deliver(newVerifier(t).Handler(func(context.Context, *moment.Event) error { return errors.New("was processed") }),
		http.MethodPost, r.Header, iotest.ErrReader(io.ErrUnexpectedEOF))
	assert.Equal(t, http.StatusBadRequest, answer.Code)

	r.ContentLength = 1<<20 + 1
	_, err = newVerifier(t).ParseRequest(r)
	assert.Equal(t, moment.ErrBodyTooLarge, err, "what says that it is too large is not read")

	r = httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header = sign(webhookKey, "msg_1", signedAt, eventJSON)
	r.Body = http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(eventJSON)), 100)
	_, err = newVerifier(t).ParseRequest(r)
	assert.Equal(t, moment.ErrBodyTooLarge, err, "by a limit of the merchant's own")

	_, err = newVerifier(t).ParseRequest(&http.Request{Header: r.Header}) // made by hand, without a body
	assert.ErrorIs(t, err, moment.ErrInvalidSignature)
}

func TestParse(t *testing.T) {
	account := &moment.AmountApplied{
		ID: "ob_N2a38DJQWPL8K4X42354234", Amount: 2000, Currency: "ZAR", PaymentID: "pay_1313235234843nmafdsa", AccountID: "bacc_H4jp6KnU5cPw263v1jyz4",
	}
	for _, row := range []struct {
		why, body string
		id        string
		typ       moment.EventType
		data      moment.EventData
	}{
		{"the event of Moment's guide", eventJSON, "evt_2341234567890abcdef", moment.EventTypeAmountApplied, account},
		{
			"all members, and some that nobody knows; the amount is negative, as when a payment is taken back", fullEventJSON, "evt_1", moment.EventTypeAmountApplied,
			&moment.AmountApplied{
				ID: "ob_1", Amount: -500, Currency: "ZAR", PaymentID: "pay_1", BillID: "bill_1", Metadata: map[string]string{"order_id": "ord_789012"},
				CreatedAt: signedAt, UpdatedAt: time.Date(2025, time.January, 31, 14, 0, 0, 5e8, time.FixedZone("", 2*60*60)),
			},
		},
		{
			"an amount of nothing is an amount", `{"type":"obligation.amount_applied","data":{"amount":0,"currency":"QQQ","customer_id":"bcus_1"}}`, "", moment.EventTypeAmountApplied,
			&moment.AmountApplied{Currency: "QQQ", CustomerID: "bcus_1"},
		},
		{
			"ids that are empty are none", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","customer_id":"","account_id":null,"bill_id":"bill_1"}}`, "", moment.EventTypeAmountApplied,
			&moment.AmountApplied{Amount: 1, Currency: "ZAR", BillID: "bill_1"},
		},
		{"a type that was announced", `{"id":"evt_2","type":"bill.created","data":{"id":"bill_1"}}`, "evt_2", "bill.created", &moment.UnknownEvent{Data: json.RawMessage(`{"id":"bill_1"}`)}},
		{"whose data has another shape", `{"data":{"amount":"2000","created_at":1},"type":"payment.failed","id":"evt_3"}`, "evt_3", "payment.failed", &moment.UnknownEvent{Data: json.RawMessage(`{"amount":"2000","created_at":1}`)}},
		{"whose data is no object", `{"type":"ping","data":[1]}`, "", "ping", &moment.UnknownEvent{Data: json.RawMessage(`[1]`)}},
		{"without data", `{"type":"ping"}`, "", "ping", &moment.UnknownEvent{}},
	} {
		header := sign(webhookKey, "msg_1", signedAt, row.body)
		body := []byte(row.body)
		got, err := newVerifier(t).Parse(header, body)
		require.NoError(t, err, row.why)
		if want, ok := row.data.(*moment.AmountApplied); ok {
			data := got.Data.(*moment.AmountApplied)
			assert.True(t, data.UpdatedAt.Equal(want.UpdatedAt), row.why)
			data.UpdatedAt = want.UpdatedAt // the same time in another *time.Location
		}
		assert.Equal(t, &moment.Event{ID: row.id, Type: row.typ, Data: row.data, Raw: json.RawMessage(row.body), MessageID: "msg_1", Timestamp: signedAt.Local()}, got, row.why)
		clear(body)
		assert.Equal(t, row.body, string(got.Raw), "a copy: the buffer is the caller's")

		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(row.body))
		r.Header = header
		fromRequest, err := newVerifier(t).ParseRequest(r)
		require.NoError(t, err, row.why)
		assert.Equal(t, got.Raw, fromRequest.Raw, row.why)
	}
}

func TestObligation(t *testing.T) {
	for want, data := range map[moment.ObligationKind]moment.AmountApplied{
		moment.ObligationCustomer: {CustomerID: "id_1"}, moment.ObligationAccount: {AccountID: "id_1"}, moment.ObligationBill: {BillID: "id_1"},
	} {
		kind, id := data.Obligation()
		assert.Equal(t, want, kind)
		assert.Equal(t, "id_1", id)
	}
	kind, id := new(moment.AmountApplied).Obligation()
	assert.Empty(t, kind)
	assert.Empty(t, id)
	assert.Equal(t, "ZAR 20.00", (&moment.AmountApplied{Amount: 2000, Currency: "ZAR"}).Money().String())
}

func TestTolerance(t *testing.T) {
	for _, row := range []struct {
		why  string
		opts []moment.WebhookOption
		age  time.Duration
		is   error
	}{
		{"three minutes old", nil, 3 * time.Minute, nil},
		{"three minutes ahead", nil, -3 * time.Minute, nil},
		{"older", nil, 3*time.Minute + time.Second, moment.ErrTimestamp},
		{"further ahead", nil, -3*time.Minute - time.Second, moment.ErrTimestamp},
		{"a tolerance of the caller's", []moment.WebhookOption{moment.WithTolerance(time.Hour)}, time.Hour, nil},
		{"which is a limit too", []moment.WebhookOption{moment.WithTolerance(time.Hour)}, time.Hour + time.Second, moment.ErrTimestamp},
		{"a short one", []moment.WebhookOption{moment.WithTolerance(time.Second)}, -2 * time.Second, moment.ErrTimestamp},
	} {
		err := newVerifier(t, row.opts...).Verify(sign(webhookKey, "msg_1", signedAt.Add(-row.age), eventJSON), []byte(eventJSON))
		assert.ErrorIs(t, err, row.is, row.why)
	}
	v, err := moment.NewWebhookVerifier(webhookSecret)
	require.NoError(t, err)
	assert.NoError(t, v.Verify(sign(webhookKey, "msg_1", time.Now(), eventJSON), []byte(eventJSON)), "by the machine's clock")
}

// While a key is replaced, Moment signs by both, or the receiver knows both.
func TestRotation(t *testing.T) {
	old := sign(oldWebhookKey, "msg_1", signedAt, eventJSON)
	current := sign(webhookKey, "msg_1", signedAt, eventJSON)
	both := with(current, "Webhook-Signature", old.Get("Webhook-Signature")+" "+current.Get("Webhook-Signature"))
	alone, rotating := newVerifier(t), newVerifier(t, moment.WithAdditionalSecret(moment.RawWebhookSecret(oldWebhookKey)))
	for _, row := range []struct {
		why             string
		header          http.Header
		alone, rotating error
	}{
		{"by the current key", current, nil, nil},
		{"by the old key", old, moment.ErrInvalidSignature, nil},
		{"by both", both, nil, nil},
		{"by a third", sign([]byte("another example key, and no secret"), "msg_1", signedAt, eventJSON), moment.ErrInvalidSignature, moment.ErrInvalidSignature},
	} {
		assert.ErrorIs(t, alone.Verify(row.header, []byte(eventJSON)), row.alone, row.why)
		assert.ErrorIs(t, rotating.Verify(row.header, []byte(eventJSON)), row.rotating, row.why)
	}
}

// Every byte of a signed message counts: each is changed to each other value.
func TestEveryByteIsSigned(t *testing.T) {
	v := newVerifier(t)
	for _, body := range []string{eventJSON, fullEventJSON, `{"type":"ping"}`} {
		good := sign(webhookKey, "msg_p5jXN8AQM9LWM0D4loKWxJek", signedAt, body)
		require.NoError(t, v.Verify(good, []byte(body)))
		flipped := func(text string, verify func(string) error) {
			for i := range len(text) {
				for change := 1; change < 256; change++ {
					b := []byte(text)
					b[i] ^= byte(change)
					if verify(string(b)) == nil {
						t.Errorf("%q was taken for %q", b, text)
					}
				}
			}
		}
		flipped(body, func(changed string) error { return v.Verify(good, []byte(changed)) })
		for name := range good {
			flipped(good.Get(name), func(changed string) error { return v.Verify(with(good, name, changed), []byte(body)) })
		}
	}
}

func TestNewWebhookVerifierRefuses(t *testing.T) {
	for _, row := range []struct {
		why, secret string
		opt         moment.WebhookOption
		says        string
	}{
		{"an unset variable", "", moment.WithTolerance(time.Hour), "webhook secret: is empty"},
		{"an API key", testKey, moment.WithTolerance(time.Hour), "webhook secret: is not whsec_ and base64"},
		{"a short key", moment.RawWebhookSecret(make([]byte, 15)), moment.WithTolerance(time.Hour), "webhook secret: has fewer than 16 bytes"},
		{"an unset variable for the old secret", webhookSecret, moment.WithAdditionalSecret(""), "additional webhook secret: is empty"},
		{"no tolerance, which would refuse all", webhookSecret, moment.WithTolerance(0), "tolerance: must be more than 0, not 0s"},
		{"a negative one", webhookSecret, moment.WithTolerance(-time.Second), "tolerance: must be more than 0, not -1s"},
		{"no clock", webhookSecret, moment.WithClock(nil), "clock: is nil"},
	} {
		v, err := moment.NewWebhookVerifier(row.secret, row.opt, moment.WithTolerance(time.Hour))
		assert.Nil(t, v, row.why)
		assert.EqualError(t, err, "moment: new webhook verifier: "+row.says, row.why)
		assert.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
	}
	_, err := moment.NewWebhookVerifier(webhookSecret, moment.WebhookOption{})
	assert.EqualError(t, err, "moment: new webhook verifier: option: is the zero WebhookOption")
	v, err := moment.NewWebhookVerifier(strings.TrimPrefix(webhookSecret, "whsec_"))
	require.NoError(t, err, "the prefix may be missing")
	assert.NoError(t, v.Verify(sign(webhookKey, "msg_1", time.Now(), eventJSON), []byte(eventJSON)))
}

// A verifier that was not made by NewWebhookVerifier has no secret: it must not take everything.
func TestZeroWebhookVerifier(t *testing.T) {
	for _, v := range []*moment.WebhookVerifier{nil, {}} {
		err := v.Verify(sign(nil, "msg_1", time.Now(), eventJSON), []byte(eventJSON))
		assert.ErrorIs(t, err, moment.ErrInvalidArgument)
		_, err = v.Parse(sign(nil, "msg_1", time.Now(), eventJSON), []byte(eventJSON))
		assert.ErrorIs(t, err, moment.ErrInvalidArgument)
		assert.Panics(t, func() { v.Handler(func(context.Context, *moment.Event) error { return nil }) })
	}
	assert.Panics(t, func() { newVerifier(t).Handler(nil) })
	assert.Panics(t, func() {
		newVerifier(t).Handler(func(context.Context, *moment.Event) error { return nil }, moment.HandlerOption{})
	})
}

// FuzzEvent: whatever a signed body is, it is an event or malformed, and an event tells what the
// body does.
func FuzzEvent(f *testing.F) {
	for _, body := range []string{
		eventJSON, fullEventJSON, "", "null", "{}", `{"type":"ping","data":null}`, `{"Type":"ping"}`, `{"type":"a","type":"obligation.amount_applied","data":{}}`,
		`{"type":"obligation.amount_applied","data":{"amount":1e3,"currency":"ZAR","bill_id":"b"}}`,
		`{"type":"obligation.amount_applied","data":{"amount":1,"AMOUNT":2,"currency":"ZAR","bill_id":"b"}}`,
		`{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":"b","created_at":null}}`,
		"{\"type\":\"\xff\"}",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e, err := newVerifier(t).Parse(sign(webhookKey, "msg_1", signedAt, body), []byte(body))
		if err != nil {
			assert.Nil(t, e)
			assert.ErrorIs(t, err, moment.ErrMalformedEvent)
			isOneLine(t, err)
			return
		}
		assert.NotEmpty(t, e.Type)
		assert.Equal(t, body, string(e.Raw))
		data, ok := e.Data.(*moment.AmountApplied)
		assert.Equal(t, ok, e.Type == moment.EventTypeAmountApplied)
		if ok {
			kind, id := data.Obligation()
			assert.NotEmpty(t, kind)
			assert.NotEmpty(t, id)
			assert.NotEmpty(t, data.Currency)
		} else {
			assert.IsType(t, &moment.UnknownEvent{}, e.Data)
		}
	})
}
