package proof_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// clientOf returns a client of a scripted server, without waits between attempts.
func clientOf(t testing.TB, s *testkit.Service, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	return newClient(t, append([]moment.ClientOption{moment.WithBaseURL(s.URL), moment.WithBackoff(0, 0)}, opts...)...)
}

// skipIfShort skips a long proof with -short, which .ci/run uses where it runs all tests once more
// on another platform.
func skipIfShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short")
	}
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

func newVerifier(t testing.TB, opts ...moment.WebhookOption) *moment.WebhookVerifier {
	t.Helper()
	opts = append([]moment.WebhookOption{moment.WithClock(func() time.Time { return testkit.SignedAt })}, opts...)
	v, err := moment.NewWebhookVerifier(webhookSecret, opts...)
	require.NoError(t, err)
	return v
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

// sentinels are the sentinels of failed calls.
var sentinels = []error{
	moment.ErrBadRequest, moment.ErrUnauthorized, moment.ErrPaymentRequired, moment.ErrForbidden, moment.ErrNotFound, moment.ErrConflict,
	moment.ErrUnprocessable, moment.ErrRateLimited, moment.ErrServer, moment.ErrInvalidArgument, moment.ErrOutcomeUnknown,
}
