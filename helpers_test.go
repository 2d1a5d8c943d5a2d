package moment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

const testKey = "sk_test_YOUR_SECRET_KEY"

// basePath stands in front of every path in these tests: a base URL with a path is where clients go
// wrong.
const basePath = "/gateway/v1"

// The answers of Moment's reference and guides, as they are printed there.
const (
	customerJSON = `{
	  "id": "bcus_H4jp6KnU5cPw263v1jyz4",
	  "external_reference": "UCR1234567890",
	  "name": "John Doe",
	  "email": "john.doe@example.com",
	  "currency": "ZAR",
	  "balance": 5000
	}`
	accountJSON = `{
	  "id": "bacc_H4jp6KnU5cPw263v1jyz4",
	  "external_reference": "UAR1234567890",
	  "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
	  "name": "Subscription Account",
	  "currency": "ZAR",
	  "balance": 10000
	}`
	billJSON = `{
	  "id": "bill_H4jp6KnU5cPw263v1jyz4",
	  "external_reference": "UBR1234567890",
	  "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
	  "account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
	  "status": "unpaid",
	  "currency": "ZAR",
	  "amount_due": 2000,
	  "amount_paid": 1500,
	  "amount_remaining": 500,
	  "bill_date": "2025-01-01",
	  "due_date": "2025-01-31"
	}`
	problemJSON = `{
	  "type": "https://api.momentco.io/docs/errors#not-found",
	  "title": "Not Found",
	  "status": 404,
	  "detail": "There is no bill with this identifier.",
	  "instance": "/billing/bills/bill_H4jp6KnU5cPw263v1jyz4"
	}`
)

// reply is how a test's service answers one request.
type reply func(w http.ResponseWriter, r *http.Request)

// answer replies with a status, a body, and headers given as "Name: value".
func answer(status int, body string, headers ...string) reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// problem replies as Moment does to an error.
func problem(status int, headers ...string) reply {
	body := fmt.Sprintf(`{"type":"https://api.momentco.io/docs/errors#x","title":%q,"status":%d,"detail":"said the service"}`,
		http.StatusText(status), status)
	return answer(status, body, append(headers, "Content-Type: application/problem+json")...)
}

// hangUp closes the connection without an answer, after the request was read.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cutAfter begins a success, sends body, which is less than it said, and closes the connection.
func cutAfter(body string) reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		_, _ = io.WriteString(w, body)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// cutShort is cut in the middle of an object.
var cutShort = cutAfter(billJSON[:len(billJSON)/2])

// raw answers with text in the place of an HTTP answer, and closes the connection.
func raw(text string) reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// connections counts those of a server.
type connections struct{ opened, open atomic.Int32 }

// countConnections counts those of a server that has yet to be started.
func countConnections(server *httptest.Server) *connections {
	c := &connections{}
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			c.opened.Add(1)
			c.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			c.open.Add(-1)
		}
	}
	return c
}

// discardLog is for servers whose complaints are what a test provokes.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// listen serves each connection to the address that it returns.
func listen(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().String()
}

// received is a request as it reached a test's service.
type received struct {
	Method, URI string
	Header      http.Header
	Body        string
}

// service is a real server on loopback that answers by a script and keeps what it received.
type service struct {
	URL string // the base URL, with a path

	mu       sync.Mutex
	requests []received
}

// serve answers the n-th request by the n-th reply, and all further ones by the last.
func serve(t testing.TB, script ...reply) *service {
	t.Helper()
	s := &service{}
	server := httptest.NewServer(s.handler(script))
	t.Cleanup(server.Close)
	s.URL = server.URL + basePath
	return s
}

func (s *service) handler(script []reply) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.receive(r)
		script[min(n, len(script)-1)](w, r)
	})
}

// receive keeps a request, and returns how many came before it.
func (s *service) receive(r *http.Request) int {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, received{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
	return len(s.requests) - 1
}

func (s *service) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.requests...)
}

// only returns the one request that was received.
func (s *service) only(t testing.TB) received {
	t.Helper()
	all := s.received()
	require.Len(t, all, 1)
	return all[0]
}

// client is a client of the service that repeats without waiting.
func (s *service) client(t testing.TB, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	return newClient(t, append([]moment.ClientOption{moment.WithBaseURL(s.URL), moment.WithBackoff(0, 0)}, opts...)...)
}

func newClient(t testing.TB, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	c, err := moment.NewClient(testKey, opts...)
	require.NoError(t, err)
	return c
}

// roundTrip is a fake RoundTripper, for tests on a fake clock: in a synctest bubble real sockets
// block.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through is a client over a fake RoundTripper.
func through(t testing.TB, f roundTrip, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	return newClient(t, append([]moment.ClientOption{moment.WithHTTPClient(&http.Client{Transport: f})}, opts...)...)
}

// fake makes an http.Response out of a reply.
func fake(r reply) (*http.Response, error) {
	rec := httptest.NewRecorder()
	r(rec, nil)
	return rec.Result(), nil
}

// calls are one call of each kind that the retry rules tell apart.
var calls = map[string]func(context.Context, *moment.Client, ...moment.RequestOption) error{
	"GET": func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) error {
		_, err := c.Bills.Get(ctx, "UBR1234567890", opts...)
		return err
	},
	"POST": func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) error {
		_, err := c.Bills.Create(ctx, billParams, opts...)
		return err
	},
	"PATCH": func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) error {
		_, err := c.Bills.Update(ctx, "UBR1234567890", moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500)}, opts...)
		return err
	},
}

var billParams = moment.BillCreateParams{
	Customer:          moment.ExistingCustomer("UCR1234567890"),
	ExternalReference: "UBR1234567890",
	Currency:          moment.ZAR,
	AmountDue:         2000,
	BillDate:          moment.NewDate(2025, time.January, 1),
	DueDate:           moment.NewDate(2025, time.January, 31),
}

// field is a text member of a JSON object.
func field(t testing.TB, object, name string) string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(object), &members))
	text, _ := members[name].(string)
	return text
}

// replaceDefaultTransport makes NewClient begin with another transport than http.DefaultTransport,
// until the test ends. The client's own settings come on top, so that they are tested as merchants
// get them.
func replaceDefaultTransport(t testing.TB, replacement http.RoundTripper) {
	t.Helper()
	original := http.DefaultTransport
	http.DefaultTransport = replacement
	t.Cleanup(func() { http.DefaultTransport = original })
}

// quietNetHTTP silences what net/http writes to the standard logger about answers that break the
// rules.
func quietNetHTTP(t testing.TB) {
	t.Helper()
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}
