package main

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browse requests a path as a browser does, and returns the response.
func browse(t *testing.T, m *mock, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w.Result()
}

func TestConsoleIsForBrowsers(t *testing.T) {
	m := newMock("127.0.0.1:0", nil)
	t.Cleanup(m.fake.Close)
	for _, row := range []struct {
		why, path string
		headers   []string
		status    int
		mediaType string
	}{
		{"a browser", "/", nil, 200, "text/html; charset=utf-8"},
		{"a program that calls the base URL gets the gateway's page", "/", []string{"Accept: application/json"}, 404, "text/html; charset=utf-8"},
		{"its style", "/_mock/console/console.css", nil, 200, "text/css; charset=utf-8"},
		{"its scripts", "/_mock/console/app.js", []string{"Accept: */*"}, 200, "text/javascript; charset=utf-8"},
		{"its currencies", "/_mock/console/currencies.json", nil, 200, "application/json"},
		{"a file that it does not have", "/_mock/console/nothing.js", nil, 404, "application/problem+json"},
		{"no folder", "/_mock/console/", nil, 404, "application/problem+json"},
		{"no file above", "/_mock/console/../console.go", nil, 404, "application/problem+json"},
		{"DNS rebinding", "/", []string{"Host: evil.example"}, 403, "application/problem+json"},
		{"a page of another site", "/", []string{"Origin: https://evil.example"}, 403, "application/problem+json"},
	} {
		resp := browse(t, m, row.path, row.headers...)
		assert.Equal(t, row.status, resp.StatusCode, row.why)
		assert.Equal(t, row.mediaType, resp.Header.Get("Content-Type"), row.why)
		if resp.StatusCode == http.StatusOK {
			policy := resp.Header.Get("Content-Security-Policy")
			assert.True(t, strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'; "), row.why)
			assert.NotContains(t, policy, "unsafe", row.why)
		}
	}
	m.noConsole = true
	for _, path := range []string{"/", "/_mock/console/app.js"} {
		assert.Equal(t, 404, browse(t, m, path).StatusCode, "--no-console")
	}
}

func TestNoConsole(t *testing.T) {
	m := start(t, nil, "--listen", "127.0.0.1:0", "--no-console")
	r, err := http.NewRequest(http.MethodGet, m.url, http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Accept", "text/html")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 404, resp.StatusCode)
}

// The whole page, with everything that it loads, has at most 48 KB, and nothing comes from
// elsewhere.
func TestConsoleIsSmall(t *testing.T) {
	m := newMock("127.0.0.1:0", nil)
	t.Cleanup(m.fake.Close)
	total := 0
	require.NoError(t, fs.WalkDir(consoleFiles, "console", func(path string, file fs.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		name := strings.TrimPrefix(path, "console/")
		target := consolePath + name
		if name == "index.html" {
			target = "/"
		}
		resp := browse(t, m, target)
		require.Equal(t, 200, resp.StatusCode, path)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		total += len(body)
		assert.NotRegexp(t, `https?://|innerHTML|insertAdjacentHTML|document\.write|eval\(`, string(body), path)
		return nil
	}))
	total += len(currencies)
	t.Logf("%d bytes", total)
	require.LessOrEqual(t, total, 48_000)
}

func TestCurrencies(t *testing.T) {
	assert.Contains(t, string(currencies), `{"0":"BIFCLP`)
	assert.Regexp(t, `"2":"AED[A-Z]*TZS[A-Z]*ZAR`, string(currencies))
	assert.Regexp(t, `"3":"BHDIQD`, string(currencies))
	assert.NotContains(t, string(currencies), "XXX")
}
