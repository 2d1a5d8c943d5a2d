package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const (
	anyKey = "sk_test_YOUR_SECRET_KEY"

	readTimeout = 15 * time.Second
	// responseTimeout is longer than the attempts to deliver an event, which end after 30 seconds.
	responseTimeout = time.Minute
	healthTimeout   = 5 * time.Second
)

// retryNow are the waits between attempts with --retry now; retryLater are those of
// momenttest.WithOutbox without arguments.
var (
	retryNow   = make([]time.Duration, momenttest.MaxDeliveryAttempts-1)
	retryLater = []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
)

// serveConfig has the flags and the environment of a moment-mock that serves.
type serveConfig struct {
	listen    string
	forwardTo string // a URL; "" for nowhere
	state     string // a path; "" for none
	seed      string // a path; "" for none
	hosts     list
	waits     []time.Duration
	json      bool
	noConsole bool
	secret    string // of the environment; "" to use one of our own
	getenv    func(string) string
}

func readServe(args []string, getenv func(string) string) (command, error) {
	c := serveConfig{secret: getenv("MOMENT_WEBHOOK_SECRET"), getenv: getenv, waits: retryLater}
	flags := newFlags()
	flags.StringVar(&c.listen, "listen", defaultListen, "")
	flags.StringVar(&c.forwardTo, "forward-to", "", "")
	flags.StringVar(&c.state, "state", "", "")
	flags.StringVar(&c.seed, "seed", "", "")
	flags.Var(&c.hosts, "allow-host", "")
	retry := flags.String("retry", "", "")
	logForm := flags.String("log", "", "")
	flags.BoolVar(&c.noConsole, "no-console", false, "")
	others, err := parseFlags(flags, args)
	if err != nil {
		return nil, err
	}
	if len(others) > 0 {
		return nil, fmt.Errorf("there is no command %q", others[0])
	}
	if err := checkListen(c.listen); err != nil {
		return nil, err
	}
	if c.forwardTo != "" {
		if c.forwardTo, err = readURL("--forward-to", c.forwardTo, exampleEndpoint); err != nil {
			return nil, err
		}
	}
	switch {
	case *retry == "now":
		c.waits = retryNow
	case *retry != "":
		return nil, errors.New("--retry: must be now, or left out")
	}
	if c.json = *logForm == "json"; !c.json && *logForm != "" && *logForm != "text" {
		return nil, errors.New("--log: must be json or text")
	}
	if c.secret != "" {
		if err := checkSecret(c.secret); err != nil {
			return nil, fmt.Errorf("MOMENT_WEBHOOK_SECRET: %w", err)
		}
	}
	return c.run, nil
}

func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("--listen: must be host:port, like %s, not %q", defaultListen, address)
	}
	return nil
}

// checkSecret's error does not quote the secret. It does not name functions, because most users do
// not write Go.
func checkSecret(secret string) error {
	if _, err := moment.NewWebhookVerifier(secret); err != nil {
		return errors.New("must be whsec_ and base64 of at least 16 bytes")
	}
	return nil
}

