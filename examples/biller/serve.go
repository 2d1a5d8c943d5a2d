package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/riverqueue/rivercontrib/otelriver"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/time/rate"

	"github.com/moment-billing/moment-go"
)

const (
	// The most concurrent jobs of a process. Each payment needs a connection to the database.
	maxPayments = 8
	maxBills    = 16

	attemptTimeout = 10 * time.Second // of a request; a call has four, and ends before the default of --job-timeout
	storeTimeout   = 10 * time.Second // to store an event or a result; Moment then delivers the event again

	// Jobs, deliveries and telemetry end within 25 seconds, because Kubernetes kills after 30.
	stopTimeout      = 20 * time.Second
	telemetryTimeout = 3 * time.Second

	keepGivenUp = 90 * 24 * time.Hour // for a person who looks at discarded and cancelled jobs
)

// newClient returns River's client, which works payments and the bills of a queue. It only inserts
// jobs if w is nil.
func (s *store) newClient(w *worker, queueBills string, bills int, log *slog.Logger) (*river.Client[*sql.Tx], error) {
	// The span of each job is linked to the delivery that inserted it.
	traces := otelriver.NewMiddleware(&otelriver.MiddlewareConfig{EnableTracePropagation: true, EnableWorkSpanJobKindSuffix: true})
	config := &river.Config{ID: rand.Text(), Schema: s.schema, Plugins: []rivertype.Plugin{traces}, Logger: log}
	if w != nil {
		config.Workers = river.NewWorkers()
		river.AddWorker(config.Workers, &poster{store: s, log: log})
		river.AddWorker(config.Workers, w)
		config.Queues = map[string]river.QueueConfig{queueBills: {MaxWorkers: bills}}
		config.FetchCooldown, config.FetchPollInterval = 30*time.Millisecond, 50*time.Millisecond // each fetch locks an SQLite file
		config.JobTimeout, config.SoftStopTimeout = w.timeout, stopTimeout
		config.CompletedJobRetentionPeriod = remember // to find a second payment with the same event
		config.CancelledJobRetentionPeriod, config.DiscardedJobRetentionPeriod = keepGivenUp, keepGivenUp
	}
	if w != nil && w.timeout > 0 { // serve or work, not run
		config.ErrorHandler = &errorLog{log, rate.NewLimiter(rate.Every(time.Minute), 1)}
		config.Queues[queuePayments] = river.QueueConfig{MaxWorkers: maxPayments}
		config.RescueStuckJobsAfter = 2 * w.timeout // the job would have ended by then, so its process was killed
	}
	if s.lock == nil {
		// A shorter cooldown works more jobs a second, and needs more queries.
		config.FetchCooldown, config.FetchPollInterval = 20*time.Millisecond, 0
		config.ReindexerSchedule = river.NeverSchedule() // it needs the rights of the tables' owner
	}
	return river.NewClient(s.driver, config)
}

// errorLog logs jobs that keep failing, because River logs a failure as information. It logs a
// rejected API key at once, because all jobs of a backlog fail before one of them keeps failing.
type errorLog struct {
	log  *slog.Logger
	keys *rate.Limiter // of the lines about rejected keys
}

// HandleError implements [river.ErrorHandler].
func (l *errorLog) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	if job.Attempt >= maxAttempts || errors.Is(err, errKey) && l.keys.Allow() {
		l.log.ErrorContext(ctx, "job fails", slog.String("kind", job.Kind), slog.Int64("job", job.ID),
			slog.Int("attempt", job.Attempt), slog.String("error", err.Error()))
	}
	return nil
}

// HandlePanic implements [river.ErrorHandler]. River logs a panic as an error.
func (*errorLog) HandlePanic(context.Context, *rivertype.JobRow, any, string) *river.ErrorHandlerResult {
	return nil
}

