package moment

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// redact cuts the secret key out of a text that came from outside, and also a beginning of the key:
// the text may have been cut before it came here. No more than 4 characters behind sk_test_ or sk_
// can be left. In JSON, escapes do not hide it.
func (c *core) redact(text string) string {
	if !strings.Contains(text, c.secretKey[:c.recognisable()]) && !strings.Contains(text, `\`) {
		return text // nearly always
	}
	var redacted strings.Builder
	done := 0
	for i := 0; i < len(text); {
		length := c.keyAt(text[i:])
		switch {
		case length > 0:
			redacted.Grow(len(text) - done) // nothing, but for the first
			redacted.WriteString(text[done:i])
			redacted.WriteString("[secret key]")
			i += length
			done = i
		case strings.HasPrefix(text[i:], `\\`):
			i += 2 // an escaped backslash, which begins no other escape
		default:
			i++
		}
	}
	if done == 0 {
		return text
	}
	redacted.WriteString(text[done:])
	return redacted.String()
}

// recognisable is how much of the key's beginning is taken for it.
func (c *core) recognisable() int {
	prefix := secretKeyPrefix
	if c.mode() == ModeTest {
		prefix = testKeyPrefix
	}
	return min(len(c.secretKey), len(prefix)+4)
}

// keyAt is the length of what text begins with, if that is the key or a beginning of it, and else
// 0.
func (c *core) keyAt(text string) int {
	length, matched := c.match(text)
	switch {
	case matched < c.recognisable():
		return 0
	case matched == len(c.secretKey):
		return length
	}
	for i := 1; i < length; i++ { // a beginning can run into the whole
		if _, matched := c.match(text[i:]); matched >= c.recognisable() {
			return i
		}
	}
	return length
}

// match is how much of the key text begins with, and the length of that in text.
func (c *core) match(text string) (length, matched int) {
	for matched < len(c.secretKey) {
		n := written(text[length:], c.secretKey[matched])
		if n == 0 {
			break
		}
		length += n
		matched++
	}
	return length, matched
}

// written returns the length of char's encoding at the start of text, plain or escaped as in JSON,
// and else 0.
func written(text string, char byte) int {
	switch {
	case text == "":
		return 0
	case text[0] == char:
		return 1
	case strings.HasPrefix(text, `\/`) && char == '/':
		return 2
	case strings.HasPrefix(text, `\u`) && len(text) >= 6:
		if code, err := strconv.ParseUint(text[2:6], 16, 16); err == nil && code == uint64(char) {
			return 6
		}
	}
	return 0
}

// redactResponse redacts the headers and the body, because some gateways echo request headers.
func (c *core) redactResponse(header http.Header, body []byte) (http.Header, []byte) {
	header = header.Clone() // what a RoundTripper gives may be its own
	for _, values := range header {
		for i, value := range values {
			values[i] = c.redact(value)
		}
	}
	if text := c.redact(string(body)); text != string(body) {
		body = []byte(text)
	}
	return header, body
}

// redactError keeps err as it is, so that it unwraps, unless its text holds the key or a part of
// the answer.
func (c *core) redactError(err error) error {
	if text := c.redact(withoutAnswer(err.Error())); text != err.Error() {
		return &redactedError{text, func(target error) bool { return errors.Is(err, target) }}
	}
	return err
}

// withoutAnswer cuts off what net/http quotes of an answer that it cannot parse: it may be a line
// out of a body.
func withoutAnswer(text string) string {
	const line = "malformed MIME header" // not always in quotation marks
	if before, _, found := strings.Cut(text, line); found {
		return before + line
	}
	for _, quoting := range []string{"transport connection broken: ", "stream error: ", "GOAWAY"} {
		if before, reason, found := strings.Cut(text, quoting); found {
			reason, _, _ = strings.Cut(reason, `"`)
			return before + quoting + strings.TrimRight(reason, ": ")
		}
	}
	return text
}

// withoutValues returns the error of encoding/json without the values that it quotes, because
// errors are logged and responses are about people. A *json.SyntaxError quotes one character, and
// stays.
func withoutValues(err error) error {
	var mismatch *json.UnmarshalTypeError
	var date *time.ParseError
	switch {
	case errors.As(err, &date):
		return errors.New("a time in it is not as in RFC 3339")
	case !errors.As(err, &mismatch):
		return err
	}
	member := cmp.Or(mismatch.Field, "it")
	if before, _, found := strings.Cut(member, "metadata."); found {
		member = before + "metadata" // and not the name in it, which is the merchant's
	}
	kind, _, _ := strings.Cut(mismatch.Value, " ") // "number 1095"
	if mismatch.Type == reflect.TypeFor[Amount]() && kind == "number" {
		return fmt.Errorf("%s is not an exact integer", member)
	}
	if mismatch.Type.Kind() == reflect.Struct || mismatch.Type.Kind() == reflect.Map {
		return fmt.Errorf("%s is of type %s, not object", member, kind)
	}
	return fmt.Errorf("%s is of type %s, not %v", member, kind, mismatch.Type)
}

// redactedError has the text of another error without the key. errors.Is matches the original
// error; errors.As does not.
type redactedError struct {
	text string
	is   func(target error) bool
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Is(target error) bool { return e.is(target) }
