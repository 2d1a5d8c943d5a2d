package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// demo has the receiver serve, sends it what a receiver has to cope with, and prints how it answers
// and then the ledger. It fails if an answer is wrong, or the ledger does not hold each payment
// exactly once.
func demo(ctx context.Context, r *receiver, listener net.Listener, secret string, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- r.serve(ctx, listener) }()
	run := rand.Text()[:6] // in all ids, as the ledger may hold those of other runs
	payments := demoPayments(run)
	err := sendAll(ctx, "http://"+listener.Addr().String()+path, demoDeliveries(run, payments, secret), out)
	stop()
	if err := errors.Join(err, <-served, checkLedger(context.WithoutCancel(ctx), r.ledger, run, payments, out)); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nEach of the %d payments is in the ledger exactly once.\n", len(payments))
	return nil
}

// checkLedger prints the entries of a run and compares them with what they must be.
func checkLedger(ctx context.Context, l *ledger, run string, payments []entry, out io.Writer) error {
	entries, err := l.entries(ctx, "evt_"+run)
	if err != nil {
		return err
	}
	if err := printLedger(out, entries); err != nil {
		return err
	}
	if !slices.Equal(entries, payments) {
		return fmt.Errorf("the ledger does not hold each of the %d payments once, and nothing else", len(payments))
	}
	return nil
}

// demoPayments are the entries that the ledger must have at the end.
func demoPayments(run string) []entry {
	return []entry{
		{"pay_" + run + "1", "evt_" + run + "1", "bill bill_" + run, 15000, moment.ZAR},
		{"pay_" + run + "2", "evt_" + run + "2", "account bacc_" + run, 2500, moment.ZAR},
		{"pay_" + run + "3", "evt_" + run + "3", "customer bcus_" + run, 1200, moment.JPY},
		{"pay_" + run + "4", "evt_" + run + "4", "bill bill_" + run, -5000, moment.ZAR},
	}
}

// delivery is what the demo sends, and the status that must be answered.
type delivery struct {
	what   string
	header http.Header
	body   []byte
	copies int // sent at once
	want   int
}

func demoDeliveries(run string, payments []entry, secret string) []delivery {
	now := time.Now()
	payment := func(n int, what string, copies int) delivery {
		body := eventOf(payments[n-1])
		return delivery{what, momenttest.SignWebhook(secret, fmt.Sprintf("msg_%s%d", run, n), now, body), body, copies, 204}
	}
	// Of a forgery that was taken, payment 1 would be in the ledger twice.
	body := eventOf(payments[0])
	forgery := func(what, secret string, at time.Time, signed []byte) delivery {
		return delivery{what, momenttest.SignWebhook(secret, "msg_"+run+"forged", at, signed), body, 1, 400}
	}
	otherSecret := moment.RawWebhookSecret([]byte(rand.Text()))
	otherBody := bytes.Replace(body, []byte("15000"), []byte("100"), 1)
	unknown := fmt.Appendf(nil, `{"id":"evt_%s5","type":"bill.forgiven","data":{"id":"bill_%s"}}`, run, run)
	return []delivery{
		payment(1, "payment 1, for a bill", 1),
		payment(1, "payment 1 again", 1),
		payment(2, "payment 2, for an account, three times at once", 3),
		payment(3, "payment 3, for a customer", 1),
		forgery("forged: signed with another secret", otherSecret, now, body),
		forgery("forged: another amount than was signed", secret, now, otherBody),
		forgery("recorded: signed an hour ago", secret, now.Add(-time.Hour), body),
		forgery("from the future: signed for in an hour", secret, now.Add(time.Hour), body),
		{"an event of a type that nobody knows yet", momenttest.SignWebhook(secret, "msg_"+run+"5", now, unknown), unknown, 1, 204},
		payment(4, "payment 4, which takes back a part of payment 1, twice at once", 2),
		payment(1, "payment 1 once more", 1),
	}
}

// eventOf is the event that tells of a payment, as Moment sends it.
func eventOf(e entry) []byte {
	kind, id, _ := strings.Cut(e.obligation, " ")
	return fmt.Appendf(nil, `{"id":%q,"type":"obligation.amount_applied","data":{"id":"ob_%s","amount":%d,"currency":%q,"payment_id":%q,"%s_id":%q}}`,
		e.event, e.event, e.amount, e.currency, e.payment, kind, id)
}

func sendAll(ctx context.Context, url string, deliveries []delivery, out io.Writer) error {
	fmt.Fprintf(out, "Sent to %s:\n", url)
	client := &http.Client{Timeout: processTimeout}
	defer client.CloseIdleConnections() // which would keep the receiver waiting
	wrong := 0
	for _, d := range deliveries {
		answers := make(chan string, d.copies)
		for range d.copies {
			go func() { answers <- d.send(ctx, client, url) }()
		}
		for range d.copies {
			answer := <-answers
			fmt.Fprintln(out, " ", answer, "to", d.what)
			if answer != strconv.Itoa(d.want) {
				wrong++
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d deliveries had the wrong answer", wrong)
	}
	return nil
}

// send returns the status, or why there is none.
func (d delivery) send(ctx context.Context, client *http.Client, url string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.body))
	if err != nil {
		return err.Error()
	}
	req.Header = d.header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	return strconv.Itoa(resp.StatusCode)
}

func printLedger(out io.Writer, entries []entry) error {
	fmt.Fprintln(out, "\nThe ledger:")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  PAYMENT\tEVENT\tFOR\tAMOUNT")
	totals := map[moment.Currency]moment.Money{}
	for _, e := range entries {
		money := e.amount.In(e.currency)
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", e.payment, e.event, e.obligation, money)
		total, ok := totals[e.currency]
		if !ok {
			total = moment.Amount(0).In(e.currency)
		}
		var err error
		if totals[e.currency], err = total.Add(money); err != nil {
			return err
		}
	}
	for _, currency := range slices.Sorted(maps.Keys(totals)) {
		fmt.Fprintf(table, "  TOTAL %s\t\t\t%s\n", currency, totals[currency])
	}
	return table.Flush()
}