// run serves the fake until ctx ends.
func (c serveConfig) run(ctx context.Context, stdout, stderr io.Writer) error {
	events := newEventLog(stderr, c.json, c.getenv, len(c.waits)+1)
	var m *mock
	options := []momenttest.Option{
		momenttest.WithOutbox(c.waits...),
		momenttest.WithDeliveryObserver(func(message momenttest.Message) { events.attempt(message, m.fake.Now()) }),
	}
	seed, err := readSeed(c.seed)
	if err != nil {
		return err
	}
	var kept contents
	var found bool
	secret := moment.RawWebhookSecret([]byte(rand.Text()))
	if c.state != "" {
		var file *stateFile
		file, kept, found, err = openStateFile(c.state, func(err error) {
			// No response may report a change that is not stored.
			fmt.Fprintf(stderr, "moment-mock: the state file %s: %v: free some space, or choose another file\n", c.state, err)
			os.Exit(1)
		})
		if err != nil {
			return fmt.Errorf("the state file %s: %w", c.state, err)
		}
		defer file.close()
		secret = cmp.Or(kept.WebhookSecret, secret)
		file.secret = secret
		options = append(options, momenttest.WithJournal(file))
	}

	m = newMock(c.listen, c.hosts, options...)
	m.noConsole = c.noConsole
	defer m.fake.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return fmt.Errorf("%w: choose another address with --listen, like 127.0.0.1:0", err)
	}
	defer func() { _ = listener.Close() }()
	if err := m.fake.Seed(seed); err != nil {
		return fmt.Errorf("the seed %s: %s", c.seed, strings.TrimPrefix(err.Error(), "momenttest: seed: "))
	}
	if !found {
		kept.State = m.fake.State()
	}
	if err := m.fake.Restore(kept.State); err != nil {
		return fmt.Errorf("the state file %s: invalid, and left unchanged: %s: move the file away to start without data", c.state, strings.TrimPrefix(err.Error(), "momenttest: restore: "))
	}
	// No receiver has this previous secret, so that a delivery signed with it tests a rejection.
	m.setWebhook(webhook{url: c.forwardTo, secret: cmp.Or(c.secret, secret), previous: moment.RawWebhookSecret([]byte(rand.Text()))})
	fmt.Fprint(stdout, c.announcement(listener.Addr(), secret))
	return serve(ctx, listener, m, events)
}

// readSeed reads a seed, if there is one.
func readSeed(path string) (momenttest.State, error) {
	if path == "" {
		return momenttest.State{}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return momenttest.State{}, fmt.Errorf("the seed: %w", err)
	}
	defer func() { _ = file.Close() }()
	read, _, found, err := readContents(file)
	if err == nil && !found {
		err = errors.New(`it is empty: begin with {"customers": []}`)
	}
	if err != nil {
		return momenttest.State{}, fmt.Errorf("the seed %s: %s", path, decodeReason(err))
	}
	return read.State, nil
}

// announcement is the text at the start. It does not show the secret of the environment, because
// that may be a production secret.
func (c serveConfig) announcement(address net.Addr, secret string) string {
	var text strings.Builder
	line := func(parts ...any) { fmt.Fprintln(&text, parts...) }
	baseURL := "http://" + reachable(address)
	line("A fake of the Moment Billing API. The key and the secret work only here.")
	line()
	line("  URL             ", baseURL)
	if !c.noConsole {
		line("  Console         ", "the same URL, in a browser")
	}
	line("  API key         ", anyKey, "or any other that begins with sk_test_")
	if c.secret == "" {
		line("  Webhook secret  ", secret)
	} else {
		line("  Webhook secret  ", "the one in MOMENT_WEBHOOK_SECRET")
	}
	if c.forwardTo != "" {
		line("  Events go to    ", webhook{url: c.forwardTo}.shown())
	} else {
		line("  Events          ", "are not sent: see --forward-to")
	}
	if c.seed != "" {
		line("  Seed            ", c.seed)
	}
	if c.state != "" {
		line("  Data is kept in ", c.state)
	} else {
		line("  Data is kept    ", "in memory only: see --state")
	}
	line()
	line("For programs in another terminal:")
	line()
	line("  export MOMENT_BASE_URL=" + baseURL)
	line("  export MOMENT_API_KEY=" + anyKey)
	if c.secret == "" {
		line("  export MOMENT_WEBHOOK_SECRET=" + secret)
	}
	line()
	line("To pay a bill, run moment-mock pay bill_… 15.00. For all commands, see moment-mock --help")
	line()
	return text.String()
}

// reachable returns the address to print. For a listener on all addresses, it is the loopback
// address.
func reachable(address net.Addr) string {
	tcp, ok := address.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return address.String()
}

// serve serves until ctx ends, and then finishes the requests in flight.
func serve(ctx context.Context, listener net.Listener, m *mock, events *eventLog) error {
	logger := log.New(events, "", 0)
	server := &http.Server{
		Handler:           events.requests(m),
		ReadHeaderTimeout: readTimeout / 2,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + responseTimeout, // it runs from the end of the headers
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          logger,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	m.fake.Close() // because no endpoint may delay the exit
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), responseTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
		return fmt.Errorf("ended with requests in flight: %w", err)
	}
	return nil
}
