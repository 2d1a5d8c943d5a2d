package momenttest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const newCustomer = `{"external_reference": "new"}`

// exists reports whether the customer of newCustomer exists.
func exists(t *testing.T, srv *momenttest.Server) bool {
	t.Helper()
	return send(t, srv, "GET", "/billing/customers/new", "").status == 200
}

// What one request meets, and the same request again: with the same idempotency key and without a
// fault.
func TestFaults(t *testing.T) {
	for _, row := range []struct {
		why      string
		fault    momenttest.Fault
		status   int    // 0: no response, or none to its end
		header   string // that the response has
		body     string // that the response begins with
		applied  bool
		again    int
		replayed string
	}{
		{"a gateway's page", momenttest.Status(502), 502, "Content-Type: text/html; charset=utf-8", "<html><head><title>502 Bad Gateway</title>", false, 201, ""},
		{"a gateway without the service", momenttest.Status(503), 503, "Content-Type: text/html; charset=utf-8", "<html>", false, 201, ""},
		{"a gateway that waited too long", momenttest.Status(504), 504, "Content-Type: text/html; charset=utf-8", "<html>", false, 201, ""},
		{"a proxy's own error", momenttest.Status(500), 500, "Content-Type: text/html; charset=utf-8", "<html>", false, 201, ""},
		{"a gateway that does not accept the key", momenttest.Status(401), 401, "Content-Type: text/html; charset=utf-8", "<html>", false, 201, ""},
		{"an ingress without a route", momenttest.Status(404), 404, "Content-Type: text/html; charset=utf-8", "<html><head><title>404 Not Found</title>", false, 201, ""},
		{"a firewall", momenttest.Status(422), 422, "Content-Type: text/html; charset=utf-8", "<html>", false, 201, ""},
		{"a redirect", momenttest.Status(302), 302, "Content-Type: text/html; charset=utf-8", "<html>", false, 201, ""},
		{"429 is the only status with problem details, because that of RateLimit has them", momenttest.Status(429), 429, "Content-Type: application/problem+json", `{"type":"https://api.momentco.io/docs/errors#too-many-requests"`, false, 201, ""},
		{"too many requests", momenttest.RateLimit(2 * time.Second), 429, "Retry-After: 2", `{"type":"https://api.momentco.io/docs/errors#too-many-requests"`, false, 201, ""},
		{"a gateway that knows how long", momenttest.Status(503).RetryAfter(2 * time.Second), 503, "Retry-After: 2", "<html>", false, 201, ""},
		{"the service knows how long", momenttest.ServiceError(503).RetryAfter(2 * time.Second), 503, "Retry-After: 2", `{"type":`, false, 503, "true"},
		{"a wait is rounded up, because a retry must not be early", momenttest.RateLimit(1001 * time.Millisecond), 429, "Retry-After: 2", "", false, 201, ""},
		{"too many requests, and not for how long", momenttest.RateLimit(0), 429, "Retry-After: ", "", false, 201, ""},
		{"the service fails, and says so for 24 hours", momenttest.ServiceError(500), 500, "Content-Type: application/problem+json", `{"type":"https://api.momentco.io/docs/errors#internal-server-error","title":"Internal Server Error","status":500,"detail":"The test asked for this failure.","instance":"/billing/customers"}`, false, 500, "true"},
		{"the service's own 404 is not an HTML page", momenttest.ServiceError(404), 404, "Content-Type: application/problem+json", `{"type":"https://api.momentco.io/docs/errors#not-found"`, false, 404, "true"},
		{"a request that failed", momenttest.ServiceError(402), 402, "Content-Type: application/problem+json", `{"type":"https://api.momentco.io/docs/errors#payment-required"`, false, 402, "true"},
		{"the service's own 503 is not an HTML page", momenttest.ServiceError(503), 503, "Content-Type: application/problem+json", `{"type":`, false, 503, "true"},
		{"no response, and no operation", momenttest.DropBeforeCommit(), 0, "", "", false, 201, ""},
		{"no response, all done", momenttest.DropAfterCommit(), 0, "", "", true, 201, "true"},
		{"half a response", momenttest.Truncate(), 0, "", "", true, 201, "true"},
		{"a wait", momenttest.Delay(time.Millisecond), 201, "Content-Type: application/json", `{"id":"bcus_`, true, 201, "true"},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			assert.False(t, exists(t, srv), "and the connection is a used one")
			srv.Fail(row.fault)
			a, err := do(srv, "POST", "/billing/customers", newCustomer, "Idempotency-Key: k")
			if row.status == 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, row.status, a.status)
				name, value, _ := strings.Cut(row.header, ": ")
				require.Equal(t, value, a.header.Get(name))
				require.True(t, strings.HasPrefix(a.body, row.body), a.body)
				require.Empty(t, a.header.Get("Idempotent-Replayed"))
			}
			require.Equal(t, row.applied, exists(t, srv))

			a = send(t, srv, "POST", "/billing/customers", newCustomer, "Idempotency-Key: k")
			require.Equal(t, row.again, a.status)
			require.Equal(t, row.replayed, a.header.Get("Idempotent-Replayed"))
		})
	}
}

