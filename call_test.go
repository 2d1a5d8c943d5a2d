package moment_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

func TestHeadersOfARequest(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(201, testkit.BillJSON))
	c := clientOf(t, s, moment.WithUserAgent("billing-backend/2.3"))
	require.NoError(t, calls["POST"](t.Context(), c))
	h := s.Only(t).Header
	assert.Equal(t, []string{"Bearer " + testkit.SecretKey}, h["Authorization"])
	assert.Equal(t, []string{"application/json"}, h["Content-Type"])
	assert.Equal(t, []string{"billing-backend/2.3 moment-go/0.1.0-dev"}, h["User-Agent"])
	assert.Contains(t, h.Get("Accept"), "application/problem+json")
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, h.Get("Idempotency-Key"),
		"bare, as in Moment's reference, not in the quotes of the IETF draft")

	s = testkit.Serve(t, testkit.Respond(200, testkit.BillJSON))
	require.NoError(t, calls["GET"](t.Context(), clientOf(t, s)))
	h = s.Only(t).Header
	assert.Equal(t, []string{"moment-go/0.1.0-dev"}, h["User-Agent"])
	for _, name := range []string{"Content-Type", "Idempotency-Key"} {
		assert.NotContains(t, h, name, "a GET does not have one")
	}
}

func TestOptionsReachEachAttempt(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(500), testkit.Respond(201, testkit.BillJSON))
	var resp moment.Response
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s),
		moment.WithHeader("X-Trace", "one"),
		moment.WithIdempotencyKey("key-of-the-caller"),
		moment.WithQuery(struct {
			Expand string `url:"expand"`
		}{"customer"}),
		moment.WithResponse(&resp),
	))
	require.Len(t, s.Received(), 2)
	for _, r := range s.Received() {
		assert.Equal(t, testkit.BasePath+"/billing/bills?expand=customer", r.URI)
		assert.Equal(t, "one", r.Header.Get("X-Trace"))
		assert.Equal(t, "key-of-the-caller", r.Header.Get("Idempotency-Key"))
	}
	assert.Equal(t, "key-of-the-caller", resp.IdempotencyKey)

	s = testkit.Serve(t, testkit.Respond(201, testkit.BillJSON))
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithHeader("X-Trace", "one")))
	assert.NotEmpty(t, s.Only(t).Header.Get("Idempotency-Key"), "options do not replace the key")
}

func TestNilContext(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON))
	_, err := clientOf(t, s).Bills.Get(nil, "UBR1") //nolint:staticcheck // on purpose
	assert.EqualError(t, err, "moment: get bill: context: is nil")
	assert.Empty(t, s.Received())
}

// A RoundTripper that overwrites the values of headers, to redact a key for its log, does not
// change a retry or a later call.
func TestHeaderValuesAreNotShared(t *testing.T) {
	for method, call := range calls {
		s := testkit.Serve(t, testkit.Problem(429), testkit.Respond(200, testkit.BillJSON))
		c := clientOf(t, s, moment.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(r)
			for _, values := range r.Header {
				for i := range values {
					values[i] = "REDACTED"
				}
			}
			return resp, err
		})}))
		header := moment.WithHeader("X-Tenant", "7")
		require.NoError(t, call(t.Context(), c, header), "the retry")
		require.NoError(t, call(t.Context(), c, header), "the next call")
		all := s.Received()
		require.Len(t, all, 3)
		for _, r := range all {
			r.Header.Del("Idempotency-Key") // the next call has another key
			assert.Equal(t, all[0].Header, r.Header, method)
			assert.Equal(t, "Bearer "+testkit.SecretKey, r.Header.Get("Authorization"))
			assert.Equal(t, "7", r.Header.Get("X-Tenant"))
		}
	}
}
