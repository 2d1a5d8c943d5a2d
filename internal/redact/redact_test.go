package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestText(t *testing.T) {
	const key, prefix = "sk_test_AB/CD_EFGHIJ", "sk_test_"
	for _, row := range []struct{ why, text, want string }{
		{"no key", "no such bill", "no such bill"},
		{"the key", "Bearer " + key + " is unknown", "Bearer [secret key] is unknown"},
		{"twice", key + key, "[secret key][secret key]"},
		{"truncated", "Bearer " + key[:15], "Bearer [secret key]"},
		{"truncated to four characters after the prefix", key[:12], "[secret key]"},
		{"truncated to three, which do not identify the key", key[:11], key[:11]},
		{"truncated, and then the whole key", key[:13] + key, "[secret key][secret key]"},
		{"another key", "sk_test_OTHER", "sk_test_OTHER"},
		{"an escaped slash", strings.ReplaceAll(key, "/", `\/`), "[secret key]"},
		{"escaped characters", strings.ReplaceAll(key, "_", `\u005f`), "[secret key]"},
		{"escaped characters, in capitals", strings.ReplaceAll(key, "_", `\u005F`), "[secret key]"},
		{"an escaped backslash does not begin another escape", `\\u005f` + key, `\\u005f[secret key]`},
		{"backslashes and no key", `C:\\sk\_test`, `C:\\sk\_test`},
		{"an invalid escape", `sk\u00zztest_`, `sk\u00zztest_`},
		{"nothing", "", ""},
	} {
		assert.Equal(t, row.want, Text(row.text, key, prefix), row.why)
	}
	assert.Equal(t, "[secret key]", Text("sk_a", "sk_a", "sk_"), "a key that is shorter than four characters")
}

// For any text, no part that identifies the key remains, and other text is unchanged.
func FuzzText(f *testing.F) {
	const key, prefix = "sk_test_ABCDEFGH", "sk_test_"
	f.Add("Bearer " + key)
	f.Add(key[:12] + key[:13])
	f.Add(`sk\u005ftest\u005fABCDEFGH`)
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text, key, prefix)
		assert.NotContains(t, got, key[:12])
		if !strings.Contains(text, key[:12]) && !strings.Contains(text, `\`) {
			assert.Equal(t, text, got)
		}
	})
}
