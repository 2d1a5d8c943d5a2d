package momenttest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestAuthentication(t *testing.T) {
	const (
		missing = "An API key is required in the header Authorization: Bearer <key>."
		unknown = "This is not an API key that is known here; send one that begins with sk_test_."
		public  = "A public key (pk_…) cannot run billing operations; send a secret key."
	)
	srv := newSample(t)
	for _, row := range []struct {
		why, header string
		status      int
		detail      string
	}{
		{"no header", "Authorization: ", 401, missing},
		{"no scheme", "Authorization: sk_test_x", 401, missing},
		{"another scheme", "Authorization: Basic c2tfdGVzdF94Og==", 401, missing},
		{"no key", "Authorization: Bearer ", 401, missing},
		{"two spaces", "Authorization: Bearer  sk_test_x", 401, missing},
		{"a key with a space", "Authorization: Bearer sk_test_x y", 401, missing},
		{"the prefix alone", "Authorization: Bearer sk_test_", 401, unknown},
		{"a live key: the fake has no live mode", "Authorization: Bearer sk_YOUR_SECRET_KEY", 401, unknown},
		{"something else", "Authorization: Bearer hunter2", 401, unknown},
		{"capitals", "Authorization: Bearer SK_TEST_x", 401, unknown},
		{"public test key", "Authorization: Bearer pk_test_YOUR_PUBLIC_KEY", 403, public},
		{"public live key", "Authorization: Bearer pk_YOUR_PUBLIC_KEY", 403, public},
		{"the least test key", "Authorization: Bearer sk_test_x", 200, ""},
		{"schemes ignore case", "Authorization: bearer sk_test_x", 200, ""},
	} {
		t.Run(row.why, func(t *testing.T) {
			a := send(t, srv, "GET", "/billing/customers/UCR1234567890", "", row.header)
			if row.status == 200 {
				require.Equal(t, 200, a.status, a.body)
				return
			}
			requireProblem(t, a, row.status, row.detail)
		})
	}
	t.Run("comes before everything else of the service", func(t *testing.T) {
		a := send(t, srv, "POST", "/billing/customers", `no JSON`, "Authorization: ", "Idempotency-Key: ")
		requireProblem(t, a, 401, missing)
		a = send(t, srv, "PATCH", "/billing/customers/UCR1234567890", strings.Repeat(" ", 1<<20+1), "Authorization: ")
		requireProblem(t, a, 401, missing)
	})
}

