// Package localhost recognises the Host headers under which a server on this machine is meant to be
// called.
package localhost

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Accepts reports whether a Host header cannot come from DNS rebinding: a web page whose own name
// was made to resolve to this machine. Such a request carries the page's name, because a browser
// sends the name that it was given. IP addresses, names without a full stop (localhost, and the
// names of containers), and names below .localhost and .internal are accepted, because nobody can
// register them. example.com is accepted, because [net/http/httptest.NewRequest] sets it and IANA
// owns it. The hosts in served are accepted too.
func Accepts(host string, served ...string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(host)
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || !strings.Contains(host, ".") || host == "example.com" ||
		strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".internal") ||
		slices.ContainsFunc(served, func(name string) bool { return strings.EqualFold(name, host) })
}

// AcceptsOrigin reports whether an Origin header, of a request to host, is not that of a web page
// of another site. A request without the header does not come from such a page, except for what
// every page may send without being able to read the response. Other IP addresses than loopback are
// accepted only if they are the host itself, because anybody can serve a page from an address.
func AcceptsOrigin(origin, host string, served ...string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false // null, the origin of files and sandboxed frames
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !addr.IsLoopback() {
		return strings.EqualFold(u.Host, host) || slices.Contains(served, u.Hostname())
	}
	return Accepts(u.Host, served...)
}
