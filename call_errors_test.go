package moment_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// Mistaking a service's response for a gateway's costs a lookup. The opposite mistake costs money.
func TestFromService(t *testing.T) {
	const own = `{"type":"https://api.momentco.io/docs/errors#not-found","title":"Not Found","status":404,"detail":"There is no such customer."}`
	with := func(old, replacement string) string {
		require.Contains(t, own, old)
		return strings.Replace(own, old, replacement, 1)
	}
	ofType := func(uri string) string { return with("https://api.momentco.io/docs/errors#not-found", uri) }
	for _, row := range []struct {
		why, contentType, body string
		want                   bool
	}{
		{"Moment's own", "application/problem+json", own, true},
		{"as JSON", "application/json", own, true},
		{"with a charset", "Application/Problem+JSON; charset=utf-8", own, true},
		{"of the other domain", "application/problem+json", ofType("https://momentpay.net/errors/not-found"), true},
		{"of a subdomain, in capitals", "application/problem+json", ofType("HTTPS://API.MOMENTPAY.NET/errors"), true},
		{"with more members", "application/problem+json", with(`"status"`, `"code":"not_found","status"`), true},
		{"the status as an exact integer", "application/problem+json", with("404", "4.04e2"), true},
		{"without a detail", "application/problem+json", with(`,"detail":"There is no such customer."`, ""), true},

		{"an ingress", "text/plain", "default backend - 404", false},
		{"a load balancer", "text/html", "<html><head><title>400 Bad Request</title></head></html>", false},
		{"nothing", "", "", false},
		{"an API gateway", "application/json", `{"message":"no Route matched with those values"}`, false},
		{"an API gateway, in Moment's words", "application/json", `{"title":"Not Found","status":404}`, false},
		{"a CDN's problem details", "application/problem+json", ofType("https://developers.cloudflare.com/support/errors/1015"), false},
		{"about:blank", "application/problem+json", ofType("about:blank"), false},
		{"a relative type", "application/problem+json", ofType("/docs/errors#not-found"), false},
		{"a type without a scheme", "application/problem+json", ofType("//api.momentco.io/docs/errors"), false},
		{"another scheme", "application/problem+json", ofType("urn:api.momentco.io"), false},
		{"a domain that ends alike", "application/problem+json", ofType("https://evilmomentco.io/docs"), false},
		{"a domain that begins alike", "application/problem+json", ofType("https://momentco.io.example.com/docs"), false},
		{"the domain as a user name", "application/problem+json", ofType("https://momentco.io@example.com/docs"), false},
		{"the domain in the path", "application/problem+json", ofType("https://example.com/momentco.io"), false},
		{"not a URL", "application/problem+json", ofType("https://[momentco.io"), false},
		{"another status", "application/problem+json", with("404", "400"), false},
		{"a status that is a text", "application/problem+json", with("404", `"404"`), false},
		{"a status that overflows", "application/problem+json", with("404", "1e9223372036854775807"), false},
		{"without a status", "application/problem+json", with(`"status":404,`, ""), false},
		{"without a title", "application/problem+json", with(`"title":"Not Found",`, ""), false},
		{"a title that is null", "application/problem+json", with(`"Not Found"`, "null"), false},
		{"a title that is a number", "application/problem+json", with(`"Not Found"`, "404"), false},
		{"a type that is a list", "application/problem+json", with(`"https://api.momentco.io/docs/errors#not-found"`, `["https://api.momentco.io"]`), false},
		{"names in another letter case", "application/problem+json", with(`"title"`, `"Title"`), false},
		{"as text", "text/plain", own, false},
		{"a media type that cannot be parsed", "application/problem+json; charset", own, false},
		{"truncated", "application/problem+json", own[:len(own)-1], false},
		{"two of them", "application/problem+json", own + own, false},
		{"a list", "application/problem+json", "[" + own + "]", false},
		{"longer than is read of an error", "application/problem+json", with("There", strings.Repeat("x", 64<<10)), false},
	} {
		s := testkit.Serve(t, testkit.Respond(404, row.body, "Content-Type: "+row.contentType))
		for method, call := range calls {
			err := call(t.Context(), clientOf(t, s))
			var failure *moment.Error
			require.ErrorAs(t, err, &failure, row.why)
			assert.Equal(t, row.want, failure.FromService, row.why)
			assert.Equal(t, row.want, !strings.Contains(err.Error(), "not the service's own response (a gateway or a mock?)"), row.why)
			assert.ErrorIs(t, err, moment.ErrNotFound, "sentinels match by status for any sender")
			assert.Equal(t, !row.want && method != "GET", errors.Is(err, moment.ErrOutcomeUnknown), "%s %s", method, row.why)
		}
	}
}

// A replayed response is the service's own, with any body, if the request had a key.
func TestAReplayIsFromTheService(t *testing.T) {
	for method, want := range map[string]bool{"GET": false, "POST": true, "PATCH": false} {
		s := testkit.Serve(t, testkit.Respond(404, "<html>", testkit.Replayed))
		var resp moment.Response
		err := calls[method](t.Context(), clientOf(t, s), moment.WithResponse(&resp))
		var failure *moment.Error
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, want, failure.FromService, method)
		assert.Equal(t, want, failure.Replayed, method)
		assert.Equal(t, want, resp.Replayed, method)
		assert.Equal(t, method == "PATCH", errors.Is(err, moment.ErrOutcomeUnknown), method)
	}
}

// A gateway's response is never the service's own.
func TestGatewaysAreNotTheServiceForAnyStatus(t *testing.T) {
	for _, status := range []int{302, 400, 429, 500, 503} {
		s := testkit.Serve(t, testkit.Gateway(status))
		var failure *moment.Error
		require.ErrorAs(t, calls["GET"](t.Context(), clientOf(t, s, moment.WithMaxRetries(0))), &failure)
		assert.False(t, failure.FromService, status)
	}
}
