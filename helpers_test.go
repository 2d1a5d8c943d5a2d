package moment_test

import (
	"context"
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

// calls are one call of each kind that the retry rules tell apart.
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
