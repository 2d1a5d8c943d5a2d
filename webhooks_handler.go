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

// WithDeduplicator processes each event once, however often it is delivered. Without it, the
// function has to do so by itself, because Moment delivers an event again whenever it gets no
// response. It panics if d is nil.
func WithDeduplicator(d Deduplicator) HandlerOption {
	if d == nil {
		panic("moment: the Deduplicator of a webhook handler is nil")
	}
	return HandlerOption{func(h *webhookHandler) { h.deduplicator = d }}
}

// WithHandlerLogger sets the logger of the handler. It logs the errors of the function, and signed
// messages that are not events, at level error; and rejected deliveries at level warn. It never
// logs bodies or secrets, but it logs the text of the function's errors and panics. The default is
// [slog.Default], at the time of the delivery.
func WithHandlerLogger(l *slog.Logger) HandlerOption {
	return HandlerOption{func(h *webhookHandler) { h.logger = l }}
}

// Handler returns a handler that verifies each delivery and passes the event to process. It
// responds with 204 once process returns nil. If process fails or panics, it responds with 500, and
// Moment delivers the event again under the same MessageID. It responds with 400 to a delivery that
// Moment did not sign or that is not an event, with 413 to more than 1 MiB, and with 405 to any
// method but POST. The response never says why; the logger does.
//
// Anyone can connect to the endpoint and send a body slowly, of which the handler holds up to 1
// MiB. So set the timeouts of the server, and let WriteTimeout exceed the time that process takes:
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
// Return nil for events that mean nothing to you, above all of types that you do not know. Handler
// panics if process is nil, an option is the zero HandlerOption, or v was not made by
// [NewWebhookVerifier].
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
		TraceParent: strings.Clone(r.Header.Get("Traceparent")), // spans outlive requests, and some adapters reuse the memory of headers
		TraceState:  strings.Clone(r.Header.Get("Tracestate")),
	})
	if ctx != nil {
		r = r.WithContext(ctx)
	}
	result := DeliveryResult{Outcome: DeliveryFailed, ErrorType: "panic"} // of a logger, for example
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
		case errors.Is(err, ErrMalformedEvent): // which Moment has signed, and will deliver again: it may be about money
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

// once reports whether the function was called. It turns a panic into an error, so that Moment
// delivers the event again.
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

// panicError is what a function panicked with.
type panicError struct{ text, stack string }

func (e *panicError) Error() string { return "panic: " + e.text }

// panicText is what is meant to be read. Anything else may hold an event, and is named by its type.
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
