package moment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// A delivery over a real connection, to the pattern of the README.
func TestWebhookHandler(t *testing.T) {
	var events []*moment.Event
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/moment", newVerifier(t).Handler(func(ctx context.Context, e *moment.Event) error {
		events = append(events, e)
		return ctx.Err()
	}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/webhooks/moment", strings.NewReader(testkit.EventJSON))
	require.NoError(t, err)
	r.Header = testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusNoContent, resp.StatusCode)
	require.Len(t, events, 1)
	assert.Equal(t, moment.Amount(2000), events[0].Data.(*moment.AmountApplied).Amount)
	assert.Equal(t, "msg_1", events[0].MessageID)
}

// The status and the log depend on the result of the merchant's function.
func TestWebhookHandlerResponses(t *testing.T) {
	for _, row := range []struct {
		why     string
		process func(context.Context, *moment.Event) error
		status  int
		logs    []string
	}{
		{"it worked", func(context.Context, *moment.Event) error { return nil }, 204, nil},
		{
			"it failed, so Moment must deliver again", func(context.Context, *moment.Event) error { return errors.New("the ledger is\nclosed") }, 500,
			[]string{`level=ERROR msg="moment: webhook failed" error="the ledger is\nclosed" type=obligation.amount_applied event=evt_2341234567890abcdef message=msg_1`},
		},
		{
			"it panicked, and later deliveries are still served", func(context.Context, *moment.Event) error { panic("no such table") }, 500,
			[]string{`level=ERROR msg="moment: webhook failed" error="panic: no such table" type=`, ` stack="goroutine `, "TestWebhookHandlerResponses"},
		},
		{"it panicked with http.ErrAbortHandler", func(context.Context, *moment.Event) error { panic(http.ErrAbortHandler) }, 500, []string{`error="panic: net/http: abort Handler" `}},
		{"it panicked with an event, which contains personal data", func(_ context.Context, e *moment.Event) error { panic(e) }, 500, []string{`error="panic: *moment.Event" `}},
	} {
		for _, deduplicator := range []moment.Deduplicator{nil, moment.NewMemoryDeduplicator(time.Hour)} {
			var log bytes.Buffer
			opts := []moment.HandlerOption{moment.WithHandlerLogger(slog.New(slog.NewTextHandler(&log, nil)))}
			if deduplicator != nil {
				opts = append(opts, moment.WithDeduplicator(deduplicator))
			}
			h := newVerifier(t).Handler(row.process, opts...)
			resp := testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON))
			assert.Equal(t, row.status, resp.Code, row.why)
			assert.Empty(t, resp.Body.String(), row.why)
			for _, want := range row.logs {
				assert.Contains(t, log.String(), want, row.why)
			}
			assert.Equal(t, row.logs == nil, log.Len() == 0, "%s: %s", row.why, &log)
			for _, private := range []string{"pay_1313235234843nmafdsa", "bacc_", "whsec_", "v1,"} {
				assert.NotContains(t, log.String(), private, row.why)
			}
		}
	}
}

// brokenDeduplicator is a merchant's own deduplicator.
type brokenDeduplicator struct{}

func (brokenDeduplicator) Once(context.Context, string, func(context.Context) error) error {
	panic("no such table")
}

func TestWebhookHandlerWithABrokenDeduplicator(t *testing.T) {
	for _, row := range []struct {
		deduplicator moment.Deduplicator
		says         string
	}{
		{brokenDeduplicator{}, "panic: no such table"},
		{&moment.MemoryDeduplicator{}, "moment: process webhook: deduplicator: was not made by NewMemoryDeduplicator"},
		{(*moment.MemoryDeduplicator)(nil), "moment: process webhook: deduplicator: was not made by NewMemoryDeduplicator"},
	} {
		var log bytes.Buffer
		h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return nil },
			moment.WithDeduplicator(row.deduplicator), moment.WithHandlerLogger(slog.New(slog.NewTextHandler(&log, nil))))
		assert.Equal(t, 500, testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON)).Code)
		assert.Contains(t, log.String(), `error="`+row.says+`"`)
	}
	assert.Panics(t, func() { moment.WithDeduplicator(nil) }, "because otherwise all events would be processed again without a reason in the log")
	assert.EqualError(t, moment.NewMemoryDeduplicator(time.Hour).Once(t.Context(), "msg_1", nil), "moment: process webhook: function: is nil")
}