// serve runs a process that receives, works, or both. The flags are nil for what it does not do.
// After ctx ends, it completes the jobs and deliveries in progress.
func serve(ctx context.Context, c config, receives *receiveFlags, works *workFlags, stderr io.Writer) (err error) {
	if c.postgres == nil && (receives == nil || works == nil) {
		return exitError{errors.New("receive and work need PostgreSQL: use serve, or set DATABASE_URL"), exitUsage}
	}
	var w *worker
	var verifier *moment.WebhookVerifier
	var listen string
	if works != nil {
		if works.JobTimeout < time.Second {
			return exitError{errors.New("--job-timeout must be at least 1s"), exitUsage}
		}
		w = &worker{timeout: works.JobTimeout}
		if w.client, err = c.connect(); err != nil {
			return err
		}
	}
	if receives != nil {
		listen = receives.Listen
		secret := os.Getenv("MOMENT_WEBHOOK_SECRET")
		old := cmp.Or(os.Getenv("MOMENT_WEBHOOK_OLD_SECRET"), secret)
		if _, err := moment.NewWebhookVerifier(secret); err != nil {
			return exitError{errors.New("MOMENT_WEBHOOK_SECRET is missing, or has another form than whsec_…: copy it from Moment again"), exitUsage}
		}
		if verifier, err = moment.NewWebhookVerifier(secret, moment.WithAdditionalSecret(old)); err != nil {
			return exitError{errors.New("MOMENT_WEBHOOK_OLD_SECRET has another form than whsec_…: copy it from Moment again"), exitUsage}
		}
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	stopTelemetry, err := startTelemetry(ctx, log)
	if err != nil {
		return exitError{err, exitUsage}
	}
	defer stopTelemetry()
	if err := c.run(ctx, verifier, listen, w, log); err != nil && ctx.Err() == nil {
		log.ErrorContext(ctx, "failed", slog.String("error", err.Error()))
		return err
	}
	return nil // even if ctx ended during the start
}

// run receives if there is a verifier, and works if there is a worker. It returns the reason why it
// ends.
func (c config) run(ctx context.Context, verifier *moment.WebhookVerifier, listen string, w *worker, log *slog.Logger) error {
	s, err := c.openDatabase(ctx, log)
	if err != nil {
		return err
	}
	defer s.close()
	var whose run // the bills that this process raises
	if w != nil {
		w.store = s
		if whose, err = s.owner(ctx, c, w.client.Mode()); err != nil {
			return err
		}
		if err := s.warnOfOthers(ctx, whose.sharedQueue(), log); err != nil {
			return err
		}
	}
	jobs, err := s.newClient(w, whose.sharedQueue(), c.workers(), log)
	if err = errors.Join(err, s.release(ctx)); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	server := new(http.Server) // without a verifier, it is never started
	if verifier != nil {
		r, err := newReceiver(s, verifier, jobs, log)
		if err != nil {
			return err
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
		if err != nil {
			return err
		}
		server = r.server()
		go func() { stop(server.Serve(listener)) }()
		go r.prune(ctx)
		log.InfoContext(ctx, "receives", slog.String("listen", listener.Addr().String()))
	}
	if w != nil {
		if err := jobs.Start(ctx); err != nil {
			return err
		}
		log.InfoContext(ctx, "works", slog.String("mode", whose.mode), slog.String("base_url", cmp.Or(whose.service, "Moment's own")))
	}
	log.InfoContext(ctx, "started", slog.String("database", cmp.Or(s.path, "PostgreSQL")))
	<-ctx.Done() // River stops fetching jobs too
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout+time.Second)
	defer cancel()
	if aborted := errors.Join(server.Shutdown(limit), jobs.Stop(limit)); aborted != nil { // the database does not respond
		_ = server.Close() // rolls back the deliveries in flight; Moment delivers them again
		log.ErrorContext(limit, "jobs or deliveries aborted", slog.String("error", aborted.Error()))
	}
	return context.Cause(ctx)
}

// warnOfOthers logs the queues with bills that this process does not raise.
func (s *store) warnOfOthers(ctx context.Context, own string, log *slog.Logger) error {
	var queue string
	var bills int
	return s.read(ctx, []any{&queue, &bills}, func() {
		log.WarnContext(ctx, "ignores bills of another API key or base URL, or of biller run",
			slog.String("queue", queue), slog.Int("bills", bills))
	}, "SELECT queue, count(*) FROM river_job WHERE kind = 'raise_bill' AND finalized_at IS NULL AND queue <> $1 GROUP BY queue", own)
}

// openDatabase opens the SQLite file, or waits for PostgreSQL if DATABASE_URL is set.
func (c config) openDatabase(ctx context.Context, log *slog.Logger) (s *store, err error) {
	if c.postgres == nil {
		return openStore(ctx, c.Database)
	}
	if s, err = openPostgres(ctx, c.postgres, c.listen); err == nil {
		err = await(ctx, log, "the tables in PostgreSQL", s.ready)
	}
	if err == nil && s.listener != nil {
		err = await(ctx, log, "PostgreSQL at DATABASE_LISTEN_URL", s.listener.Ping)
	}
	return s, err
}

// startTelemetry sends traces and metrics to OTEL_EXPORTER_OTLP_ENDPOINT, if that is set. stop
// sends the remaining ones.
func startTelemetry(ctx context.Context, log *slog.Logger) (stop func(), err error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		return func() {}, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry", slog.String("error", err.Error())) }))
	otel.SetLogger(funcr.New(func(string, string) { // the texts quote settings, which may contain keys
		log.ErrorContext(ctx, "telemetry: a variable OTEL_… is wrong, and is ignored")
	}, funcr.Options{}))
	spans, err := otlptracehttp.New(ctx)
	points, failed := otlpmetrichttp.New(ctx)
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)))
	otel.SetTracerProvider(traces)
	otel.SetMeterProvider(metrics)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), telemetryTimeout)
		defer cancel()
		if err := errors.Join(traces.Shutdown(ctx), metrics.Shutdown(ctx)); err != nil {
			log.WarnContext(ctx, "telemetry not sent", slog.String("error", err.Error()))
		}
	}, nil
}
