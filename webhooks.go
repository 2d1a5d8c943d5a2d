package moment

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/internal/signature"
)

// The errors of rejected webhooks, for [errors.Is]. They never contain the message or a secret.
var (
	// ErrMissingHeader means that webhook-id, webhook-timestamp or webhook-signature is missing or
	// empty.
	ErrMissingHeader = errors.New("moment: missing webhook header")

	// ErrInvalidSignature means that none of the message's signatures was made with one of the
	// verifier's secrets. The verifier also returns it if webhook-id or webhook-timestamp has two
	// values, because it is unclear which one was signed. webhook-signature may have several
	// values.
	ErrInvalidSignature = errors.New("moment: invalid webhook signature")

	// ErrTimestamp means that the message was signed too long ago or in the future, or that its
	// timestamp is not a number of seconds.
	ErrTimestamp = errors.New("moment: webhook timestamp outside the tolerance")

	// ErrBodyTooLarge means that the body has more than 1 MiB.
	ErrBodyTooLarge = errors.New("moment: webhook body too large")

	// ErrMalformedEvent means that Moment signed the message, but it is not an event.
	ErrMalformedEvent = errors.New("moment: malformed webhook event")
)

// errWrongSignature is allocated once, because anyone can trigger it.
var errWrongSignature = fmt.Errorf("%w: the secret is another endpoint's, or middleware changed the body", ErrInvalidSignature)

const (
	maxWebhookBody   = 1 << 20
	defaultTolerance = 3 * time.Minute // recommended by Moment's reference
)

// WebhookVerifier verifies the signatures of webhooks, rejects replay attacks, and decodes events.
// The signatures follow [Standard Webhooks]. Make a verifier with [NewWebhookVerifier]. It is
// immutable and safe for concurrent use, and formatting it never shows a secret.
//
// [Standard Webhooks]: https://www.standardwebhooks.com
type WebhookVerifier struct {
	// A function hides the secrets from fmt and dumpers: see service in call.go.
	hidden func() *verifier
}

type verifier struct {
	keys      []*signature.Key
	tolerance time.Duration
	now       func() time.Time
}

// NewWebhookVerifier returns a verifier of webhooks that are signed with secret. The secret is the
// base64 of at least 16 bytes, after an optional whsec_. For a key in another form, such as hex
// digits, pass its bytes to [RawWebhookSecret]. Every error is an [*ArgumentError].
func NewWebhookVerifier(secret string, opts ...WebhookOption) (*WebhookVerifier, error) {
	const op = "new webhook verifier"
	v := &verifier{tolerance: defaultTolerance, now: time.Now}
	if err := v.addSecret("webhook secret", secret); err != nil {
		return nil, withOp(op, err)
	}
	for _, opt := range opts {
		if opt.apply == nil {
			return nil, withOp(op, argErrorf("option", "is the zero WebhookOption"))
		}
		if err := opt.apply(v); err != nil {
			return nil, withOp(op, err)
		}
	}
	return &WebhookVerifier{func() *verifier { return v }}, nil
}

func (v *verifier) addSecret(param, secret string) error {
	key, err := signature.ParseSecret(secret)
	if err != nil {
		return argErrorf(param, "%v", err)
	}
	v.keys = append(v.keys, key)
	return nil
}

// RawWebhookSecret returns a key of raw bytes in the form that [NewWebhookVerifier] accepts.
func RawWebhookSecret(key []byte) string { return signature.FormatSecret(key) }

// WebhookOption changes a setting of the verifier that [NewWebhookVerifier] makes.
type WebhookOption struct {
	apply func(*verifier) error
}

// WithAdditionalSecret also accepts webhooks that are signed with another secret, for the rotation
// of secrets. Pass the old secret with it.
func WithAdditionalSecret(secret string) WebhookOption {
	return WebhookOption{func(v *verifier) error { return v.addSecret("additional webhook secret", secret) }}
}

// WithTolerance sets how far a message's timestamp may be from now, into the past and into the
// future. The default is 3 minutes, as Moment's reference recommends. A shorter tolerance rejects
// messages if clocks are wrong. A longer one allows replay attacks for longer.
func WithTolerance(d time.Duration) WebhookOption {
	return WebhookOption{func(v *verifier) error {
		if d < time.Second {
			return argErrorf("tolerance", "must be at least 1s, not %v: write 3*time.Minute", d)
		}
		v.tolerance = d
		return nil
	}}
}

// WithClock sets the clock that timestamps are compared with, for tests.
func WithClock(now func() time.Time) WebhookOption {
	return WebhookOption{func(v *verifier) error {
		if now == nil {
			return argErrorf("clock", "is nil")
		}
		v.now = now
		return nil
	}}
}

// Verify reports whether Moment signed this body with these headers within the tolerance. The body
// must be the raw body of the request, byte for byte, and not decoded and encoded again. Verify
// returns nil, [ErrMissingHeader], [ErrTimestamp], [ErrInvalidSignature] or [ErrBodyTooLarge].
func (v *WebhookVerifier) Verify(header http.Header, body []byte) error {
	d, err := v.read(header)
	if err != nil {
		return err
	}
	return v.verify(d, body)
}

// delivery has the values of a message's headers.
type delivery struct {
	id, timestamp, signatures string
	at                        time.Time
}

