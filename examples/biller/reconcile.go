package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/moment-billing/moment-go"
)

// reconcile is the command: it compares the rows of a file with the bills at Moment, and changes
// nothing. The first call that fails ends it, because the others are likely to fail too.
func reconcile(ctx context.Context, c config, stdout io.Writer) (int, error) {
	client, err := c.connect()
	if err != nil {
		return exitUsage, err
	}
	var mu sync.Mutex
	count := map[moment.BillStatus]int{}
	differing := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	err = eachRow(c.path, c.format, func(b row) error {
		group.Go(func() error {
			bill, differences, err := compare(ctx, client, b)
			mu.Lock()
			defer mu.Unlock()
			if len(differences) > 0 {
				differing++
			} else if err == nil {
				count[bill.Status]++
			}
			for _, difference := range differences {
				fmt.Fprintf(stdout, "line %d: %s\n", b.line, difference)
			}
			return err
		})
		return ctx.Err()
	})
	if failed := group.Wait(); failed != nil {
		err = failed
	}
	fmt.Fprintf(stdout, "%s: %d bills are as in the file and unpaid, %d are paid; %d rows differ\n", c.path, count[moment.BillStatusUnpaid], count[moment.BillStatusPaid], differing)
	if err != nil {
		return exitFailed, err
	}
	if differing > 0 {
		return exitRejected, nil
	}
	return exitDone, nil
}

// compare returns the bill of a row, and how it differs from the row. The error is that of a call.
func compare(ctx context.Context, client *moment.Client, b row) (bill *moment.Bill, differences []string, err error) {
	if len(b.problems) > 0 {
		return nil, b.problems, nil
	}
	bill, err = client.Bills.Get(ctx, b.bill)
	if isMissing(err) {
		return nil, []string{"there is no such bill at Moment"}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	customer, err := client.Customers.Get(ctx, b.customer.ExternalReference)
	if err != nil && !isMissing(err) {
		return nil, nil, err
	}
	if customer == nil || customer.ID != bill.CustomerID {
		differences = append(differences, "the bill is another customer's")
	}
	if bill.DueMoney() != b.money {
		differences = append(differences, fmt.Sprintf("the bill is about %v, and not %v", bill.DueMoney(), b.money))
	}
	if !b.due.IsZero() && bill.DueDate != b.due {
		differences = append(differences, fmt.Sprintf("the bill is due on %v, and not on %v", bill.DueDate, b.due))
	}
	if bill.Status == moment.BillStatusVoided {
		differences = append(differences, "the bill is voided")
	}
	return bill, differences, nil
}
