// Package redact removes an API key from text that came from outside.
package redact

import (
	"strconv"
	"strings"
)

const (
	mask = "[secret key]"

	// visible is how many characters behind a key's prefix do not make a text recognisable as the
	// beginning of the key.
	visible = 4
)

// Text returns text without key, and without any beginning of key, because text may have been
// truncated before it came here. At most 4 characters behind prefix, which key begins with, are
// left. The escapes of JSON do not hide a key.
func Text(text, key, prefix string) string {
	least := min(len(key), len(prefix)+visible)
	if !strings.Contains(text, key[:least]) && !strings.Contains(text, `\`) {
		return text // nearly always
	}
	var redacted strings.Builder
	rest := 0 // where the text begins that is not yet in redacted
	for i := 0; i < len(text); {
		switch length := keyAt(text[i:], key, least); {
		case length > 0:
			redacted.WriteString(text[rest:i])
			redacted.WriteString(mask)
			i += length
			rest = i
		case strings.HasPrefix(text[i:], `\\`):
			i += 2 // an escaped backslash, which begins no other escape
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

// keyAt returns the length of the key, or of a beginning of it with at least so many characters, at
// the start of text, or 0.
func keyAt(text, key string, least int) int {
	length, matched := matchKey(text, key)
	switch {
	case matched < least:
		return 0
	case matched == len(key):
		return length
	}
	for i := 1; i < length; i++ { // a beginning can run into the whole key
		if _, matched := matchKey(text[i:], key); matched >= least {
			return i
		}
	}
	return length
}

// matchKey returns how many characters of key are at the start of text, and their length there.
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
