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

// demo makes a file and runs it against a fake of the service, in a process of its own. It fails
// unless the fake then has each bill of the file exactly once.
func demo(ctx context.Context, c config, stdout, stderr io.Writer) (code int, err error) {
	dir, err := os.MkdirTemp("", "biller")
	if err != nil {
		return exitFailed, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c.path, c.database = filepath.Join(dir, "bills.csv"), filepath.Join(dir, "biller.db")
	c.key, c.rate = "sk_test_DEMO", 100_000
	want, err := writeDemo(c.path, c.bills)
	if err != nil {
		return exitFailed, err
	}
	url, stop, err := startFake(ctx)
	if err != nil {
		return exitFailed, err
	}
	c.baseURL = url
	code, err = runFile(ctx, c, stdout, stderr)
	has, failed := stop()
	if err := errors.Join(err, failed); err != nil {
		return max(code, exitFailed), err
	}
	if !reflect.DeepEqual(has, want) {
		return exitFailed, fmt.Errorf("the fake has %v, and not %v", has, want)
	}
	fmt.Fprintf(stdout, "The fake has each of the %d bills exactly once.\n", has.Bills)
	return exitDone, nil
}

// holding is what the fake has at the end. References are unique in it.
type holding struct {
	Bills int
	Money map[moment.Currency]moment.Amount
}

// writeDemo writes a file of n rows, and returns what the service must have of them. Some customers
// have several bills, and some rows are wrong.
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
	_ = out.Write(ourColumns)
	for i := range n {
		customer := i
		if i%50 == 7 {
			customer = i / 2
		}
		money := moment.Amount(1000 + i%9000).In(currencies[i%len(currencies)])
		amount, err := money.Decimal()
		if err != nil {
			return want, err
		}
		if i%1000 == 500 {
			amount = strings.Replace(amount, ".", ",", 1) + "x"
		} else {
			want.Bills++
			want.Money[money.Currency] += money.Amount
		}
		_ = out.Write([]string{
			fmt.Sprintf("UCR%07d", customer), names[customer%len(names)], fmt.Sprintf("customer%d@example.com", customer),
			fmt.Sprintf("UBR%07d", i), amount, string(money.Currency), "2031-01-31",
		})
	}
	out.Flush()
	return want, out.Error()
}

const fakeEnv = "BILLER_FAKE"

// startFake starts this program as the fake.
func startFake(ctx context.Context) (url string, stop func() (holding, error), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self) // the calls in flight need responses
	cmd.Env = append(os.Environ(), fakeEnv+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // the fake ends with its input, and so with this process at the latest
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
	lines := bufio.NewReader(stdout)
	stop = func() (has holding, err error) {
		err = errors.Join(stdin.Close(), json.NewDecoder(lines).Decode(&has), cmd.Wait())
		return has, err
	}
	url, err = lines.ReadString('\n')
	if err != nil {
		_, ended := stop()
		return "", nil, errors.Join(err, ended)
	}
	return strings.TrimSpace(url), stop, nil
}

// fake is the service, with some faults at the beginning, until its input ends.
func fake(stdin io.Reader, stdout io.Writer) error {
	signal.Ignore(os.Interrupt) // which a terminal sends to both processes
	srv := momenttest.NewServer()
	srv.Fail(momenttest.RateLimit(time.Second).Times(2), momenttest.DropAfterCommit().Times(3), momenttest.Status(503))
	fmt.Fprintln(stdout, srv.URL)
	_, _ = io.Copy(io.Discard, stdin)
	srv.Close()
	return json.NewEncoder(stdout).Encode(held(srv.State().Bills))
}

func held(bills []moment.Bill) holding {
	has := holding{Money: map[moment.Currency]moment.Amount{}}
	for _, bill := range bills {
		has.Bills++
		has.Money[bill.Currency] += bill.AmountDue
	}
	return has
}
