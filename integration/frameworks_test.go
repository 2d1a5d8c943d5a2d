package integration_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/signature"
)

// The handler is an http.Handler, which every framework here accepts, some of them through an
// adapter. The handler needs the raw body, byte for byte, behind any middleware. chi_test.go,
// gin_test.go, echo_test.go, fiber_test.go and lambda_test.go set the frameworks up.

// bodyLimit is the setting of frameworks that limit bodies. It is below the limit of the handler.
const bodyLimit = 16 << 10

var frameworks = []struct {
	name    string
	open    func(*testing.T, http.Handler) (url string, client *http.Client)
	unpacks bool // a body that is marked as compressed
	reuses  bool // the framework uses the memory of header strings again after the request
}{
	{"net/http", onNetHTTP(withNetHTTP), false, false}, // to compare with
	{"chi", onNetHTTP(withChi), false, false},
	{"chi with more middleware", onNetHTTP(withMoreChi), false, false},
	{"gin", onNetHTTP(withGin), false, false},
	{"gin with more middleware", onNetHTTP(withMoreGin), true, false},
	{"echo", onNetHTTP(withEcho), false, false},
	{"echo with more middleware", onNetHTTP(withMoreEcho), true, false},
	{"fasthttp", onFastHTTP, false, true},
	{"fiber v2", onFiber2, false, true},
	{"fiber v3", onFiber3, false, true},
	{"lambda, payload 1.0", onLambda1, false, false},
	{"lambda, payload 2.0", onLambda2, false, false},
	{"lambda, load balancer", onLambdaALB, false, false},
	{"lambda, load balancer with multi-value headers", onLambdaALBMultiValue, false, false},
}

// onNetHTTP starts a net/http server. The test fails if net/http complains about a second status,
// or about a body where none is allowed.
func onNetHTTP(mount func(http.Handler) http.Handler) func(*testing.T, http.Handler) (string, *http.Client) {
	return func(t *testing.T, webhook http.Handler) (string, *http.Client) {
		t.Helper()
		var complaints bytes.Buffer
		server := httptest.NewUnstartedServer(mount(webhook))
		server.Config.ErrorLog = log.New(&complaints, "", 0)
		server.Start()
		t.Cleanup(func() {
			server.Close()
			assert.Empty(t, complaints.String())
		})
		client := server.Client()
		client.Transport.(*http.Transport).MaxIdleConnsPerHost = deliverers
		return server.URL, client
	}
}

func withNetHTTP(webhook http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/moment", webhook)
	return mux
}

// endpoint is a merchant's server. It records the processed messages.
type endpoint struct {
	url     string
	client  *http.Client
	mu      sync.Mutex
	results map[string]error           // of the function, by message
	events  map[string][]*moment.Event // by message
	headers map[string]string          // webhook-id as the handler received it, by message
}

var errPanic = errors.New("not returned, but thrown")

func serve(t *testing.T, open func(*testing.T, http.Handler) (string, *http.Client)) *endpoint {
	t.Helper()
	quiet(t)
	verifier, err := moment.NewWebhookVerifier(moment.RawWebhookSecret(keyOf(32)))
	require.NoError(t, err)
	e := &endpoint{results: map[string]error{}, events: map[string][]*moment.Event{}, headers: map[string]string{}}
	process := func(_ context.Context, event *moment.Event) error {
		id := strings.Clone(event.MessageID) // because the test checks whether MessageID changes later
		e.mu.Lock()
		defer e.mu.Unlock()
		e.events[id] = append(e.events[id], event)
		if e.results[id] == errPanic {
			panic(errPanic)
		}
		return e.results[id]
	}
	webhook := verifier.Handler(process, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)),
		moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
	url, client := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Webhook-Id")
		e.mu.Lock()
		e.headers[strings.Clone(id)] = id
		e.mu.Unlock()
		webhook.ServeHTTP(w, r)
	}))
	e.url, e.client = url+"/webhooks/moment", client
	return e
}

