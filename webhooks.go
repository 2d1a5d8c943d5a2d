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

// Why a webhook was rejected, for [errors.Is]. None of the errors quotes the message or a secret.
var (
	// ErrMissingHeader: webhook-id, webhook-timestamp or webhook-signature is missing or empty.
	ErrMissingHeader = errors.New("moment: missing webhook header")

	// ErrInvalidSignature: no signature of the message was made with one of the verifier's secrets.
	// It also stands for a webhook-id or webhook-timestamp that is there twice, because it is
	// unclear which of the two was signed. Several values of webhook-signature are all read.
	ErrInvalidSignature = errors.New("moment: invalid webhook signature")

	// ErrTimestamp: the message was signed too long ago or is from the future, or the timestamp is
	// no number of seconds.
	ErrTimestamp = errors.New("moment: webhook timestamp outside the tolerance")

	// ErrBodyTooLarge: the body has more than 1 MiB.
	ErrBodyTooLarge = errors.New("moment: webhook body too large")

	// ErrMalformedEvent: the message is signed by Moment, but it is not an event.
	ErrMalformedEvent = errors.New("moment: malformed webhook event")
)

// errWrongSignature is made once, because anybody can provoke it.
var errWrongSignature = fmt.Errorf("%w: the secret is another endpoint's, or middleware changed the body", ErrInvalidSignature)

const (
	maxWebhookBody   = 1 << 20
	defaultTolerance = 3 * time.Minute // what Moment's reference recommends
)

// WebhookVerifier verifies webhook signatures and rejects replay attacks, by the scheme of
// Standard Webhooks (https://www.standardwebhooks.com), and decodes them. Make one with
// [NewWebhookVerifier]. It is immutable and safe for concurrent use; formatting it never shows a
// secret.
type WebhookVerifier struct {
	// A function hides the secrets from fmt and dumpers: see service in call.go.
	hidden func() *verifier
}

type verifier struct {
	keys      []*signature.Key
	tolerance time.Duration
	now       func() time.Time
}

// NewWebhookVerifier returns a verifier of what is signed with secret: whsec_, which may be left
// out, and base64, of at least 16 bytes. For a key that is not in that form, see
// [RawWebhookSecret]: hex digits, for one, look like base64. Every error is an [*ArgumentError].
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

// RawWebhookSecret is the form in which [NewWebhookVerifier] takes a key that is given as bytes.
func RawWebhookSecret(key []byte) string { return signature.FormatSecret(key) }

// WebhookOption changes a setting of the verifier that [NewWebhookVerifier] makes.
type WebhookOption struct {
	apply func(*verifier) error
}

// WithAdditionalSecret takes what is signed with another secret too, while Moment changes from one
// to the other.
func WithAdditionalSecret(secret string) WebhookOption {
	return WebhookOption{func(v *verifier) error { return v.addSecret("additional webhook secret", secret) }}
}

// WithTolerance sets how far a message's timestamp may be from now, into the past and into the
// future. The default is 3 minutes, as Moment's reference recommends. A shorter one rejects
// messages where clocks are wrong; a longer one allows replay attacks for longer.
func WithTolerance(d time.Duration) WebhookOption {
	return WebhookOption{func(v *verifier) error {
		if d < time.Second {
			return argErrorf("tolerance", "must be at least 1s, not %v: write 3*time.Minute", d)
		}
		v.tolerance = d
		return nil
	}}
}

// WithClock makes now the time that timestamps are compared with. It is for tests.
func WithClock(now func() time.Time) WebhookOption {
	return WebhookOption{func(v *verifier) error {
		if now == nil {
			return argErrorf("clock", "is nil")
		}
		v.now = now
		return nil
	}}
}

// Verify reports whether Moment has signed this body with these headers, not longer ago than the
// tolerance. The body has to be as it came, byte for byte: not decoded and encoded again. It
// returns nil, [ErrMissingHeader], [ErrTimestamp], [ErrInvalidSignature] or [ErrBodyTooLarge].
func (v *WebhookVerifier) Verify(header http.Header, body []byte) error {
	d, err := v.read(header)
	if err != nil {
		return err
	}
	return v.verify(d, body)
}

// delivery is what a message's headers say.
type delivery struct {
	id, timestamp, signatures string
	at                        time.Time
}

// read rejects what it can without the body, and without a MAC.
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
	// What is signed has a full stop between id, timestamp and body. An id with JSON in it could be
	// a part of a recorded body, cut where that has a full stop, a number and another.
	if strings.ContainsAny(d.id, `{["`) {
		return d, fmt.Errorf("%w: Webhook-Id is no id", ErrInvalidSignature)
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
		return "", fmt.Errorf("%w: %s is there twice", ErrInvalidSignature, name)
	}
	return values[0], nil
}

// webhookSignatures returns all values of webhook-signature as one. Adapters of serverless
// platforms split a value at its commas, and any of the signatures is enough.
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

// missingHeader says, for a map that was not made by net/http, why a header in it was not found.
func missingHeader(header http.Header, name string) error {
	for other := range header {
		if other != name && strings.EqualFold(other, name) {
			return fmt.Errorf("%w: %s is in the map as %q, which http.Header does not find: fill the map with its method Set", ErrMissingHeader, name, other)
		}
	}
	return fmt.Errorf("%w: %s", ErrMissingHeader, name)
}

// checkTime is before the signature, which costs more.
func (v *verifier) checkTime(timestamp string) (time.Time, error) {
	seconds, err := strconv.ParseUint(timestamp, 10, 33) // until the year 2242, which a time.Duration reaches
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: it is no number of seconds", ErrTimestamp)
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

// Parse verifies a message and decodes the event in it. Its errors are those of
// [WebhookVerifier.Verify] and [ErrMalformedEvent]. An event of a type that this version does not
// know is no error, see [UnknownEvent].
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

// ParseRequest reads a request's body and does what [WebhookVerifier.Parse] does. Nothing may have
// read the body before.
func (v *WebhookVerifier) ParseRequest(r *http.Request) (*Event, error) {
	d, err := v.read(r.Header)
	if err != nil {
		return nil, err // without reading the body: nobody has to have signed this
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
	body, err := io.ReadAll(io.LimitReader(r.Body, maxWebhookBody+1)) // one more than Verify takes
	var tooLarge *http.MaxBytesError                                  // of a limit that somebody else set
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

// Format writes the number of secrets and the tolerance whatever the verb, and never a secret.
func (v WebhookVerifier) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.text()) }

// LogValue is what Format writes.
func (v WebhookVerifier) LogValue() slog.Value { return slog.StringValue(v.text()) }