func TestRouting(t *testing.T) {
	const nowhere = "" // a gateway's page
	noCustomer := func(id string) string { return `No customer has the id or external reference "` + id + `".` }
	srv := newSample(t)
	for _, row := range []struct {
		why, method, path string
		status            int
		detail, allow     string
	}{
		{"root", "GET", "/", 404, nowhere, ""},
		{"outside /billing", "GET", "/customers/UCR1234567890", 404, nowhere, ""},
		{"unknown kind", "GET", "/billing/payments/x", 404, nowhere, ""},
		{"capitals", "GET", "/billing/Customers/UCR1234567890", 404, nowhere, ""},
		{"one segment too many", "GET", "/billing/customers/UCR1234567890/accounts", 404, nowhere, ""},
		{"an empty identifier", "GET", "/billing/customers/", 404, nowhere, ""},
		{"a trailing slash", "GET", "/billing/customers/UCR1234567890/", 404, nowhere, ""},
		{"doubled slash: paths are not cleaned", "GET", "/billing//customers/UCR1234567890", 404, nowhere, ""},
		{"only bills are voided", "POST", "/billing/accounts/UAR1234567890/void", 404, nowhere, ""},

		{"there is no list", "GET", "/billing/customers", 405, "This path accepts POST only.", "POST"},
		{"there is no delete", "DELETE", "/billing/bills/UBR1234567890", 405, "This path accepts GET and PATCH only.", "GET, PATCH"},
		{"no PUT", "PUT", "/billing/accounts/UAR1234567890", 405, "This path accepts GET and PATCH only.", "GET, PATCH"},
		{"void is a POST", "GET", "/billing/bills/UBR1234567890/void", 405, "This path accepts POST only.", "POST"},

		{"an escaped slash stays inside the identifier", "GET", "/billing/customers/a%2Fb", 404, noCustomer("a/b"), ""},
		{"even where it would make another path", "GET", "/billing/bills/x%2Fvoid", 404, `No bill has the id or external reference "x/void".`, ""},
		{"escapes are decoded once", "GET", "/billing/customers/a%252Fb", 404, noCustomer("a%2Fb"), ""},
		{"escaped dots", "GET", "/billing/customers/%2E%2E", 404, noCustomer(".."), ""},
		{"dots are not resolved", "GET", "/billing/customers/x/../UCR1234567890", 404, nowhere, ""},
		{"an escaped space", "GET", "/billing/customers/a%20b", 404, noCustomer("a b"), ""},
		{"a plus is a plus", "GET", "/billing/customers/a+b", 404, noCustomer("a+b"), ""},
		{"an escaped letter is that letter", "GET", "/billing/customers/%55CR1234567890", 200, "", ""},
		{"a query is ignored", "GET", "/billing/customers/UCR1234567890?expand=accounts", 200, "", ""},
	} {
		t.Run(row.why, func(t *testing.T) {
			a := send(t, srv, row.method, row.path, "")
			assert.Equal(t, row.allow, a.header.Get("Allow"))
			if row.status == 200 {
				require.Equal(t, 200, a.status, a.body)
				require.Equal(t, "UCR1234567890", field(t, a, "external_reference"))
				return
			}
			if row.detail == nowhere {
				require.Equal(t, row.status, a.status, a.body)
				assert.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
				assert.Contains(t, a.body, "404 Not Found")
				return
			}
			requireProblem(t, a, row.status, row.detail)
		})
	}
	t.Run("a gateway does not ask for the key", func(t *testing.T) {
		require.Equal(t, 404, send(t, srv, "GET", "/nowhere", "", "Authorization: ").status)
	})
	t.Run("a wrong base URL does not say that a bill does not exist", func(t *testing.T) {
		for _, path := range []string{"/v1", "/nowhere/at/all"} {
			_, err := srv.Client(moment.WithBaseURL(srv.URL+path)).Bills.Get(t.Context(), "UBR1234567890")
			var failure *moment.Error
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, 404, failure.Status)
			assert.False(t, failure.FromService)
		}
	})
	t.Run("HEAD is not a GET", func(t *testing.T) {
		require.Equal(t, 405, send(t, srv, "HEAD", "/billing/customers/UCR1234567890", "").status)
	})
}

func TestProblemDetails(t *testing.T) {
	srv := newSample(t)
	require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", `{"external_reference": "a"}`, "Idempotency-Key: used").status)
	for _, row := range []struct {
		why, method, path, body, header string
		want                            string
	}{
		{
			why: "bad request", method: "POST", path: "/billing/customers", body: `{}`, header: "X: y",
			want: `{
				"type": "https://api.momentco.io/docs/errors#bad-request",
				"title": "Bad Request",
				"status": 400,
				"detail": "external_reference is required.",
				"instance": "/billing/customers"
			}`,
		},
		{
			why: "unauthorized", method: "GET", path: "/billing/customers/a", header: "Authorization: ",
			want: `{
				"type": "https://api.momentco.io/docs/errors#unauthorized",
				"title": "Unauthorized",
				"status": 401,
				"detail": "An API key is required in the header Authorization: Bearer <key>.",
				"instance": "/billing/customers/a"
			}`,
		},
		{
			why: "forbidden", method: "GET", path: "/billing/customers/a", header: "Authorization: Bearer pk_test_x",
			want: `{
				"type": "https://api.momentco.io/docs/errors#forbidden",
				"title": "Forbidden",
				"status": 403,
				"detail": "A public key (pk_…) cannot run billing operations; send a secret key.",
				"instance": "/billing/customers/a"
			}`,
		},
		{
			why: "not found; the instance is the path as it was sent, without the query", header: "X: y",
			method: "GET", path: "/billing/customers/a%2Fb?c=d",
			want: `{
				"type": "https://api.momentco.io/docs/errors#not-found",
				"title": "Not Found",
				"status": 404,
				"detail": "No customer has the id or external reference \"a/b\".",
				"instance": "/billing/customers/a%2Fb"
			}`,
		},
		{
			why: "wrong method", method: "GET", path: "/billing/bills", header: "X: y",
			want: `{
				"type": "https://api.momentco.io/docs/errors#method-not-allowed",
				"title": "Method Not Allowed",
				"status": 405,
				"detail": "This path accepts POST only.",
				"instance": "/billing/bills"
			}`,
		},
		{
			why: "conflict", method: "POST", path: "/billing/customers", body: `{"external_reference": "a"}`, header: "X: y",
			want: `{
				"type": "https://api.momentco.io/docs/errors#conflict",
				"title": "Conflict",
				"status": 409,
				"detail": "external_reference \"a\" belongs to another customer.",
				"instance": "/billing/customers"
			}`,
		},
		{
			why: "too large", method: "PATCH", path: "/billing/customers/a", body: strings.Repeat(" ", 1<<20+1), header: "X: y",
			want: `{
				"type": "https://api.momentco.io/docs/errors#request-entity-too-large",
				"title": "Request Entity Too Large",
				"status": 413,
				"detail": "The body may have at most 1048576 bytes.",
				"instance": "/billing/customers/a"
			}`,
		},
		{
			why: "unprocessable", method: "POST", path: "/billing/customers", body: `{}`, header: "Idempotency-Key: used",
			want: `{
				"type": "https://api.momentco.io/docs/errors#unprocessable-entity",
				"title": "Unprocessable Entity",
				"status": 422,
				"detail": "This Idempotency-Key was used with another request; the path and body must be the same, byte for byte.",
				"instance": "/billing/customers"
			}`,
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			a := send(t, srv, row.method, row.path, row.body, row.header)
			require.JSONEq(t, row.want, a.body)
			require.Equal(t, strconv.Itoa(a.status), field(t, a, "status"))
			require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
		})
	}
}

