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
		{"a/b", "/billing/bills/a%2Fb"},
		{"../customers/x", "/billing/bills/..%2Fcustomers%2Fx"},
		{"%2e%2e", "/billing/bills/%252e%252e"},
		{"a?b=c", "/billing/bills/a%3Fb=c"},
		{"a#b", "/billing/bills/a%23b"},
		{"a b", "/billing/bills/a%20b"},
		{"a;b", "/billing/bills/a%3Bb"},
		{"a\r\nHost: b", "/billing/bills/a%0D%0AHost:%20b"},
		{"…", "/billing/bills/%E2%80%A6"},
		{"a\\b", "/billing/bills/a%5Cb"},
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