// quiet discards the output of the frameworks' loggers, which still run.
func quiet(t *testing.T) {
	t.Helper()
	chiLogger, ginMode, ginWriter, echoLogger := middleware.DefaultLogger, gin.Mode(), gin.DefaultWriter, slog.Default()
	t.Cleanup(func() {
		middleware.DefaultLogger, gin.DefaultWriter = chiLogger, ginWriter
		gin.SetMode(ginMode)
		slog.SetDefault(echoLogger)
	})
	middleware.DefaultLogger = middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.New(io.Discard, "", 0)})
	gin.DefaultWriter = io.Discard
	gin.SetMode(gin.TestMode)
	output, flags := log.Writer(), log.Flags() // change with the memory
	slog.SetDefault(slog.New(slog.DiscardHandler))
	log.SetOutput(output)
	log.SetFlags(flags)
}

// delivery is a message and the form of its request.
type delivery struct {
	signed, sent []byte
	key          *signature.Key // nil: the endpoint's
	age          time.Duration
	encoding     string // of the sent body
	chunked      bool   // sent without a Content-Length
	signatures   string // the webhook-signature header, with %s for the signature; empty: %s alone
}

// deliver returns the status. Each call makes a new signature, as Moment does.
func (e *endpoint) deliver(ctx context.Context, id string, d delivery) (int, error) {
	if d.key == nil {
		d.key = signature.NewKey(keyOf(32))
	}
	at := time.Now().Add(-d.age)
	body := io.Reader(bytes.NewReader(d.sent))
	if d.chunked {
		body = io.MultiReader(body) // a type whose length net/http does not detect
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, body)
	if err != nil {
		return 0, err
	}
	r.Header = webhookHeaders(id, at, fmt.Sprintf(cmp.Or(d.signatures, "%s"), d.key.Sign(id, seconds(at), d.signed)))
	r.Header.Set("Content-Type", "application/json")
	if d.encoding != "" {
		r.Header.Set("Content-Encoding", d.encoding)
	}
	resp, err := e.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// spaced is an event whose bytes change if it is decoded and encoded again.
func spaced(amount int) []byte {
	return fmt.Appendf(nil, "{ \"id\" : \"evt_1\",\r\n\t\"type\":\"obligation.amount_applied\", \"data\": {\"id\":\"ob_1\",\"amount\":%d,\"currency\":\"ZAR\","+
		"\"payment_id\":\"pay_1\",\"bill_id\":\"bill_1\",\"metadata\":{\"name\":\"M\\u00fcller \\/ 東京 <&>\"}}}\n\n", amount)
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

// Each message is delivered twice, as if a response was lost.
func TestWebhooksThroughFrameworks(t *testing.T) {
	signed := spaced(2000)
	largest := []byte(paid + strings.Repeat(" ", bodyLimit-len(paid)))
	tooLarge := []byte(paid + strings.Repeat(" ", 1<<20)) // too large for the handler too
	other := signature.NewKey(keyOf(24)).Sign("msg_1", "1", signed)
	rows := []struct {
		why string
		delivery
		result error // of the merchant's function
		status int
		packed int // if the framework decompresses bodies; 0: the same
	}{
		{why: "signed", delivery: delivery{signed: signed, sent: signed}, status: 204},
		{why: "signed, in chunks", delivery: delivery{signed: signed, sent: signed, chunked: true}, status: 204},
		{why: "as large as the limit", delivery: delivery{signed: largest, sent: largest}, status: 204},
		{why: "as large as the limit, in chunks", delivery: delivery{signed: largest, sent: largest, chunked: true}, status: 204},
		{why: "another amount than was signed", delivery: delivery{signed: signed, sent: spaced(2001)}, status: 400},
		{why: "without the line breaks at its end", delivery: delivery{signed: signed, sent: bytes.TrimSpace(signed)}, status: 400},
		{why: "signed by another sender", delivery: delivery{signed: signed, sent: signed, key: signature.NewKey(keyOf(24))}, status: 400},
		{why: "the secret is being rotated: another signature first", delivery: delivery{signed: signed, sent: signed, signatures: other + " %s"}, status: 204},
		{why: "the secret is being rotated: another signature last", delivery: delivery{signed: signed, sent: signed, signatures: "%s " + other}, status: 204},
		{why: "our signature and one of another version", delivery: delivery{signed: signed, sent: signed, signatures: "v1a,AAAA %s v2,AAAA"}, status: 204},
		{why: "two signatures, neither of them ours", delivery: delivery{signed: signed, sent: signed, signatures: other + " " + other + "%.0s"}, status: 400},
		{why: "signed an hour ago", delivery: delivery{signed: signed, sent: signed, age: time.Hour}, status: 400},
		{why: "nothing", delivery: delivery{}, status: 400},
		{why: "too large", delivery: delivery{signed: tooLarge, sent: tooLarge}, status: 413},
		{why: "too large, in chunks", delivery: delivery{signed: tooLarge, sent: tooLarge, chunked: true}, status: 413},

		// Moment does not document compression. If a proxy compresses a body, the signature is that
		// of the original.
		{why: "compressed after it was signed", delivery: delivery{signed: signed, sent: packed(t, signed), encoding: "gzip"}, status: 400, packed: 204},
		{why: "compressed before it was signed", delivery: delivery{signed: packed(t, signed), sent: packed(t, signed), encoding: "gzip"}, status: 400},
		{why: "too large when it is decompressed", delivery: delivery{signed: tooLarge, sent: packed(t, tooLarge), encoding: "gzip"}, status: 400, packed: 413},

		{why: "the function fails, so the message must be delivered again", delivery: delivery{signed: signed, sent: signed}, result: errors.New("no database"), status: 500},
		{why: "the function panics, and the framework does not see the panic", delivery: delivery{signed: signed, sent: signed}, result: errPanic, status: 500},
	}
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			e := serve(t, framework.open)
			for i, row := range rows {
				id, status := fmt.Sprintf("msg_%d", i), row.status
				if framework.unpacks && row.packed != 0 {
					status = row.packed
				}
				e.results[id] = row.result
				for range 2 {
					got, err := e.deliver(t.Context(), id, row.delivery)
					assert.NoError(t, err, row.why)
					assert.Equal(t, status, got, row.why)
				}
				runs := map[int]int{204: 1, 500: 2}[status] // a failed message is processed again
				if assert.Len(t, e.events[id], runs, row.why) && runs > 0 {
					assert.Equal(t, string(row.signed), string(e.events[id][0].Raw), row.why)
				}
			}
		})
	}
}

