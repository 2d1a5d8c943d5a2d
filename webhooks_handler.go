package moment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// HandlerOption changes a setting of the handler that [WebhookVerifier.Handler] makes.
type HandlerOption struct {
	apply func(*webhookHandler)
}

// WithDeduplicator processes each event once, even if it is delivered several times. Without it,
// the function itself must detect duplicates, because Moment delivers an event again if it does not
// receive a response. WithDeduplicator panics if d is nil.
func WithDeduplicator(d Deduplicator) HandlerOption {
	if d == nil {
		panic("moment: the Deduplicator of a webhook handler is nil")
	}
	return HandlerOption{func(h *webhookHandler) { h.deduplicator = d }}
}

// WithHandlerLogger sets the logger of the handler. Errors of the function and signed messages that
// are not events are logged at level error, other rejected deliveries at level warn. The log
// contains the text of the function's errors and panics, but never bodies or secrets. The default
// is [slog.Default], at the time of the delivery.
func WithHandlerLogger(l *slog.Logger) HandlerOption {
	return HandlerOption{func(h *webhookHandler) { h.logger = l }}
}

// Handler returns a handler that verifies each delivery and passes the event to process. It
// responds with
//
//   - 204 if process returns nil;
//   - 500 if process fails or panics: Moment then delivers the event again with the same MessageID;
//   - 400 if Moment did not sign the delivery, or it is not an event;
//   - 405 if the method is not POST;
//   - 413 if the body has more than 1 MiB.
//
// The response never contains the reason, but the log does.
//
// Set the timeouts of the server, because anyone can send a body slowly, and the handler keeps up
// to 1 MiB of it in memory. WriteTimeout must exceed the duration of process:
//
//	server := &http.Server{
//		Handler:           mux,
//		ReadHeaderTimeout: 5 * time.Second,
//		ReadTimeout:       10 * time.Second,
//		WriteTimeout:      20 * time.Second,
//		IdleTimeout:       time.Minute,
//		MaxHeaderBytes:    64 << 10,
//	}
//
// The function should return nil for events that it does not handle, including those of unknown
// types. Handler panics if process is nil, an option is the zero HandlerOption, or v was not made
// by [NewWebhookVerifier].
func (v *WebhookVerifier) Handler(process func(ctx context.Context, e *Event) error, opts ...HandlerOption) http.Handler {
	switch {
	case v == nil || v.hidden == nil:
		panic("moment: the WebhookVerifier of a handler was not made by NewWebhookVerifier")
	case process == nil:
		panic("moment: the function of a webhook handler is nil")
	}
	h := &webhookHandler{verifier: v, process: process}
	for _, opt := range opts {
		if opt.apply == nil {
			panic("moment: an option of a webhook handler is the zero HandlerOption")
		}
		opt.apply(h)
	}
	return h
}

type webhookHandler struct {
	verifier     *WebhookVerifier
	process      func(context.Context, *Event) error
	deduplicator Deduplicator    // may be nil
	logger       *slog.Logger    // may be nil
	observer     HandlerObserver // may be nil
}

func (h *webhookHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.observer == nil {
		h.serve(w, r)
		return
	}
	start := time.Now()
	ctx, end := h.observer(r.Context(), Delivery{
		TraceParent: strings.Clone(r.Header.Get("Traceparent")), // because spans outlive requests, and some adapters reuse the memory of headers
		TraceState:  strings.Clone(r.Header.Get("Tracestate")),
	})
	if ctx != nil {
		r = r.WithContext(ctx)
	}
	result := DeliveryResult{Outcome: DeliveryFailed, ErrorType: "panic"} // if a logger panics, for example
	defer func() {
		if end != nil {
			result.Duration = time.Since(start)
			end(result)
		}
	}()
	result = h.serve(w, r)
}

// serve handles a delivery and returns its result.
func (h *webhookHandler) serve(w http.ResponseWriter, r *http.Request) DeliveryResult {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return DeliveryResult{Outcome: DeliveryRejected, ErrorType: "method_not_allowed"}
	}
	event, err := h.verifier.ParseRequest(r)
	if err != nil {
		status, level, attrs := http.StatusBadRequest, slog.LevelWarn, []slog.Attr{slog.String("error", oneLine(err.Error()))}
		switch {
		case errors.Is(err, ErrBodyTooLarge):
			status = http.StatusRequestEntityTooLarge
		case errors.Is(err, ErrMalformedEvent): // an error, because it may be about money, and Moment will deliver it again
			level, attrs = slog.LevelError, append(attrs, slog.String("message", strings.Clone(r.Header.Get("Webhook-Id"))))
		}
		h.log(r.Context(), level, "moment: webhook rejected", attrs...)
		w.WriteHeader(status)
		return DeliveryResult{Outcome: DeliveryRejected, ErrorType: rejection(err)}
	}
	processed, err := h.once(r.Context(), event)
	if err != nil {
		result := DeliveryResult{Outcome: DeliveryFailed, Type: event.Type, ErrorType: "function_failed"}
		attrs := []slog.Attr{
			slog.String("error", err.Error()),
			slog.String("type", string(event.Type)), slog.String("event", event.ID), slog.String("message", event.MessageID),
		}
		var p *panicError
		if errors.As(err, &p) {
			attrs = append(attrs, slog.String("stack", p.stack))
			result.ErrorType = "panic"
		}
		h.log(r.Context(), slog.LevelError, "moment: webhook failed", attrs...)
		w.WriteHeader(http.StatusInternalServerError)
		return result
	}
	w.WriteHeader(http.StatusNoContent)
	if !processed {
		return DeliveryResult{Outcome: DeliveryDuplicate, Type: event.Type}
	}
	return DeliveryResult{Outcome: DeliveryProcessed, Type: event.Type}
}

// once processes the event, and reports whether the function was called. It returns a panic as an
// error, so that Moment delivers the event again.
func (h *webhookHandler) once(ctx context.Context, e *Event) (_ bool, err error) {
	var processed atomic.Bool // because a deduplicator may run the function in another goroutine
	defer func() {
		if reason := recover(); reason != nil {
			err = &panicError{panicText(reason), string(debug.Stack())}
		}
	}()
	process := func(ctx context.Context) error {
		processed.Store(true)
		return h.process(ctx, e)
	}
	if h.deduplicator == nil {
		return true, process(ctx)
	}
	err = h.deduplicator.Once(ctx, e.MessageID, process)
	return processed.Load(), err
}

// panicError is the panic of a function.
type panicError struct{ text, stack string }

func (e *panicError) Error() string { return "panic: " + e.text }

// panicText returns the text of an error or a string. Any other value is named by its type, because
// it may contain an event.
func panicText(reason any) string {
	switch reason := reason.(type) {
	case error:
		return reason.Error()
	case string:
		return reason
	default:
		return fmt.Sprintf("%T", reason)
	}
}

func (h *webhookHandler) log(ctx context.Context, level slog.Level, text string, attrs ...slog.Attr) {
	logger := h.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, level, text, attrs...)
}
