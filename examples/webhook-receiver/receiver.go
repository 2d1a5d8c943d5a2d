package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/moment-billing/moment-go"
)

const (
	path = "/webhooks/moment"

	readTimeout     = 10 * time.Second // for a delivery to come in: it has 1 MiB at most
	processTimeout  = 10 * time.Second // for an event, waiting for locks included; Moment delivers it again after that
	shutdownTimeout = 25 * time.Second // for both, and less than the 30 seconds after which Kubernetes kills
	healthTimeout   = 2 * time.Second

	// How long a message is remembered: longer than Moment goes on delivering it, which is not
	// documented.
	remember     = 30 * 24 * time.Hour
	pruningEvery = 24 * time.Hour
)

// receiver takes deliveries. Its fields can be changed before it serves.
type receiver struct {
	verifier *moment.WebhookVerifier
	ledger   *ledger
	log      *slog.Logger

	enter           func(context.Context, *sql.Tx, *moment.Event, *moment.AmountApplied) error
	shutdownTimeout time.Duration
}

func newReceiver(verifier *moment.WebhookVerifier, ledger *ledger, log *slog.Logger) *receiver {
	return &receiver{verifier, ledger, log, enter, shutdownTimeout}
}

func (r *receiver) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+path, r.verifier.Handler(r.process, moment.WithHandlerLogger(r.log)))
	mux.HandleFunc("GET /healthz", r.health)
	return mux
}

// process is called for each delivery that Moment has signed. If it fails, the event comes again.
func (r *receiver) process(ctx context.Context, e *moment.Event) error {
	log := r.log.With(slog.String("type", string(e.Type)), slog.String("event", e.ID), slog.String("message", e.MessageID))
	payment, ok := e.Data.(*moment.AmountApplied)
	if !ok {
		log.InfoContext(ctx, "event without a payment acknowledged")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, processTimeout)
	defer cancel()
	text := "payment delivered again"
	err := r.ledger.store.Process(ctx, e, func(ctx context.Context, tx *sql.Tx) error {
		text = "payment entered"
		return r.enter(ctx, tx, e, payment)
	})
	if err != nil {
		return err // which the handler logs
	}
	log.InfoContext(ctx, text, slog.String("payment", payment.PaymentID))
	return nil
}

// health answers 200 if the tables can be read, so that a load balancer sends no deliveries where
// the database cannot be reached.
func (r *receiver) health(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), healthTimeout)
	defer cancel()
	if _, err := r.ledger.ExecContext(ctx, tablesQuery); err != nil {
		r.log.ErrorContext(ctx, "not healthy", slog.String("error", err.Error()))
		http.Error(w, "the database cannot be reached", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

func (r *receiver) server() *http.Server {
	return &http.Server{
		Handler:           r.handler(),
		ReadHeaderTimeout: readTimeout / 2,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + processTimeout + busyTimeout + time.Second, // it runs from the end of the headers
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
	}
}

// serve takes deliveries from listener until ctx ends, and then finishes those that are there.
func (r *receiver) serve(ctx context.Context, listener net.Listener) error {
	server := r.server()
	background, stop := context.WithCancel(ctx)
	var pruning sync.WaitGroup
	pruning.Go(func() { r.prune(background) })
	defer pruning.Wait()
	defer stop()

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	r.log.InfoContext(ctx, "listening", slog.String("address", listener.Addr().String()), slog.String("database", string(r.ledger.dialect)))
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	r.log.InfoContext(ctx, "shutting down")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // what is still processed is rolled back, and comes again
		return fmt.Errorf("shut down with deliveries left: %w", err)
	}
	r.log.InfoContext(ctx, "shut down")
	return nil
}

// prune forgets old messages, now and once a day.
func (r *receiver) prune(ctx context.Context) {
	day := time.NewTicker(pruningEvery)
	defer day.Stop()
	for {
		n, err := r.ledger.store.Prune(ctx, remember)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.log.ErrorContext(ctx, "old messages not forgotten", slog.String("error", err.Error()))
		default:
			r.log.InfoContext(ctx, "old messages forgotten", slog.Int64("messages", n))
		}
		select {
		case <-day.C:
		case <-ctx.Done():
			return
		}
	}
}
