// Package redact removes an API key from foreign text.
package redact

import (
	"strconv"
	"strings"
)

const (
	mask = "[secret key]"

	// visible is the number of characters after a key's prefix that may remain, because so few do
	// not identify the key.
	visible = 4
)

// Text returns text without key, and without any beginning of key, because text may be truncated.
// At most 4 characters after prefix, with which key begins, remain. Text also finds a key that is
// escaped as in JSON.
func Text(text, key, prefix string) string {
	least := min(len(key), len(prefix)+visible)
	if !strings.Contains(text, key[:least]) && !strings.Contains(text, `\`) {
		return text // nearly always
	}
	var redacted strings.Builder
	rest := 0 // the start of the text that is not yet in redacted
	for i := 0; i < len(text); {
		switch length := keyAt(text[i:], key, least); {
		case length > 0:
			redacted.WriteString(text[rest:i])
			redacted.WriteString(mask)
			i += length
			rest = i
		case strings.HasPrefix(text[i:], `\\`):
			i += 2 // an escaped backslash, which does not begin another escape
		default:
			i++
		}
	}
	if rest == 0 {
		return text
	}
	redacted.WriteString(text[rest:])
	return redacted.String()
}

// keyAt returns the length of the key at the start of text, or of a beginning of the key. It
// returns 0 if the beginning has fewer than least characters.
func keyAt(text, key string, least int) int {
	length, matched := matchKey(text, key)
	switch {
	case matched < least:
		return 0
	case matched == len(key):
		return length
	}
	for i := 1; i < length; i++ { // the whole key can follow a beginning of it
		if _, matched := matchKey(text[i:], key); matched >= least {
			return i
		}
	}
	return length
}

// matchKey returns the number of characters of key at the start of text, and their length there.
func matchKey(text, key string) (length, matched int) {
	for matched < len(key) {
		n := matchChar(text[length:], key[matched])
		if n == 0 {
			break
		}
		length += n
		matched++
	}
	return length, matched
}

// matchChar returns the length of char's encoding at the start of s, or 0.
func matchChar(s string, char byte) int {
	switch {
	case s == "":
		return 0
	case s[0] == char:
		return 1
	case strings.HasPrefix(s, `\/`) && char == '/':
		return 2
	case strings.HasPrefix(s, `\u`) && len(s) >= 6:
		if code, err := strconv.ParseUint(s[2:6], 16, 16); err == nil && code == uint64(char) {
			return 6
		}
	}
	return 0
}