func TestBodies(t *testing.T) {
	const noObject = "The body must be a JSON object in UTF-8."
	srv := newSample(t)
	padding := func(size int) string {
		const object = `{"name": "Jane Doe"}`
		return object + strings.Repeat(" ", size-len(object))
	}
	for _, row := range []struct {
		why, body string
		status    int
		detail    string
	}{
		{"empty", ``, 400, noObject},
		{"null", `null`, 400, noObject},
		{"an array", `[{"name": "Jane Doe"}]`, 400, noObject},
		{"a string", `"name"`, 400, noObject},
		{"a form", `name=Jane+Doe`, 400, noObject},
		{"truncated", `{"name": "Jane`, 400, noObject},
		{"two objects", `{"name": "Jane Doe"}{}`, 400, noObject},
		{"a trailing comma", `{"name": "Jane Doe",}`, 400, noObject},
		{"Latin-1", "{\"name\": \"Jos\xe9\"}", 400, noObject},
		{"1 MiB", padding(1 << 20), 200, ""},
		{"a byte over 1 MiB", padding(1<<20 + 1), 413, "The body may have at most 1048576 bytes."},
		{"no fields", `{}`, 200, ""},
		{"unknown fields are ignored with any value", `{"nickname": null, "tags": [1]}`, 200, ""},
		{"names are case-sensitive, so these are unknown", `{"Name": 1, "METADATA": null}`, 200, ""},
	} {
		t.Run(row.why, func(t *testing.T) {
			a := send(t, srv, "PATCH", "/billing/customers/UCR1234567890", row.body)
			if row.status == 200 {
				require.Equal(t, 200, a.status, a.body)
				return
			}
			requireProblem(t, a, row.status, row.detail)
		})
	}
	for _, row := range []struct {
		why, header string
		status      int
	}{
		{"no Content-Type", "Content-Type: ", 400},
		{"a form's", "Content-Type: application/x-www-form-urlencoded", 400},
		{"not quite", "Content-Type: application/jsonp", 400},
		{"with a charset", "Content-Type: application/json; charset=utf-8", 200},
		{"in capitals", "Content-Type: Application/JSON", 200},
	} {
		t.Run(row.why, func(t *testing.T) {
			a := send(t, srv, "PATCH", "/billing/customers/UCR1234567890", `{"name": "Jane Doe"}`, row.header)
			if row.status == 200 {
				require.Equal(t, 200, a.status, a.body)
				return
			}
			requireProblem(t, a, row.status, "The header Content-Type must be application/json.")
		})
	}
	t.Run("a POST needs one too", func(t *testing.T) {
		for _, path := range []string{"/billing/customers", "/billing/accounts", "/billing/bills"} {
			requireProblem(t, send(t, srv, "POST", path, ``), 400, noObject)
		}
	})
}

