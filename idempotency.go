package moment

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// NewIdempotencyKey returns a random UUID (version 4, RFC 9562). Each call makes one by itself.
// Take one from here to store it before the call, so that the call can be made again after a crash.
func NewIdempotencyKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program rather than return weak bytes
	return uuid(b)
}

// uuid writes b in the form of a version 4 UUID (RFC 9562), which every validator knows: Moment's
// reference types keys as UUIDs. 122 of the 128 bits stay.
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

// DeriveIdempotencyKey returns the key that belongs to parts: the same parts return the same key,
// in every version of this package, so that a job which is run again applies nothing twice. The key
// has the form of a version 4 UUID, with its bits from SHA-256 over the parts, each with its
// length.
//
// Derive it from the operation, the reference and the content ("create bill", "UBR1234567890",
// "2000 ZAR 2025-01-31"). The service rejects a key with another body for 24 hours. It replays
// saved failures too, so a corrected call needs another key.
//
// Without parts it returns "", which [WithIdempotencyKey] rejects, because a key that all such
// calls shared would make them one.
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
