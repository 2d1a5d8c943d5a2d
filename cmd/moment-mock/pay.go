package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

const maxReceipt = 1 << 20

// payConfig is what moment-mock pay is to do.
type payConfig struct {
	url   string
	order order
}

func readPay(args []string, getenv func(string) string) (command, error) {
	var c payConfig
	flags := newFlags()
	flags.StringVar(&c.url, "url", cmp.Or(getenv("MOMENT_BASE_URL"), defaultURL), "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() != 2 || flags.Arg(0) == "" || flags.Arg(1) == "" {
		return nil, errors.New("pay needs a target and an amount, behind its flags: moment-mock pay bill_… 15.00")
	}
	c.order = order{flags.Arg(0), flags.Arg(1)}
	return c.run, checkURL("--url or MOMENT_BASE_URL", c.url, defaultURL)
}

// run lets the payment come in, and prints what became of it.
func (c payConfig) run(ctx context.Context, stdout, _ io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	r, err := c.post(ctx)
	if err != nil {
		return err
	}
	r.print(stdout)
	switch {
	case r.Attempts == 0, r.Acknowledged:
		return nil
	case r.Error != "":
		return fmt.Errorf("the event was not acknowledged: %s", r.Error)
	default:
		return fmt.Errorf("the event was not acknowledged: the endpoint answered %d", r.Status)
	}
}

func (c payConfig) post(ctx context.Context) (*receipt, error) {
	body, err := json.Marshal(c.order)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(c.url, "/")+paymentsPath, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer resp.Body.Close()
	answer := io.LimitReader(resp.Body, maxReceipt)
	if resp.StatusCode != http.StatusOK {
		var refused refusal
		if err := json.NewDecoder(answer).Decode(&refused); err != nil || refused.Detail == "" {
			return nil, fmt.Errorf("%s answered %s: is that moment-mock?", req.URL.Redacted(), resp.Status)
		}
		return nil, errors.New(refused.Detail)
	}
	var r receipt
	if err := json.NewDecoder(answer).Decode(&r); err != nil || r.To == "" {
		return nil, fmt.Errorf("%s answered something else than a payment: is that moment-mock?", req.URL.Redacted())
	}
	return &r, nil
}

// noAnswer says whether the payment can have come in all the same.
func noAnswer(err error) error {
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return fmt.Errorf("%w: start moment-mock, or say by --url where it is", err)
	}
	return fmt.Errorf("%w: the payment may have come in all the same", err)
}

func (r *receipt) print(out io.Writer) {
	fmt.Fprint(out, "Paid ", r.Money, " to ", r.To)
	if r.Remaining != "" {
		fmt.Fprint(out, ", which leaves ", r.Remaining)
	}
	fmt.Fprintln(out)
	switch {
	case r.Attempts == 0:
		fmt.Fprintln(out, "The event went nowhere: moment-mock was started without --forward-to")
	case r.Status == 0:
		fmt.Fprintf(out, "Event %s: no answer, attempt %d\n", r.MessageID, r.Attempts)
	default:
		fmt.Fprintf(out, "Event %s: answered %d, attempt %d\n", r.MessageID, r.Status, r.Attempts)
	}
	var event bytes.Buffer
	if json.Indent(&event, r.Event, "", "  ") == nil {
		fmt.Fprintln(out, event.String())
	}
}
