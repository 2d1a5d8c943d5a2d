package moment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// A truncated key is redacted too.
func TestTruncatedKeyIsRedacted(t *testing.T) {
	key := "sk_test_" + strings.Repeat("SECRET_KEY", 30)
	for _, row := range []struct{ why, text, want string }{
		{"whole", key, "[secret key]"},
		{"truncated", key[:50] + "…", "[secret key]…"},
		{"twice", key + " " + key[:20] + " " + key, "[secret key] [secret key] [secret key]"},
		{"run together", key[:20] + key, "[secret key][secret key]"},
		{"escaped in the middle", key[:30] + `\u` + fmt.Sprintf("%04x", key[30]) + key[31:] + `\n`, `[secret key]\n`},
		{"another key", "sk_test_OTHER", "sk_test_OTHER"},
		{"very short", key[:11], key[:11]},
	} {
		s := testkit.Serve(t, testkit.Respond(401, `{"title":"`+row.text+`"}`))
		c, err := moment.NewClient(key, moment.WithBaseURL(s.URL))
		require.NoError(t, err)
		_, err = c.Bills.Get(t.Context(), "UBR1")
		assert.NotContains(t, err.Error(), key[:12], row.why)
		if len(row.want) < 300 {
			assert.EqualError(t, err, "moment: get bill: 401 "+row.want+notFromService, row.why)
		}
	}
}

// JSON may escape a slash of the key.
func TestKeyWithEscapedSlashesIsRedacted(t *testing.T) {
	const key = "sk_test_AB/CD/EF"
	s := testkit.Serve(t, testkit.Respond(401, `{"title":"`+key+`","key":"`+strings.ReplaceAll(key, "/", `\/`)+`"}`))
	c, err := moment.NewClient(key, moment.WithBaseURL(s.URL))
	require.NoError(t, err)
	var failure *moment.Error
	_, err = c.Bills.Get(t.Context(), "UBR1")
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "[secret key]", failure.Title)
	assert.Equal(t, map[string]json.RawMessage{"key": json.RawMessage(`"[secret key]"`)}, failure.Extensions)
}

// A whole key is redacted even right behind a truncated one.
func TestKeyAfterATruncatedKeyIsRedacted(t *testing.T) {
	const key = "sk_test_ABCDsXYZ0123456789"
	s := testkit.Serve(t, testkit.Respond(401, `{"title":"`+key[:12]+key+`"}`))
	c, err := moment.NewClient(key, moment.WithBaseURL(s.URL))
	require.NoError(t, err)
	_, err = c.Bills.Get(t.Context(), "UBR1")
	assert.EqualError(t, err, "moment: get bill: 401 [secret key][secret key]"+notFromService)
}

// errors.Is matches an error whose text is redacted.
func TestRedactedErrorsStillMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		c := clientThrough(t, func(*http.Request) (*http.Response, error) {
			return testkit.Response(testkit.Respond(200, "", "Content-Type: text/"+testkit.SecretKey))
		}, moment.WithBackoff(24*time.Hour, 24*time.Hour))
		err := calls["GET"](ctx, c)
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorContains(t, err, `(Content-Type "text/[secret key]")`)
		var connection *moment.ConnectionError
		require.ErrorAs(t, err, &connection)
		testkit.AssertNoSecret(t, fmt.Sprintf("%+v %#v %v", connection, connection.Err, errors.Unwrap(connection.Err)))
	})
}

// The key does not enter an error, even if the service or a gateway echoes it in a response.
func TestKeyIsRedactedInResponses(t *testing.T) {
	escaped := strings.ReplaceAll(testkit.SecretKey, "_", `\u005f`)
	for _, row := range []struct {
		why   string
		reply testkit.Reply
	}{
		{"in every member", testkit.Respond(401, `{"type":"`+testkit.SecretKey+`","title":"Bad key `+testkit.SecretKey+`","detail":"`+testkit.SecretKey+testkit.SecretKey+`","instance":"/`+testkit.SecretKey+`","ext":{"`+testkit.SecretKey+`":"Bearer `+testkit.SecretKey+`"},"`+testkit.SecretKey+`":1}`)},
		{"escaped", testkit.Respond(401, `{"type":"`+escaped+`","title":"`+escaped+`","detail":"`+escaped+`","instance":"`+escaped+`",
			"`+escaped+`":[{"`+escaped+`":["x\n`+escaped+`",1.00000000000000000001]}],"other":"a\\b","`+testkit.SecretKey+escaped+`":null}`)},
		{"in the request id", testkit.Respond(401, "", "X-Request-Id: "+testkit.SecretKey)},
		{"in the content type of a foreign response", testkit.Respond(200, "", "Content-Type: text/"+testkit.SecretKey)},
		{"in a date, where it is truncated", testkit.Respond(200, `{"id":"bill_1","due_date":"not a date but `+testkit.SecretKey+`"}`)},
		{"in a response that is not HTTP", testkit.RespondRaw("echo: Bearer " + testkit.SecretKey + "\r\n\r\n")},
		{"in a line that is not a header", testkit.RespondRaw("HTTP/1.1 200 OK\r\n" + testkit.SecretKey + "\r\n\r\n")},
	} {
		s := testkit.Serve(t, row.reply)
		err := calls["GET"](t.Context(), clientOf(t, s))
		require.Error(t, err, row.why)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			testkit.AssertNoSecret(t, fmt.Sprintf(verb, err))
		}
		var failure *moment.Error
		var connection *moment.ConnectionError
		if errors.As(err, &failure) {
			testkit.AssertNoSecret(t, everyText(t, failure))
		} else if errors.As(err, &connection) {
			testkit.AssertNoSecret(t, fmt.Sprintf("%+v %#v", *connection, connection.Err))
		}
	}
}

func TestExtensionsKeepTheirForm(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(422, `{"a":{"z": 1.50, "b": "\u00fc\n", "c":[1e400]}, "key":"sk\u005ftest_YOUR_SECRET_KEY 1.50",
		"other":"\\u0073k_test_YOUR_SECRET_KEY"}`))
	var failure *moment.Error
	require.ErrorAs(t, calls["GET"](t.Context(), clientOf(t, s)), &failure)
	assert.Equal(t, map[string]json.RawMessage{
		"a":     json.RawMessage(`{"z": 1.50, "b": "\u00fc\n", "c":[1e400]}`),
		"key":   json.RawMessage(`"[secret key] 1.50"`),
		"other": json.RawMessage(`"\\u0073k_test_YOUR_SECRET_KEY"`), // a backslash, and then u0073
	}, failure.Extensions)
}