// A client believes ServiceError, and not Status.
func TestStatusIsAGatewayResponse(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 409, 422, 500, 503} {
		srv := newServer(t)
		client := srv.Client(moment.WithMaxRetries(0))
		srv.Fail(momenttest.Status(code), momenttest.ServiceError(code))
		for _, own := range []bool{false, true} {
			_, err := client.Customers.Get(t.Context(), "new")
			var failure *moment.Error
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, code, failure.Status)
			assert.Equal(t, own, failure.FromService, code)
		}
	}
}

// The statuses show which requests a fault meets.
func TestFaultsApplyInOrder(t *testing.T) {
	const create, get, update = "POST /billing/customers", "GET /billing/customers/new", "PATCH /billing/customers/new"
	for _, row := range []struct {
		why      string
		faults   []momenttest.Fault
		requests []string
		want     []int
	}{
		{"none", nil, []string{create, get}, []int{201, 200}},
		{"one, once", []momenttest.Fault{momenttest.Status(500)}, []string{create, create}, []int{500, 201}},
		{"one after the other", []momenttest.Fault{momenttest.Status(500), momenttest.Status(503)}, []string{create, create, create}, []int{500, 503, 201}},
		{"several times", []momenttest.Fault{momenttest.Status(500).Times(2), momenttest.Status(503)}, []string{create, create, create, create}, []int{500, 500, 503, 201}},
		{"an operation", []momenttest.Fault{momenttest.Status(500).On("get customer")}, []string{create, get, get}, []int{201, 500, 200}},
		{"others wait for theirs", []momenttest.Fault{momenttest.Status(500).On("get customer"), momenttest.Status(503)}, []string{create, create, get, get}, []int{503, 201, 500, 200}},
		{"two operations", []momenttest.Fault{momenttest.Status(500).On("get customer", "update customer").Times(2)}, []string{create, get, update, get}, []int{201, 500, 500, 200}},
		{"an operation that is not called", []momenttest.Fault{momenttest.Status(500).On("void bill")}, []string{create, get}, []int{201, 200}},
		{"an unknown path can fail too", []momenttest.Fault{momenttest.Status(500)}, []string{"GET /nowhere", "GET /nowhere"}, []int{500, 404}},
		{"but is not an operation", []momenttest.Fault{momenttest.Status(500).On("get customer")}, []string{"GET /nowhere", "GET /billing/customers/x"}, []int{404, 500}},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			for _, fault := range row.faults {
				srv.Fail(fault) // one by one or together is the same
			}
			got := make([]int, 0, len(row.requests))
			for _, request := range row.requests {
				method, path, _ := strings.Cut(request, " ")
				got = append(got, send(t, srv, method, path, newCustomer).status)
			}
			require.Equal(t, row.want, got)
		})
	}
	t.Run("a request with an invalid API key meets the fault first", func(t *testing.T) {
		srv := newServer(t)
		srv.Fail(momenttest.Status(500), momenttest.ServiceError(500), momenttest.ServiceError(500))
		require.Equal(t, 500, send(t, srv, "POST", "/billing/customers", newCustomer, "Authorization: ").status)
		require.Equal(t, 401, send(t, srv, "POST", "/billing/customers", newCustomer, "Authorization: ").status, "the service's own errors come after that")
		require.Equal(t, 500, send(t, srv, "POST", "/billing/customers", newCustomer).status)
	})
	t.Run("a saved response is still replayed", func(t *testing.T) {
		srv := newServer(t)
		require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", newCustomer, "Idempotency-Key: k").status)
		srv.Fail(momenttest.ServiceError(500))
		require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", newCustomer, "Idempotency-Key: k").status)
		require.Equal(t, 200, send(t, srv, "GET", "/billing/customers/new", "").status, "and the fault is used up")
	})
	t.Run("until the trouble is over", func(t *testing.T) {
		srv := newServer(t)
		srv.Fail(momenttest.Status(503).Times(1000), momenttest.Truncate().On("get bill"))
		require.Equal(t, 503, send(t, srv, "POST", "/billing/customers", newCustomer).status)
		require.Equal(t, "[503, 999 times truncated response on get bill]", fmt.Sprint(srv.Faults()))
		srv.ClearFaults()
		require.Empty(t, srv.Faults())
		require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", newCustomer).status)
	})
}

