package moment

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// NewIdempotencyKey returns a random UUID (version 4, RFC 9562). A call generates its own key. Use
// NewIdempotencyKey to store a key before the call, so that a program can make the same call again
// after a crash.
func NewIdempotencyKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return uuid(b)
}

// uuid writes b in the form of a version 4 UUID (RFC 9562), which every validator accepts: Moment's
// reference types keys as UUIDs. 122 of the 128 bits remain.
func uuid(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// DeriveIdempotencyKey computes an idempotency key from parts. The same parts return the same key
// in every version of this package, so a job that runs again does not apply its calls twice. The
// key has the form of a version 4 UUID. Its bits are from SHA-256 over the parts and their lengths.
//
// Derive it from the operation, the reference and the content ("create bill", "UBR1234567890",
// "2000 ZAR 2025-01-31"). For 24 hours, the service rejects a key that was used with another body.
// It replays saved failures too, so a corrected call needs another key.
//
// Without parts it returns "", which [WithIdempotencyKey] rejects, because all such calls would
// share one key.
func DeriveIdempotencyKey(parts ...string) string {
	if len(parts) == 0 {
		return ""
	}
	hash := sha256.New()
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	return uuid([16]byte(hash.Sum(nil)))
}
