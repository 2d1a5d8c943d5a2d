package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/moment-billing/moment-go"
)

const usage = `Usage: scale-out receiver [--listen address]
       scale-out worker [--rate n] [--job-timeout d]
       scale-out enqueue [--currency code] [--reconcile] bills.csv
       scale-out demo

receiver   takes Moment's webhooks at POST /webhooks/moment. It acknowledges an event as soon as
           the job that posts its payment is stored. GET /healthz tells whether it can be stored
worker     works jobs: posts payments to the ledger, raises bills, reconciles them
enqueue    makes a job of each row of a file. Start it again if it was stopped: what is there
           is not made again
demo       starts a fake of Moment, two receivers and three workers, and says what to do next. Its
           database must have no jobs and no payments

All but the demo run as often as you like at once, on as many machines as you like. SIGTERM or
SIGINT ends a receiver or a worker after what it is doing. It breaks enqueue off: the batch that
is being inserted is taken back, those before it stay.

  --database address   postgres://...; or DATABASE_URL in the environment, but for the demo
                       MOMENT_POSTGRES_DSN. Required
  --listen address     default: 127.0.0.1:8080
  --rate n             requests to Moment a second at most, of this process. Default: 50
  --job-timeout d      after which a job is given up, and tried again; one whose worker was
                       killed is tried again after twice as long. Default: 1m
  --currency code      of all bills, where the file has no such column
  --reconcile          compare the bills of the file with Moment's, instead of raising them

The address of the database may have a password, which others on the machine see in the
arguments of a process: then rather take the environment. The demo prints it. Other secrets are
taken from the environment alone:
  MOMENT_API_KEY              of workers: sk_test_... or sk_...
  MOMENT_WEBHOOK_SECRET       of receivers: whsec_...
  MOMENT_WEBHOOK_OLD_SECRET   the one before, while Moment changes from it to the new one

MOMENT_BASE_URL is another address of the service. Traces and metrics go to
OTEL_EXPORTER_OTLP_ENDPOINT, or to standard output where OTEL_TRACES_EXPORTER or
OTEL_METRICS_EXPORTER is console, or else nowhere.

Exit codes: 0 done, or ended as asked, 1 failed, 2 wrong usage or configuration, 3 enqueue
refused rows.
`

type config struct {
	command  string
	database string

	listen   string                  // of receivers
	verifier *moment.WebhookVerifier // likewise

	key, baseURL string // of workers
	rate         float64
	jobTimeout   time.Duration

	path      string // of enqueue
	currency  moment.Currency
	reconcile bool
}

// configure reads the configuration, and checks what can be checked without a network. Its errors
// are one line, and show no secret, nor the address of a database, in which a password may be.
func configure(args []string, getenv func(string) string) (config, error) {
	if len(args) == 0 {
		return config{}, errors.New("say what to run: receiver, worker, enqueue or demo: see --help")
	}
	c := config{command: args[0], key: getenv("MOMENT_API_KEY"), baseURL: getenv("MOMENT_BASE_URL")}
	flags := flag.NewFlagSet("scale-out", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error, or the usage
	from, why := "DATABASE_URL", "DATABASE_URL or --database: is not a PostgreSQL address that can be used"
	if c.command == "demo" { // it works what is in its database against a fake: that must not be where real jobs are
		from, why = "MOMENT_POSTGRES_DSN", "--database or MOMENT_POSTGRES_DSN: is not a PostgreSQL address that can be used, and the demo does not take DATABASE_URL"
	}
	flags.StringVar(&c.database, "database", getenv(from), "")
	var check func() error
	files := 0
	switch c.command {
	case "receiver":
		flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "")
		check = func() error {
			return errors.Join(checkListen(c.listen), c.verifyWith(getenv("MOMENT_WEBHOOK_SECRET"), getenv("MOMENT_WEBHOOK_OLD_SECRET")))
		}
	case "worker":
		flags.Float64Var(&c.rate, "rate", 50, "")
		flags.DurationVar(&c.jobTimeout, "job-timeout", time.Minute, "")
		check = c.checkWorker
	case "enqueue":
		flags.StringVar((*string)(&c.currency), "currency", "", "")
		flags.BoolVar(&c.reconcile, "reconcile", false, "")
		files = 1
		check = func() error {
			if c.currency == "" {
				return nil
			}
			return checkCurrency(c.currency)
		}
	case "demo":
		check = func() error { return nil }
	case "-h", "-help", "--help":
		return c, flag.ErrHelp
	default:
		return c, fmt.Errorf("there is no command %q: see --help", c.command)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return c, err
	}
	if flags.NArg() != files {
		return c, fmt.Errorf("%s takes %d file and not %d, behind its flags: see --help", c.command, files, flags.NArg())
	}
	c.path = flags.Arg(0)
	// What pgx says may quote the password.
	if _, err := pgx.ParseConfig(c.database); err != nil || c.database == "" {
		return c, errors.New(why + ": postgres://user:password@host:5432/database")
	}
	return c, check()
}

func (c *config) verifyWith(secret, oldSecret string) error {
	if secret == "" {
		return errors.New("MOMENT_WEBHOOK_SECRET is not set: it is the whsec_... that Moment signs webhooks with")
	}
	name := "MOMENT_WEBHOOK_SECRET"
	verifier, err := moment.NewWebhookVerifier(secret)
	if err == nil && oldSecret != "" {
		name = "MOMENT_WEBHOOK_OLD_SECRET"
		verifier, err = moment.NewWebhookVerifier(secret, moment.WithAdditionalSecret(oldSecret))
	}
	c.verifier = verifier
	if bad, ok := errors.AsType[*moment.ArgumentError](err); ok {
		return fmt.Errorf("%s: %s", name, bad.Reason)
	}
	return err
}

func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("--listen: must be host:port, like 127.0.0.1:8080, not %q", address)
	}
	return nil
}

func (c *config) checkWorker() error {
	switch {
	case !(c.rate >= 1 && c.rate <= 1e6):
		return fmt.Errorf("--rate: must be 1 to 1000000, not %v", c.rate)
	case c.jobTimeout < time.Second:
		return fmt.Errorf("--job-timeout: must be 1s or more, not %v", c.jobTimeout)
	case c.key == "":
		return errors.New("MOMENT_API_KEY is not set: it is the sk_test_... or sk_... that Moment gave you")
	}
	_, err := c.connect(telemetry{})
	return err
}

// connect makes the client, which keeps to a rate and whose calls are traced and measured.
func (c *config) connect(t telemetry) (*moment.Client, error) {
	connections := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	connections.MaxIdleConns, connections.MaxIdleConnsPerHost = maxBills+maxReconciles, maxBills+maxReconciles
	// What waits for its turn is no request yet, and so neither counted nor measured.
	paced := newPace(c.rate, otelhttp.NewTransport(routes{connections}, t.ofHTTP()...))
	options := []moment.ClientOption{
		moment.WithHTTPClient(&http.Client{Transport: paced}),
		moment.WithUserAgent("scale-out"),
		moment.WithAttemptTimeout(attemptTimeout),
	}
	if c.baseURL != "" {
		options = append(options, moment.WithBaseURL(c.baseURL))
	}
	client, err := moment.NewClient(c.key, options...)
	if bad, ok := errors.AsType[*moment.ArgumentError](err); ok {
		err = fmt.Errorf("MOMENT_API_KEY or MOMENT_BASE_URL: %s %s", bad.Param, bad.Reason)
	}
	return client, err
}
