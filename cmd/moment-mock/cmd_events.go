package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/moment-billing/moment-go/momenttest"
)

func readEvents(args []string, getenv func(string) string) (command, error) {
	flags := newFlags()
	at := addURL(flags, getenv)
	others, err := parseFlags(flags, args)
	if err != nil {
		return nil, err
	}
	if len(others) > 1 {
		return nil, noMore(others[1:])
	}
	c, err := at()
	return func(ctx context.Context, stdout, _ io.Writer) error {
		if len(others) == 1 {
			return c.showEvent(ctx, others[0], stdout)
		}
		return c.listEvents(ctx, stdout)
	}, err
}

func (c client) listEvents(ctx context.Context, stdout io.Writer) error {
	var list struct {
		Events []eventSummary `json:"events"`
	}
	if err := c.call(ctx, http.MethodGet, "/_mock/events", nil, &list); err != nil {
		return err
	}
	if len(list.Events) == 0 {
		fmt.Fprintln(stdout, "There are no events yet: moment-mock pay bill_… makes one")
	}
	for _, e := range list.Events {
		outcome := "not sent"
		switch {
		case e.Acknowledged:
			outcome = "acknowledged"
		case e.Attempts > 0:
			outcome = fmt.Sprintf("%d at attempt %d", e.Status, e.Attempts)
		}
		fmt.Fprint(stdout, e.MessageID, " ", e.Type, " ", outcome)
		if e.NextAttemptAt != nil {
			fmt.Fprint(stdout, ", next at ", e.NextAttemptAt.Format(time.RFC3339))
		}
		fmt.Fprintln(stdout)
	}
	return nil
}

func (c client) showEvent(ctx context.Context, id string, stdout io.Writer) error {
	var e eventDetail
	if err := c.call(ctx, http.MethodGet, "/_mock/events/"+url.PathEscape(id), nil, &e); err != nil {
		return err
	}
	fmt.Fprintln(stdout, indented(e.Event))
	if len(e.Attempts) == 0 {
		fmt.Fprintf(stdout, "It was not sent: moment-mock resend %s delivers it\n", e.ID)
	}
	for i, a := range e.Attempts {
		printAttempt(stdout, i+1, a)
	}
	if !e.NextAttemptAt.IsZero() {
		fmt.Fprintln(stdout, "The next attempt is due at", e.NextAttemptAt.Format(time.RFC3339))
	}
	return nil
}

func printAttempt(out io.Writer, n int, a momenttest.Attempt) {
	outcome := strconv.Itoa(a.Status)
	if a.Status == 0 {
		outcome = shortError(a.Error)
	}
	fmt.Fprintf(out, "attempt %d at %s to %s: %s\n", n, a.At.Format(time.RFC3339), shortURL(a.URL), outcome)
	if a.Response != "" {
		fmt.Fprintln(out, a.Response)
	}
}

func readResend(args []string, getenv func(string) string) (command, error) {
	sent := map[string]any{}
	flags := newFlags()
	at := addURL(flags, getenv)
	times := flags.Int("times", 1, "")
	secret := flags.String("secret", "current", "")
	age := flags.String("age", "0s", "")
	others, err := parseFlags(flags, args)
	if err != nil {
		return nil, err
	}
	if len(others) != 1 {
		return nil, errors.New("resend requires one message id: moment-mock resend msg_…")
	}
	sent["times"], sent["secret"], sent["age"] = *times, *secret, *age
	c, err := at()
	return func(ctx context.Context, stdout, _ io.Writer) error {
		var e eventDetail
		if err := c.call(ctx, http.MethodPost, "/_mock/events/"+url.PathEscape(others[0])+"/deliver", sent, &e); err != nil {
			return err
		}
		made := e.Attempts[max(0, len(e.Attempts)-*times):]
		for i, a := range made {
			printAttempt(stdout, len(e.Attempts)-len(made)+i+1, a)
		}
		if len(made) > 0 && !made[len(made)-1].Acknowledged() {
			return errors.New("the event was not acknowledged: see the log of your endpoint")
		}
		return nil
	}, err
}