// Frameworks keep readers, contexts and the memory of header strings in pools, and messages must
// not mix. After all messages, each one is delivered again, as if the responses were lost.
func TestManyWebhooksThroughFrameworks(t *testing.T) {
	const messages = 100
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			e := serve(t, framework.open)
			queue := make(chan int, 2*messages)
			for i := range 2 * messages {
				queue <- i
			}
			close(queue)
			statuses, senders := make([]int, 2*messages), new(sync.WaitGroup)
			for range deliverers { // each on an open connection
				senders.Go(func() {
					for i := range queue {
						body := spaced(i % messages)
						d := delivery{signed: body, sent: body, chunked: i%3 == 0}
						if framework.unpacks && i%5 == 0 {
							d.sent, d.encoding = packed(t, body), "gzip"
						}
						var err error
						statuses[i], err = e.deliver(t.Context(), fmt.Sprintf("msg_%d", i%messages), d)
						assert.NoError(t, err)
					}
				})
			}
			senders.Wait()

			deliveries := map[int]int{} // by status
			for _, status := range statuses {
				deliveries[status]++
			}
			assert.Equal(t, map[int]int{204: 2 * messages}, deliveries)
			assert.Len(t, e.events, messages)
			runs, changed, reused := map[int]int{}, 0, 0 // messages by the number of times that they were processed
			for i := range messages {
				id := fmt.Sprintf("msg_%d", i)
				runs[len(e.events[id])]++
				for _, event := range e.events[id] {
					assert.Equal(t, string(spaced(i)), string(event.Raw))
					assert.Equal(t, moment.Amount(i), event.Data.(*moment.AmountApplied).Amount)
					if event.MessageID != id {
						changed++
					}
				}
				if e.headers[id] != id {
					reused++
				}
			}
			assert.Equal(t, map[int]int{1: messages}, runs)
			assert.Zero(t, changed, "events whose MessageID changed later")
			assert.Equal(t, framework.reuses, reused > 0, "%d header strings changed later", reused)
		})
	}
}
