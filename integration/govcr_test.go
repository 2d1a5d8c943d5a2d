package integration_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"

	"github.com/moment-billing/moment-go"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// go-vcr, as docs/testing.md sets it up: a recording is replayed under another API key, other
// idempotency keys and another User-Agent, and the API key is not saved.
func TestGoVCR(t *testing.T) {
	cassetteName := filepath.Join(t.TempDir(), "customer")
	create := func(key, reference string, network http.RoundTripper) (*moment.Customer, error) {
		rec, err := recorder.New(cassetteName,
			recorder.WithMatcher(cassette.NewDefaultMatcher(cassette.WithIgnoreHeaders("Authorization", "Idempotency-Key", "User-Agent"))),
			recorder.WithHook(func(i *cassette.Interaction) error {
				i.Request.Headers.Del("Authorization") // because it is the API key
				return nil
			}, recorder.AfterCaptureHook),
			recorder.WithRealTransport(network), // leave this line out to record Moment itself
		)
		require.NoError(t, err)
		defer func() { assert.NoError(t, rec.Stop()) }()
		client, err := moment.NewClient(key, moment.WithHTTPClient(rec.GetDefaultClient()), moment.WithBackoff(0, 0), moment.WithUserAgent(key[len("sk_test_"):]))
		require.NoError(t, err)
		return client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: reference, Name: "John Doe"})
	}

	fake := newFake(t)
	base, err := url.Parse(fake.URL)
	require.NoError(t, err)
	recorded, err := create("sk_test_SWORDFISH", "UCR1234567890", roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host, r.Host = base.Scheme, base.Host, base.Host // in place of Moment
		return http.DefaultTransport.RoundTrip(r)
	}))
	require.NoError(t, err)
	saved, err := os.ReadFile(cassetteName + ".yaml")
	require.NoError(t, err)
	assert.NotContains(t, string(saved), "sk_test_")
	assert.Contains(t, string(saved), recorded.ID)
	assert.Contains(t, string(saved), "https://api.momentpay.net/billing/customers")

	noNetwork := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("the network must not be used") })
	replayed, err := create("sk_test_ANOTHER", "UCR1234567890", noNetwork)
	require.NoError(t, err)
	assert.Equal(t, recorded, replayed)
	_, err = create("sk_test_ANOTHER", "UCR-2", noNetwork)
	require.ErrorIs(t, err, cassette.ErrInteractionNotFound, "a call with another body has no recording")
	var failure *moment.ConnectionError
	require.ErrorAs(t, err, &failure)
	require.Len(t, fake.Requests(), 1)
}
