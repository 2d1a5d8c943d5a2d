package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/riverqueue/river"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentotel"
	"github.com/moment-billing/moment-go/momentsql"
)

const (
	webhookPath = "/webhooks/moment"

	readTimeout   = 10 * time.Second // to read a delivery of at most 1 MiB
	healthTimeout = 2 * time.Second

	// remember must be longer than the time for which Moment delivers an event again. Moment's
	// reference does not state that time.
	remember = 30 * 24 * time.Hour
)

// receiver handles deliveries.
type receiver struct {
	store    *store
	verifier *moment.WebhookVerifier
	marks    *momentsql.Store
	jobs     *river.Client[*sql.Tx] // only to insert jobs
	observe  moment.HandlerOption
	log      *slog.Logger
}

func newReceiver(s *store, verifier *moment.WebhookVerifier, jobs *river.Client[*sql.Tx], log *slog.Logger) (*receiver, error) {
	marks, err := momentsql.NewStore(s.rows)
	return &receiver{s, verifier, marks, jobs, momentotel.ObserveDeliveries(), log}, err
}

func (r *receiver) server() *http.Server {
	return &http.Server{
		Handler:           r,
		ReadHeaderTimeout: readTimeout / 2,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + storeTimeout + time.Second, // it starts at the end of the headers
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
	}
}

// ServeHTTP does not use [http.ServeMux], because its redirects would not be logged. The log lines
// have the values that explain a rejection: the encoding shows whether a gateway has compressed the
// body, and Moment can find a delivery by its id. They are truncated, because the sender controls
// them.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	short := func(key, value string) slog.Attr { return slog.String(key, value[:min(len(value), 100)]) }
	log := r.log.With(short("method", req.Method), short("path", req.URL.Path),
		short("webhook_id", req.Header.Get("Webhook-Id")), short("content_encoding", req.Header.Get("Content-Encoding")))
	switch {
	case req.URL.Path == webhookPath:
		r.deliver(w, req, log)
	case req.URL.Path == "/healthz" && (req.Method == http.MethodGet || req.Method == http.MethodHead):
		r.health(w, req)
	default:
		log.WarnContext(req.Context(), "request rejected", slog.Int("status", http.StatusNotFound))
		http.NotFound(w, req)
	}
}

// deliver responds with 204 after an event is stored.
func (r *receiver) deliver(w http.ResponseWriter, req *http.Request, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(req.Context(), readTimeout+storeTimeout)
	defer cancel()
	if req.Method != http.MethodPost {
		log.WarnContext(ctx, "request rejected", slog.Int("status", http.StatusMethodNotAllowed))
	}
	var args postPayment
	var failed error
	r.marks.Handler(r.verifier, func(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
		if payment, ok := e.Data.(*moment.AmountApplied); ok {
			kind, id := payment.Obligation()
			args = postPayment{e.ID, payment.PaymentID, string(kind), id, payment.Amount, payment.Currency}
			failed = r.insert(ctx, tx, args)
		}
		return failed
	}, moment.WithHandlerLogger(log), r.observe).ServeHTTP(w, req.WithContext(ctx))
	r.store.recordConflict(ctx, log, args, failed) // after the transaction has ended
}

// insert inserts the job that posts a payment, in the transaction that marks the message. It does
// not read the ledger, because events must be stored while the ledger is stopped.
func (r *receiver) insert(ctx context.Context, tx *sql.Tx, args postPayment) error {
	if args.EventID == "" || args.PaymentID == "" {
		return errors.New("the event has no id or no payment_id")
	}
	result, err := r.jobs.InsertTx(ctx, tx, args, nil)
	if err != nil {
		return err
	}
	var has postPayment // an earlier payment, if River has a job for the event
	if err := json.Unmarshal(result.Job.EncodedArgs, &has); err != nil {
		return err
	}
	if has != args {
		return errConflict
	}
	return r.store.inPlace()
}

// health responds with 503 if events cannot be stored, so that a load balancer sends no deliveries
// to this process. A conflict does not change the status, because other deliveries are stored.
func (r *receiver) health(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), healthTimeout)
	defer cancel()
	details := "ok\n"
	probe := "healthz " + rand.Text() // stored like a delivery, and then removed
	err := r.marks.Process(ctx, &moment.Event{MessageID: probe}, func(ctx context.Context, tx *sql.Tx) error {
		job, err := r.jobs.InsertTx(ctx, tx, postPayment{EventID: probe}, nil)
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM moment_webhook_messages WHERE message_id = $1", probe)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM river_job WHERE id = $1", job.Job.ID)
		}
		if err != nil {
			return err
		}
		var event, payment string
		var amount moment.Money
		return each(ctx, tx, []any{&event, &payment, &amount.Amount, &amount.Currency}, func() {
			details += fmt.Sprintf("conflict: payment %q of %v is not posted, because another payment has its event %q\n", payment, amount, event)
		}, "SELECT event_id, payment_id, amount, currency FROM ledger_conflicts ORDER BY found_at DESC LIMIT 10")
	})
	if err = errors.Join(err, r.store.inPlace()); err != nil {
		r.log.ErrorContext(ctx, "not healthy", slog.String("error", err.Error()))
		http.Error(w, "nothing can be stored", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, details)
}

// prune removes old marks at the start and once a day. momentsql's Prune does not use a
// transaction, so it would not find our schema.
func (r *receiver) prune(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.store.exec(ctx, "DELETE FROM moment_webhook_messages WHERE processed_at < $1", time.Now().Add(-remember).Unix())
		if err != nil && ctx.Err() == nil {
			r.log.ErrorContext(ctx, "old marks not removed", slog.String("error", err.Error()))
		}
		select {
		case <-time.After(24 * time.Hour):
		case <-ctx.Done():
		}
	}
}
