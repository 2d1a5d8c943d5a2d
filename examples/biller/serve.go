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

	// A worker that is free gets a job at most this long after that: the shorter, the more jobs a
	// second, and the more queries.
	fetchCooldown = 20 * time.Millisecond

	// Discarded and cancelled jobs are what somebody has to look at.
	keepGivenUp = 90 * 24 * time.Hour
)

// newLogger returns the log of processes that nobody watches.
func newLogger(stderr io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(stderr, nil)) }

// newJobs returns River's client, which only inserts jobs.
func (s *store) newJobs(log *slog.Logger) (*river.Client[*sql.Tx], error) {
	return river.NewClient(s.driver, &river.Config{Schema: s.schema, Plugins: observeJobs(), Logger: log})
}

// newWorkers returns River's client, which works payments, and the bills of a queue.
func (s *store) newWorkers(client *moment.Client, queueBills string, perSecond float64, jobTimeout time.Duration, log *slog.Logger) (*river.Client[*sql.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &poster{store: s, log: log})
	river.AddWorker(workers, &worker{store: s, client: client, timeout: jobTimeout})
	// No request waits for its turn at Moment for longer than an attempt may take.
	bills := int(max(1, min(maxBills, perSecond*attemptTimeout.Seconds()/2)))
	return river.NewClient(s.driver, &river.Config{
		Schema:                      s.schema,
		Plugins:                     observeJobs(),
		Logger:                      log,
		Queues:                      map[string]river.QueueConfig{queuePayments: {MaxWorkers: maxPayments}, queueBills: {MaxWorkers: bills}},
		Workers:                     workers,
		FetchCooldown:               fetchCooldown,
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        2 * jobTimeout, // its process was killed, or it would have ended
		SoftStopTimeout:             stopTimeout,
		CompletedJobRetentionPeriod: remember, // so that a second payment under an event is seen
		CancelledJobRetentionPeriod: keepGivenUp,
		DiscardedJobRetentionPeriod: keepGivenUp,
		ReindexerSchedule:           river.NeverSchedule(), // it needs the rights of the tables' owner
	})
}

// serve is the command of a process that receives, works, or both. It ends with ctx, once it has
// finished what it does.
func serve(ctx context.Context, c config, flags serverFlags, receives, works bool, stderr io.Writer) (code int, err error) {
	var client *moment.Client
	var verifier *moment.WebhookVerifier
	switch {
	case c.postgres == nil && !(receives && works):
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
	jobs, err := s.newJobs(log)
	if client != nil && err == nil {
		var whose run
		if whose, err = s.owner(ctx, c, client.Mode()); err == nil {
			jobs, err = s.newWorkers(client, whose.sharedQueue(), c.Rate, flags.JobTimeout, log)
		}
	}
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
		defer func() { <-ended }()
	}
	if client != nil {
		if err := jobs.Start(ctx); err != nil {
			return err
		}
		defer func() { <-jobs.Stopped() }() // after the jobs that run
	}
	log.InfoContext(ctx, "started", slog.Bool("receives", verifier != nil), slog.Bool("works", client != nil))
	<-ctx.Done()
	if why := context.Cause(ctx); !errors.Is(why, context.Canceled) {
		return why
	}
	return nil
}

// openDatabase opens PostgreSQL if DATABASE_URL is set, and otherwise an SQLite file. It waits for
// it.
func (c config) openDatabase(ctx context.Context, log *slog.Logger) (s *store, err error) {
	if c.postgres == nil {
		return s, await(ctx, log, c.Database, func(context.Context) (err error) {
			s, err = openStore(ctx, c.Database)
			return err
		})
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
