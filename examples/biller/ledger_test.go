package main

import (
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

var onePayment = postPayment{"evt_1", "pay_1", "bill", "bill_1", 1500, moment.ZAR}

const entries = `SELECT coalesce(string_agg(event_id || ' ' || payment_id || ' ' || obligation_kind || ' ' || obligation_id || ' ' || amount || ' ' || currency, ', '), '') FROM ledger`

const conflictOfOne = "conflict: payment \"pay_1\" of ZAR 15.00 is not posted, because another payment has its event \"evt_1\"\n"

func (b *base) insert(args river.JobArgs) (id int64) {
	b.Helper()
	result, err := b.jobs.Insert(b.Context(), args, nil)
	require.NoError(b, err)
	require.False(b, result.UniqueSkippedAsDuplicate)
	return result.Job.ID
}

// Each payment is in the ledger once, and its job ends in the same transaction.
func TestPost(t *testing.T) {
	const has = "INSERT INTO ledger (event_id, payment_id, obligation_kind, obligation_id, amount, currency, posted_at) VALUES ('evt_1', "
	for _, row := range []struct {
		why, before string
		completed   bool
		entries     string
		conflict    bool
	}{
		{"all is well", "SELECT 1", true, "evt_1 pay_1 bill bill_1 1500 ZAR", false},
		{"it is there, from a message whose mark was removed", has + "'pay_1', 'bill', 'bill_1', 1500, 'ZAR', 0)", true, "evt_1 pay_1 bill bill_1 1500 ZAR", false},
		{"another amount is there: this payment is not in the ledger, and so not done", has + "'pay_1', 'bill', 'bill_1', 1, 'ZAR', 0)", false, "evt_1 pay_1 bill bill_1 1 ZAR", true},
		{"another payment is there", has + "'pay_2', 'bill', 'bill_1', 1500, 'ZAR', 0)", false, "evt_1 pay_2 bill bill_1 1500 ZAR", true},
		{"another bill's payment is there", has + "'pay_1', 'bill', 'bill_2', 1500, 'ZAR', 0)", false, "evt_1 pay_1 bill bill_2 1500 ZAR", true},
		{"another currency is there", has + "'pay_1', 'bill', 'bill_1', 1500, 'USD', 0)", false, "evt_1 pay_1 bill bill_1 1500 USD", true},
	} {
		t.Run(row.why, func(t *testing.T) {
			onBoth(t, func(b *base) {
				id := b.insert(onePayment)
				b.exec(row.before)
				event := receiveFrom(b, "a job", b.work())
				assert.Equal(b, row.completed, event.Kind == river.EventKindJobCompleted)
				assert.Equal(b, row.entries, ask[string](b, entries))
				assert.Equal(b, row.completed, ask[bool](b, "SELECT finalized_at IS NOT NULL FROM river_job WHERE id = $1", id))
				_, body := b.health()
				if assert.Equal(b, row.conflict, body == "ok\n"+conflictOfOne, body); row.conflict {
					assert.Contains(b, b.log.String(), `"level":"ERROR","msg":"conflict in the ledger","event":"evt_1","payment":"pay_1"`)
					assert.NotContains(b, b.log.String(), "job fails", "at the first attempt")
				}
			})
		})
	}
}

// The transaction commits the entry and the end of the job together, or commits neither.
func TestPostIsOneTransaction(t *testing.T) {
	const fail = `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; `
	for why, trigger := range map[string]string{
		"the job cannot end": "CREATE TRIGGER fail BEFORE UPDATE ON river_job FOR EACH ROW WHEN (NEW.state = 'completed') EXECUTE FUNCTION fail()",
		"the commit fails":   "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON ledger DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()",
	} {
		t.Run(why, func(t *testing.T) {
			b := newPostgresBase(t)
			id := b.insert(onePayment)
			b.exec(fail + trigger)
			event := receiveFrom(t, "a job", b.work())
			assert.Equal(t, river.EventKindJobFailed, event.Kind)
			assert.Empty(t, ask[string](b, entries))
			assert.False(t, ask[bool](b, "SELECT finalized_at IS NOT NULL FROM river_job WHERE id = $1", id))
		})
	}
}

// A payment is never discarded, and is retried soon, even after a month without a ledger.
func TestPostIsNotGivenUp(t *testing.T) {
	for attempt, least := range map[int]time.Duration{1: 0, 3: time.Minute, 10: 14 * time.Minute, 3000: 14 * time.Minute} {
		job := &river.Job[postPayment]{JobRow: &rivertype.JobRow{Attempt: attempt, Errors: make([]rivertype.AttemptError, attempt-1)}}
		assert.WithinRange(t, (&poster{}).NextRetry(job), time.Now().Add(least), time.Now().Add(15*time.Minute), attempt)
	}
	onBoth(t, func(b *base) {
		id := b.insert(onePayment)
		b.exec("UPDATE river_job SET attempt = 30 * 24 * 4 WHERE id = $1", id)
		b.exec("ALTER TABLE ledger RENAME TO elsewhere")
		job := receiveFrom(b, "a job", b.work()).Job
		assert.Contains(b, []rivertype.JobState{rivertype.JobStateRetryable, rivertype.JobStateAvailable}, job.State)
		assert.Greater(b, job.MaxAttempts-job.Attempt, 29_000)
		assert.Contains(b, b.log.String(), `"level":"ERROR","msg":"job fails","kind":"post_payment"`)
	})
}
