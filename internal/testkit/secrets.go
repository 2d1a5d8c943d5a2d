package testkit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// AssertNoSecret asserts that text contains neither the API key nor a webhook key, plain or as fmt
// and encoding/json write bytes.
func AssertNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, key := range []string{SecretKey, string(WebhookKey), string(OldWebhookKey)} {
		for _, secret := range []string{
			key, fmt.Sprintf("%x", key), fmt.Sprintf("%X", key), strings.Trim(fmt.Sprintf("%d", []byte(key)), "[]"),
			inBase64("", key), inBase64("x", key), inBase64("xx", key),
		} {
			assert.NotContains(t, text, secret)
		}
	}
	assert.NotContains(t, text, "SECRET_KEY")
}

// inBase64 returns the part of text in base64 that does not depend on its neighbours. It depends on
// the length of the text before.
func inBase64(before, text string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(before + text))
	return encoded[4 : len(encoded)-4]
}

// AssertNoPerson asserts that text contains no data of Jane Roe, a customer in the tests, and no
// digits of her card. The digits are letters, so that no number matches by chance.
func AssertNoPerson(t *testing.T, text string) {
	t.Helper()
	for _, known := range []string{"UCR-jane", "Jane R", "jane.roe", "@example.com", "27831234567", "nickname", "CARDBIN", "LAST4"} {
		assert.NotContains(t, text, known)
	}
}

// EveryFormat returns a value in the formats of fmt, both handlers of slog, encoding/json and a
// failed assertion.
func EveryFormat(t *testing.T, value any) string {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%T", "%p"} {
		fmt.Fprintf(&out, verb+"\n", value)
	}
	everything := &slog.HandlerOptions{Level: slog.LevelDebug}
	slog.New(slog.NewTextHandler(&out, everything)).Debug("a value", "value", value)
	slog.New(slog.NewJSONHandler(&out, everything)).Debug("a value", "value", value)
	text, _ := json.Marshal(value) //nolint:errchkjson // some values cannot be encoded
	out.Write(text)
	var failed FailedTest
	assert.Equal(&failed, value, reflect.Zero(reflect.TypeOf(value)).Interface())
	out.WriteString(failed.Text)
	return out.String()
}

// FailedTest records the text of a failed assertion.
type FailedTest struct{ Text string }

// Errorf records a failure.
func (f *FailedTest) Errorf(format string, args ...any) { f.Text += fmt.Sprintf(format, args...) }

// EchoKey returns a reply that contains the API key everywhere.
func EchoKey(status int) Reply {
	return Respond(status, `{"title":"Bearer `+SecretKey+`","detail":"key `+SecretKey+`","type":"`+SecretKey+`","instance":"/`+SecretKey+`","`+SecretKey+`":"`+SecretKey+`"}`,
		"X-Request-Id: "+SecretKey, "X-Echo: Bearer "+SecretKey, "Location: https://elsewhere.test/"+SecretKey, "Content-Type: application/json; key="+SecretKey)
}
