// Command moment-mock is a fake of the Moment Billing API that listens on a loopback port, for
// programs in any language to be developed and tested against. It is package momenttest with a
// request log, a command by which money comes in, and, where asked to, a memory on disk. See
// moment-mock --help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"syscall"
)

const (
	defaultListen = "127.0.0.1:8787" // fixed, so that moment-mock pay finds it without being told
	defaultURL    = "http://" + defaultListen
	anyKey        = "sk_test_YOUR_SECRET_KEY"
)

const usage = `Usage: moment-mock [--listen address] [--forward-to URL] [--state file]
       moment-mock pay [--url URL] target amount

A fake of the Moment Billing API, to develop and test against in any language: the operations,
errors and signed webhooks of Moment, and no real money. It prints its URL, a key and a webhook
secret, and then a line for each request, on standard error. SIGINT (Ctrl+C) or SIGTERM ends it
after the requests that run, a second one at once.

  --listen address   where to listen. Default: 127.0.0.1:8787, which other machines cannot
                     reach; with port 0, one that is free. Requests are accepted by an
                     address, by the name that is listened on, and by names that nobody can
                     register: localhost, moment-mock (a container), host.docker.internal
  --forward-to URL   where the events of payments are sent. Default: nowhere
  --state file       where to keep everything for the next run, kill -9 included. Default:
                     nowhere, it is gone at the end. It is written as a whole at each change:
                     for some thousand objects. Two runs at once on one file are refused, but
                     on Windows are not

moment-mock pay lets money come in at one that runs: see moment-mock pay --help.

MOMENT_WEBHOOK_SECRET in the environment, whsec_..., is what events are signed with. Without
it, a secret is made up, and kept in the state file if there is one.

Exit codes: 0 ended as asked, 1 failed, 2 wrong usage.
`

const payUsage = `Usage: moment-mock pay [--url URL] target amount

Lets a payment come in at a moment-mock that runs, and shows its event and how that was delivered.

  target      what is paid: the id or the external reference of a bill, or of an account or a
              customer that has a currency; where two have one reference, the id
  amount      in the currency of the target: 15.00
  --url URL   where moment-mock is; or MOMENT_BASE_URL in the environment.
              Default: http://127.0.0.1:8787

For example:

  moment-mock pay UBR1234567890 15.00

The payment stays, whatever becomes of its event: that is delivered three times at most, and not
again later.

Other programs can do the same, and get the delivery as JSON. The answer is 200 once the payment
is applied; acknowledged says whether the event was, status what your endpoint answered (0:
nothing), and error why not:

  curl http://127.0.0.1:8787/_mock/payments -H 'Content-Type: application/json' \
    -d '{"to": "UBR1234567890", "amount": "15.00"}'

Exit codes: 0 paid, and the event was acknowledged or had nowhere to go; 1 refused, no answer, or
the event was not acknowledged; 2 wrong usage.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// A command is what was asked for, with its arguments read.
type command func(ctx context.Context, stdout, stderr io.Writer) error

// run is the program, until it is done or ctx ends. It returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	read, help := readServe, usage
	if len(args) > 0 && args[0] == "pay" {
		read, help, args = readPay, payUsage, args[1:]
	}
	start, err := read(args, getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "moment-mock:", err)
		return 2
	}
	if err := start(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "moment-mock:", err)
		return 1
	}
	return 0
}

// newFlags are of a set that prints nothing by itself: run does.
func newFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("moment-mock", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// checkURL does not repeat the URL: there may be a password in it.
func checkURL(name, text, like string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("%s: must be a URL like %s", name, like)
	}
	return nil
}
