package moment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// clientOf returns a client of a scripted server, without waits between attempts.
func clientOf(t testing.TB, s *testkit.Service, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	return newClient(t, append([]moment.ClientOption{moment.WithBaseURL(s.URL), moment.WithBackoff(0, 0)}, opts...)...)
}

func newClient(t testing.TB, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	c, err := moment.NewClient(testkit.SecretKey, opts...)
	require.NoError(t, err)
	return c
}

// clientThrough returns a client with a fake RoundTripper.
func clientThrough(t testing.TB, f testkit.RoundTripFunc, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	return newClient(t, append([]moment.ClientOption{moment.WithHTTPClient(&http.Client{Transport: f})}, opts...)...)
}

// calls has one call of each kind that the retry rules distinguish.
var calls = map[string]func(context.Context, *moment.Client, ...moment.RequestOption) error{
	"GET": func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) error {
		_, err := c.Bills.Get(ctx, "UBR1234567890", opts...)
		return err
	},
	"POST": func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) error {
		_, err := c.Bills.Create(ctx, billParams, opts...)
		return err
	},
	"PATCH": func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) error {
		_, err := c.Bills.Update(ctx, "UBR1234567890", moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500)}, opts...)
		return err
	},
}

var billParams = moment.BillCreateParams{
	Customer:          moment.ExistingCustomer("UCR1234567890"),
	ExternalReference: "UBR1234567890",
	Currency:          moment.ZAR,
	AmountDue:         2000,
	BillDate:          moment.NewDate(2025, time.January, 1),
	DueDate:           moment.NewDate(2025, time.January, 31),
}

// webhookSecret is the current secret of the verifiers in tests.
var webhookSecret = moment.RawWebhookSecret(testkit.WebhookKey)

func encoded(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

// attemptsOf returns the attempts of an *Error or a *ConnectionError.
func attemptsOf(t *testing.T, err error) int {
	t.Helper()
	var failure *moment.Error
	var connection *moment.ConnectionError
	switch {
	case errors.As(err, &failure):
		return failure.Attempts
	case errors.As(err, &connection):
		return connection.Attempts
	default:
		t.Fatalf("%T is neither an *Error nor a *ConnectionError", err)
		return 0
	}
}

// notFromService ends the text of an *Error that is not the service's own.
const notFromService = "; not the service's own response (a gateway or a mock?)"

// everyText returns all text of an error, with its extensions decoded.
func everyText(t *testing.T, e *moment.Error) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%+v %#v %s", e, *e, e.Extensions)
	for _, raw := range e.Extensions {
		var decoded any
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&decoded))
		fmt.Fprintf(&text, " %q", decoded)
	}
	return text.String()
}

// isOneLine asserts that the text of an error is one printable line, not too long, without the key.
func isOneLine(t *testing.T, err error) {
	t.Helper()
	line := err.Error()
	assert.NotContains(t, line, testkit.SecretKey[:len("sk_test_")+4], "nor a longer part of the key")
	assert.Less(t, len(line), 500)
	assert.True(t, utf8.ValidString(line))
	for _, r := range line {
		assert.True(t, unicode.IsPrint(r), "%q", r)
	}
}

// reused returns a string whose memory is overwritten later, like the header strings of fasthttp's
// and Fiber's adaptors.
type reused []byte

func (m reused) string() string { return unsafe.String(unsafe.SliceData(m), len(m)) } //nolint:gosec // as they do

func (m reused) overwrite() { copy(m, strings.Repeat("x", len(m))) }

func apply(ctx context.Context, c *moment.Client, params any) error {
	var err error
	switch p := params.(type) {
	case moment.CustomerCreateParams:
		_, err = c.Customers.Create(ctx, p)
	case moment.AccountCreateParams:
		_, err = c.Accounts.Create(ctx, p)
	case moment.BillCreateParams:
		_, err = c.Bills.Create(ctx, p)
	case moment.PaymentRequestCreateParams:
		_, err = c.PaymentRequests.Create(ctx, p)
	case moment.PaymentRequestUpdateParams:
		_, err = c.PaymentRequests.Update(ctx, "pr_1", p)
	case moment.CustomerUpdateParams:
		_, err = c.Customers.Update(ctx, "REF", p)
	case moment.AccountUpdateParams:
		_, err = c.Accounts.Update(ctx, "REF", p)
	case moment.BillUpdateParams:
		_, err = c.Bills.Update(ctx, "REF", p)
	}
	return err
}

func newVerifier(t testing.TB, opts ...moment.WebhookOption) *moment.WebhookVerifier {
	t.Helper()
	opts = append([]moment.WebhookOption{moment.WithClock(func() time.Time { return testkit.SignedAt })}, opts...)
	v, err := moment.NewWebhookVerifier(webhookSecret, opts...)
	require.NoError(t, err)
	return v
}
