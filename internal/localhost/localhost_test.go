package localhost_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/moment-billing/moment-go/internal/localhost"
)

func TestAccepts(t *testing.T) {
	for _, row := range []struct {
		why, host string
		want      bool
	}{
		{"an HTTP/1.0 request has no host, and no browser sends one", "", true},
		{"a loopback address", "127.0.0.1:8787", true},
		{"without a port", "127.0.0.1", true},
		{"IPv6", "[::1]:8787", true},
		{"IPv6 without a port", "[::1]", true},
		{"another address of this machine: no page has an address for a name", "192.168.1.2:8787", true},
		{"localhost in any letter case", "LocalHost:8787", true},
		{"below localhost, which browsers resolve to loopback", "moment.localhost:8787", true},
		{"a Compose service name, which nobody can register", "moment-mock:8787", true},
		{"the host as seen from a container", "host.docker.internal:8787", true},
		{"the host of httptest.NewRequest", "example.com", true},
		{"the host it is served under", "Mock.Staging.Example.org:8787", true},
		{"a name that was made to resolve to this machine", "evil.example:8787", false},
		{"a name that looks like an address", "127.0.0.1.evil.example", false},
		{"a name that ends like localhost", "evillocalhost.example", false},
		{"a name that ends like an accepted one", "evil-example.com", false},
		{"a name below an accepted one", "evil.mock.staging.example.org", false},
		{"a name that begins like an accepted one", "localhost.evil.example", false},
	} {
		assert.Equal(t, row.want, localhost.Accepts(row.host, "mock.staging.example.org"), row.why)
	}
	assert.False(t, localhost.Accepts("mock.staging.example.org"), "nothing is served under it")
}

func TestAcceptsOrigin(t *testing.T) {
	const host = "192.168.1.2:8787"
	for _, row := range []struct {
		why, origin string
		want        bool
	}{
		{"not from a web page", "", true},
		{"the server's own page", "http://192.168.1.2:8787", true},
		{"a page of localhost", "http://localhost:3000", true},
		{"a page of a loopback address", "http://127.0.0.1:3000", true},
		{"IPv6", "http://[::1]:3000", true},
		{"a page of a container", "http://billing:8080", true},
		{"the host it is served under", "https://mock.staging.example.org", true},
		{"an address it is served under", "http://198.51.100.7", true},
		{"another site", "https://evil.example", false},
		{"a file, or a frame in a sandbox", "null", false},
		{"another address, from which anybody can serve a page", "http://203.0.113.5", false},
		{"another port of the same address", "http://192.168.1.2:3000", false},
		{"no URL", "http://%", false},
	} {
		assert.Equal(t, row.want, localhost.AcceptsOrigin(row.origin, host, "mock.staging.example.org", "198.51.100.7"), row.why)
	}
}
