// Command customer-balance keeps customers' balances: it subtracts payments, and pushes the
// balances to Moment. Any number of replicas may share one PostgreSQL database. See README.md.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentsql"
)

// Replicas that start at the same time wait for the lock, because PostgreSQL may reject one of two
// concurrent CREATE TABLE IF NOT EXISTS. All statements run in one transaction, because they are
// sent together.
const schema = `SELECT pg_advisory_xact_lock(7215504203);
CREATE TABLE IF NOT EXISTS balances (
	customer_id   TEXT COLLATE "C" PRIMARY KEY, -- Moment's id
	currency      TEXT   NOT NULL,
	balance       BIGINT NOT NULL,           -- in minor units; positive if the customer owes it
	version       BIGINT NOT NULL DEFAULT 1, -- one more with each change of the balance
	pushed        BIGINT NOT NULL DEFAULT 0, -- the version that Moment has
	claimed_until TIMESTAMPTZ NOT NULL DEFAULT '-infinity' -- before that, nobody else pushes the balance
);
CREATE TABLE IF NOT EXISTS payments (
	event_id      TEXT COLLATE "C" PRIMARY KEY CHECK (event_id <> ''),
	payment_id    TEXT   NOT NULL CHECK (payment_id <> ''),
	obligation_id TEXT   NOT NULL, -- of a customer, an account or a bill
	amount        BIGINT NOT NULL, -- in minor units; negative if a payment is reversed
	currency      TEXT   NOT NULL,
	received_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, time.Minute); err != nil {
		log.Fatal(err)
	}
}

// run runs the program until ctx ends. A push is claimed for the duration claim.
func run(ctx context.Context, claim time.Duration) error {
	client, err := moment.NewClientFromEnv()
	if err != nil {
		return err
	}
	verifier, err := moment.NewWebhookVerifier(os.Getenv("MOMENT_WEBHOOK_SECRET"))
	if err != nil {
		return fmt.Errorf("MOMENT_WEBHOOK_SECRET: %w", err)
	}
	db, err := openDatabase(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	store, err := momentsql.NewStore(db)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080"))
	if err != nil {
		return err
	}
	log.Println("listening on", listener.Addr())

	var work sync.WaitGroup
	work.Go(func() { (&pusher{client, db, claim}).run(ctx) })
	go prune(ctx, store)
	err = serve(ctx, newServer(store, verifier), listener)
	work.Wait()
	return errors.Join(err, db.Close())
}

func openDatabase(ctx context.Context, address string) (*sql.DB, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(10)
	if _, err = db.ExecContext(ctx, schema+momentsql.Schema(momentsql.PostgreSQL)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func newServer(store *momentsql.Store, verifier *moment.WebhookVerifier) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/moment", http.TimeoutHandler(store.Handler(verifier, record), 15*time.Second, ""))
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// serve accepts deliveries until ctx ends, and then waits for those in flight.
func serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 25*time.Second) // because Kubernetes kills the process after 30
		defer cancel()
		ended <- server.Shutdown(limit)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// prune deletes old messages at the start and each day.
func prune(ctx context.Context, store *momentsql.Store) {
	for ; ctx.Err() == nil; time.Sleep(24 * time.Hour) {
		if _, err := store.Prune(ctx, 30*24*time.Hour); err != nil {
			log.Println("old messages not deleted:", err)
		}
	}
}
