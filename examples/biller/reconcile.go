package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/moment-billing/moment-go"
)

// reconcile compares the rows of a file with the bills at Moment. The first failed call ends it,
// because the others are likely to fail too.
func reconcile(ctx context.Context, c config, stdout io.Writer) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	ledger := &store{} // empty for an SQLite file, because serve may have locked it
	if c.postgres != nil {
		if ledger, err = openPostgres(ctx, c.postgres, nil); err != nil {
			return err
		}
	}
	defer ledger.close()
	turn := make(chan struct{}) // closed when it is the next row's turn to be printed
	close(turn)
	same, paid, differing := 0, 0, 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.workers())
	file, err := open(c.input)
	if err != nil {
		return err
	}
	err = file.eachRow(func(b row) error {
		before, after := turn, make(chan struct{})
		turn = after
		group.Go(func() error {
			defer close(after)
			bill, differences, err := compare(ctx, client, ledger, b)
			<-before
			if err != nil {
				return err
			}
			if len(differences) > 0 {
				differing++
				fmt.Fprintf(stdout, "line %d: %s\n", b.line, strings.Join(differences, "; "))
			} else {
				same++
				if bill.Status == moment.BillStatusPaid {
					paid++
				}
			}
			return nil
		})
		return ctx.Err()
	})
	if failed := group.Wait(); failed != nil {
		err = failed
	}
	if wrong := misconfigured(err); wrong != "" {
		err = fmt.Errorf("check %s: %w", wrong, err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: rows that agree with their bills: %d (%d paid); that differ: %d\n", c.input.File, same, paid, differing)
	if differing > 0 {
		return exitError{fmt.Errorf("rows that differ: %d", differing), exitRejected}
	}
	return nil
}

// compare returns a row's bill, and the differences between them.
func compare(ctx context.Context, client *moment.Client, ledger *store, b row) (bill *moment.Bill, differences []string, err error) {
	if len(b.problems) > 0 {
		return nil, b.problems, nil
	}
	bill, err = client.Bills.Get(ctx, b.Reference)
	if errors.Is(err, moment.ErrNotFound) && rejects(err) {
		return nil, []string{"the bill does not exist at Moment"}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	customer, err := client.Customers.Get(ctx, bill.CustomerID)
	if err != nil {
		return nil, nil, err
	}
	report := func(differs bool, text string) {
		if differs {
			differences = append(differences, text)
		}
	}
	report(customer.ExternalReference != b.Customer.ExternalReference,
		fmt.Sprintf("the customer is %q at Moment, but %q in the file", customer.ExternalReference, b.Customer.ExternalReference))
	report(bill.DueMoney() != b.Money, fmt.Sprintf("the amount is %v at Moment, but %v in the file", bill.DueMoney(), b.Money))
	report(!b.Due.IsZero() && bill.DueDate != b.Due, fmt.Sprintf("the due date is %v at Moment, but %v in the file", bill.DueDate, b.Due))
	report(bill.Status == moment.BillStatusVoided, "the bill is voided at Moment")
	if ledger.rows != nil {
		entered := moment.Money{Currency: bill.Currency}
		err = ledger.read(ctx, []any{&entered.Amount}, func() {},
			"SELECT coalesce(sum(amount), 0) FROM ledger WHERE obligation_id = $1 AND currency = $2", bill.ID, string(bill.Currency))
		report(entered != bill.PaidMoney(), fmt.Sprintf("the payments are %v at Moment, but %v in the ledger", bill.PaidMoney(), entered))
	}
	return bill, differences, err
}
