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

const fakeEnv = "BILLER_FAKE"

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
	self, failed := os.Executable()
	service := exec.CommandContext(context.WithoutCancel(ctx), self) // the calls in flight need responses
	service.Env, service.Stderr = append(os.Environ(), fakeEnv+"=1"), stderr
	input, failed2 := service.StdinPipe() // the fake ends with its input, and so with this process at the latest
	output, failed3 := service.StdoutPipe()
	if err := errors.Join(err, failed, failed2, failed3, service.Start()); err != nil {
		return exitFailed, err
	}
	lines := bufio.NewReader(output)
	c.baseURL, err = lines.ReadString('\n')
	if c.baseURL = strings.TrimSpace(c.baseURL); err == nil {
		code, err = runFile(ctx, c, stdout, stderr)
	}
	var has holding
	if err := errors.Join(err, input.Close(), json.NewDecoder(lines).Decode(&has), service.Wait()); err != nil {
		return max(code, exitFailed), err
	}
	if !reflect.DeepEqual(has, want) {
		return exitFailed, fmt.Errorf("the fake has %v, and not %v", has, want)
	}
	fmt.Fprintf(stdout, "The fake has each of the %d bills exactly once. The files of the demo are removed again.\n", has.Bills)
	return exitDone, nil
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

// holding is what the fake has at the end. References are unique in it.
type holding struct {
	Bills int
	Money map[moment.Currency]moment.Amount
}

func held(bills []moment.Bill) holding {
	has := holding{Money: map[moment.Currency]moment.Amount{}}
	for _, bill := range bills {
		has.Bills++
		has.Money[bill.Currency] += bill.AmountDue
	}
	return has
}

// writeDemo writes a file of n rows, and returns what the service must have of them. Some customers
// have several bills, and some rows are wrong.
func writeDemo(path string, n int) (want holding, err error) {
	file, err := os.Create(path)
	if err != nil {
		return want, err
	}
	names := []string{"Thandi Khumalo", "Naledi, Pillay & Sons", `The "Shop"`, "Zoë van der Merwe", "PO Box 1\nCape Town"}
	currencies := []moment.Currency{moment.ZAR, moment.ZAR, moment.ZAR, moment.USD, moment.JPY}
	var bills []moment.Bill
	out := csv.NewWriter(file)
	_ = out.Write(ourColumns)
	for i := range n {
		bill := moment.Bill{AmountDue: moment.Amount(1000 + i%9000), Currency: currencies[i%len(currencies)]}
		amount, err := bill.DueMoney().Decimal()
		if err != nil {
			return want, err
		}
		if i%1000 == 500 {
			amount = strings.Replace(amount, ".", ",", 1)
		} else {
			bills = append(bills, bill)
		}
		customer := i
		if i%50 == 7 {
			customer = i / 2
		}
		_ = out.Write([]string{
			fmt.Sprintf("UCR%07d", customer), names[customer%len(names)], fmt.Sprintf("customer%d@example.com", customer),
			fmt.Sprintf("UBR%07d", i), amount, string(bill.Currency), "2031-01-31",
		})
	}
	out.Flush()
	return held(bills), errors.Join(out.Error(), file.Close())
}
