// Command biller raises the bills of a CSV file with Moment, each exactly once. See README.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/time/rate"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentotel"
)

const (
	exitDone     = 0
	exitFailed   = 1 // failed or stopped: start it again. For check: rows have problems
	exitUsage    = 2 // the usage, configuration or file is wrong, or a warning: nothing was sent
	exitRejected = 3 // finished, but rows were rejected. For reconcile: rows differ
)

var errStopped = errors.New("stopped; start it again to continue")

// exitError is an error with an exit code. The exit code of other errors is exitFailed.
type exitError struct {
	error

	code int
}

func (e exitError) Unwrap() error { return e.error }

// fileFlags are the flags of the commands that read a file.
type fileFlags struct {
	format

	File string `arg:"" help:"A CSV file."`
}

// config has the flags and the environment of a command.
type config struct {
	Rate     float64 `default:"50"       help:"The maximum number of requests per second, retries included."`
	Database string  `placeholder:"FILE" help:"The SQLite file. Default: biller.db in the CSV file's folder, or in the working folder."`
	Yes      bool    `help:"Continue after a warning."`

	ListenURL          string `placeholder:"URL"  env:"DATABASE_LISTEN_URL" help:"PostgreSQL's own address, for LISTEN. Default: poll."`
	UnverifiedDatabase bool   `help:"Allow other modes than sslmode=verify-full for a PostgreSQL server on another machine."`

	input            fileFlags // of the commands that read a file
	key, baseURL     string
	postgres, listen *pgxpool.Config // nil: an SQLite file, or polling
}

type receiveFlags struct {
	Listen string `default:"127.0.0.1:8080" help:"Receive webhooks at this address."`
}

type workFlags struct {
	JobTimeout time.Duration `default:"1m" help:"The time limit of a job. The jobs of a killed process are retried after twice this time."`
}

type commands struct {
	config

	Demo struct {
		Bills int `arg:"" default:"1000" help:"The number of bills."`
	} `cmd:"" help:"Raise generated bills with a fake of the service."`
	Check     fileFlags `cmd:"" help:"Check the file, and send nothing."`
	Run       fileFlags `cmd:"" help:"Raise the bills of the file. Start it again to continue."`
	Reconcile fileFlags `cmd:"" help:"Compare the file with the bills at Moment, and change nothing."`

	Serve struct {
		receiveFlags
		workFlags
	} `cmd:"" help:"Receive webhooks, post payments and raise imported bills."`
	Receive receiveFlags `cmd:"" help:"Receive webhooks, in any number of processes on PostgreSQL."`
	Work    workFlags    `cmd:"" help:"Post payments and raise imported bills, in any number of processes on PostgreSQL."`
	Import  fileFlags    `cmd:"" help:"Check the file, and insert jobs for serve or work."`
	Migrate struct {
		Print bool `help:"Print the statements for an administrator, and change nothing."`
	} `cmd:"" help:"Create the tables in PostgreSQL, and migrate River's."`
}

