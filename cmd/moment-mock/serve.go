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
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const (
	readTimeout = 15 * time.Second
	// answerTimeout is more than the 30 seconds that an event's attempts may take.
	answerTimeout = time.Minute
)

// serveConfig is what moment-mock is to do.
type serveConfig struct {
	listen    string
	forwardTo string // a URL; "" for nowhere
	state     string // a path; "" for none
	secret    string // of the environment; "" to use one of our own
}

func readServe(args []string, getenv func(string) string) (command, error) {
	c := serveConfig{secret: getenv("MOMENT_WEBHOOK_SECRET")}
	flags := newFlags()
	flags.StringVar(&c.listen, "listen", defaultListen, "")
	flags.StringVar(&c.forwardTo, "forward-to", "", "")
	flags.StringVar(&c.state, "state", "", "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	}
	if err := checkListen(c.listen); err != nil {
		return nil, err
	}
	if c.forwardTo != "" {
		if err := checkURL("--forward-to", c.forwardTo, "http://127.0.0.1:8080/webhooks/moment"); err != nil {
			return nil, err
		}
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

// checkSecret's errors do not repeat the secret.
func checkSecret(secret string) error {
	_, err := moment.NewWebhookVerifier(secret)
	var bad *moment.ArgumentError
	if errors.As(err, &bad) {
		return errors.New(bad.Reason)
	}
	return err
}

// run is the fake, until ctx ends.
func (c serveConfig) run(ctx context.Context, stdout, stderr io.Writer) error {
	kept := contents{Version: version}
	var options []momenttest.Option
	if c.state != "" {
		file, err := openStateFile(c.state, &kept)
		if err != nil {
			return fmt.Errorf("the state file %s: %w", c.state, err)
		}
		defer file.close()
		options = append(options, momenttest.WithSave(func(state momenttest.State) {
			kept.State = state
			if err := file.write(kept); err != nil {
				// Nobody may hear of a change that is not kept, nor of anything that follows from
				// it.
				fmt.Fprintf(stderr, "moment-mock: the state file %s: %v\n", c.state, err)
				os.Exit(1)
			}
		}))
	}
	kept.WebhookSecret = cmp.Or(kept.WebhookSecret, moment.RawWebhookSecret([]byte(rand.Text())))

	mock := newHandler(c.listen, options...)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return fmt.Errorf("%w: choose another address by --listen, like 127.0.0.1:0", err)
	}
	defer func() { _ = listener.Close() }()
	if err := mock.fake.Seed(kept.State); err != nil {
		return fmt.Errorf("the state file %s: broken, and left as it is: %s", c.state, strings.TrimPrefix(err.Error(), "momenttest: seed: "))
	}
	if c.forwardTo != "" {
		mock.fake.SetWebhook(c.forwardTo, cmp.Or(c.secret, kept.WebhookSecret))
	}
	fmt.Fprint(stdout, c.announcement(listener.Addr(), kept.WebhookSecret))
	return serve(ctx, listener, mock, log.New(stderr, "", 0))
}

// announcement is what a program has to know. The secret of the environment is not repeated: it may
// be a real one.
func (c serveConfig) announcement(address net.Addr, secret string) string {
	var text strings.Builder
	line := func(parts ...any) { fmt.Fprintln(&text, parts...) }
	baseURL := "http://" + reachable(address)
	line("A fake of the Moment Billing API. Key and secret are made for tests, and open nothing else.")
	line()
	line("  URL             ", baseURL)
	line("  API key         ", anyKey, "or any other that begins with sk_test_")
	if c.secret == "" {
		line("  Webhook secret  ", secret)
	} else {
		line("  Webhook secret  ", "the one in MOMENT_WEBHOOK_SECRET")
	}
	if u, err := url.Parse(c.forwardTo); err == nil && c.forwardTo != "" {
		line("  Events go to    ", u.Redacted())
	} else {
		line("  Events go       ", "nowhere: see --forward-to")
	}
	if c.state != "" {
		line("  Data is kept in ", c.state)
	} else {
		line("  Data is kept    ", "until the end: see --state")
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
	line("There, money comes in by moment-mock pay bill_… 15.00")
	line()
	return text.String()
}

// reachable gives the address by which this machine reaches one that listens on all of them.
func reachable(address net.Addr) string {
	tcp, ok := address.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return address.String()
}

// serve answers until ctx ends, and then finishes the requests that are there.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *log.Logger) error {
	server := &http.Server{
		Handler:           logged(handler, logger),
		ReadHeaderTimeout: readTimeout / 2,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + answerTimeout, // it runs from the end of the headers
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
		return fmt.Errorf("ended with requests left: %w", err)
	}
	return nil
}
