package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

const (
	defaultListen   = "127.0.0.1:8787" // fixed, so that the other commands find it without a flag
	defaultURL      = "http://" + defaultListen
	exampleEndpoint = "http://127.0.0.1:8080/webhooks/moment"
)

// switches are the flags without a value, of all commands. findCommand has to know them.
var switches = []string{"h", "help", "version", "declined", "any-amount", "clear", "json", "no-console"}

// findCommand returns the name of the command, before or behind flags, and the other arguments.
func findCommand(args []string) (name string, others []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") {
			if _, ok := commands[arg]; ok {
				return arg, slices.Delete(slices.Clone(args), i, i+1)
			}
			return "", args
		}
		flagName := strings.TrimLeft(arg, "-")
		if flagName == "version" {
			return "version", nil
		}
		if !strings.Contains(flagName, "=") && !slices.Contains(switches, flagName) {
			i++ // its value
		}
	}
	return "", args
}

// newFlags returns a set that does not print, because run prints its errors.
func newFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("moment-mock", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parseFlags reads flags in any position, and returns the other arguments.
func parseFlags(flags *flag.FlagSet, args []string) (others []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, errors.Join(err)
		}
		rest := flags.Args()
		if len(rest) == 0 {
			return others, nil
		}
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(others, rest...), nil
		}
		others, args = append(others, rest[0]), rest[1:]
	}
}

// noMore is an error if there are arguments left.
func noMore(others []string) error {
	if len(others) > 0 {
		return fmt.Errorf("unexpected argument %q", others[0])
	}
	return nil
}

// readURL reads a URL, whose scheme is http:// if it has none, and whose host is this machine if it
// begins with a port. The error does not quote the URL, because it may contain a password.
func readURL(name, text, like string) (string, error) {
	if strings.HasPrefix(text, ":") {
		text = "127.0.0.1" + text
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("%s: must be a URL like %s", name, like)
	}
	return text, nil
}

// list is a flag that may occur several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}
