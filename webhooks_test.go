package moment_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// Parse rejects a bad webhook with an error, and the handler with a status. It does not reach the
// merchant's function.
func TestBadWebhooksAreRejected(t *testing.T) {
	good := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	at := func(d time.Duration) http.Header {
		return testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt.Add(d), testkit.EventJSON)
	}
	event := func(body string) (http.Header, string) {
		return testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, body), body
	}
	type row struct {
		why    string
		header http.Header
		body   string
		is     error
		says   string
		status int
	}
	rows := []row{ //nolint:prealloc // the other rows are appended below
		{"no id", testkit.WithHeader(good, "Webhook-Id"), testkit.EventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Id", 400},
		{"no timestamp", testkit.WithHeader(good, "Webhook-Timestamp"), testkit.EventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Timestamp", 400},
		{"no signature", testkit.WithHeader(good, "Webhook-Signature"), testkit.EventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Signature", 400},
		{"an empty id", testkit.WithHeader(good, "Webhook-Id", ""), testkit.EventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Id", 400},
		{"an empty signature", testkit.WithHeader(good, "Webhook-Signature", ""), testkit.EventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Signature", 400},
		{"no headers", http.Header{}, "", moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Id", 400},
		{"two ids, and it is unclear which was signed", testkit.WithHeader(good, "Webhook-Id", "msg_1", "msg_2"), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: Webhook-Id has two values", 400},
		{"two timestamps", testkit.WithHeader(good, "Webhook-Timestamp", good.Get("Webhook-Timestamp"), "0"), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: Webhook-Timestamp has two values", 400},
		{"two signature headers, and neither is right", testkit.WithHeader(good, "Webhook-Signature", "v1,x", "v1,y"), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body", 400},
		{"signature headers that are empty", testkit.WithHeader(good, "Webhook-Signature", "", ""), testkit.EventJSON, moment.ErrMissingHeader, "moment: missing webhook header: Webhook-Signature", 400},
		{"a body that was already read", good, "", moment.ErrInvalidSignature, "moment: invalid webhook signature: the body is empty: has something read it before?", 400},
		{"an id that is a part of a signed body", testkit.WithHeader(good, "Webhook-Id", `msg_1.1738321200.{"type":"ping","text":"x`), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: Webhook-Id is not an id", 400},
		{"a timestamp that is a date", testkit.WithHeader(good, "Webhook-Timestamp", "2025-01-31T12:00:00Z"), testkit.EventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is not a number of seconds", 400},
		{"a timestamp with a sign", testkit.WithHeader(good, "Webhook-Timestamp", "+1738324800"), testkit.EventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is not a number of seconds", 400},
		{"a timestamp before 1970", testkit.WithHeader(good, "Webhook-Timestamp", "-1"), testkit.EventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is not a number of seconds", 400},
		{"a timestamp that does not fit", testkit.WithHeader(good, "Webhook-Timestamp", "9223372036854775807"), testkit.EventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is not a number of seconds", 400},
		{"a timestamp outside the range of a time.Duration", testkit.WithHeader(good, "Webhook-Timestamp", "60000000000"), testkit.EventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is not a number of seconds", 400},
		{"a timestamp in milliseconds", testkit.WithHeader(good, "Webhook-Timestamp", good.Get("Webhook-Timestamp")+"000"), testkit.EventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is not a number of seconds", 400},
		{"a replay attack", at(-3*time.Minute - time.Second), testkit.EventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is 3m1s old", 400},
		{"from the future", at(3*time.Minute + time.Second), testkit.EventJSON, moment.ErrTimestamp, "moment: webhook timestamp outside the tolerance: it is 3m1s in the future", 400},
		{"another body", good, testkit.EventJSON + " ", moment.ErrInvalidSignature, "moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body", 400},
		{"another id", testkit.WithHeader(good, "Webhook-Id", "msg_2"), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body", 400},
		{"a replay attack with a new timestamp", testkit.WithHeader(at(-time.Hour), "Webhook-Timestamp", good.Get("Webhook-Timestamp")), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body", 400},
		{"of another version only", testkit.WithHeader(good, "Webhook-Signature", "v2"+strings.TrimPrefix(good.Get("Webhook-Signature"), "v1")), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body", 400},
		{"a header that is not a signature", testkit.WithHeader(good, "Webhook-Signature", "Bearer x"), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body", 400},
		{"signed by another key", testkit.SignWebhook(testkit.OldWebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body", 400},
		{"signed by an empty key", testkit.SignWebhook(nil, "msg_1", testkit.SignedAt, testkit.EventJSON), testkit.EventJSON, moment.ErrInvalidSignature, "moment: invalid webhook signature: the secret is another endpoint's, or middleware changed the body", 400},
		{"over 1 MiB", good, strings.Repeat(" ", 1<<20+1), moment.ErrBodyTooLarge, "moment: webhook body too large", 413},
	}
	for _, malformed := range []struct{ why, body, says string }{
		{"empty", ``, "the body is empty"},
		{"not JSON", `amount=2000`, "the body is not JSON"},
		{"truncated", testkit.EventJSON[:50], "the body is not JSON"},
		{"two objects", testkit.EventJSON + testkit.EventJSON, "the body is not JSON"},
		{"a list", `[]`, "it is of type array, not object"},
		{"null", `null`, "type is missing"},
		{"without a type", `{"id":"evt_1","data":{}}`, "type is missing"},
		{"a type that is a number", `{"id":"evt_1","type":1}`, "type is of type number, not moment.EventType"},
		{"without data", `{"type":"obligation.amount_applied"}`, "amount is missing"},
		{"without an amount", `{"type":"obligation.amount_applied","data":{"currency":"ZAR","bill_id":"bill_1"}}`, "amount is missing"},
		{"the amount null", `{"type":"obligation.amount_applied","data":{"amount":null,"currency":"ZAR","bill_id":"bill_1"}}`, "amount is missing"},
		{"without a currency", `{"type":"obligation.amount_applied","data":{"amount":1,"bill_id":"bill_1"}}`, "currency is missing"},
		{"without an obligation", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR"}}`, "it must have exactly one of customer_id, account_id and bill_id"},
		{"two obligations", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":"bill_1","account_id":"bacc_1"}}`, "it must have exactly one of customer_id, account_id and bill_id"},
		{"two obligations, in two parts", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":"bill_1"},"data":{"customer_id":"bcus_1"}}`, "it must have exactly one of customer_id, account_id and bill_id"},
		{"an amount that is not a whole number of minor units", `{"type":"obligation.amount_applied","data":{"amount":20.5,"currency":"ZAR","bill_id":"bill_1"}}`, "amount is not an exact integer"},
		{"an amount that is a text", `{"type":"obligation.amount_applied","data":{"amount":"2000","currency":"ZAR","bill_id":"bill_1"}}`, "amount is of type string, not moment.Amount"},
		{"an amount that does not fit", `{"type":"obligation.amount_applied","data":{"amount":9223372036854775808,"currency":"ZAR","bill_id":"bill_1"}}`, "amount is not an exact integer"},
		{"an id that is a number", `{"type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":1}}`, "bill_id is of type number, not string"},
		{"data of another kind", `{"type":"obligation.amount_applied","data":"Jane Roe"}`, "it is of type string, not object"},
		{"an amount of another form beside a time of another form", `{"type":"obligation.amount_applied","data":{"created_at":"","amount":20.5,"currency":"ZAR","bill_id":"bill_1"}}`, "amount is not an exact integer"},
		{"after a byte order mark", "\ufeff" + testkit.EventJSON, "the body begins with a byte order mark"},
		{"compressed", "\x1f\x8b\x08" + testkit.EventJSON, "the body is compressed with gzip, and nothing decompressed it"},
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
				assert.NoError(t, v.Verify(row.header, []byte(row.body)), "the signature is valid")
			} else {
				assert.EqualError(t, v.Verify(row.header, []byte(row.body)), row.says)
			}
			var log bytes.Buffer
			h := v.Handler(func(context.Context, *moment.Event) error {
				t.Error("was processed")
				return nil
			}, moment.WithHandlerLogger(slog.New(slog.NewTextHandler(&log, nil))))
			// With an unknown length, because the body is chunked, and with a Content-Length.
			for _, body := range []io.Reader{struct{ io.Reader }{strings.NewReader(row.body)}, strings.NewReader(row.body)} {
				resp := testkit.Deliver(h, http.MethodPost, row.header, body)
				assert.Equal(t, row.status, resp.Code)
				assert.Empty(t, resp.Body.String(), "the response does not contain the reason")
			}
			line := `level=WARN msg="moment: webhook rejected" error="` + row.says + "\"\n"
			if row.is == moment.ErrMalformedEvent {
				line = `level=ERROR msg="moment: webhook rejected" error="` + row.says + "\" message=msg_1\n"
			}
			assert.Equal(t, 2, strings.Count(log.String(), line), log.String())
		})
	}
}

// counting counts the bytes read of an endless body.
type counting struct{ read int }

func (c *counting) Read(b []byte) (int, error) {
	c.read += len(b)
	return len(b), nil
}

// A webhook without valid headers is rejected before its body is read, because anyone can send one.
func TestWebhookBodyIsReadOnlyBehindGoodHeaders(t *testing.T) {
	for _, row := range []struct {
		why    string
		header http.Header
		most   int
	}{
		{"without headers", http.Header{}, 0},
		{"a replay attack", testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt.Add(-time.Hour), testkit.EventJSON), 0},
		{"plausible headers", testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), 1<<20 + 1},
	} {
		body := &counting{}
		r := httptest.NewRequest(http.MethodPost, "/", body)
		r.Header = row.header
		_, err := newVerifier(t).ParseRequest(r)
		assert.Error(t, err, row.why)
		assert.LessOrEqual(t, body.read, row.most, row.why)
	}
}

func TestTruncatedWebhookIsRejected(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(io.ErrUnexpectedEOF))
	r.Header = testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	_, err := newVerifier(t).ParseRequest(r)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	resp := testkit.Deliver(newVerifier(t).Handler(func(context.Context, *moment.Event) error { return errors.New("was processed") }),
		http.MethodPost, r.Header, iotest.ErrReader(io.ErrUnexpectedEOF))
	assert.Equal(t, http.StatusBadRequest, resp.Code)

	r.ContentLength = 1<<20 + 1
	_, err = newVerifier(t).ParseRequest(r)
	assert.Equal(t, moment.ErrBodyTooLarge, err, "a body with a Content-Length that is too large is not read")

	r = httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header = testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	r.Body = http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(testkit.EventJSON)), 100)
	_, err = newVerifier(t).ParseRequest(r)
	assert.Equal(t, moment.ErrBodyTooLarge, err, "by the merchant's own limit")

	_, err = newVerifier(t).ParseRequest(&http.Request{Header: r.Header}) // built without a body
	assert.ErrorIs(t, err, moment.ErrInvalidSignature)
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
		{"the caller's tolerance", []moment.WebhookOption{moment.WithTolerance(time.Hour)}, time.Hour, nil},
		{"older than the caller's tolerance", []moment.WebhookOption{moment.WithTolerance(time.Hour)}, time.Hour + time.Second, moment.ErrTimestamp},
		{"a short one", []moment.WebhookOption{moment.WithTolerance(time.Second)}, -2 * time.Second, moment.ErrTimestamp},
	} {
		err := newVerifier(t, row.opts...).Verify(testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt.Add(-row.age), testkit.EventJSON), []byte(testkit.EventJSON))
		assert.ErrorIs(t, err, row.is, row.why)
	}
	v, err := moment.NewWebhookVerifier(webhookSecret)
	require.NoError(t, err)
	assert.NoError(t, v.Verify(testkit.SignWebhook(testkit.WebhookKey, "msg_1", time.Now(), testkit.EventJSON), []byte(testkit.EventJSON)), "by the machine's clock")
}

// During a rotation, Moment signs with both keys, or the receiver accepts both.
func TestRotation(t *testing.T) {
	old := testkit.SignWebhook(testkit.OldWebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	current := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	both := testkit.WithHeader(current, "Webhook-Signature", old.Get("Webhook-Signature")+" "+current.Get("Webhook-Signature"))
	alone, rotating := newVerifier(t), newVerifier(t, moment.WithAdditionalSecret(moment.RawWebhookSecret(testkit.OldWebhookKey)))
	for _, row := range []struct {
		why             string
		header          http.Header
		alone, rotating error
	}{
		{"by the current key", current, nil, nil},
		{"by the old key", old, moment.ErrInvalidSignature, nil},
		{"by both", both, nil, nil},
		{"by a third", testkit.SignWebhook([]byte("another example key, and no secret"), "msg_1", testkit.SignedAt, testkit.EventJSON), moment.ErrInvalidSignature, moment.ErrInvalidSignature},
	} {
		assert.ErrorIs(t, alone.Verify(row.header, []byte(testkit.EventJSON)), row.alone, row.why)
		assert.ErrorIs(t, rotating.Verify(row.header, []byte(testkit.EventJSON)), row.rotating, row.why)
	}
}

// Every byte of a signed message counts: each is changed to each other value.
func TestEveryByteIsSigned(t *testing.T) {
	v := newVerifier(t)
	for _, body := range []string{testkit.EventJSON, testkit.FullEventJSON, `{"type":"ping"}`} {
		good := testkit.SignWebhook(testkit.WebhookKey, "msg_p5jXN8AQM9LWM0D4loKWxJek", testkit.SignedAt, body)
		require.NoError(t, v.Verify(good, []byte(body)))
		flipped := func(text string, verify func(string) error) {
			for i := range len(text) {
				for change := 1; change < 256; change++ {
					b := []byte(text)
					b[i] ^= byte(change)
					if verify(string(b)) == nil {
						t.Errorf("%q was accepted for %q", b, text)
					}
				}
			}
		}
		flipped(body, func(changed string) error { return v.Verify(good, []byte(changed)) })
		for name := range good {
			flipped(good.Get(name), func(changed string) error { return v.Verify(testkit.WithHeader(good, name, changed), []byte(body)) })
		}
	}
}

func TestNewWebhookVerifierRejectsBadArguments(t *testing.T) {
	for _, row := range []struct {
		why, secret string
		opt         moment.WebhookOption
		says        string
	}{
		{"an unset variable", "", moment.WithTolerance(time.Hour), "webhook secret: is empty"},
		{"an API key", testkit.SecretKey, moment.WithTolerance(time.Hour), "webhook secret: is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
		{"a short key", moment.RawWebhookSecret(make([]byte, 15)), moment.WithTolerance(time.Hour), "webhook secret: has fewer than 16 bytes"},
		{"an unset variable for the old secret", webhookSecret, moment.WithAdditionalSecret(""), "additional webhook secret: is empty"},
		{"a tolerance of 0, which would reject all deliveries", webhookSecret, moment.WithTolerance(0), "tolerance: must be at least 1s, not 0s: write 3*time.Minute"},
		{"a bare integer", webhookSecret, moment.WithTolerance(180), "tolerance: must be at least 1s, not 180ns: write 3*time.Minute"},
		{"a negative one", webhookSecret, moment.WithTolerance(-time.Second), "tolerance: must be at least 1s, not -1s: write 3*time.Minute"},
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
	assert.NoError(t, v.Verify(testkit.SignWebhook(testkit.WebhookKey, "msg_1", time.Now(), testkit.EventJSON), []byte(testkit.EventJSON)))
}

// A verifier without a secret must not accept everything.
func TestZeroWebhookVerifier(t *testing.T) {
	for _, v := range []*moment.WebhookVerifier{nil, {}} {
		err := v.Verify(testkit.SignWebhook(nil, "msg_1", time.Now(), testkit.EventJSON), []byte(testkit.EventJSON))
		assert.ErrorIs(t, err, moment.ErrInvalidArgument)
		_, err = v.Parse(testkit.SignWebhook(nil, "msg_1", time.Now(), testkit.EventJSON), []byte(testkit.EventJSON))
		assert.ErrorIs(t, err, moment.ErrInvalidArgument)
		assert.Panics(t, func() { v.Handler(func(context.Context, *moment.Event) error { return nil }) })
	}
	assert.Panics(t, func() { newVerifier(t).Handler(nil) })
	assert.Panics(t, func() {
		newVerifier(t).Handler(func(context.Context, *moment.Event) error { return nil }, moment.HandlerOption{})
	})
}

// Adapters of serverless platforms split the signature header at its commas, or deliver it in
// several values.
func TestSignatureHeaderInSeveralValues(t *testing.T) {
	good := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	right := good.Get("Webhook-Signature")
	wrong := testkit.SignWebhook(testkit.OldWebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON).Get("Webhook-Signature")
	for _, row := range []struct {
		why    string
		values []string
		want   error
	}{
		{"two values, the first is right", []string{right, wrong}, nil},
		{"two values, the last is right", []string{wrong, right}, nil},
		{"one value split at its comma", strings.Split(right, ","), nil},
		{"two signatures in a value split at its commas", strings.Split(wrong+" "+right, ","), nil},
		{"two signatures in a split value, the first is right", strings.Split(right+" "+wrong, ","), nil},
		{"two values split at their commas", slices.Concat(strings.Split(wrong, ","), strings.Split(right, ",")), nil},
		{"values joined by a proxy", []string{wrong + ", " + right}, nil},
		{"an empty value beside it", []string{"", right}, nil},
		{"neither is right", []string{wrong, wrong}, moment.ErrInvalidSignature},
		{"the signature without its version", []string{right[3:], "v2"}, moment.ErrInvalidSignature},
		{"a version without its signature", []string{"v1"}, moment.ErrInvalidSignature},
		{"only commas", []string{",", ""}, moment.ErrMissingHeader},
	} {
		err := newVerifier(t).Verify(testkit.WithHeader(good, "Webhook-Signature", row.values...), []byte(testkit.EventJSON))
		assert.ErrorIs(t, err, row.want, row.why)
	}
}

// A header map that a program filled from an event of a serverless platform has names that
// http.Header does not find.
func TestHeaderMapInLowerCase(t *testing.T) {
	header := http.Header{}
	for name, values := range testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON) {
		header[strings.ToLower(name)] = values
	}
	_, err := newVerifier(t).Parse(header, []byte(testkit.EventJSON))
	require.ErrorIs(t, err, moment.ErrMissingHeader)
	assert.EqualError(t, err, `moment: missing webhook header: Webhook-Id is in the map as "webhook-id", which http.Header does not find: fill the map with its method Set`)

	mixed := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	mixed["webhook-signature"] = mixed["Webhook-Signature"]
	delete(mixed, "Webhook-Signature")
	assert.ErrorContains(t, newVerifier(t).Verify(mixed, []byte(testkit.EventJSON)), `Webhook-Signature is in the map as "webhook-signature"`)
}