func TestInvalidFaults(t *testing.T) {
	srv := newServer(t)
	for want, fail := range map[string]func(){
		"momenttest: Fail was called with the zero Fault: make one with Status, DropAfterCommit, ...":    func() { srv.Fail(momenttest.Fault{}) },
		"momenttest: the status of a fault must be from 300 to 599, not 200":                             func() { momenttest.Status(200) },
		"momenttest: the status of a fault must be from 300 to 599, not 600":                             func() { momenttest.Status(600) },
		"momenttest: the status of a fault must be from 400 to 599, not 399":                             func() { momenttest.ServiceError(399) },
		"momenttest: RetryAfter is for Status, RateLimit and ServiceError, not for a truncated response": func() { momenttest.Truncate().RetryAfter(time.Second) },
		"momenttest: a fault cannot happen 0 times":                                                      func() { momenttest.Truncate().Times(0) },
		`momenttest: on must be one of these operations, not "pay bill": create customer, get customer, update customer, create account, get account, update account, create bill, get bill, update bill, void bill, create payment request, get payment request, update payment request, get payment`: func() {
			momenttest.Truncate().On("get bill", "pay bill")
		},
	} {
		assert.PanicsWithValue(t, want, fail)
	}
}

func TestFaultString(t *testing.T) {
	for want, fault := range map[string]momenttest.Fault{
		"503":                                   momenttest.Status(503),
		"500 of the service":                    momenttest.ServiceError(500),
		"429":                                   momenttest.RateLimit(time.Second),
		"drop before commit, 2 times":           momenttest.DropBeforeCommit().Times(2),
		"drop after commit on create bill":      momenttest.DropAfterCommit().On("create bill"),
		"truncated response":                    momenttest.Truncate(),
		"delay of 1s on get bill and void bill": momenttest.Delay(time.Second).On("get bill", "void bill"),
		"no fault":                              {},
	} {
		assert.Equal(t, want, fault.String())
	}
}

