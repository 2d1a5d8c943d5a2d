package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/metric"

	"github.com/moment-billing/moment-go"
)

// A payment that is missing in the ledger is a difference after so many looks: until then, 20
// seconds, its event may be under way.
const (
	looks       = 3
	betweenThem = 10 * time.Second
)

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

// Work reports what differs: in the log, in a metric to be alerted by, and as the output of the
// job, which is removed with it after a day. It mends nothing.
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
		if unpaid != "" && snoozes(job.JobRow) < looks-1 {
			return river.JobSnooze(betweenThem) // and no error: that is to alarm nobody
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

// snoozes is how often a job was put off, which River counts in its metadata. Being no attempt, it
// shows nowhere else.
func snoozes(job *rivertype.JobRow) int {
	var metadata struct {
		Snoozes int `json:"snoozes"`
	}
	_ = json.Unmarshal(job.Metadata, &metadata) // which River has written
	return metadata.Snoozes
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
