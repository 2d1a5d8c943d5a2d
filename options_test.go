package moment_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// Redacting Response.Header does not modify the response's own header, because a RoundTripper may

// share it between calls.

func TestNegativeRetryBudget(t *testing.T) {
	_, err := moment.NewClient(testkit.SecretKey, moment.WithRetryBudget(-1))
	assert.EqualError(t, err, "moment: new client: retry budget: is negative; 0 means no limit")
}

func TestNewClientRejectsBadOptions(t *testing.T) {
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
		c, err := moment.NewClient(testkit.SecretKey, row.opt)
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
		c := clientThrough(t, func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			return testkit.Response(testkit.Respond(200, testkit.BillJSON))
		}, moment.WithBaseURL(row.base))
		_, err := c.Bills.Get(t.Context(), "UBR1234567890")
		require.NoError(t, err, row.why)
		assert.Equal(t, row.want, got, row.why)
	}
}

func TestHTTPClientIsUsed(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON, "Set-Cookie: route=b"), testkit.Respond(200, testkit.BillJSON))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := clientOf(t, s, moment.WithHTTPClient(&http.Client{Jar: jar}))
	require.NoError(t, calls["GET"](t.Context(), c))
	require.NoError(t, calls["GET"](t.Context(), c))
	assert.Empty(t, s.Received()[0].Header["Cookie"])
	assert.Equal(t, []string{"route=b"}, s.Received()[1].Header["Cookie"], "its Jar is used")

	for timeout, want := range map[time.Duration]time.Duration{10 * time.Second: 10 * time.Second, time.Hour: 30 * time.Second, 0: 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, moment.WithHTTPClient(&http.Client{
				Timeout: timeout,
				Transport: testkit.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					deadline, _ := r.Context().Deadline()
					assert.Equal(t, want, time.Until(deadline), "its Timeout shortens an attempt, and cannot lengthen it")
					return testkit.Response(testkit.Respond(200, testkit.BillJSON))
				}),
			}))
			require.NoError(t, calls["GET"](t.Context(), c))
		})
	}
}

func TestCallersHTTPClientIsNotModified(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(302, "", "Location: /"), testkit.Respond(200, testkit.BillJSON))
	transport := &http.Transport{}
	client := http.Client{Transport: transport, Timeout: time.Minute}
	before := client
	c := clientOf(t, s, moment.WithHTTPClient(&client))
	require.Error(t, calls["GET"](t.Context(), c))
	assert.Equal(t, before, client)
	assert.Nil(t, client.CheckRedirect)
	assert.Zero(t, transport.MaxIdleConnsPerHost)

	client.Transport = testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("changed later") })
	assert.NoError(t, calls["GET"](t.Context(), c), "it was copied: a later change has no effect")
	assert.Zero(t, http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost, "nor is the default written to")
}

// Errors hold a copy of the caller's idempotency key, because the key may be a string of a request.