// While a request is delayed, only its idempotency key is locked.
func TestDelay(t *testing.T) {
	srv := newServer(t)
	srv.Fail(momenttest.Delay(time.Hour).On("create customer"))
	ctx, giveUp := context.WithCancel(t.Context())
	client := srv.Client(moment.WithMaxRetries(0))
	ended := make(chan error)
	go func() {
		_, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "new"}, moment.WithIdempotencyKey("k"))
		ended <- err
	}()
	require.Eventually(t, func() bool { return len(srv.Requests()) == 1 }, time.Minute, time.Millisecond, "it has arrived")
	a := send(t, srv, "POST", "/billing/customers", newCustomer, "Idempotency-Key: other")
	require.Equal(t, 201, a.status, "another key")
	a = send(t, srv, "POST", "/billing/customers", `{"external_reference":"new"}`, "Idempotency-Key: k")
	requireProblem(t, a, 409, "The first request with this Idempotency-Key is still in flight.")
	require.Empty(t, a.header.Get("Idempotent-Replayed"))
	a = send(t, srv, "POST", "/billing/customers", `{}`, "Idempotency-Key: k")
	require.Equal(t, 422, a.status, "another body")
	require.Empty(t, srv.State().Responses[1:], "a request in flight has no response")

	giveUp()
	require.ErrorIs(t, <-ended, context.Canceled)
	a = send(t, srv, "POST", "/billing/customers", `{"external_reference":"new"}`, "Idempotency-Key: k")
	require.Equal(t, 409, a.status, "it still runs, although its client has gone")
	srv.Close()
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, postNewCustomer())
	require.Equal(t, 409, w.Code, "of the reference")
	require.Contains(t, w.Body.String(), "belongs to another customer", "the key is free again")
}

func postNewCustomer() *http.Request {
	r := httptest.NewRequest("POST", "/billing/customers", strings.NewReader(`{"external_reference":"new"}`))
	r.Header = http.Header{"Authorization": {"Bearer sk_test_x"}, "Content-Type": {"application/json"}, "Idempotency-Key": {"k"}}
	return r
}

// A delayed request runs even if its client has given up, because the service does not notice that.
func TestDelayedRequestsRunWithoutTheirClient(t *testing.T) {
	srv := newServer(t)
	srv.Fail(momenttest.Delay(200 * time.Millisecond))
	client := srv.Client(moment.WithAttemptTimeout(20*time.Millisecond), moment.WithMaxRetries(1000))
	var resp moment.Response
	customer, err := client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "new"}, moment.WithResponse(&resp))
	require.NoError(t, err)
	require.Equal(t, "new", customer.ExternalReference)
	require.True(t, resp.Replayed)
	require.Greater(t, resp.Attempts, 2, "409 in between")
	require.Len(t, srv.State().Customers, 1)
}

// net/http retries a request on a reused connection that ends without a response. A test would then
// count one attempt fewer.
func TestDropsAreSeenByTheClient(t *testing.T) {
	for _, fault := range []momenttest.Fault{momenttest.DropBeforeCommit(), momenttest.DropAfterCommit(), momenttest.Truncate()} {
		t.Run(fault.String(), func(t *testing.T) {
			srv := newServer(t)
			client := srv.Client()
			for n := range 20 {
				reference := "UCR-" + strings.Repeat("x", n+1)
				srv.Fail(fault)
				var resp moment.Response
				_, err := client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: reference}, moment.WithResponse(&resp))
				require.NoError(t, err)
				require.Equal(t, 2, resp.Attempts)
				_, err = client.Customers.Get(t.Context(), reference) // the connection is a used one
				require.NoError(t, err)
			}
			srv.Fail(fault)
			_, err := client.Customers.Update(t.Context(), "UCR-x", moment.CustomerUpdateParams{Balance: moment.MinorUnits(1), Currency: moment.Ptr(moment.ZAR)})
			require.ErrorIs(t, err, moment.ErrOutcomeUnknown)
		})
	}
}

func TestConcurrentFaults(t *testing.T) {
	srv := newServer(t)
	srv.Fail(momenttest.Status(500).Times(100))
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for range 20 {
		wg.Go(func() {
			for range 10 {
				a, err := do(srv, "GET", "/billing/customers/new", "")
				assert.NoError(t, err)
				mu.Lock()
				statuses[a.status]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, map[int]int{500: 100, 404: 100}, statuses)
}

// The loop of retries, as a merchant tests theirs.
func TestRateLimitIsHonoured(t *testing.T) {
	srv := newServer(t)
	srv.Fail(momenttest.RateLimit(time.Hour))
	_, err := srv.Client().Bills.Get(t.Context(), "UBR1234567890")
	var rejected *moment.Error
	require.ErrorAs(t, err, &rejected)
	require.Equal(t, time.Hour, rejected.RetryAfter)
	require.Len(t, srv.Requests(), 1)
}