func main() {
	if os.Getenv(fakeEnv) != "" { // the demo's other process
		fake(os.Stdin, os.Stdout)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(start(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// start runs the command, and returns the exit code.
func start(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, command, err := parseFlags(args, stdout)
	switch {
	case err != nil:
		err = exitError{err, exitUsage}
	case command == "demo":
		err = demo(ctx, c.config, c.Demo.Bills, stdout, stderr)
	case command == "check":
		err = check(ctx, c.config, stdout)
	case command == "run", command == "import":
		err = runFile(ctx, c.config, command == "import", stdout, stderr)
	case command == "reconcile":
		err = reconcile(ctx, c.config, stdout)
	case command == "migrate":
		err = migrate(ctx, c.config, c.Migrate.Print, stdout, stderr)
	case command == "serve":
		err = serve(ctx, c.config, &c.Serve.receiveFlags, &c.Serve.workFlags, stderr)
	case command == "receive":
		err = serve(ctx, c.config, &c.Receive, nil, stderr)
	case command == "work":
		err = serve(ctx, c.config, nil, &c.Work, stderr)
	}
	if err == nil {
		return exitDone
	}
	exit, hasCode := errors.AsType[exitError](err)
	if !hasCode {
		exit.code = exitFailed
	}
	if ctx.Err() != nil && !errors.Is(err, errStopped) && exit.code != exitRejected { // err may name a consequence only
		err, exit.code = errStopped, exitFailed
	}
	fmt.Fprintln(stderr, "biller:", explain(err))
	return exit.code
}

// parseFlags returns the name of the command. It is empty after help.
func parseFlags(args []string, stdout io.Writer) (c commands, command string, err error) {
	helped := false
	parser := kong.Must(&c, kong.Name("biller"), kong.Writers(stdout, stdout), kong.Exit(func(int) { helped = true }),
		kong.Description("Raises the bills of a CSV file with Moment, each exactly once. "+
			"run, reconcile, import, serve and work need MOMENT_API_KEY, and read MOMENT_BASE_URL. "+
			"serve and receive need MOMENT_WEBHOOK_SECRET. DATABASE_URL is the address of PostgreSQL."))
	parsed, err := parser.Parse(args)
	if helped {
		return c, "", nil
	}
	if err != nil {
		err = fmt.Errorf("%w. biller --help explains the commands and flags", err)
	}
	if strings.Contains(c.Database, "://") || err != nil && strings.Contains(err.Error(), "@") { // the text before @ may be a password
		err = errors.New("an address of PostgreSQL is read from DATABASE_URL and --listen-url only: set one of them")
	}
	if dsn := os.Getenv("DATABASE_URL"); dsn != "" && c.Database == "" && err == nil {
		c.postgres, err = parseDSN("DATABASE_URL", dsn, c.UnverifiedDatabase)
	}
	if c.ListenURL != "" && err == nil {
		c.listen, err = parseDSN("--listen-url or DATABASE_LISTEN_URL", c.ListenURL, c.UnverifiedDatabase)
	}
	if err != nil {
		return c, "", err
	}
	c.input = c.Check // the defaults, for demo
	if input, ok := reflect.TypeAssert[fileFlags](parsed.Selected().Target); ok {
		c.input = input
	}
	c.Database = cmp.Or(c.Database, filepath.Join(filepath.Dir(c.input.File), "biller.db"))
	c.key, c.baseURL = os.Getenv("MOMENT_API_KEY"), os.Getenv("MOMENT_BASE_URL")
	return c, strings.Fields(parsed.Command())[0], nil
}

// connect returns a client that limits the rate of its requests.
func (c config) connect() (*moment.Client, error) {
	if c.Rate < 1 {
		return nil, exitError{errors.New("--rate must be at least 1"), exitUsage}
	}
	connections := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // its documentation says so
	connections.MaxIdleConnsPerHost = maxBills
	options := []moment.ClientOption{
		moment.WithHTTPClient(&http.Client{Transport: newPace(c.Rate, connections)}), moment.WithUserAgent("biller"),
		moment.WithAttemptTimeout(attemptTimeout), momentotel.ObserveCalls(),
	}
	if c.baseURL != "" {
		options = append(options, moment.WithBaseURL(c.baseURL))
	}
	client, err := moment.NewClient(c.key, options...)
	if err != nil {
		return nil, exitError{fmt.Errorf("MOMENT_API_KEY or MOMENT_BASE_URL: %w", err), exitUsage}
	}
	return client, nil
}

// workers returns the number of concurrent calls. A low rate allows fewer, because a request must
// not wait for its turn for longer than half of its timeout.
func (c config) workers() int { return int(max(1, min(maxBills, c.Rate*attemptTimeout.Seconds()/2))) }

// pace is an [http.RoundTripper] that limits the rate of requests and retries. Each 429 lowers the
// rate by a tenth, and the other responses restore it within a minute.
type pace struct {
	next    http.RoundTripper
	limiter *rate.Limiter
	most    rate.Limit
	mu      sync.Mutex // guards changes of the limit
}

func newPace(perSecond float64, next http.RoundTripper) *pace {
	return &pace{next: next, limiter: rate.NewLimiter(rate.Limit(perSecond), 1), most: rate.Limit(perSecond)}
}

// RoundTrip waits for the request's turn, and sends it.
func (p *pace) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := p.limiter.Wait(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper must close it
		}
		return nil, err
	}
	resp, err := p.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.limiter.Limit()
	if resp.StatusCode == http.StatusTooManyRequests {
		limit = max(maxBills/5.0, limit*9/10) // see workers
	} else {
		limit += p.most / 60 / limit
	}
	p.limiter.SetLimit(min(p.most, limit))
	return resp, nil
}
