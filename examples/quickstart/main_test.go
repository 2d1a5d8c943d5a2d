package main

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

const uuid = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`

const output = `^Talking to              moment\.Client\(test mode, http://127\.0\.0\.1:\d+PATH\)
Created a customer:     John Doe owes ZAR 20\.00
  id                    bcus_[a-zA-Z0-9]+
  external reference    quickstart-` + uuid + `
  idempotency key       ` + uuid + `
Asked for ZAR 20\.00 at  http://127\.0\.0\.1:\d+/_pay/chk_[A-Z0-9]{21}
`

const paid = `Payment reported:       ZAR 15\.00
Set a new balance:      John Doe owes ZAR 5\.00
`

func setEnvironment(t *testing.T, secretKey, baseURL string) {
	t.Helper()
	t.Setenv("MOMENT_API_KEY", secretKey)
	t.Setenv("MOMENT_BASE_URL", baseURL)
}

func TestQuickstart(t *testing.T) {
	setEnvironment(t, "", "")
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	rest, found := strings.CutPrefix(out.String(), "MOMENT_API_KEY is not set: talking to a fake of the service, in this process.\n")
	assert.True(t, found)
	assert.Regexp(t, strings.Replace(output, "PATH", "", 1)+paid+"$", rest)
}

func TestQuickstartAgainstAServiceBelowAPath(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	target, err := url.Parse(srv.URL)
	require.NoError(t, err)
	gateway := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		path, found := strings.CutPrefix(r.In.URL.Path, "/gateway/v1")
		assert.True(t, found, r.In.URL.Path)
		r.Out.URL.Path = path
		r.SetURL(target)
	}})
	t.Cleanup(gateway.Close)

	setEnvironment(t, "sk_test_YOUR_SECRET_KEY", gateway.URL+"/gateway/v1/")
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	assert.Regexp(t, strings.Replace(output, "PATH", "/gateway/v1", 1)+"$", out.String())
}

func TestQuickstartReportsABadEnvironment(t *testing.T) {
	for _, row := range []struct{ secretKey, baseURL, says string }{
		{"", "https://example.com", "MOMENT_API_KEY: is not set"},
		{"sk_YOUR_SECRET_KEY", "", "use a test key"},
		{"pk_test_YOUR_PUBLIC_KEY", "", "is a public key"},
		{"sk_test_YOUR_SECRET_KEY", "ftp://example.com", "must be https"},
	} {
		setEnvironment(t, row.secretKey, row.baseURL)
		var out strings.Builder
		assert.ErrorContains(t, run(t.Context(), &out), row.says)
		assert.Empty(t, out.String())
	}
}
