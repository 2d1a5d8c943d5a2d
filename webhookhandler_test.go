package moment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
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

// What the merchant's function does, what Moment is told, and what is logged.
func TestWebhookHandlerAnswers(t *testing.T) {
	for _, row := range []struct {
		why     string
		process func(context.Context, *moment.Event) error
		status  int
		logs    []string
	}{
		{"it worked", func(context.Context, *moment.Event) error { return nil }, 204, nil},
		{
			"it failed: Moment is to deliver again", func(context.Context, *moment.Event) error { return errors.New("the ledger is\nclosed") }, 500,
			[]string{`level=ERROR msg="moment: webhook failed" error="the ledger is\nclosed" type=obligation.amount_applied event=evt_2341234567890abcdef message=msg_1`},
		},
		{
			"it panicked: the next deliveries are served all the same", func(context.Context, *moment.Event) error { panic("no such table") }, 500,
			[]string{`level=ERROR msg="moment: webhook failed" error="panic: no such table" type=`, ` stack="goroutine `, "TestWebhookHandlerAnswers"},
		},
		{"it panicked as net/http lets handlers do", func(context.Context, *moment.Event) error { panic(http.ErrAbortHandler) }, 500, []string{`error="panic: net/http: abort Handler" `}},
		{"it panicked with an event, which is about people", func(_ context.Context, e *moment.Event) error { panic(e) }, 500, []string{`error="panic: *moment.Event" `}},
	} {
		for _, deduplicator := range []moment.Deduplicator{nil, moment.NewMemoryDeduplicator(time.Hour)} {
			var log bytes.Buffer
			opts := []moment.HandlerOption{moment.WithHandlerLogger(slog.New(slog.NewTextHandler(&log, nil)))}
			if deduplicator != nil {
				opts = append(opts, moment.WithDeduplicator(deduplicator))
			}
			h := newVerifier(t).Handler(row.process, opts...)
			answer := testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON))
			assert.Equal(t, row.status, answer.Code, row.why)
			assert.Empty(t, answer.Body.String(), row.why)
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

// brokenDeduplicator is somebody's own.
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
	assert.Panics(t, func() { moment.WithDeduplicator(nil) }, "or all would be processed again, and nobody would see why")
	assert.EqualError(t, moment.NewMemoryDeduplicator(time.Hour).Once(t.Context(), "msg_1", nil), "moment: process webhook: function: is nil")
}

// An event of a type that this version does not know is acknowledged, by a function that has no
// case for it.
func TestUnknownEventsAreAcknowledged(t *testing.T) {
	h := newVerifier(t).Handler(func(_ context.Context, e *moment.Event) error {
		if _, ok := e.Data.(*moment.AmountApplied); ok {
			return errors.New("it is none")
		}
		return nil
	})
	body := `{"id":"evt_2","type":"customer.merged","data":[]}`
	assert.Equal(t, 204, testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, body), strings.NewReader(body)).Code)
}

// The default logger is the one of the delivery's time: programs set it after they have built their
// handlers.
func TestWebhookHandlerLogsToTheDefault(t *testing.T) {
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error { return errors.New("closed") })
	var log bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON))
	assert.Contains(t, log.String(), "error=closed")
}

// Moment delivers again until it is told that an event was processed, and a delivery may come twice
// even then.
func TestWebhookHandlerProcessesOnce(t *testing.T) {
	runs := 0
	h := newVerifier(t).Handler(func(context.Context, *moment.Event) error {
		if runs++; runs < 3 {
			return errors.New("not yet")
		}
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)), moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))
	for i, want := range []int{500, 500, 204, 204, 204} {
		header := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt.Add(time.Duration(i)*time.Second), testkit.EventJSON) // each delivery is signed anew
		assert.Equal(t, want, testkit.Deliver(h, http.MethodPost, header, strings.NewReader(testkit.EventJSON)).Code, "delivery %d", i+1)
	}
	assert.Equal(t, 3, runs)
	assert.Equal(t, 204, testkit.Deliver(h, http.MethodPost, testkit.SignWebhook(testkit.WebhookKey, "msg_2", testkit.SignedAt, testkit.EventJSON), strings.NewReader(testkit.EventJSON)).Code)
	assert.Equal(t, 4, runs, "another message, although the event is the same")
}

func mustNotRun(context.Context) error { panic("called") }

