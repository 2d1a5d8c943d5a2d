package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

const (
	path = "/webhooks/moment"

	maxDeliveries = 10 // stored at the same time: each has a connection to the database

	readTimeout     = 10 * time.Second // for a delivery to come in: it has 1 MiB at most
	storeTimeout    = 10 * time.Second // for an event to be stored; Moment delivers it again after that
	shutdownTimeout = 25 * time.Second // for both, and less than the 30 seconds after which Kubernetes kills
	healthTimeout   = 2 * time.Second

	// How long an event is remembered: longer than Moment goes on delivering it, which is not
	// documented.
	remember     = 30 * 24 * time.Hour
	pruningEvery = 24 * time.Hour
)

// receiver takes deliveries.
type receiver struct {
	verifier *moment.WebhookVerifier
	db       *sql.DB
	store    *momentsql.Store
	jobs     *river.Client[pgx.Tx] // only to insert them
	t        telemetry
	log      *slog.Logger
}

// receive is the command: it takes deliveries until ctx ends.
func receive(ctx context.Context, c config, t telemetry, log *slog.Logger) (err error) {
	r, err := newReceiver(c, t, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.db.Close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return err
	}
	return r.serve(ctx, listener)
}

func newReceiver(c config, t telemetry, log *slog.Logger) (*receiver, error) {
	connection, err := pgx.ParseConfig(c.database)
	if err != nil {
		return nil, err
	}
	endSessions(connection)
	db := stdlib.OpenDB(*connection)
	db.SetMaxOpenConns(maxDeliveries)
	db.SetMaxIdleConns(maxDeliveries)
	store, err := momentsql.NewStore(db)
	if err != nil {
		return nil, err
	}
	jobs, err := river.NewClient(riverpgxv5.New(nil), &river.Config{Logger: log, Plugins: []rivertype.Plugin{t.ofJobs()}})
	if err != nil {
		return nil, err
	}
	return &receiver{c.verifier, db, store, jobs, t, log}, nil
}

func (r *receiver) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+path, otelhttp.NewHandler(
		r.verifier.Handler(r.process, moment.WithHandlerLogger(r.log)), "POST "+path,
		// Whoever delivers is outside: a trace of theirs is a link of ours, not its parent.
		append(r.t.ofHTTP(), otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }))...))
	mux.HandleFunc("GET /healthz", r.health)
	return mux
}

// process is called for each delivery that Moment has signed. The job that posts the payment is
// inserted in the transaction that marks the event: what is acknowledged is stored, once. If it
// fails, the event comes again.
func (r *receiver) process(ctx context.Context, e *moment.Event) error {
	payment, ok := e.Data.(*moment.AmountApplied)
	if !ok {
		r.log.InfoContext(ctx, "event without a payment acknowledged", slog.String("type", string(e.Type)), slog.String("event", e.ID))
		return nil
	}
	if e.ID == "" || payment.PaymentID == "" {
		return errors.New("the event has no id or no payment_id")
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return r.store.Process(ctx, e, func(ctx context.Context, tx *sql.Tx) error {
		return withRiverTx(ctx, tx, func(tx pgx.Tx) error {
			kind, id := payment.Obligation()
			_, err := r.jobs.InsertTx(ctx, tx, postPayment{e.ID, payment.PaymentID, string(kind), id, payment.Amount, payment.Currency}, nil)
			return err
		})
	})
}

// healthQuery fails if events cannot be stored. The ledger is not asked: while it is stopped,
// events are stored all the same. No row is read: where one table is empty, all of the other would
// be.
const healthQuery = "SELECT 1 FROM river_job, moment_webhook_messages LIMIT 0"

// health answers 200 if the tables can be read, so that a load balancer sends no deliveries where
// the database cannot be reached.
func (r *receiver) health(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), healthTimeout)
	defer cancel()
	if _, err := r.db.ExecContext(ctx, healthQuery); err != nil {
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
		WriteTimeout:      readTimeout + storeTimeout + time.Second, // it runs from the end of the headers
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
	r.log.InfoContext(ctx, "listening", slog.String("address", listener.Addr().String()))
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	r.log.InfoContext(ctx, "shutting down")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // what is not stored yet is rolled back, and comes again
		return fmt.Errorf("shut down with deliveries left: %w", err)
	}
	r.log.InfoContext(ctx, "shut down")
	return nil
}

// prune forgets old events, now and once a day.
func (r *receiver) prune(ctx context.Context) {
	day := time.NewTicker(pruningEvery)
	defer day.Stop()
	for {
		if n, err := r.store.Prune(ctx, remember); err != nil && ctx.Err() == nil {
			r.log.ErrorContext(ctx, "old events not forgotten", slog.String("error", err.Error()))
		} else if err == nil {
			r.log.InfoContext(ctx, "old events forgotten", slog.Int64("events", n))
		}
		select {
		case <-day.C:
		case <-ctx.Done():
			return
		}
	}
}
