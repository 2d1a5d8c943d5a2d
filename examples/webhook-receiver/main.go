// Command webhook-receiver receives webhooks and enters each payment once into an SQLite file.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	_ "modernc.org/sqlite"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

// The unique event id prevents duplicates after a month, when momentsql has forgotten the message.
// Amounts are in minor units, and negative if a payment is reversed.
const schema = `CREATE TABLE IF NOT EXISTS ledger (event_id TEXT PRIMARY KEY CHECK (event_id <> ''), payment_id TEXT CHECK (payment_id <> ''),
	obligation_id TEXT, amount BIGINT, currency TEXT, received_at BIGINT);
CREATE TABLE IF NOT EXISTS health (id INTEGER PRIMARY KEY, checked_at BIGINT);`

// enter is the function to replace. It must use only tx, because other work could be done twice.
func enter(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
	payment, ok := e.Data.(*moment.AmountApplied)
	if !ok {
		return nil
	}
	_, id := payment.Obligation()
	_, err := tx.ExecContext(ctx, `INSERT INTO ledger VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING`,
		e.ID, payment.PaymentID, id, int64(payment.Amount), string(payment.Currency), time.Now().Unix())
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	secret := os.Getenv("MOMENT_WEBHOOK_SECRET")
	old := cmp.Or(os.Getenv("MOMENT_WEBHOOK_OLD_SECRET"), secret)
	verifier, err := moment.NewWebhookVerifier(secret, moment.WithAdditionalSecret(old))
	check("MOMENT_WEBHOOK_SECRET or MOMENT_WEBHOOK_OLD_SECRET", err)
	l, err := openLedger(ctx, cmp.Or(os.Getenv("LEDGER"), "ledger.db"))
	check("open the ledger", err)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080"))
	check("listen", err)
	log.Println("listening on", listener.Addr())
	go l.prune(ctx)
	server, ended := l.server(verifier), make(chan error, 1)
	context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.Background(), 25*time.Second) // because Kubernetes kills the process after 30
		defer cancel()
		ended <- server.Shutdown(limit)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		check("serve", err)
	}
	check("shut down", errors.Join(<-ended, l.Close()))
}

func check(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

type ledger struct {
	*sql.DB
	*momentsql.Store
	path string
	file os.FileInfo // the file that was opened
}

func openLedger(ctx context.Context, path string) (*ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	path, _ = filepath.Abs(path) // if it fails, the path is empty, and cannot be opened
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err == nil {
			err = errors.Join(file.Chmod(0o600), file.Close())
		}
		if err != nil {
			return nil, err
		}
	}
	info, missing := os.Stat(path) // before it is opened, because it may be replaced at any time
	name := url.URL{Scheme: "file", Path: path, RawQuery: "mode=rw&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(10)
	_, err = db.ExecContext(ctx, momentsql.Schema(momentsql.SQLite)+schema)
	store, noStore := momentsql.NewStore(db)
	return &ledger{db, store, path, info}, errors.Join(missing, err, noStore)
}

// inPlace returns an error if the file was removed or replaced, because rows in the old file are
// lost.
func (l *ledger) inPlace() error {
	file, err := os.Stat(l.path)
	if err == nil && !os.SameFile(file, l.file) {
		err = errors.New("the ledger is not the file that was opened")
	}
	return err
}

func (l *ledger) server(verifier *moment.WebhookVerifier) *http.Server {
	webhook := l.Handler(verifier, func(ctx context.Context, tx *sql.Tx, e *moment.Event) error {
		return errors.Join(enter(ctx, tx, e), l.inPlace())
	})
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/moment", http.TimeoutHandler(webhook, 15*time.Second, "")) // 503, and Moment delivers again
	mux.HandleFunc("GET /healthz", l.health)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// health responds with 503 if it cannot store a row, so that deliveries are not routed here.
func (l *ledger) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	_, err := l.ExecContext(ctx, `INSERT INTO health VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET checked_at = $1`, time.Now().UnixNano())
	if err = errors.Join(err, l.inPlace()); err != nil {
		log.Println("not healthy:", err)
		http.Error(w, "nothing can be stored", http.StatusServiceUnavailable)
	}
}

// prune deletes old messages at the start and each day.
func (l *ledger) prune(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(24 * time.Hour) {
		if _, err := l.Prune(ctx, 30*24*time.Hour); err != nil {
			log.Println("old messages not deleted:", err)
		}
	}
}