func TestMemoryDeduplicator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := moment.NewMemoryDeduplicator(time.Hour)
		runs := 0
		once := func(id string, err error) error {
			return d.Once(t.Context(), id, func(context.Context) error {
				runs++
				return err
			})
		}
		failed := errors.New("failed")
		assert.Equal(t, failed, once("msg_1", failed))
		assert.NoError(t, once("msg_1", nil), "what failed may be tried again")
		assert.NoError(t, once("msg_1", failed), "what succeeded is not")
		assert.NoError(t, once("msg_2", nil), "another message")
		assert.Equal(t, 3, runs)

		time.Sleep(time.Hour - time.Nanosecond)
		assert.NoError(t, once("msg_1", failed), "until the window ends")
		assert.Equal(t, 3, runs)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, failed, once("msg_1", failed), "then it is forgotten")
		assert.Equal(t, 4, runs)
		assert.NoError(t, once("msg_1", nil))
		assert.NoError(t, once("msg_3", nil), "which forgets what has expired, and not this message once more")
		assert.NoError(t, once("msg_1", failed))
		assert.Equal(t, 6, runs)

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			assert.NoError(t, d.Once(ended, "msg_1", mustNotRun), "it is known how it ended, whatever else has")
		}
		assert.Equal(t, "moment.MemoryDeduplicator", fmt.Sprintf("%+v", d))
	})
}

// Of deliveries at the same time, one is processed, and the others are told how it ended.
func TestMemoryDeduplicatorAtOnce(t *testing.T) {
	for _, row := range []struct {
		why string
		end func() error
		is  string // empty for success
	}{
		{"success", func() error { return nil }, ""},
		{"failure", func() error { return errors.New("the ledger is closed") }, "the ledger is closed"},
		{"panic", func() error { panic("no such table") }, "moment: the processing of the webhook did not return"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := moment.NewMemoryDeduplicator(time.Hour)
			errs := make(chan error, 10)
			go func() {
				defer func() { _ = recover() }()
				_ = d.Once(t.Context(), "msg_1", func(context.Context) error {
					time.Sleep(time.Minute)
					return row.end()
				})
			}()
			synctest.Wait()
			for range cap(errs) {
				go func() {
					errs <- d.Once(t.Context(), "msg_1", func(context.Context) error { return errors.New("ran twice") })
				}()
			}
			synctest.Wait()
			assert.Empty(t, errs, "they wait")

			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			assert.ErrorIs(t, d.Once(impatient, "msg_1", mustNotRun), context.DeadlineExceeded, "as long as their context lets them")
			assert.NoError(t, d.Once(t.Context(), "msg_2", func(context.Context) error { return nil }), "other messages do not")

			time.Sleep(time.Minute)
			synctest.Wait()
			require.Len(t, errs, cap(errs))
			for range cap(errs) {
				if err := <-errs; row.is == "" {
					assert.NoError(t, err, row.why)
				} else {
					assert.EqualError(t, err, row.is, row.why)
				}
			}
		})
	}
}

// Full of what it may not forget yet, it lets nothing pass: better late than twice.
func TestMemoryDeduplicatorFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := moment.NewMemoryDeduplicator(time.Hour)
		runs := 0
		process := func(context.Context) error {
			runs++
			return nil
		}
		id := func(n int) string { return "msg_" + strconv.Itoa(n) }
		for n := range 100_000 {
			require.NoError(t, d.Once(t.Context(), id(n), process))
		}
		require.Equal(t, 100_000, runs)
		require.EqualError(t, d.Once(t.Context(), "one more", process), "moment: the deduplicator is full: it holds 100,000 messages")
		assert.NoError(t, d.Once(t.Context(), id(0), process), "what it knows is known")
		assert.Equal(t, 100_000, runs)

		time.Sleep(time.Hour)
		assert.NoError(t, d.Once(t.Context(), "one more", process))
		assert.Equal(t, 100_001, runs)
	})
}

// What is being processed counts, or a flood of messages that hang would take all memory.
func TestMemoryDeduplicatorFullOfRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := moment.NewMemoryDeduplicator(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		for n := range 100_000 {
			go func() { _ = d.Once(ctx, strconv.Itoa(n), hang) }()
		}
		synctest.Wait()
		assert.ErrorContains(t, d.Once(ctx, "one more", hang), "is full")
		cancel()
		synctest.Wait()
		assert.NoError(t, d.Once(t.Context(), "one more", func(context.Context) error { return nil }), "what failed takes no room")
	})
}

func TestMemoryDeduplicatorNeedsAWindow(t *testing.T) {
	for _, window := range []time.Duration{0, -1} {
		assert.Panics(t, func() { moment.NewMemoryDeduplicator(window) })
	}
}
