// Package signature signs and verifies messages by the Standard Webhooks scheme
// (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md): an HMAC-SHA256, in
// base64, over the message's id, its timestamp and its body, with a full stop between them.
package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"sync"
)

const (
	secretPrefix = "whsec_"
	version      = "v1" // other versions are skipped

	// minSecret is in bytes. The scheme asks for 24 to 64, and services differ. A key with fewer
	// than 16 can be guessed.
	minSecret = 16

	encodedLength = (sha256.Size + 2) / 3 * 4 // of a MAC in base64
)

// Key signs messages.
type Key struct {
	// The pool keeps keyed hashes, because making one costs two thirds of the time of signing 400
	// bytes.
	signers sync.Pool
}

type signer struct {
	mac  hash.Hash
	head []byte // the id and the timestamp
	sum  [sha256.Size]byte
}

// NewKey returns a key with a copy of the bytes.
func NewKey(key []byte) *Key {
	key = bytes.Clone(key)
	return &Key{sync.Pool{New: func() any { return &signer{mac: hmac.New(sha256.New, key)} }}}
}

// ParseSecret parses a secret in the form whsec_ and base64. The prefix is optional. Errors never
// contain the secret.
func ParseSecret(secret string) (*Key, error) {
	encoded := strings.TrimPrefix(secret, secretPrefix)
	if encoded == "" {
		return nil, errors.New("is empty")
	}
	if encoded == secret && len(encoded) >= 2*minSecret && isHex(encoded) {
		return nil, errors.New("is hexadecimal: decode it, and pass RawWebhookSecret of the bytes")
	}
	// The check is separate, because the decoder would skip line breaks.
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	switch {
	case strings.TrimSpace(secret) != secret, strings.ContainsAny(secret, "\"'"):
		return nil, errors.New("has white space or quotes around it")
	case err != nil, strings.ContainsAny(encoded, "\r\n"):
		return nil, errors.New("is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes")
	}
	switch {
	case bytes.HasPrefix(key, []byte(secretPrefix)):
		return nil, errors.New("was encoded with base64 twice")
	case len(key) < minSecret:
		return nil, errors.New("has fewer than 16 bytes")
	}
	return NewKey(key), nil
}

// isHex reports whether s has only hexadecimal digits. base64 does not have 32 of them by chance.
func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == "" && strings.ContainsAny(s, "0123456789")
}

// FormatSecret formats a key for ParseSecret.
func FormatSecret(key []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// Sign returns the entry for the header webhook-signature.
func (k *Key) Sign(id, timestamp string, body []byte) string {
	var entry [encodedLength]byte
	return version + "," + string(k.sign(entry[:0], id, timestamp, body))
}

// sign appends the MAC in base64.
func (k *Key) sign(b []byte, id, timestamp string, body []byte) []byte {
	s := k.signers.Get().(*signer) //nolint:forcetypeassert // the pool contains only such values
	defer k.signers.Put(s)
	s.head = append(s.head[:0], id...)
	s.head = append(s.head, '.')
	s.head = append(s.head, timestamp...)
	s.head = append(s.head, '.')
	s.mac.Reset()
	s.mac.Write(s.head)
	s.mac.Write(body)
	return base64.StdEncoding.AppendEncode(b, s.mac.Sum(s.sum[:0]))
}

// Match reports whether one of the signatures in a header was made with k. The header has entries
// like "v1,g0hM9SsE…", separated by spaces. Commas separate entries too, because a header with
// several values, or one that was split at its commas, is joined with commas. Signatures are
// compared in base64, because each MAC has only one form in it. The MAC is computed once for any
// number of entries.
func (k *Key) Match(header, id, timestamp string, body []byte) bool {
	var room [encodedLength]byte
	want := k.sign(room[:0], id, timestamp, body)
	var got [encodedLength]byte
	found := 0
	for entry := range strings.SplitSeq(header, " ") {
		afterVersion := false
		for part := range strings.SplitSeq(entry, ",") {
			if afterVersion && len(part) == encodedLength {
				found |= subtle.ConstantTimeCompare(got[:copy(got[:], part)], want)
			}
			afterVersion = part == version
		}
	}
	return found == 1
}