// read rejects a delivery if it can do so by the headers, without the body or a MAC.
func (v *WebhookVerifier) read(header http.Header) (d delivery, err error) {
	if v == nil || v.hidden == nil {
		return d, &ArgumentError{Op: "verify webhook", Param: "verifier", Reason: "was not made by NewWebhookVerifier"}
	}
	if d.id, err = webhookHeader(header, "Webhook-Id"); err != nil {
		return d, err
	}
	if d.timestamp, err = webhookHeader(header, "Webhook-Timestamp"); err != nil {
		return d, err
	}
	if d.signatures, err = webhookSignatures(header); err != nil {
		return d, err
	}
	// The signature covers id, timestamp and body, joined by full stops. An id with JSON in it
	// could be the beginning of a signed body that an attacker has split at full stops around a
	// number.
	if strings.ContainsAny(d.id, `{["`) {
		return d, fmt.Errorf("%w: Webhook-Id is not an id", ErrInvalidSignature)
	}
	d.at, err = v.hidden().checkTime(d.timestamp)
	return d, err
}

func (v *WebhookVerifier) verify(d delivery, body []byte) error {
	if len(body) > maxWebhookBody {
		return ErrBodyTooLarge
	}
	for _, key := range v.hidden().keys {
		if key.Match(d.signatures, d.id, d.timestamp, body) {
			return nil
		}
	}
	if len(body) == 0 {
		return fmt.Errorf("%w: the body is empty: has something read it before?", ErrInvalidSignature)
	}
	return errWrongSignature
}

func webhookHeader(header http.Header, name string) (string, error) {
	values := header[name]
	if len(values) == 0 || values[0] == "" {
		return "", missingHeader(header, name)
	}
	if len(values) > 1 {
		return "", fmt.Errorf("%w: %s has two values", ErrInvalidSignature, name)
	}
	return values[0], nil
}

// webhookSignatures returns all values of webhook-signature as one, because adapters of serverless
// platforms split a value at its commas. Any matching signature is enough.
func webhookSignatures(header http.Header) (string, error) {
	const name = "Webhook-Signature"
	values := header[name]
	if len(values) == 1 && values[0] != "" {
		return values[0], nil
	}
	joined := strings.Join(values, ",")
	if strings.Trim(joined, ",") == "" {
		return "", missingHeader(header, name)
	}
	return joined, nil
}

// missingHeader returns the error of a missing header. It explains a header that http.Header does
// not find because the map was not made by net/http.
func missingHeader(header http.Header, name string) error {
	for other := range header {
		if other != name && strings.EqualFold(other, name) {
			return fmt.Errorf("%w: %s is in the map as %q, which http.Header does not find: fill the map with its method Set", ErrMissingHeader, name, other)
		}
	}
	return fmt.Errorf("%w: %s", ErrMissingHeader, name)
}

// checkTime runs before the check of the signature, because that costs more.
func (v *verifier) checkTime(timestamp string) (time.Time, error) {
	seconds, err := strconv.ParseUint(timestamp, 10, 33) // until the year 2242, within the range of a time.Duration
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: it is not a number of seconds", ErrTimestamp)
	}
	at := time.Unix(int64(seconds), 0)
	switch age := v.now().Sub(at); {
	case age > v.tolerance:
		return time.Time{}, fmt.Errorf("%w: it is %v old", ErrTimestamp, age.Round(time.Second))
	case age < -v.tolerance:
		return time.Time{}, fmt.Errorf("%w: it is %v in the future", ErrTimestamp, -age.Round(time.Second))
	}
	return at, nil
}

// Parse verifies a message and decodes its event. It returns the errors of
// [WebhookVerifier.Verify], or [ErrMalformedEvent]. An unknown type of event is not an error: see
// [UnknownEvent].
func (v *WebhookVerifier) Parse(header http.Header, body []byte) (*Event, error) {
	d, err := v.read(header)
	if err != nil {
		return nil, err
	}
	return v.parse(d, body)
}

func (v *WebhookVerifier) parse(d delivery, body []byte) (*Event, error) {
	if err := v.verify(d, body); err != nil {
		return nil, err
	}
	return decodeEvent(d, body)
}

// ParseRequest reads the body of r, and verifies and decodes it like [WebhookVerifier.Parse]. Call
// it before anything else reads the body.
func (v *WebhookVerifier) ParseRequest(r *http.Request) (*Event, error) {
	d, err := v.read(r.Header)
	if err != nil {
		return nil, err // without reading the body, which may not be signed at all
	}
	body, err := readWebhook(r)
	if err != nil {
		return nil, err
	}
	return v.parse(d, body)
}

func readWebhook(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxWebhookBody {
		return nil, ErrBodyTooLarge
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxWebhookBody+1)) // one more than Verify accepts
	var tooLarge *http.MaxBytesError                                  // the error of a middleware's limit
	switch {
	case errors.As(err, &tooLarge):
		return nil, ErrBodyTooLarge
	case err != nil:
		return nil, fmt.Errorf("moment: read webhook: %w", err)
	}
	return body, nil
}

func (v WebhookVerifier) text() string {
	if v.hidden == nil {
		return "moment.WebhookVerifier"
	}
	c := v.hidden()
	secrets := "1 secret"
	if len(c.keys) > 1 {
		secrets = fmt.Sprintf("%d secrets", len(c.keys))
	}
	return fmt.Sprintf("moment.WebhookVerifier(%s, tolerance %v)", secrets, c.tolerance)
}

// Format writes the number of secrets and the tolerance for any verb, and never a secret.
func (v WebhookVerifier) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.text()) }

// LogValue returns the number of secrets and the tolerance, and never a secret.
func (v WebhookVerifier) LogValue() slog.Value { return slog.StringValue(v.text()) }
