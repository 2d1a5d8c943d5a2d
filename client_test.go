package moment_test

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

func TestNewClientRefusesWhatCannotBeASecretKey(t *testing.T) {
	for _, row := range []struct{ why, key, says string }{
		{"an unset environment variable", "", "is empty"},
		{"public keys cannot run billing operations", "pk_test_YOUR_PUBLIC_KEY", "is a public key"},
		{"public keys cannot run billing operations", "pk_YOUR_PUBLIC_KEY", "is a public key"},
		{"a key of another service", "AKIAYOURACCESSKEY", "does not begin with sk_"},
		{"read from a file with its line break", "sk_test_YOUR_SECRET_KEY\n", "line break"},
		{"pasted with a space", "sk_test_YOUR SECRET_KEY", "white space"},
		{"would end the header", "sk_test_\x00", "control character"},
		{"pasted with its quotes", `sk_test_YOUR_SECRET_KEY"`, "quotation mark"},
		{"no key has one", `sk_test_YOUR\SECRET_KEY`, "backslash"},
		{"a placeholder was left", "sk_test_", "nothing after its prefix"},
		{"would be taken for a live key", "sk_test", "nothing after its prefix"},
		{"a placeholder was left", "sk_", "nothing after its prefix"},
	} {
		c, err := moment.NewClient(row.key)
		assert.Nil(t, c, row.why)
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
		assert.ErrorContains(t, err, "moment: new client: secret key: ", row.why)
		assert.ErrorContains(t, err, row.says, row.why)
		if len(row.key) > len("sk_test_") {
			assert.NotContains(t, err.Error(), row.key[len("sk_test_"):], "no part of the key")
		}
	}
}

func TestNewClientRefusesBadOptions(t *testing.T) {
	for _, row := range []struct {
		why  string
		opt  moment.ClientOption
		says string
	}{
		{"the key would be sent in the clear", moment.WithBaseURL("http://api.momentpay.net"), "base URL: must be https://"},
		{"the key would be sent in the clear", moment.WithBaseURL("http://127.0.0.1.example.com"), "base URL: must be https://"},
		{"another scheme", moment.WithBaseURL("ftp://127.0.0.1"), "base URL: must be https://"},
		{"an unset environment variable", moment.WithBaseURL(""), "base URL: is empty"},
		{"no scheme", moment.WithBaseURL("api.momentpay.net"), "base URL: lacks https:// or a host"},
		{"no host", moment.WithBaseURL("https:///billing"), "base URL: lacks https:// or a host"},
		{"no host but a port", moment.WithBaseURL("https://:443"), "base URL: lacks https:// or a host"},
		{"read from a file with its line break", moment.WithBaseURL("https://api.momentpay.net\n"), "base URL: begins or ends with white space"},
		{"not a URL", moment.WithBaseURL("https://api.momentpay.net/%zz"), "base URL: is not a URL"},
		{"would be lost behind paths", moment.WithBaseURL("https://api.momentpay.net/?a=b"), "base URL: must not have a query"},
		{"would be lost behind paths", moment.WithBaseURL("https://api.momentpay.net/?"), "base URL: must not have a query"},
		{"would be lost behind paths", moment.WithBaseURL("https://api.momentpay.net/#a"), "base URL: must not have a query"},
		{"a second way to authenticate", moment.WithBaseURL("https://user:hunter2@api.momentpay.net"), "base URL: must not hold a user"},
		{"nothing to call through", moment.WithHTTPClient(nil), "HTTP client: is nil"},
		{"no such number", moment.WithMaxRetries(-1), "max retries: is negative"},
		{"no such wait", moment.WithBackoff(-1, 1), "backoff: needs 0 ≤ first ≤ longest, not -1ns and 1ns"},
		{"the wrong way round", moment.WithBackoff(2, 1), "backoff: needs 0 ≤ first ≤ longest, not 2ns and 1ns"},
		{"every attempt would fail", moment.WithAttemptTimeout(0), "attempt timeout: must be more than 0, not 0s"},
		{"would end the header", moment.WithUserAgent("a\r\nb"), "user agent: "},
		{"no name", moment.WithUserAgent(""), "user agent: "},
		{"a forgotten option", moment.ClientOption{}, "option: is the zero ClientOption"},
	} {
		c, err := moment.NewClient(testKey, row.opt)
		assert.Nil(t, c, row.why)
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
		assert.ErrorContains(t, err, "moment: new client: "+row.says, row.why)
		assert.NotContains(t, err.Error(), "hunter2", "no password of the caller's")
	}
}

