package moment_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

func TestNewIdempotencyKey(t *testing.T) {
	seen := map[string]bool{}
	for range 10_000 {
		key := moment.NewIdempotencyKey()
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, key)
		require.False(t, seen[key], "twice the same")
		seen[key] = true
	}
}

// These keys are frozen, because a job that runs again after an update of this package must derive
// the same keys. Each is the first 16 bytes of the SHA-256 of the parts, each after its length in 8
// bytes, most significant first; with the version and the variant of a UUID.
func TestDeriveIdempotencyKeyGoldenVectors(t *testing.T) {
	for _, row := range []struct {
		parts []string
		want  string
	}{
		{[]string{""}, "af5570f5-a181-4b7a-b78c-af4bc70a660f"},
		{[]string{"create bill"}, "0b3763d1-c9c7-4d39-a336-786ccc113811"},
		{[]string{"create bill", "UBR1234567890", "2000 ZAR 2025-01-31"}, "f158c410-861c-42aa-bb70-e086e799a81f"},
		{[]string{"ü", "汉字"}, "f0814d19-3ddb-43ca-88f8-db1a01fa5254"},
	} {
		assert.Equal(t, row.want, moment.DeriveIdempotencyKey(row.parts...), "%q", row.parts)
	}
}

func TestDeriveIdempotencyKeyDistinguishesParts(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{
		{"a", "b"},
		{"ab"},
		{"a", "b", ""},
		{"", "a", "b"},
		{"b", "a"},
		{"a\x00b"},
		{""},
		{"", ""},
		{"\x00\x00\x00\x00\x00\x00\x00\x01a"},
		{strings.Repeat("a", 1000)},
	} {
		key := moment.DeriveIdempotencyKey(parts...)
		require.NotContains(t, seen, key, "%q", parts)
		seen[key] = parts
		assert.Equal(t, key, moment.DeriveIdempotencyKey(parts...), "the same parts return the same key")
	}
}

func TestDerivedKeysAreAccepted(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(201, testkit.BillJSON))
	key := moment.DeriveIdempotencyKey("create bill", "UBR1234567890")
	require.NoError(t, calls["POST"](t.Context(), clientOf(t, s), moment.WithIdempotencyKey(key)))
	assert.Equal(t, key, s.Only(t).Header.Get("Idempotency-Key"))
}

// Without parts there is no key, because nothing distinguishes one call from another.
func TestDeriveIdempotencyKeyWithoutParts(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(201, testkit.BillJSON))
	assert.Empty(t, moment.DeriveIdempotencyKey())
	err := calls["POST"](t.Context(), clientOf(t, s), moment.WithIdempotencyKey(moment.DeriveIdempotencyKey()))
	assert.ErrorIs(t, err, moment.ErrInvalidArgument)
	assert.Empty(t, s.Received())
}
