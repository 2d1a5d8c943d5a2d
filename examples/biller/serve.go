package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/riverqueue/river"

	"github.com/moment-billing/moment-go"
)

// Jobs of a process at the same time. A payment has a connection for as long as it is posted.
const (
	maxPayments = 8
	maxBills    = 16
)

const (
	attemptTimeout = 10 * time.Second // of a request: the four of a call are within the default of --job-timeout

	// A process ends within 25 seconds: jobs and deliveries have 20 of them, and telemetry the rest.
	// Kubernetes kills after 30.
	stopTimeout      = 20 * time.Second
	telemetryTimeout = 3 * time.Second

	// Discarded and cancelled jobs are what somebody has to look at.
	keepGivenUp = 90 * 24 * time.Hour
)

// newClient returns River's client, which works payments, and the bills of a queue. Without a
// worker, it only inserts jobs.
func (s *store) newClient(w *worker, queueBills string, bills int, log *slog.Logger) (*river.Client[*sql.Tx], error) {
	config := &river.Config{Schema: s.schema, Plugins: observeJobs(), Logger: log}
	if w != nil {
		config.Workers = river.NewWorkers()
		river.AddWorker(config.Workers, &poster{store: s, log: log})
		river.AddWorker(config.Workers, w)
		config.Queues = map[string]river.QueueConfig{queueBills: {MaxWorkers: bills}}
		config.FetchCooldown, config.FetchPollInterval = 30*time.Millisecond, 50*time.Millisecond // each fetch locks an SQLite file
		config.SoftStopTimeout = stopTimeout
		config.CompletedJobRetentionPeriod = remember // so that a second payment under an event is seen
		config.CancelledJobRetentionPeriod, config.DiscardedJobRetentionPeriod = keepGivenUp, keepGivenUp
	}
	if w != nil && w.timeout > 0 { // not a run, which works its bills alone
		config.Queues[queuePayments] = river.QueueConfig{MaxWorkers: maxPayments}
		config.JobTimeout = w.timeout
		config.RescueStuckJobsAfter = 2 * w.timeout // its process was killed, or it would have ended
	}
	if s.lock == nil {
		config.FetchCooldown, config.FetchPollInterval = 20*time.Millisecond, 0 // the shorter, the more jobs and queries a second
		config.ReindexerSchedule = river.NeverSchedule()                        // it needs the rights of the tables' owner
	}
	return river.NewClient(s.driver, config)
}

// serve is the command of a process that receives, works, or both. It ends with ctx, once it has
// finished what it does.
func serve(ctx context.Context, c config, flags serverFlags, receives, works bool, stderr io.Writer) (code int, err error) {
	var client *moment.Client
	var verifier *moment.WebhookVerifier
	switch {
	case c.postgres == nil && receives != works:
		err = errors.New("an SQLite file has one process: use serve, or set DATABASE_URL")
	case flags.JobTimeout < time.Second:
		err = errors.New("--job-timeout must be at least 1s")
	}
	if works && err == nil {
		client, err = c.connect(moment.WithAttemptTimeout(attemptTimeout))
	}
	if receives && err == nil {
		secret := os.Getenv("MOMENT_WEBHOOK_SECRET")
		verifier, err = moment.NewWebhookVerifier(secret, moment.WithAdditionalSecret(cmp.Or(os.Getenv("MOMENT_WEBHOOK_OLD_SECRET"), secret)))
		if err != nil {
			err = fmt.Errorf("MOMENT_WEBHOOK_SECRET or MOMENT_WEBHOOK_OLD_SECRET: %w", err)
		}
	}
	if err != nil {
		return exitUsage, err
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	stopTelemetry, err := startTelemetry(ctx, log)
	if err != nil {
		return exitUsage, err
	}
	err = c.run(ctx, flags, client, verifier, log)
	if failed := stopTelemetry(); failed != nil {
		log.WarnContext(ctx, "telemetry not sent", slog.String("error", failed.Error()))
	}
	if err != nil && ctx.Err() == nil {
		return exitFailed, err
	}
	return exitDone, nil // also if it was asked to end while it began
}

// run receives with a verifier, and works with a client.
func (c config) run(ctx context.Context, flags serverFlags, client *moment.Client, verifier *moment.WebhookVerifier, log *slog.Logger) error {
	s, err := c.openDatabase(ctx, log)
	if err != nil {
		return err
	}
	defer s.close()
	var w *worker
	var whose run
	if client != nil {
		w = &worker{store: s, client: client, timeout: flags.JobTimeout}
		if whose, err = s.owner(ctx, c, client.Mode()); err != nil {
			return err
		}
	}
	// No request waits for its turn at Moment for longer than an attempt may take.
	bills := int(max(1, min(maxBills, c.Rate*attemptTimeout.Seconds()/2)))
	jobs, err := s.newClient(w, whose.sharedQueue(), bills, log)
	if err = errors.Join(err, s.release(ctx)); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if verifier != nil {
		r, err := newReceiver(s, verifier, jobs, log)
		if err != nil {
			return err
		}
		ended, err := r.serve(ctx, flags.Listen, stop)
		if err != nil {
			return err
		}
		defer func() { stop(nil); <-ended }()
	}
	if client != nil {
		if err := jobs.Start(ctx); err != nil {
			return err
		}
		defer func() { stop(nil); <-jobs.Stopped() }() // after the jobs that run
	}
	log.InfoContext(ctx, "started", slog.Bool("receives", verifier != nil), slog.Bool("works", client != nil))
	<-ctx.Done()
	if why := context.Cause(ctx); !errors.Is(why, context.Canceled) {
		return why
	}
	return nil
}

// openDatabase opens an SQLite file, or PostgreSQL if DATABASE_URL is set, for which it waits.
func (c config) openDatabase(ctx context.Context, log *slog.Logger) (s *store, err error) {
	if c.postgres == nil {
		return openStore(ctx, c.Database)
	}
	if s, err = openPostgres(ctx, c.postgres, c.listen); err == nil {
		err = await(ctx, log, "the tables in PostgreSQL", s.ready)
	}
	return s, err
}

// serve handles deliveries until ctx ends. The channel is closed once those that were there have
// their responses. failed is called if the server ends before that.
func (r *receiver) serve(ctx context.Context, address string, failed context.CancelCauseFunc) (ended chan struct{}, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	server := r.server()
	go r.prune(ctx)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serve: %w", err))
		}
	}()
	ended = make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(ended)
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := server.Shutdown(limit); err != nil {
			_ = server.Close() // what is not stored is rolled back, and delivered again
			r.log.ErrorContext(limit, "deliveries broken off", slog.String("error", err.Error()))
		}
	})
	r.log.InfoContext(ctx, "listening", slog.String("address", listener.Addr().String()))
	return ended, nil
}
