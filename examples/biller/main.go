// Command biller raises the bills of a CSV file, each exactly once. See README.md; biller demo shows
// what it does.
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
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/moment-billing/moment-go"
)

const (
	exitDone     = 0
	exitFailed   = 1 // or stopped: start it again. For check: there are problems
	exitUsage    = 2 // wrong usage, configuration or file, or a warning: nothing was sent
	exitRejected = 3 // finished, and rows were rejected, or differ
)

// config is what a command was started with.
type config struct {
	format

	Rate     float64 `default:"50"       help:"Send so many requests a second at most, retries included."`
	Database string  `placeholder:"FILE" help:"Keep what was done in this file. Default: biller.db beside the file."`
	Yes      bool    `help:"Continue after a warning."`

	path, key, baseURL string
}

type fileCommand struct {
	File string `arg:"" help:"A CSV file."`
}

type commands struct {
	config

	Demo struct {
		Bills int `arg:"" default:"1000" help:"How many bills."`
	} `cmd:"" help:"Show what the program does, with a fake of the service."`
	Check     fileCommand `cmd:"" help:"Check the whole file, and send nothing."`
	Run       fileCommand `cmd:"" help:"Raise the bills of the file. Start it again to continue."`
	Reconcile fileCommand `cmd:"" help:"Compare the file with the bills at Moment, and change nothing."`
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

// start is the program. It returns the exit code.
func start(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	c, command, err := parseFlags(args, stdout)
	switch code = exitUsage; {
	case err != nil:
	case command == "":
		return exitDone
	case command == "demo":
		code, err = demo(ctx, c.config, c.Demo.Bills, stdout, stderr)
	case command == "check":
		code, err = check(ctx, c.config, stdout)
	case command == "run":
		code, err = runFile(ctx, c.config, stdout, stderr)
	case command == "reconcile":
		code, err = reconcile(ctx, c.config, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "biller:", err)
	}
	return code
}

// parseFlags returns the name of the command, or "" after help.
func parseFlags(args []string, stdout io.Writer) (c commands, command string, err error) {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	helped := false
	parser, err := kong.New(&c, kong.Name("biller"), kong.Writers(stdout, stdout), kong.Exit(func(int) { helped = true }),
		kong.Description("Raises the bills of a CSV file with Moment, each exactly once. "+
			"run and reconcile need MOMENT_API_KEY, and read MOMENT_BASE_URL."))
	if err != nil {
		return c, "", err
	}
	parsed, err := parser.Parse(args)
	if helped {
		return c, "", nil
	}
	if err == nil {
		err = c.validate()
	}
	if err != nil {
		return c, "", err
	}
	c.path = cmp.Or(c.Check.File, c.Run.File, c.Reconcile.File)
	c.Database = cmp.Or(c.Database, filepath.Join(filepath.Dir(c.path), "biller.db"))
	c.key, c.baseURL = os.Getenv("MOMENT_API_KEY"), os.Getenv("MOMENT_BASE_URL")
	return c, strings.Fields(parsed.Command())[0], nil
}

// connect makes the client, whose requests keep to the rate.
func (c config) connect() (*moment.Client, error) {
	if c.Rate < 1 {
		return nil, errors.New("--rate must be at least 1")
	}
	connections := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	connections.MaxIdleConnsPerHost = workers
	options := []moment.ClientOption{
		moment.WithHTTPClient(&http.Client{Transport: newPace(c.Rate, connections)}), moment.WithUserAgent("biller"),
	}
	if c.baseURL != "" {
		options = append(options, moment.WithBaseURL(c.baseURL))
	}
	client, err := moment.NewClient(c.key, options...)
	if err != nil {
		return nil, fmt.Errorf("MOMENT_API_KEY or MOMENT_BASE_URL: %w", err)
	}
	return client, nil
}