func TestRequestIDs(t *testing.T) {
	srv := newSample(t)
	seen := map[string]bool{}
	for _, a := range []response{
		send(t, srv, "POST", "/billing/customers", `{"external_reference": "a"}`, "Idempotency-Key: k"),
		send(t, srv, "POST", "/billing/customers", `{"external_reference": "a"}`, "Idempotency-Key: k"),
		send(t, srv, "POST", "/billing/customers", `{"external_reference": "b"}`, "Idempotency-Key: k"),
		send(t, srv, "GET", "/billing/customers/a", ""),
		send(t, srv, "GET", "/billing/customers/a", ""),
		send(t, srv, "GET", "/billing/customers/a", "", "Authorization: "),
		send(t, srv, "GET", "/nowhere", ""),
		send(t, srv, "DELETE", "/billing/bills", ""),
	} {
		id := a.header.Get("X-Request-Id")
		require.Regexp(t, requestID, id)
		require.False(t, seen[id], "%s was assigned twice", id)
		seen[id] = true
	}
}

func TestParallelUse(t *testing.T) {
	srv := newSample(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			reference := fmt.Sprint("customer-", i)
			for _, step := range []struct {
				method, path, body string
				status             int
			}{
				{"POST", "/billing/customers", `{"external_reference": "` + reference + `", "currency": "ZAR"}`, 201},
				{"PATCH", "/billing/customers/" + reference, `{"balance": 1, "metadata": {"a": "b"}}`, 200},
				{"PATCH", "/billing/bills/UBR1234567890", `{"amount_paid": 1, "metadata": {"` + reference[:10] + `": "b"}}`, 200},
				{"GET", "/billing/bills/UBR1234567890", ``, 200},
			} {
				a, err := do(srv, step.method, step.path, step.body)
				assert.NoError(t, err)
				assert.Equal(t, step.status, a.status, a.body)
			}
		})
	}
	wg.Wait()
}

func TestServersAreIndependent(t *testing.T) {
	one, other := newSample(t), newServer(t)
	require.NotEqual(t, one.URL, other.URL)
	require.Equal(t, 404, send(t, other, "GET", "/billing/bills/UBR1234567890", "").status)
}

func TestClose(t *testing.T) {
	srv := momenttest.NewServer()
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, srv.URL)
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	srv.Close()
	srv.Close() // like httptest's, it may be closed twice
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)

	// The handler continues behind another listener.
	r := httptest.NewRequest(http.MethodGet, "/billing/bills/UBR1234567890", http.NoBody)
	r.Header.Set("Authorization", "Bearer sk_test_YOUR_SECRET_KEY")
	recorder := httptest.NewRecorder()
	srv.ServeHTTP(recorder, r)
	require.Equal(t, 404, recorder.Code)
}

func TestCloseWaitsForRequestsInFlight(t *testing.T) {
	const body = `{"external_reference": "UCR1"}`
	srv := momenttest.NewServer()
	address := strings.TrimPrefix(srv.URL, "http://")
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /billing/customers HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer sk_test_YOUR_SECRET_KEY\r\n"+
		"Idempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", address, len(body))
	require.NoError(t, err)
	responses := bufio.NewReader(conn)
	line, err := responses.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line, "it has begun to read the body")
	_, err = responses.Discard(len("\r\n"))
	require.NoError(t, err)

	closed := make(chan struct{})
	go func() {
		srv.Close()
		close(closed)
	}()
	require.Eventually(t, func() bool {
		another, err := net.Dial("tcp", address)
		if err == nil {
			_ = another.Close()
		}
		return err != nil
	}, time.Minute, time.Millisecond, "it accepts no more connections")
	_, err = io.WriteString(conn, body)
	require.NoError(t, err)
	resp, err := http.ReadResponse(responses, nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusCreated, resp.StatusCode)
	<-closed
}

func BenchmarkNewServer(b *testing.B) {
	for b.Loop() {
		momenttest.NewServer().Close()
	}
}

// A program that listens by itself ends the waits of delays before it stops listening.
func TestHandlerCloseEndsDelays(t *testing.T) {
	handler := momenttest.NewHandler()
	server := httptest.NewServer(handler)
	handler.Fail(momenttest.Delay(time.Hour))
	done := make(chan error)
	go func() {
		r, err := http.NewRequest(http.MethodGet, server.URL+"/billing/customers/UCR1", http.NoBody)
		if err != nil {
			done <- err
			return
		}
		r.Header.Set("Authorization", "Bearer sk_test_x")
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	for len(handler.Requests()) == 0 {
		runtime.Gosched()
	}
	handler.Close()
	handler.Close() // again, as Server.Close may
	require.Error(t, <-done, "no response")
	server.Close()
}

func TestZeroOptionPanics(t *testing.T) {
	require.PanicsWithValue(t, "momenttest: an option is the zero Option", func() { momenttest.NewHandler(momenttest.Option{}) })
}
