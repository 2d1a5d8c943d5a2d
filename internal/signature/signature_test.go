package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The example of the Standard Webhooks specification, whose signature Moment's reference prints
// too.
const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" //nolint:gosec // published, not a secret
	id        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	timestamp = "1614265330"
	body      = `{"test": 2432232314}`
	signed    = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func TestSign(t *testing.T) {
	key, err := ParseSecret(secret)
	require.NoError(t, err)
	assert.Equal(t, signed, key.Sign(id, timestamp, []byte(body)))
}

func TestParseSecret(t *testing.T) {
	raw := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n))) }
	for _, row := range []struct {
		why, secret string
		length      int // of the key; 0 if the secret is rejected
		says        string
	}{
		{"of the specification's length", secret, 24, ""},
		{"without its prefix", strings.TrimPrefix(secret, "whsec_"), 24, ""},
		{"the shortest", "whsec_" + raw(16), 16, ""},
		{"the longest that the specification has", "whsec_" + raw(64), 64, ""},
		{"too short", "whsec_" + raw(15), 0, "has fewer than 16 bytes"},
		{"empty", "", 0, "is empty"},
		{"only the prefix", "whsec_", 0, "is empty"},
		{"not base64", "whsec_not a secret", 0, "is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
		{"without its padding", "whsec_" + strings.TrimRight(raw(16), "="), 0, "is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
		{"surplus bits", "whsec_" + strings.TrimSuffix(raw(16), "w==") + "x==", 0, "is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
		{"pasted with a line break", secret + "\n", 0, "has white space or quotes around it"},
		{"pasted with quotes", `"` + secret + `"`, 0, "has white space or quotes around it"},
		{"pasted in two lines", secret[:12] + "\n" + secret[12:], 0, "is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
		{"in the alphabet for URLs", "whsec_" + strings.Repeat("_-", 16), 0, "is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
		{"encoded twice, as Kubernetes shows secrets", base64.StdEncoding.EncodeToString([]byte(secret)), 0, "was encoded with base64 twice"},
		{"encoded twice, with its prefix", "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret)), 0, "was encoded with base64 twice"},
		{"in hex, which is base64 by its letters", strings.Repeat("0a1b2c3d", 8), 0, "is hexadecimal: decode it, and pass RawWebhookSecret of the bytes"},
		{"the same letters after the prefix", "whsec_" + strings.Repeat("0a1b2c3d", 8), 48, ""},
		{"an API key", "sk_test_YOUR_SECRET_KEY", 0, "is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
	} {
		key, err := ParseSecret(row.secret)
		if row.says != "" {
			assert.EqualError(t, err, row.says, row.why)
			assert.Nil(t, key, row.why)
			continue
		}
		require.NoError(t, err, row.why)
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(row.secret, "whsec_"))
		require.NoError(t, err)
		assert.Len(t, raw, row.length, row.why)
		assert.Equal(t, NewKey(raw).Sign(id, timestamp, []byte(body)), key.Sign(id, timestamp, []byte(body)), row.why)
	}
	key, err := ParseSecret(FormatSecret([]byte("0123456789abcdef")))
	require.NoError(t, err)
	assert.Equal(t, NewKey([]byte("0123456789abcdef")).Sign(id, timestamp, []byte(body)), key.Sign(id, timestamp, []byte(body)))
}

func TestMatch(t *testing.T) {
	key, err := ParseSecret(secret)
	require.NoError(t, err)
	other := NewKey([]byte("another key of sixteen bytes, or more")).Sign(id, timestamp, []byte(body))
	for _, row := range []struct {
		why, header string
		want        bool
	}{
		{"one entry", signed, true},
		{"the first of two", signed + " " + other, true},
		{"the second of two", other + " " + signed, true},
		{"together with an unknown version", "v1a,abc " + signed + " v2," + signed, true},
		{"twice", signed + " " + signed, true},
		{"more spaces", "  " + signed + "  ", true},
		{"of another key", other, false},
		{"empty", "", false},
		{"only spaces", "   ", false},
		{"of another version", "v2" + strings.TrimPrefix(signed, "v1"), false},
		{"without a version", strings.TrimPrefix(signed, "v1,"), false},
		{"the version in capitals", "V1" + strings.TrimPrefix(signed, "v1"), false},
		{"only a version", "v1,", false},
		{"separated by commas, as an HTTP library joins two values", other + "," + signed, true},
		{"split at its commas, and joined again", strings.Join(strings.Split(other+" "+signed, ","), ","), true},
		{"joined with a comma and a space", other + ", " + signed, true},
		{"a space in place of the comma", strings.ReplaceAll(signed, ",", " "), false},
		{"the signature twice after one version", "v1," + strings.TrimPrefix(other, "v1,") + "," + strings.TrimPrefix(signed, "v1,"), false},
		{"after an unknown version", "v1,v2," + strings.TrimPrefix(signed, "v1,"), false},
		{"truncated", signed[:len(signed)-1], false},
		{"a character more", signed + "=", false},
		{"without its padding, which a lenient decoder accepts", strings.TrimSuffix(signed, "="), false},
		{"surplus bits, which a lenient decoder accepts", strings.TrimSuffix(signed, "E=") + "F=", false},
		{"in hex", "v1,834", false},
	} {
		assert.Equal(t, row.want, key.Match(row.header, id, timestamp, []byte(body)), row.why)
	}
	assert.False(t, key.Match(signed, id, timestamp, nil), "another body")
	assert.False(t, key.Match(signed, id, timestamp+"0", []byte(body)), "another time")
	assert.False(t, key.Match(signed, id+"x", timestamp, []byte(body)), "another message")
}

// Sign does not truncate a long id or body.
func TestSignLongHeaders(t *testing.T) {
	secret := []byte(strings.Repeat("k", 100)) // a key longer than a block of SHA-256 is hashed first (RFC 2104)
	key := NewKey(secret)
	long := strings.Repeat("m", 1000)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(long + ".1.x"))
	assert.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), key.Sign(long, "1", []byte("x")))

	// A hash is used again for the next message, and only for the same key.
	mac = hmac.New(sha256.New, secret)
	mac.Write([]byte("m.1.x"))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	clear(secret) // because the caller may reuse the slice
	for range 3 {
		assert.Equal(t, want, key.Sign("m", "1", []byte("x")))
		assert.NotEqual(t, want, NewKey([]byte("another key of 24 bytes.")).Sign("m", "1", []byte("x")))
	}
}

// countingHash counts the computed MACs.
type countingHash struct {
	hash.Hash
	sums *int
}

func (h countingHash) Sum(b []byte) []byte {
	*h.sums++
	return h.Hash.Sum(b)
}

// Match computes one MAC for any number of entries, because anyone can send many.
func TestMatchMakesOneMAC(t *testing.T) {
	sums := 0
	key := &Key{sync.Pool{New: func() any {
		return &signer{mac: countingHash{hmac.New(sha256.New, []byte("sixteen bytes...")), &sums}}
	}}}
	signed := key.Sign(id, timestamp, []byte(body))
	sums = 0
	assert.True(t, key.Match(strings.Repeat("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ", 10_000)+signed, id, timestamp, []byte(body)))
	assert.Equal(t, 1, sums)
}

// A header with many entries costs more reading than one with a single entry, but no more MACs.
func BenchmarkMatch(b *testing.B) {
	key, err := ParseSecret(secret)
	require.NoError(b, err)
	many := strings.Repeat("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ", 10_000) + signed
	event := []byte(strings.Repeat("x", 400))
	b.Run("1 entry", func(b *testing.B) {
		for b.Loop() {
			key.Match(signed, id, timestamp, event)
		}
	})
	b.Run("10001 entries", func(b *testing.B) {
		for b.Loop() {
			key.Match(many, id, timestamp, event)
		}
	})
	b.Run("10001 entries, without a MAC", func(b *testing.B) {
		want := []byte(strings.TrimPrefix(signed, version+","))
		for b.Loop() {
			found := 0
			for entry := range strings.SplitSeq(many, " ") {
				found |= subtle.ConstantTimeCompare([]byte(strings.TrimPrefix(entry, version+",")), want)
			}
			assert.Equal(b, 1, found)
		}
	})
}

// A header matches only if it has the signature directly after its version.
func FuzzMatch(f *testing.F) {
	key, err := ParseSecret(secret)
	require.NoError(f, err)
	for _, header := range []string{signed, " " + signed + " v2,x", "v1,", "v1", ",", signed + "=", strings.ToLower(signed), "v1,\x00"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		want := false
		for entry := range strings.SplitSeq(header, " ") {
			want = want || strings.Contains(","+entry+",", ","+signed+",")
		}
		assert.Equal(t, want, key.Match(header, id, timestamp, []byte(body)))
	})
}

// FormatSecret restores an accepted secret, except for the prefix.
func FuzzParseSecret(f *testing.F) {
	f.Add(secret)
	f.Add("whsec_AAAAAAAAAAAAAAAAAAAAAB==")
	f.Add("whsec_whsec_AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseSecret(text)
		if err != nil {
			assert.Nil(t, key)
			return
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
		require.NoError(t, err)
		assert.GreaterOrEqual(t, len(raw), 16)
		assert.Equal(t, strings.TrimPrefix(text, "whsec_"), strings.TrimPrefix(FormatSecret(raw), "whsec_"))
	})
}