// An event of a type that this version does not know is acknowledged, by a function that has no
// case for it.
func TestUnknownEventsAreAcknowledged(t *testing.T) {
	h := newVerifier(t).Handler(func(_ context.Context, e *moment.Event) error {
		if _, ok := e.Data.(*moment.AmountApplied); ok {
			return errors.New("unexpected event")
		}
		return nil
	})
	body := `{"id":"evt_2","type":"customer.merged","data":[]}`
	assert.Equal(t, 204, testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, body), strings.NewReader(body)).Code)
}

// The handler reads the default logger at each delivery, because programs set it after they have
// built their handlers.
func TestWebhookHandlerLogsToTheDefault(t *testing.T) {
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return errors.New("closed") })
	var log bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON))
	assert.Contains(t, log.String(), "error=closed")
}

// Moment delivers an event until the handler acknowledges it, and may deliver it twice even then.
func TestWebhookHandlerProcessesOnce(t *testing.T) {
	runs := 0
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error {
		if runs++; runs < 3 {
			return errors.New("not yet")
		}
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)), moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
	for i, want := range []int{500, 500, 204, 204, 204} {
		header := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt.Add(time.Duration(i)*time.Second), testkit.EventJSON) // each delivery has its own signature
		assert.Equal(t, want, testkit.Deliver(h, http.MethodPost, header, strings.NewReader(testkit.EventJSON)).Code, "delivery %d", i+1)
	}
	assert.Equal(t, 3, runs)
	assert.Equal(t, 204, testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_2", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON)).Code)
	assert.Equal(t, 4, runs, "another message, although the event is the same")
}

// laterLog is a handler that writes its records later, like handlers that log in the background.
type laterLog struct {
	slog.Handler

	records []slog.Record
}

func (l *laterLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *laterLog) Handle(_ context.Context, r slog.Record) error {
	l.records = append(l.records, r)
	return nil
}

func (l *laterLog) String() string {
	var out strings.Builder
	for _, r := range l.records {
		_ = slog.NewTextHandler(&out, nil).Handle(context.Background(), r)
	}
	return out.String()
}

// The event, the key of the deduplicator and the log attributes are copies, because they outlive
// the request.
func TestEventIsACopyOfItsRequest(t *testing.T) {
	var events []*moment.Event
	var logs laterLog
	handler := newVerifier(t).Handler(func(_ context.Context, e *moment.Event) error {
		events = append(events, e)
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)), moment.WithHandlerLogger(slog.New(&logs)))
	deliver := func(body, id string) int {
		memory := make([]reused, 0, 4)
		header := http.Header{}
		for name, values := range testkit.SignWebhook(testkit.WebhookKey, id, testkit.SignedAt, body) {
			m := reused(values[0])
			memory = append(memory, m)
			header[name] = []string{m.string()}
		}
		content := reused(body)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(content.string()))
		r.Header = header
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		for _, m := range append(memory, content) {
			m.overwrite() // with the next request
		}
		return w.Code
	}
	for range 2 {
		for n := range 10 {
			require.Equal(t, 204, deliver(testkit.EventJSON, fmt.Sprint("msg_", n)))
		}
	}
	require.Len(t, events, 10, "each is processed once")
	for n, e := range events {
		assert.Equal(t, fmt.Sprint("msg_", n), e.MessageID)
		assert.Equal(t, testkit.EventJSON, string(e.Raw)) //nolint:testifylint // byte for byte
		assert.Equal(t, moment.EventTypeAmountApplied, e.Type)
	}
	require.Equal(t, 400, deliver(`{"type":1}`, "msg_10"))
	assert.Contains(t, logs.String(), "message=msg_10")
}

func TestWebhooksByOtherMethods(t *testing.T) {
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return errors.New("was processed") })
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		resp := testkit.Deliver(h, method, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON))
		assert.Equal(t, http.StatusMethodNotAllowed, resp.Code, method)
		assert.Equal(t, "POST", resp.Header().Get("Allow"), method)
	}
}

func TestWebhookOfOneMiB(t *testing.T) {
	body := `{"type":"ping"` + strings.Repeat(" ", 1<<20-15) + "}"
	require.Len(t, body, 1<<20)
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return nil })
	assert.Equal(t, 204, testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, body), strings.NewReader(body)).Code)
}
