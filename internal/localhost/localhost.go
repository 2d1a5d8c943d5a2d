// Package localhost recognises the Host headers of requests that are meant for a server on this
// machine.
package localhost

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Accepts reports whether a Host header cannot be from DNS rebinding, in which the name of a web
// page resolves to this machine. Such a request has the name of the page in its Host header. IP
// addresses, names without a full stop (localhost, and the names of containers), and names below
// .localhost and .internal are accepted, because they cannot be registered. example.com is
// accepted, because [net/http/httptest.NewRequest] sets it and IANA owns it. The hosts in served
// are accepted too.
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
