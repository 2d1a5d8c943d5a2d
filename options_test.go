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
		{"the paths of operations begin with it", moment.WithBaseURL("https://api.momentpay.net/billing"), "base URL: must not end in /billing"},
		{"the paths of operations begin with it", moment.WithBaseURL("https://example.com/v1/collect/"), "base URL: must not end in /collect"},
		{"another scheme", moment.WithBaseURL("ftp://127.0.0.1"), "base URL: must be https://"},
		{"an unset environment variable", moment.WithBaseURL(""), "base URL: is empty"},
		{"no scheme", moment.WithBaseURL("api.momentpay.net"), "base URL: lacks https:// or a host"},
		{"no host", moment.WithBaseURL("https:///billing"), "base URL: lacks https:// or a host"},
		{"no host but a port", moment.WithBaseURL("https://:443"), "base URL: lacks https:// or a host"},
		{"read from a file with its line break", moment.WithBaseURL("https://api.momentpay.net\n"), "base URL: begins or ends with white space"},
		{"not a URL", moment.WithBaseURL("https://api.momentpay.net/%zz"), "base URL: is not a URL"},
		{"would be lost when a path is appended", moment.WithBaseURL("https://api.momentpay.net/?a=b"), "base URL: must not have a query"},
		{"would be lost when a path is appended", moment.WithBaseURL("https://api.momentpay.net/?"), "base URL: must not have a query"},
		{"would be lost when a path is appended", moment.WithBaseURL("https://api.momentpay.net/#a"), "base URL: must not have a query"},
		{"a second way to authenticate", moment.WithBaseURL("https://user:hunter2@api.momentpay.net"), "base URL: must not contain a user"},
		{"no HTTP client", moment.WithHTTPClient(nil), "HTTP client: is nil"},
		{"a typed nil", moment.WithHTTPClient(&http.Client{Transport: (*http.Transport)(nil)}), "HTTP client: has a nil *http.Transport as its Transport"},
		{"a negative number", moment.WithMaxRetries(-1), "max retries: is negative"},
		{"a negative wait", moment.WithBackoff(-1, 1), "backoff: needs 0 ≤ first ≤ longest, not -1ns and 1ns"},
		{"the wrong way round", moment.WithBackoff(2, 1), "backoff: needs 0 ≤ first ≤ longest, not 2ns and 1ns"},
		{"every attempt would fail", moment.WithAttemptTimeout(0), "attempt timeout: must be at least 1ms, not 0s"},
		{"a bare integer", moment.WithAttemptTimeout(30), "attempt timeout: must be at least 1ms, not 30ns: write 30*time.Second"},
		{"would end the header", moment.WithUserAgent("a\r\nb"), "user agent: "},
		{"no name", moment.WithUserAgent(""), "user agent: "},
		{"a forgotten option", moment.ClientOption{}, "option: is the zero ClientOption"},
	} {
		c, err := moment.NewClient(testkit.SecretKey, row.opt)
		assert.Nil(t, c, row.why)
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
		assert.ErrorContains(t, err, "moment: new client: "+row.says, row.why)
		assert.NotContains(t, err.Error(), "hunter2", "not the caller's password")
	}
}

// A live key is never sent in the clear.
func TestLiveKeyNeedsHTTPS(t *testing.T) {
	for base, accepted := range map[string]bool{
		"https://api.momentpay.net": true, "http://127.0.0.1:8787": true, "http://LOCALHOST": true,
		"http://api.momentpay.net": false, "http://127.0.0.1.example.com": false, "http://mock:8787": false,
	} {
		_, err := moment.NewClient("sk_YOUR_SECRET_KEY", moment.WithBaseURL(base))
		if accepted {
			assert.NoError(t, err, base)
			continue
		}
		assert.EqualError(t, err, "moment: new client: base URL: must be https:// (http:// is accepted on a loopback address, or with a test key)", base)
	}
}

func TestBaseURL(t *testing.T) {
	for _, row := range []struct{ why, base, want string }{
		{"a path is kept", "https://example.com/gateway/v1", "https://example.com/gateway/v1/billing/bills/UBR1234567890"},
		{"with or without a slash at its end", "https://example.com/gateway/v1//", "https://example.com/gateway/v1/billing/bills/UBR1234567890"},
		{"an escaped slash at its end is not removed", "https://example.com/a%2F/", "https://example.com/a%2F/billing/bills/UBR1234567890"},
		{"an escaped path is kept as it is", "https://example.com/a%2Fb", "https://example.com/a%2Fb/billing/bills/UBR1234567890"},
		{"no path", "https://example.com", "https://example.com/billing/bills/UBR1234567890"},
		{"a port", "https://example.com:8443/", "https://example.com:8443/billing/bills/UBR1234567890"},
		{"HTTP is accepted on loopback", "http://127.0.0.9:80", "http://127.0.0.9:80/billing/bills/UBR1234567890"},
		{"HTTP is accepted on loopback", "http://[::1]:80", "http://[::1]:80/billing/bills/UBR1234567890"},
		{"net/http bypasses a proxy for localhost in lower case only", "HTTP://LocalHost:80", "http://localhost:80/billing/bills/UBR1234567890"},
		{"HTTP is accepted with a test key, for fakes in containers", "http://mock:8787", "http://mock:8787/billing/bills/UBR1234567890"},
		{"a path that ends alike", "https://example.com/x-billing", "https://example.com/x-billing/billing/bills/UBR1234567890"},
		{"HTTP is accepted on loopback", "http://localhost:80", "http://localhost:80/billing/bills/UBR1234567890"},
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
	assert.NoError(t, calls["GET"](t.Context(), c), "a later change has no effect, because the client was copied")
	assert.Zero(t, http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost, "http.DefaultClient is not modified either")
}
