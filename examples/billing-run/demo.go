package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// demo makes a file and runs it against a fake of the service, in a process of its own so that the
// memory of the run can be seen. It fails unless the fake then has each bill of the file exactly
// once.
func demo(ctx context.Context, c config, stdout, stderr io.Writer) int {
	code, err := demonstrate(ctx, c, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "billing-run:", err)
		return exitFailed
	}
	return code
}

func demonstrate(ctx context.Context, c config, stdout, stderr io.Writer) (code int, err error) {
	dir, err := os.MkdirTemp("", "billing-run")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c.path = filepath.Join(dir, "bills.csv")
	c.journal, c.refused = c.path+".journal", besides(c.path)
	want, err := writeDemo(c.path, c.demo)
	if err != nil {
		return 0, err
	}
	var stop func() (holding, error)
	c.baseURL, stop, err = startFake(ctx)
	if err != nil {
		return 0, err
	}
	code = bill(ctx, c, stdout, stderr)
	has, err := stop()
	switch {
	case err != nil || code == exitFailed || code == exitUsage:
		return code, err
	case !reflect.DeepEqual(has, want):
		return 0, fmt.Errorf("the fake has %v, and not %v", has, want)
	}
	fmt.Fprintf(stdout, "The fake has each of the %d bills exactly once.\n", has.Bills)
	return exitDone, nil
}

// holding is what the fake has at the end. References are unique in it.
type holding struct {
	Bills int
	Money map[moment.Currency]moment.Amount
}

// writeDemo writes a file of n bills, and returns what the service must have of them. Some
// customers have several bills, next to each other or far apart, and some rows are wrong.
func writeDemo(path string, n int) (want holding, err error) {
	file, err := os.Create(path)
	if err != nil {
		return want, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	names := []string{"Thandi Khumalo", "Naledi, Pillay & Sons", `The "Shop"`, "Zoë van der Merwe", "PO Box 1\nCape Town"}
	currencies := []moment.Currency{moment.ZAR, moment.ZAR, moment.ZAR, moment.USD, moment.JPY}
	want.Money = map[moment.Currency]moment.Amount{}
	out := csv.NewWriter(file)
	_ = out.Write([]string{columnCustomer, columnName, columnEmail, columnBill, columnAmount, columnCurrency, columnDue})
	for i := range n {
		customer := i
		switch {
		case i%5 == 4:
			customer = i - 1 // the row before
		case i%50 == 7:
			customer = i / 2
		}
		money := moment.Amount(1000 + i%9000).In(currencies[i%len(currencies)])
		amount, err := money.Decimal()
		if err != nil {
			return want, err
		}
		if i%1000 == 500 {
			amount = strings.Replace(amount, ".", ",", 1)
		} else {
			want.Bills++
			want.Money[money.Currency] += money.Amount
		}
		_ = out.Write([]string{
			fmt.Sprintf("UCR%07d", customer), names[customer/5%len(names)], fmt.Sprintf("customer%d@example.com", customer),
			fmt.Sprintf("UBR%07d", i), amount, string(money.Currency), "2031-01-31",
		})
	}
	out.Flush()
	return want, out.Error()
}

const fakeEnv = "BILLING_RUN_FAKE"

// startFake starts this program as the fake.
func startFake(ctx context.Context) (url string, stop func() (holding, error), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self) // the calls under way are to be answered
	cmd.Env = append(os.Environ(), fakeEnv+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // it ends with its input, and so with this process at the latest
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() (has holding, err error) {
		err = errors.Join(stdin.Close(), json.NewDecoder(stdout).Decode(&has), cmd.Wait())
		return has, err
	}
	lines := bufio.NewReader(stdout)
	url, err = lines.ReadString('\n')
	if err != nil {
		_, ended := stop()
		return "", nil, errors.Join(err, ended)
	}
	return strings.TrimSpace(url), stop, nil
}

// fake is the service, with a little trouble at the beginning, until its input ends.
func fake(stdin io.Reader, stdout io.Writer) int {
	signal.Ignore(os.Interrupt) // which a terminal sends to both processes
	srv := momenttest.NewServer()
	srv.Fail(momenttest.RateLimit(time.Second).Times(2), momenttest.DropAfterCommit().Times(3))
	fmt.Fprintln(stdout, srv.URL)
	_, _ = io.Copy(io.Discard, stdin)
	srv.Close()
	has := holding{Money: map[moment.Currency]moment.Amount{}}
	for _, bill := range srv.State().Bills {
		has.Bills++
		has.Money[bill.Currency] += bill.AmountDue
	}
	if err := json.NewEncoder(stdout).Encode(has); err != nil {
		return exitFailed
	}
	return exitDone
}
