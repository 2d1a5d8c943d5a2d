package momenttest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

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
	require.Len(t, requests[2].Body, 1<<20, "the limit of a body")

	require.Equal(t, []int{1, 2, 3}, []int{first.ID, requests[1].ID, requests[2].ID})
	require.Equal(t, []int{0, 401, 404}, []int{first.Status, requests[1].Status, requests[2].Status}, "the first has no response")
	require.Empty(t, first.Response)
	require.Contains(t, string(requests[1].Response), `"title":"Unauthorized"`)
	require.WithinDuration(t, time.Now(), first.At, time.Minute)

	requests[0].Body[0] = 'X'
	requests[0].Header["Idempotency-Key"][0] = "l"
	require.Equal(t, newCustomer, string(srv.Requests()[0].Body), "it is a copy") //nolint:testifylint // byte for byte
	require.Equal(t, "k", srv.Requests()[0].Header.Get("Idempotency-Key"))
}

func TestRequestsAfter(t *testing.T) {
	srv := newServer(t)
	for range 3 {
		send(t, srv, "GET", "/billing/customers/none", "")
	}
	ids := func(all []momenttest.Request) (ids []int) {
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		return ids
	}
	require.Equal(t, []int{2, 3}, ids(srv.RequestsAfter(1)))
	require.Empty(t, srv.RequestsAfter(3))
	require.Empty(t, srv.RequestsAfter(9))
	require.Equal(t, []int{1, 2, 3}, ids(srv.RequestsAfter(-9)))
	srv.ClearRequests()
	require.Empty(t, srv.Requests())
	send(t, srv, "GET", "/billing/customers/none", "")
	require.Equal(t, []int{4}, ids(srv.Requests()), "later ones follow on")
	srv.Fail(momenttest.Truncate(), momenttest.DropAfterCommit().On("get customer").Times(2))
	for range 2 {
		_, _ = do(srv, "GET", "/billing/customers/none", "")
	}
	all := srv.RequestsAfter(4)
	require.Equal(t, []int{404, 0}, []int{all[0].Status, all[1].Status}, "a truncated response, and none")
	require.Equal(t, "truncated response", all[0].Fault.String())
	require.Equal(t, "drop after commit", all[1].Fault.String(), "of this request")
	require.Nil(t, srv.Requests()[0].Fault)
}

func TestOnlyTheLastRequestsAreKept(t *testing.T) {
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
	require.Len(t, srv.Requests(), 63, "63 MiB, and less than 1 MiB of headers and responses")
}

// Paths, headers and responses count too.
func TestLargeRequestsWithoutBodies(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for _, row := range []struct {
		why, path string
		header    http.Header
		kept      int
	}{
		{"a header", "/billing/customers/x", http.Header{"X-Large": {large}}, 63},
		{"a path, which the response contains twice", "/billing/customers/" + large, http.Header{"Authorization": {"Bearer sk_test_YOUR_SECRET_KEY"}}, 21},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			for range 70 {
				r, err := http.NewRequest("GET", row.path, http.NoBody)
				require.NoError(t, err)
				r.Header, r.RequestURI = row.header, r.URL.Path
				srv.ServeHTTP(discard{}, r)
			}
			require.Len(t, srv.Requests(), row.kept)
		})
	}
}

// discard is for requests whose responses do not matter.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
