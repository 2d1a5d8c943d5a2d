package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/moment-billing/moment-go/momenttest"
)

func readPay(args []string, getenv func(string) string) (command, error) {
	var o order
	flags := newFlags()
	at := addURL(flags, getenv)
	flags.BoolVar(&o.Declined, "declined", false, "")
	flags.BoolVar(&o.AnyAmount, "any-amount", false, "")
	flags.StringVar(&o.Method, "method", "", "")
	flags.StringVar((*string)(&o.Deliver), "deliver", "", "")
	others, err := parseFlags(flags, args)
	if err != nil {
		return nil, err
	}
	if len(others) < 1 || len(others) > 2 || others[0] == "" || others[len(others)-1] == "" {
		return nil, errors.New("pay requires a target, and accepts an amount: moment-mock pay bill_… 15.00")
	}
	switch o.Deliver {
	case "", momenttest.DeliverNow, momenttest.DeliverHold, momenttest.DeliverNever:
	default:
		return nil, errors.New("--deliver: must be now, hold or never")
	}
	o.To = others[0]
	if len(others) == 2 {
		o.Amount = others[1]
	}
	c, err := at()
	return func(ctx context.Context, stdout, _ io.Writer) error { return c.pay(ctx, o, stdout) }, err
}

// pay records the payment, and prints what became of it.
func (c client) pay(ctx context.Context, o order, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, responseTimeout)
	defer cancel()
	var r receipt
	if err := c.call(ctx, http.MethodPost, paymentsPath, o, &r); err != nil {
		return err
	}
	if r.To == "" {
		return fmt.Errorf("%s%s did not respond with a payment: pass the URL of moment-mock with --url", c.url, paymentsPath)
	}
	r.show(stdout, o.Deliver)
	if err := r.failure(); err != nil || r.Previous == nil {
		return err
	}
	return r.Previous.failure()
}

// failure says that the endpoint did not acknowledge an event, and what follows.
func (d *delivery) failure() error {
	if d.Attempts == 0 || d.Acknowledged {
		return nil
	}
	next := "moment-mock resend " + d.MessageID + " delivers it again"
	if d.NextAttemptAt != nil {
		next = "moment-mock retries it; moment-mock clock advance 5s makes the retry due now"
	}
	if d.Error != "" {
		return fmt.Errorf("the event was not acknowledged: %s: %s", d.Error, next)
	}
	return fmt.Errorf("the event was not acknowledged: the endpoint responded %d: %s", d.Status, next)
}

func (r *receipt) show(out io.Writer, when momenttest.Deliver) {
	if r.Declined {
		fmt.Fprint(out, "Declined ", r.Money, " to ", r.To)
	} else {
		fmt.Fprint(out, "Paid ", r.Money, " to ", r.To)
	}
	if r.Remaining != "" {
		fmt.Fprint(out, ", which leaves ", r.Remaining)
	}
	fmt.Fprintln(out)
	if r.Previous != nil {
		r.Previous.show(out, when)
	}
	r.delivery.show(out, when)
}

func (d *delivery) show(out io.Writer, when momenttest.Deliver) {
	switch {
	case when == momenttest.DeliverNever:
		fmt.Fprintln(out, "The event is never delivered, as you asked")
	case when == momenttest.DeliverHold:
		fmt.Fprintf(out, "Event %s was not sent: moment-mock resend %s delivers it\n", d.MessageID, d.MessageID)
	case d.Attempts == 0:
		fmt.Fprintln(out, "The event was not sent: moment-mock was started without --forward-to")
	case d.Status == 0:
		fmt.Fprintf(out, "Event %s: no response at attempt %d\n", d.MessageID, d.Attempts)
	default:
		fmt.Fprintf(out, "Event %s: %d at attempt %d\n", d.MessageID, d.Status, d.Attempts)
	}
	fmt.Fprintln(out, indented(d.Event))
}
