package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/metric"

	"github.com/moment-billing/moment-go"
)

// patientAttempts are those after which a payment that is missing in the ledger is a difference: until then, some 20 seconds, its
// event may be under way.
const patientAttempts = 2

// reconciler compares bills with Moment's, and what was paid of them with the ledger.
type reconciler struct {
	river.WorkerDefaults[reconcileBill]

	client    *moment.Client
	pool      *pgxpool.Pool
	log       *slog.Logger
	differing metric.Int64Counter
}

func (t telemetry) differing() metric.Int64Counter {
	// An error would be one of the name, which does not change.
	counter, _ := t.metrics.Meter(scope).Int64Counter("moment.bills.differing", metric.WithDescription("Bills that differ from Moment's."))
	return counter
}

// Work reports what differs: in the log, in a metric to be alerted by, and as the output of the job. It mends nothing.
func (r *reconciler) Work(ctx context.Context, job *river.Job[reconcileBill]) error {
	b := job.Args.Bill
	has, found, err := compare(ctx, r.client, b)
	switch {
	case errors.Is(err, errNotThere):
		found = []string{errNotThere.Error()}
	case err != nil:
		return act(err)
	default:
		unpaid, err := r.comparePaid(ctx, has)
		if err != nil {
			return err
		}
		if unpaid != "" && job.Attempt <= patientAttempts {
			return errors.New(unpaid)
		}
		if unpaid != "" {
			found = append(found, unpaid)
		}
	}
	if len(found) > 0 {
		r.differing.Add(ctx, 1)
		r.log.WarnContext(ctx, "bill differs", slog.String("bill", b.Reference), slog.String("differences", strings.Join(found, "; ")))
	}
	return river.RecordOutput(ctx, append([]string{}, found...)) // [] if nothing differs
}

func (r *reconciler) comparePaid(ctx context.Context, has *moment.Bill) (difference string, err error) {
	var posted moment.Amount
	err = r.pool.QueryRow(ctx, `SELECT coalesce(sum(amount), 0) FROM ledger WHERE obligation_kind = $1 AND obligation_id = $2 AND currency = $3`,
		string(moment.ObligationBill), has.ID, string(has.Currency)).Scan(&posted)
	if err == nil && posted != has.AmountPaid {
		difference = fmt.Sprintf("%v is paid, and the ledger has %v", has.PaidMoney(), posted.In(has.Currency))
	}
	return difference, err
}
