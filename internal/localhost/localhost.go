// Package localhost recognises the Host headers under which a server on this machine is meant to be
// called.
package localhost

import (
	"net"
	"net/netip"
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