func TestBaseURL(t *testing.T) {
	for _, row := range []struct{ why, base, want string }{
		{"a path is kept", "https://example.com/gateway/v1", "https://example.com/gateway/v1/billing/bills/UBR1234567890"},
		{"with or without a slash at its end", "https://example.com/gateway/v1//", "https://example.com/gateway/v1/billing/bills/UBR1234567890"},
		{"an escaped slash at its end is no slash", "https://example.com/a%2F/", "https://example.com/a%2F/billing/bills/UBR1234567890"},
		{"an escaped path is kept as it is", "https://example.com/a%2Fb", "https://example.com/a%2Fb/billing/bills/UBR1234567890"},
		{"no path", "https://example.com", "https://example.com/billing/bills/UBR1234567890"},
		{"a port", "https://example.com:8443/", "https://example.com:8443/billing/bills/UBR1234567890"},
		{"loopback may do without TLS", "http://127.0.0.9:80", "http://127.0.0.9:80/billing/bills/UBR1234567890"},
		{"loopback may do without TLS", "http://[::1]:80", "http://[::1]:80/billing/bills/UBR1234567890"},
		{"host names ignore case", "HTTP://LOCALHOST:80", "http://LOCALHOST:80/billing/bills/UBR1234567890"},
		{"loopback may do without TLS", "http://localhost:80", "http://localhost:80/billing/bills/UBR1234567890"},
	} {
		var got string
		c := through(t, func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			return fake(answer(200, billJSON))
		}, moment.WithBaseURL(row.base))
		_, err := c.Bills.Get(t.Context(), "UBR1234567890")
		require.NoError(t, err, row.why)
		assert.Equal(t, row.want, got, row.why)
	}
}

func TestDefaultBaseURLIsMoments(t *testing.T) {
	var got string
	c := through(t, func(r *http.Request) (*http.Response, error) {
		got = r.URL.String()
		return fake(answer(200, billJSON))
	})
	_, err := c.Bills.Get(t.Context(), "UBR1234567890")
	require.NoError(t, err)
	assert.Equal(t, "https://api.momentpay.net/billing/bills/UBR1234567890", got)
}

func TestMode(t *testing.T) {
	for key, want := range map[string]moment.Mode{
		"sk_test_YOUR_SECRET_KEY": moment.ModeTest,
		"sk_YOUR_SECRET_KEY":      moment.ModeLive,
		"sk_testimonial":          moment.ModeLive,
	} {
		c, err := moment.NewClient(key)
		require.NoError(t, err)
		assert.Equal(t, want, c.Mode(), key)
	}
}

func TestHeadersOfARequest(t *testing.T) {
	s := serve(t, answer(201, billJSON))
	c := s.client(t, moment.WithUserAgent("billing-backend/2.3"))
	require.NoError(t, calls["POST"](t.Context(), c))
	h := s.only(t).Header
	assert.Equal(t, []string{"Bearer " + testKey}, h["Authorization"])
	assert.Equal(t, []string{"application/json"}, h["Content-Type"])
	assert.Equal(t, []string{"billing-backend/2.3 moment-go/0.1.0-dev"}, h["User-Agent"])
	assert.Contains(t, h.Get("Accept"), "application/problem+json")
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, h.Get("Idempotency-Key"),
		"bare, as in Moment's reference, not in the quotes of the IETF draft")

	s = serve(t, answer(200, billJSON))
	require.NoError(t, calls["GET"](t.Context(), s.client(t)))
	h = s.only(t).Header
	assert.Equal(t, []string{"moment-go/0.1.0-dev"}, h["User-Agent"])
	for _, name := range []string{"Content-Type", "Idempotency-Key"} {
		assert.NotContains(t, h, name, "a GET has none")
	}
}

func TestHTTPClientIsUsed(t *testing.T) {
	s := serve(t, answer(200, billJSON, "Set-Cookie: route=b"), answer(200, billJSON))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := s.client(t, moment.WithHTTPClient(&http.Client{Jar: jar}))
	require.NoError(t, calls["GET"](t.Context(), c))
	require.NoError(t, calls["GET"](t.Context(), c))
	assert.Empty(t, s.received()[0].Header["Cookie"])
	assert.Equal(t, []string{"route=b"}, s.received()[1].Header["Cookie"], "its Jar is used")

	for timeout, want := range map[time.Duration]time.Duration{10 * time.Second: 10 * time.Second, time.Hour: 30 * time.Second, 0: 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, moment.WithHTTPClient(&http.Client{
				Timeout: timeout,
				Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					deadline, _ := r.Context().Deadline()
					assert.Equal(t, want, time.Until(deadline), "its Timeout shortens an attempt, and cannot lengthen it")
					return fake(answer(200, billJSON))
				}),
			}))
			require.NoError(t, calls["GET"](t.Context(), c))
		})
	}
}

// A replaced http.DefaultTransport, by a mock or for tracing, is used as it is.
func TestReplacedDefaultTransportIsUsed(t *testing.T) {
	httpmock.Activate(t)
	httpmock.RegisterResponder("GET", "https://api.momentpay.net/billing/bills/UBR1234567890", httpmock.NewStringResponder(200, billJSON))
	require.NoError(t, calls["GET"](t.Context(), newClient(t)))
	assert.Equal(t, 1, httpmock.GetTotalCallCount())
}

// One with limits of its own keeps them.
func TestDefaultTransportKeepsALimitOnHeaders(t *testing.T) {
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.MaxResponseHeaderBytes = 256 << 10
	replaceDefaultTransport(t, own)
	s := serve(t, answer(200, billJSON, "X-Long: "+strings.Repeat("x", 100<<10)))
	require.NoError(t, calls["GET"](t.Context(), s.client(t)))
}
