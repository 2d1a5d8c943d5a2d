package momentotel_test

import (
	"context"
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentotel"
)

// The six lines of the README.
func setUp(verifier *moment.WebhookVerifier, process func(context.Context, *moment.Event) error) (*moment.Client, http.Handler) {
	client, err := moment.NewClientFromEnv(momentotel.ObserveCalls())
	if err != nil {
		log.Fatal(err)
	}
	webhook := verifier.Handler(process, momentotel.ObserveDeliveries())
	return client, webhook
}

func TestReadme(t *testing.T) {
	t.Setenv("MOMENT_API_KEY", "sk_test_YOUR_SECRET_KEY")
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	client, webhook := setUp(verifier, func(context.Context, *moment.Event) error { return nil })
	require.NotNil(t, client)
	require.NotNil(t, webhook)
}
