package momenttest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

func TestRequests(t *testing.T) {
	srv := newServer(t)
	require.Empty(t, srv.Requests())
	srv.Fail(momenttest.DropBeforeCommit())
	_, err := do(srv, "POST", "/billing/customers", newCustomer, "Idempotency-Key: k")
	require.Error(t, err)
	send(t, srv, "GET", "/billing/customers/a%2Fb?c=d", "", "Authorization: ")
	send(t, srv, "POST", "/nowhere", strings.Repeat("x", 1<<20+1))
	requests := srv.Requests()
	require.Len(t, requests, 3)

	first := requests[0]
	require.Equal(t, "POST", first.Method)
	require.Equal(t, "/billing/customers", first.Path)
	require.Equal(t, "k", first.Header.Get("Idempotency-Key"))
	require.Equal(t, `POST /billing/customers {"external_reference": "new"}`, first.String())
	require.Equal(t, "GET /billing/customers/a%2Fb?c=d", requests[1].String(), "a rejected request is recorded")
	require.Len(t, requests[2].Body, 1<<20, "that is as far as it is read")

	requests[0].Body[0] = 'X'
	requests[0].Header["Idempotency-Key"][0] = "l"
	require.Equal(t, newCustomer, string(srv.Requests()[0].Body), "it is a copy") //nolint:testifylint // byte for byte
	require.Equal(t, "k", srv.Requests()[0].Header.Get("Idempotency-Key"))
}

func TestRequestsAreThoseAtTheEnd(t *testing.T) {
	srv := newServer(t)
	one := http.Header{"Authorization": {"Bearer sk_test_YOUR_SECRET_KEY"}}
	for n := range 10_002 {
		r, err := http.NewRequest("GET", "/billing/customers/"+strings.Repeat("x", 1+n%3), http.NoBody)
		require.NoError(t, err)
		r.Header, r.RequestURI = one, r.URL.Path
		srv.ServeHTTP(discard{}, r)
	}
	requests := srv.Requests()
	require.Len(t, requests, 10_000)
	require.Equal(t, "/billing/customers/xxx", requests[0].Path)
}

func TestRequestsOfManyBytes(t *testing.T) {
	srv := newServer(t)
	body := strings.Repeat("x", 1<<20)
	for range 70 {
		r, err := http.NewRequest("POST", "/", strings.NewReader(body))
		require.NoError(t, err)
		srv.ServeHTTP(discard{}, r)
	}
	require.Len(t, srv.Requests(), 64, "64 MiB")
}

// discard is for requests whose responses do not matter.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
