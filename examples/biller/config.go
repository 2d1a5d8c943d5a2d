package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
)

// usage is printed by help.
const usage = `biller raises the bills of a CSV file with Moment, each exactly once.

  biller demo [NUMBER]          shows it with a fake of the service
  biller check bills.csv        checks the whole file, and sends nothing
  biller run bills.csv          raises the bills; start it again to continue
  biller reconcile bills.csv    compares the file with the bills at Moment

run and reconcile need MOMENT_API_KEY, and read MOMENT_BASE_URL.

  --encoding windows-1252       the file is neither UTF-8 nor UTF-16
  --columns OURS=THEIRS         a column has another name; OURS= if there is none
  --date-format DD/MM/YYYY      how dates are written
  --decimal ,                   amounts have a decimal comma
  --currency ZAR                the currency of all bills, if there is no column
  --rate 50                     requests a second at most
  --database FILE               what was done; biller.db beside the file
  --yes                         continue after a warning
`

// config is what a command was started with.
type config struct {
	format

	command, path string
	bills         int // of a demo
	database      string
	rate          float64
	yes           bool
	key, baseURL  string
}

// parseFlags reads the arguments. Flags may follow the file.
func parseFlags(args []string) (config, error) {
	c := config{bills: 1000, format: format{encoding: "utf-8", date: time.DateOnly, columns: map[string]string{}}}
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		return c, flag.ErrHelp
	}
	c.command, args = args[0], args[1:]
	flags := flag.NewFlagSet("biller", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	decimal := "."
	flags.Func("encoding", "", oneOf(&c.encoding, "utf-8", windows1252))
	flags.Func("decimal", "", oneOf(&decimal, ".", ","))
	flags.Func("columns", "", func(text string) error {
		ours, theirs, found := strings.Cut(text, "=")
		if !found || !slices.Contains(ourColumns, ours) {
			return fmt.Errorf("write OURS=THEIRS, where OURS is one of %s", strings.Join(ourColumns, ", "))
		}
		c.columns[ours] = theirs
		return nil
	})
	flags.Func("date-format", "", func(form string) (err error) {
		c.date, err = layoutOf(form)
		return err
	})
	flags.Func("currency", "", func(code string) error {
		c.currency = moment.Currency(strings.ToUpper(code))
		_, err := c.currency.Exponent()
		return err
	})
	flags.Float64Var(&c.rate, "rate", 50, "")
	flags.StringVar(&c.database, "database", "", "")
	flags.BoolVar(&c.yes, "yes", false, "")
	var names []string
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return c, err
		}
		if args = flags.Args(); len(args) > 0 {
			names, args = append(names, args[0]), args[1:]
		}
	}
	c.comma = decimal == ","
	var err error
	switch {
	case !slices.Contains([]string{"demo", "check", "run", "reconcile"}, c.command):
		return c, fmt.Errorf("there is no command %.40q: see biller help", c.command)
	case c.rate < 1:
		return c, errors.New("--rate must be at least 1")
	case c.command == "demo" && len(names) == 0:
	case len(names) != 1:
		return c, fmt.Errorf("%s: name one file; there are %d", c.command, len(names))
	case c.command == "demo":
		if c.bills, err = strconv.Atoi(names[0]); err != nil || c.bills < 1 {
			return c, fmt.Errorf("%q is not a number of bills", names[0])
		}
	default:
		c.path = names[0]
		c.database = cmp.Or(c.database, filepath.Join(filepath.Dir(c.path), "biller.db"))
	}
	return c, nil
}

func oneOf(to *string, allowed ...string) func(string) error {
	return func(text string) error {
		if *to = strings.ToLower(text); !slices.Contains(allowed, *to) {
			return fmt.Errorf("must be one of %q", allowed)
		}
		return nil
	}
}
