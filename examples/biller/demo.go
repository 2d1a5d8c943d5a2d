package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const fakeEnv = "BILLER_FAKE"

// demo runs a generated file against a fake of the service in another process. It returns an error
// unless the fake then has each bill exactly once.
func demo(ctx context.Context, c config, bills int, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "biller")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c.input.File, c.Database = filepath.Join(dir, "bills.csv"), filepath.Join(dir, "biller.db")
	c.key, c.Rate, c.postgres = "sk_test_DEMO", 100_000, nil
	text, want := demoFile(bills)
	self, failed := os.Executable()
	service := exec.CommandContext(context.WithoutCancel(ctx), self) // not ended by ctx, because calls in flight need responses
	service.Env, service.Stderr = append(os.Environ(), fakeEnv+"=1"), stderr
	input, failed2 := service.StdinPipe() // it closes when this process ends, and the fake then ends too
	output, failed3 := service.StdoutPipe()
	if err := errors.Join(os.WriteFile(c.input.File, []byte(text), 0o600), failed, failed2, failed3, service.Start()); err != nil {
		return err
	}
	if _, err := fmt.Fscanln(output, &c.baseURL); err != nil {
		return errors.Join(errors.New("the fake did not start"), service.Wait())
	}
	err = runFile(ctx, c, false, stdout, stderr)
	if exit, ok := errors.AsType[exitError](err); ok && exit.code == exitRejected {
		err = nil // because some rows of the demo are invalid
	}
	_ = input.Close()
	has, failed := io.ReadAll(output)
	if err := errors.Join(err, failed, service.Wait()); err != nil {
		return err
	}
	if string(has) != want {
		return fmt.Errorf("the fake has %s, but should have %s", has, want)
	}
	fmt.Fprintf(stdout, "The fake has %s, each exactly once. The files of the demo, with the rejected rows too, were removed.\n", has)
	return nil
}

// fake serves until its input ends. It fails some of the first requests.
func fake(stdin io.Reader, stdout io.Writer) {
	signal.Ignore(os.Interrupt) // because a terminal sends it to both processes
	srv := momenttest.NewServer()
	srv.Fail(momenttest.RateLimit(time.Second).Times(2), momenttest.DropAfterCommit().Times(3), momenttest.Status(503))
	fmt.Fprintln(stdout, srv.URL)
	_, _ = io.Copy(io.Discard, stdin)
	srv.Close()
	fmt.Fprint(stdout, summary(srv.State().Bills))
}

// summary returns the number and the total of bills. Equal summaries mean that each bill exists
// once, because references are unique at the service.
func summary(bills []moment.Bill) string {
	total := moment.Money{Currency: moment.ZAR}
	for _, bill := range bills {
		total.Amount += bill.AmountDue
	}
	return fmt.Sprintf("%d bills of %v", len(bills), total)
}

// demoFile returns a file of n rows, and the summary of its bills. Some customers have two bills,
// and one row in a thousand is invalid.
func demoFile(n int) (text, want string) {
	var file strings.Builder
	var bills []moment.Bill
	file.WriteString(strings.Join(ourColumns, ",") + "\n")
	for i := range n {
		cents := 1000 + i%9000
		amount := fmt.Sprintf("%d.%02d", cents/100, cents%100)
		if i%1000 == 500 {
			amount = "R " + amount
		} else {
			bills = append(bills, moment.Bill{AmountDue: moment.Amount(cents)})
		}
		customer := i - i%50/49
		fmt.Fprintf(&file, "C%07d,\"Zoë, customer %d\",c%d@example.com,B%07d,%s,ZAR,2031-01-31\n", customer, customer, customer, i, amount)
	}
	return file.String(), summary(bills)
}
