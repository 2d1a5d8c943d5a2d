package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/moment-billing/moment-go"
)

// Jobs of one process at the same time, by queue. A process has a connection to the database for
// each payment, and some for River.
const (
	maxPayments   = 8
	maxBills      = 16
	maxReconciles = 4
	maxConns      = maxPayments + 6
)

const (
	// Of a request. The client makes up to four of a call, which take 44 seconds at most, with the
	// waits between: within the default of
	// --job-timeout, and not within a shorter one.
	attemptTimeout = 10 * time.Second
	stopTimeout    = 25 * time.Second // less than the 30 seconds after which Kubernetes kills

	// A slot that is free is filled at most this long after that: the shorter, the more jobs a
	// second, and the more queries.
	fetchCooldown = 20 * time.Millisecond

	// Done jobs are what keeps a file that is enqueued again from making them again; after that,
	// Moment's unique reference does. They hold names and e-mail addresses. What was given up,
	// somebody has to look at; payments are not given up.
	keepDone    = 24 * time.Hour
	keepGivenUp = 30 * 24 * time.Hour
)

// work is the command: it works jobs until ctx ends, and then finishes those that run.
func work(ctx context.Context, c config, t telemetry, log *slog.Logger) error {
	pool, err := openPool(ctx, c.database)
	if err != nil {
		return err
	}
	defer pool.Close()
	client, err := c.connect(t)
	if err != nil {
		return err
	}
	jobs, err := newWorker(pool, client, c.rate, c.jobTimeout, t, log)
	if err != nil {
		return err
	}
	if err := jobs.Start(ctx); err != nil {
		return err
	}
	log.InfoContext(ctx, "working", slog.String("mode", string(client.Mode())))
	<-jobs.Stopped() // after ctx has ended, and the jobs that ran
	log.InfoContext(ctx, "stopped")
	return nil
}

func openPool(ctx context.Context, address string) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	c.MaxConns = maxConns
	endSessions(c.ConnConfig)
	return pgxpool.NewWithConfig(ctx, c)
}

// queues have only so many jobs at a time that none waits long for its turn at Moment, given a rate
// in requests a second: half of the time of an attempt, which a wait is part of, and a tenth of a
// job's, which makes up to five requests. Payments make none.
func queues(perSecond float64, jobTimeout time.Duration) map[string]river.QueueConfig {
	slots := perSecond * min(attemptTimeout/2, jobTimeout/10).Seconds()
	return map[string]river.QueueConfig{
		queuePayments:  {MaxWorkers: maxPayments},
		queueBills:     {MaxWorkers: int(max(1, min(maxBills, slots*4/5)))},
		queueReconcile: {MaxWorkers: int(max(1, min(maxReconciles, slots/5)))},
	}
}

// newWorker returns River's client. Its driver is the one for pgx: that one learns of new jobs by
// LISTEN.
func newWorker(
	pool *pgxpool.Pool, client *moment.Client, perSecond float64, jobTimeout time.Duration, t telemetry, log *slog.Logger,
) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &poster{pool: pool})
	river.AddWorker(workers, &raiser{client: client})
	river.AddWorker(workers, &reconciler{client: client, pool: pool, log: log, differing: t.differing()})
	return river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:        queues(perSecond, jobTimeout),
		Workers:       workers,
		Plugins:       []rivertype.Plugin{t.ofJobs()},
		Logger:        log,
		FetchCooldown: fetchCooldown,

		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: 2 * jobTimeout, // its worker was killed, or it would have ended
		SoftStopTimeout:      stopTimeout,

		CompletedJobRetentionPeriod: keepDone,
		CancelledJobRetentionPeriod: keepGivenUp,
		DiscardedJobRetentionPeriod: keepGivenUp,
	})
}
