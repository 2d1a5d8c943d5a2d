package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
)

const usage = `Usage: billing-run [flags] bills.csv
       billing-run --demo 10000

Raises the bills of a CSV file, and creates their customers, each exactly once: killed at any
point and started again, it goes on where it was. SIGTERM or SIGINT ends it, after the calls
that are under way.

The file begins with a row that names its columns, in any order; others are not read:
  customer_reference, name, email, bill_reference, amount (decimal: 1250.00),
  currency (ZAR; or --currency for all), due_date (2026-01-31, or empty)

  --currency code   of all bills, where the file has no such column
  --live            the key is for live mode; without it, only a test key is taken
  --workers n       calls at the same time. Default: 16
  --rate n          requests a second at most; fewer while the service answers 429. Default: 50
  --journal file    what is done, to go on after a restart. Default: bills.csv.journal
  --refused file    where refused rows go, with the reason, to be corrected and fed back.
                    Default: bills.refused.csv
  --demo n          makes a file of n bills and runs it against a fake of the service; needs
                    no set-up

Environment:
  MOMENT_API_KEY    sk_test_..., or sk_... with --live. Required
  MOMENT_BASE_URL   another address of the service

Exit codes: 0 all bills are raised or were there already, 1 failed or stopped, or rows have no
outcome: start it again, 2 wrong usage, configuration or file: nothing was sent, 3 finished,
and rows were refused.
`

type config struct {
	demo     int
	path     string
	journal  string
	refused  string
	currency moment.Currency
	live     bool
	workers  int
	rate     float64
	key      string
	baseURL  string

	wait    time.Duration         // before a call without a definite answer is made again
	options []moment.ClientOption // of tests
}

// configure reads the configuration. Its errors are one line, and show no key.
func configure(args []string, getenv func(string) string) (config, error) {
	c := config{key: getenv("MOMENT_API_KEY"), baseURL: getenv("MOMENT_BASE_URL"), wait: 2 * time.Second}
	flags := flag.NewFlagSet("billing-run", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error, or the usage
	flags.IntVar(&c.demo, "demo", 0, "")
	flags.StringVar((*string)(&c.currency), "currency", "", "")
	flags.BoolVar(&c.live, "live", false, "")
	flags.IntVar(&c.workers, "workers", 16, "")
	flags.Float64Var(&c.rate, "rate", 0, "")
	flags.StringVar(&c.journal, "journal", "", "")
	flags.StringVar(&c.refused, "refused", "", "")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case given["demo"]:
		return c.forDemo(flags.Args(), given)
	case flags.NArg() != 1:
		return c, errors.New("name one CSV file, after the flags: see --help (or try --demo 1000)")
	}
	c.path = flags.Arg(0)
	if !given["rate"] {
		c.rate = 50
	}
	c.journal = cmp.Or(c.journal, c.path+".journal")
	c.refused = cmp.Or(c.refused, besides(c.path))
	if same(c.refused, c.path) || same(c.refused, c.journal) || same(c.journal, c.path) {
		return c, errors.New("the input, --journal and --refused must be three files")
	}
	return c, c.check()
}

// same reports whether two paths are of one file, which need not be there yet.
func same(a, b string) bool {
	fromA, errA := filepath.Abs(a)
	fromB, errB := filepath.Abs(b)
	if errA == nil && errB == nil && fromA == fromB {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func (c config) forDemo(rest []string, given map[string]bool) (config, error) {
	for _, name := range []string{"currency", "live", "journal", "refused"} {
		if given[name] {
			return c, fmt.Errorf("--demo does not go with --%s", name)
		}
	}
	if c.demo < 1 || len(rest) > 0 {
		return c, errors.New("--demo takes a number of bills, and no file")
	}
	if !given["rate"] {
		c.rate = 10_000 // the fake is near
	}
	c.key = "sk_test_DEMO"
	return c, c.check()
}

func (c *config) check() error {
	switch {
	case c.workers < 1 || c.workers > 256:
		return fmt.Errorf("--workers: must be 1 to 256, not %d", c.workers)
	case !(c.rate >= 1 && c.rate <= 1e6):
		return fmt.Errorf("--rate: must be 1 to 1000000, not %v", c.rate)
	case c.key == "":
		return errors.New("MOMENT_API_KEY is not set: it is the sk_test_... or sk_... that Moment gave you (or try --demo 1000)")
	}
	if c.currency != "" {
		if err := checkCurrency(c.currency); err != nil {
			return fmt.Errorf("--currency: %w", err)
		}
	}
	// So none waits for its turn longer than ten seconds: the timeout of an attempt is 30.
	c.workers = max(1, min(c.workers, int(10*c.rate)))
	client, _, err := c.connect()
	if err != nil {
		return err
	}
	if live := client.Mode() == moment.ModeLive; live != c.live {
		return fmt.Errorf("MOMENT_API_KEY is a key for %s mode: --live must be given for live mode, and for it alone", client.Mode())
	}
	return nil
}

// connect makes the client, which keeps to a pace.
func (c config) connect() (*moment.Client, *pace, error) {
	connections := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	connections.MaxIdleConns, connections.MaxIdleConnsPerHost = c.workers, c.workers
	p := newPace(c.rate, c.workers, connections)
	options := []moment.ClientOption{moment.WithHTTPClient(&http.Client{Transport: p}), moment.WithUserAgent("billing-run")}
	if c.baseURL != "" {
		options = append(options, moment.WithBaseURL(c.baseURL))
	}
	client, err := moment.NewClient(c.key, append(options, c.options...)...)
	var bad *moment.ArgumentError
	switch {
	case errors.As(err, &bad) && bad.Param == "base URL" && !strings.Contains(c.baseURL, "://"):
		err = errors.New("MOMENT_BASE_URL lacks https:// in front (or http://, on this machine)")
	case errors.As(err, &bad) && bad.Param == "base URL":
		err = fmt.Errorf("MOMENT_BASE_URL %s", bad.Reason)
	case errors.As(err, &bad):
		err = fmt.Errorf("MOMENT_API_KEY: %s %s", bad.Param, bad.Reason)
	}
	return client, p, err
}
