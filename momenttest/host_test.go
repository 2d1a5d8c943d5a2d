package momenttest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// A web page whose own name was made to resolve to the fake sends that name.
func TestForeignHostsAreRejected(t *testing.T) {
	h := momenttest.NewHandler(momenttest.WithHost("mock.staging.example.org"))
	h.Fail(momenttest.Status(503))
	ask := func(host, method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, http.NoBody)
		r.Header.Set("Authorization", "Bearer sk_test_YOUR_SECRET_KEY")
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, request := range []struct{ method, path string }{
		{"GET", "/billing/customers/UCR-1"},
		{"POST", "/billing/customers"},
		{"GET", "/nowhere"},
		{"OPTIONS", "/billing/customers"},
	} {
		w := ask("evil.example:8787", request.method, request.path)
		require.Equal(t, 403, w.Code)
		require.JSONEq(t, `{
			"type": "about:blank",
			"title": "Forbidden",
			"status": 403,
			"detail": "The header Host must be an IP address, localhost, a name without a full stop, a name that ends in .localhost or .internal, or the host that the fake is served under.",
			"instance": "`+request.path+`"
		}`, w.Body.String())
	}
	require.Empty(t, h.Requests(), "a page does not disturb a test")
	require.Len(t, h.Faults(), 1)
	h.ClearFaults()
	for _, host := range []string{"127.0.0.1:8787", "localhost", "moment-mock:8787", "mock.staging.example.org"} {
		assert.Equal(t, 404, ask(host, "GET", "/billing/customers/UCR-1").Code, host)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/billing/customers/UCR-1", http.NoBody))
	assert.Equal(t, 401, w.Code, "the host of httptest.NewRequest is accepted")
}

// A browser sends the origin of a web page with each of its requests.
func TestForeignOriginsAreRejected(t *testing.T) {
	h := momenttest.NewHandler(momenttest.WithHost("mock.staging.example.org"))
	ask := func(origin string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "http://192.168.1.2:8787/billing/customers/UCR-1", http.NoBody)
		r.Header.Set("Authorization", "Bearer sk_test_YOUR_SECRET_KEY")
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, origin := range []string{"https://evil.example", "null", "http://203.0.113.5", "http://192.168.1.2:3000", "http://localhost.evil.example"} {
		w := ask(origin)
		assert.Equal(t, 403, w.Code, origin)
		assert.Contains(t, w.Body.String(), `"type":"about:blank"`)
		assert.Contains(t, w.Body.String(), "The header Origin must be the fake itself")
	}
	require.Empty(t, h.Requests())
	for _, origin := range []string{"", "http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]", "http://billing:8080", "http://192.168.1.2:8787", "https://mock.staging.example.org"} {
		assert.Equal(t, 404, ask(origin).Code, origin)
	}
}

// The service has no such check, so its response differs from the service's own.
func TestForeignHostProblem(t *testing.T) {
	srv := newServer(t)
	foreign := roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Host = "evil.example"
		return http.DefaultTransport.RoundTrip(r)
	})
	client := srv.Client(moment.WithHTTPClient(&http.Client{Transport: foreign}))
	_, err := client.Customers.Get(t.Context(), "UCR-1")
	var failure *moment.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, 403, failure.Status)
	require.False(t, failure.FromService)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
