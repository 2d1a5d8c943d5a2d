package main

import (
	"embed"
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/moment-billing/moment-go/internal/iso4217"
)

// consoleFiles are the page, its style and its scripts, as they are written.
//
//go:embed console
var consoleFiles embed.FS

const consolePath = "/_mock/console/"

// consolePolicy allows only the page's own files and this server. Markup in data has no effect.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

var consoleTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
}

// serveConsole responds to a browser that opens the console, and reports whether the request was
// for it. A program that calls the base URL itself still gets the gateway's 404.
func serveConsole(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	name, ours := strings.CutPrefix(r.URL.EscapedPath(), consolePath)
	if r.URL.EscapedPath() == "/" && strings.Contains(r.Header.Get("Accept"), "text/html") {
		name, ours = "index.html", true
	}
	if !ours {
		return false
	}
	content := currencies
	if name != "currencies.json" {
		file, err := consoleFiles.ReadFile("console/" + name)
		if err != nil {
			return false
		}
		content = file
	}
	header := w.Header()
	header.Set("Content-Type", consoleTypes[path.Ext(name)])
	header.Set("Content-Security-Policy", consolePolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept")
	_, _ = w.Write(content) //nolint:gosec // the files are embedded, and the currencies follow from a table
	return true
}

// currencies is JSON with the codes of ISO 4217 by their exponents: {"0": "BIF CLP …"}. Browsers
// use the digits of CLDR, which differ.
var currencies = func() []byte {
	codes := map[string]string{}
	for n := range 26 * 26 * 26 {
		code := string([]byte{byte('A' + n/26/26), byte('A' + n/26%26), byte('A' + n%26)})
		if exponent, ok := iso4217.Exponent(code); ok {
			key := strconv.Itoa(exponent)
			codes[key] += code
		}
	}
	text, _ := json.Marshal(codes) //nolint:errchkjson // strings
	return text
}()
