package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/moment-billing/moment-go/momenttest"
)

func readFail(args []string, getenv func(string) string) (command, error) {
	flags := newFlags()
	at := addURL(flags, getenv)
	on := flags.String("on", "", "")
	times := flags.Int("times", 1, "")
	delay := flags.String("delay", "", "")
	retryAfter := flags.String("retry-after", "", "")
	remove := flags.Bool("clear", false, "")
	others, err := parseFlags(flags, args)
	if err != nil {
		return nil, err
	}
	c, err := at()
	switch {
	case err != nil:
		return nil, err
	case *remove && len(others) > 0:
		return nil, errors.New("--clear accepts no fault")
	case *remove:
		return func(ctx context.Context, _, _ io.Writer) error {
			return c.call(ctx, http.MethodDelete, "/_mock/faults", nil, nil)
		}, nil
	case len(others) == 0:
		return func(ctx context.Context, stdout, _ io.Writer) error {
			return c.faults(ctx, http.MethodGet, nil, stdout)
		}, nil
	}
	sent := map[string]any{"fault": others[0], "times": *times}
	if status, err := strconv.Atoi(others[0]); err == nil {
		sent["fault"], sent["status"] = "status", status
		others = others[1:]
	} else if others = others[1:]; len(others) > 0 {
		status, err := strconv.Atoi(others[0])
		if err != nil {
			return nil, fmt.Errorf("the status must be a number, not %q", others[0])
		}
		sent["status"] = status
		others = others[1:]
	}
	for name, value := range map[string]string{"on": *on, "delay": *delay, "retry_after": *retryAfter} {
		if value != "" {
			sent[name] = value
		}
	}
	return func(ctx context.Context, stdout, _ io.Writer) error {
		return c.faults(ctx, http.MethodPost, sent, stdout)
	}, noMore(others)
}

// faults prints the faults that are left.
func (c client) faults(ctx context.Context, method string, sent any, stdout io.Writer) error {
	var left struct {
		Faults []momenttest.Fault `json:"faults"`
	}
	if err := c.call(ctx, method, "/_mock/faults", sent, &left); err != nil {
		return err
	}
	if len(left.Faults) == 0 {
		fmt.Fprintln(stdout, "No faults are left: moment-mock fail 503 makes the next request fail")
	}
	for _, f := range left.Faults {
		fmt.Fprintln(stdout, f)
	}
	return nil
}

func readClock(args []string, getenv func(string) string) (command, error) {
	flags := newFlags()
	at := addURL(flags, getenv)
	others, err := parseFlags(flags, args)
	if err != nil {
		return nil, err
	}
	method, sent := http.MethodPut, map[string]string{}
	switch {
	case len(others) == 0:
		method, sent = http.MethodGet, nil
	case len(others) == 2 && others[0] == "advance":
		sent["advance"] = others[1]
	case len(others) == 2 && others[0] == "set":
		sent["now"] = others[1]
	default:
		return nil, errors.New("clock accepts no arguments, advance and a duration, or set and a time: moment-mock clock advance 5s")
	}
	c, err := at()
	return func(ctx context.Context, stdout, _ io.Writer) error {
		var clock struct {
			Now time.Time `json:"now"`
		}
		var in any
		if sent != nil {
			in = sent
		}
		if err := c.call(ctx, method, "/_mock/clock", in, &clock); err != nil {
			return err
		}
		fmt.Fprintln(stdout, clock.Now.Format(time.RFC3339))
		return nil
	}, err
}

// readCall reads a command that has no arguments.
func readCall(args []string, getenv func(string) string, do func(ctx context.Context, c client, stdout io.Writer) error) (command, error) {
	flags := newFlags()
	at := addURL(flags, getenv)
	others, err := parseFlags(flags, args)
	if err == nil {
		err = noMore(others)
	}
	if err != nil {
		return nil, err
	}
	c, err := at()
	return func(ctx context.Context, stdout, _ io.Writer) error { return do(ctx, c, stdout) }, err
}

func readReset(args []string, getenv func(string) string) (command, error) {
	return readCall(args, getenv, func(ctx context.Context, c client, stdout io.Writer) error {
		err := c.call(ctx, http.MethodDelete, "/_mock/state", nil, nil)
		if err == nil {
			fmt.Fprintln(stdout, "Back to the seed")
		}
		return err
	})
}

func readHealth(args []string, getenv func(string) string) (command, error) {
	return readCall(args, getenv, func(ctx context.Context, c client, stdout io.Writer) error {
		ctx, cancel := context.WithTimeout(ctx, healthTimeout)
		defer cancel()
		var raw json.RawMessage
		if err := c.call(ctx, http.MethodGet, "/_mock/health", nil, &raw); err != nil {
			return err
		}
		var h health
		if json.Unmarshal(raw, &h) != nil || h.Name != "moment-mock" {
			return fmt.Errorf("%s is not moment-mock: pass the URL of moment-mock with --url", c.url)
		}
		fmt.Fprintf(stdout, "moment-mock %s is ready at %s\n", h.Version, c.url)
		return nil
	})
}

func readVersion(args []string, _ func(string) string) (command, error) {
	others, err := parseFlags(newFlags(), args)
	if err == nil {
		err = noMore(others)
	}
	return func(_ context.Context, stdout, _ io.Writer) error {
		_, err := fmt.Fprintln(stdout, "moment-mock", programVersion())
		return err
	}, err
}
