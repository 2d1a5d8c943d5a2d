package moment_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

func TestIdentifiersReachTheirOwnEndpoint(t *testing.T) {
	for _, row := range []struct{ id, uri string }{
		{"", ""},
		{".", ""},
		{"..", ""},
		{"a/b", ""},
		{"../customers/x", ""},
		{"%2e%2e", ""},
		{"a%2Fvoid", ""},
		{"a?b=c", ""},
		{"a#b", ""},
		{"a;b", ""},
		{"a\\b", ""},
		{"a\r\nHost: b", ""},
		{"a\x00", ""},
		{"a\u0085b", ""},
		{"a b", "/billing/bills/a%20b"},
		{"a:b@c&d=e+f$", "/billing/bills/a:b@c&d=e+f$"},
		{"…", "/billing/bills/%E2%80%A6"},
	} {
		s := testkit.Serve(t, testkit.Respond(200, strings.Replace(testkit.BillJSON, `"UBR1234567890"`, encoded(t, row.id), 1)))
		_, err := clientOf(t, s).Bills.Get(t.Context(), row.id)
		if row.uri == "" {
			var bad *moment.ArgumentError
			require.ErrorAs(t, err, &bad, row.id)
			assert.Equal(t, "bill", bad.Param)
			assert.Empty(t, s.Received())
			continue
		}
		require.NoError(t, err, row.id)
		assert.Equal(t, testkit.BasePath+row.uri, s.Only(t).URI, row.id)
	}
}

func TestErrorOfAnIdentifierThatAProxyCouldDecode(t *testing.T) {
	_, err := newClient(t).Bills.Void(t.Context(), "UBR1/void")
	assert.ErrorContains(t, err, "bill: must not contain '/', which a proxy could decode to reach another endpoint")
}
