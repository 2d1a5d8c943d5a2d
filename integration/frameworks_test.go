package integration_test

import (
	"bytes"
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

// The handler is an http.Handler, and web frameworks take those. What it needs of them is the body as it came, byte for byte,
// with whatever middleware is usual in front of it. chi_test.go, gin_test.go and echo_test.go set them up.

// bodyLimit is what the frameworks that limit bodies are set to: less than what the handler takes.
const bodyLimit = 16 << 10

var frameworks = []struct {
	name    string
	mount   func(http.Handler) http.Handler
	unpacks bool // a body that is marked as compressed
}{
	{"net/http", withNetHTTP, false}, // to compare with
	{"chi", withChi, false},
	{"chi with more middleware", withMoreChi, false},
	{"gin", withGin, false},
	{"gin with more middleware", withMoreGin, true},
	{"echo", withEcho, false},
	{"echo with more middleware", withMoreEcho, true},
}

func withNetHTTP(webhook http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/moment", webhook)
	return mux
}

// endpoint is a merchant's server, which notes what it has processed.
type endpoint struct {
	url     string
	client  *http.Client
	mu      sync.Mutex
	results map[string]error           // of the function, by message
	events  map[string][]*moment.Event // by message
}

var errPanic = errors.New("not returned, but thrown")

func serve(t *testing.T, mount func(http.Handler) http.Handler) *endpoint {
	t.Helper()
	quiet(t)
	verifier, err := moment.NewWebhookVerifier(moment.RawWebhookSecret(keyOf(32)))
	require.NoError(t, err)
	e := &endpoint{results: map[string]error{}, events: map[string][]*moment.Event{}}
	process := func(_ context.Context, event *moment.Event) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.events[event.MessageID] = append(e.events[event.MessageID], event)
		if e.results[event.MessageID] == errPanic {
			panic(errPanic)
		}
		return e.results[event.MessageID]
	}
	webhook := verifier.Handler(process, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)),
		moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
	var complaints bytes.Buffer // of net/http: of a second status, or a body where none may be
	server := httptest.NewUnstartedServer(mount(webhook))
	server.Config.ErrorLog = log.New(&complaints, "", 0)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		assert.Empty(t, complaints.String())
	})
	e.url, e.client = server.URL+"/webhooks/moment", server.Client()
	return e
}

// quiet silences the frameworks' loggers, which are at work all the same.
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
	output, flags := log.Writer(), log.Flags() // are changed along with it
	slog.SetDefault(slog.New(slog.DiscardHandler))
	log.SetOutput(output)
	log.SetFlags(flags)
}

// delivery is a message on its way.
type delivery struct {
	signed, sent []byte
	key          *signature.Key // nil: the endpoint's
	age          time.Duration
	encoding     string // of what is sent
	chunked      bool   // sent without its length
}

// deliver returns the status. It signs anew each time, as Moment does.
func (e *endpoint) deliver(ctx context.Context, id string, d delivery) (int, error) {
	if d.key == nil {
		d.key = signature.NewKey(keyOf(32))
	}
	at := time.Now().Add(-d.age)
	body := io.Reader(bytes.NewReader(d.sent))
	if d.chunked {
		body = io.MultiReader(body) // whose length net/http does not look for
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, body)
	if err != nil {
		return 0, err
	}
	r.Header = webhookHeaders(id, at, d.key.Sign(id, seconds(at), d.signed))
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

// spaced is an event that decoding and encoding again would change.
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

// Each message is delivered twice, as happens when an answer is lost.
func TestWebhooksThroughFrameworks(t *testing.T) {
	signed := spaced(2000)
	largest := []byte(paid + strings.Repeat(" ", bodyLimit-len(paid)))
	tooLarge := []byte(paid + strings.Repeat(" ", 1<<20)) // for the handler too
	rows := []struct {
		why string
		delivery
		result error // of the merchant's function
		status int
		packed int // where the framework unpacks bodies; 0: the same
	}{
		{why: "signed", delivery: delivery{signed: signed, sent: signed}, status: 204},
		{why: "signed, in chunks", delivery: delivery{signed: signed, sent: signed, chunked: true}, status: 204},
		{why: "as large as may be", delivery: delivery{signed: largest, sent: largest}, status: 204},
		{why: "as large as may be, in chunks", delivery: delivery{signed: largest, sent: largest, chunked: true}, status: 204},
		{why: "another amount than was signed", delivery: delivery{signed: signed, sent: spaced(2001)}, status: 400},
		{why: "without the line breaks at its end", delivery: delivery{signed: signed, sent: bytes.TrimSpace(signed)}, status: 400},
		{why: "signed by somebody else", delivery: delivery{signed: signed, sent: signed, key: signature.NewKey(keyOf(24))}, status: 400},
		{why: "signed an hour ago", delivery: delivery{signed: signed, sent: signed, age: time.Hour}, status: 400},
		{why: "nothing", delivery: delivery{}, status: 400},
		{why: "too large", delivery: delivery{signed: tooLarge, sent: tooLarge}, status: 413},
		{why: "too large, in chunks", delivery: delivery{signed: tooLarge, sent: tooLarge, chunked: true}, status: 413},

		// Moment documents no compression. If something in front compresses, what was signed is what Moment sent.
		{why: "compressed after it was signed", delivery: delivery{signed: signed, sent: packed(t, signed), encoding: "gzip"}, status: 400, packed: 204},
		{why: "compressed before it was signed", delivery: delivery{signed: packed(t, signed), sent: packed(t, signed), encoding: "gzip"}, status: 400},
		{why: "too large when it is unpacked", delivery: delivery{signed: tooLarge, sent: packed(t, tooLarge), encoding: "gzip"}, status: 400, packed: 413},

		{why: "the function fails: it is to be delivered again", delivery: delivery{signed: signed, sent: signed}, result: errors.New("no database"), status: 500},
		{why: "the function panics: nothing for the framework to recover", delivery: delivery{signed: signed, sent: signed}, result: errPanic, status: 500},
	}
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			e := serve(t, framework.mount)
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
				runs := map[int]int{204: 1, 500: 2}[status] // what has failed is tried again
				if assert.Len(t, e.events[id], runs, row.why) && runs > 0 {
					assert.Equal(t, string(row.signed), string(e.events[id][0].Raw), row.why)
				}
			}
		})
	}
}

// Frameworks keep readers and contexts in pools: no message may get into another, neither meanwhile nor afterwards.
func TestManyWebhooksThroughFrameworks(t *testing.T) {
	const messages = 100
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			e := serve(t, framework.mount)
			var deliveries sync.WaitGroup
			for i := range 2 * messages { // each twice
				deliveries.Go(func() {
					body := spaced(i / 2)
					d := delivery{signed: body, sent: body, chunked: i%3 == 0}
					if framework.unpacks && i%5 == 0 {
						d.sent, d.encoding = packed(t, body), "gzip"
					}
					got, err := e.deliver(t.Context(), fmt.Sprintf("msg_%d", i/2), d)
					assert.NoError(t, err)
					assert.Equal(t, 204, got)
				})
			}
			deliveries.Wait()
			assert.Len(t, e.events, messages)
			for i := range messages {
				if events := e.events[fmt.Sprintf("msg_%d", i)]; assert.Len(t, events, 1) {
					assert.Equal(t, string(spaced(i)), string(events[0].Raw))
					assert.Equal(t, moment.Amount(i), events[0].Data.(*moment.AmountApplied).Amount)
				}
			}
		})
	}
}
