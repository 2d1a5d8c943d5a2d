package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const (
	createCustomer = "create customer"
	createBill     = "create bill"
	getBill        = "get bill"
)

func testBill(n int) Bill {
	return Bill{
		Reference: fmt.Sprint("UBR", n), Customer: fmt.Sprint("UCR", n), Name: "Thandi Khumalo", Email: "thandi@example.com",
		Amount: 125000, Currency: moment.ZAR, DueDate: moment.NewDate(2031, time.January, 31),
	}
}

// What becomes of a job, and of its bill, by what Moment answers.
func TestRaise(t *testing.T) {
	age := func(d time.Duration) func(*testing.T, *world, int64) {
		return func(t *testing.T, w *world, id int64) {
			t.Helper()
			w.exec(t, "UPDATE river_job SET created_at = now() - $1::interval WHERE id = $2", d.String(), id)
		}
	}
	there := func(change func(*Bill)) func(*testing.T, *world, int64) {
		return func(t *testing.T, w *world, _ int64) {
			t.Helper()
			b := testBill(1)
			change(&b)
			w.raise(t, b)
		}
	}
	for _, row := range []struct {
		why    string
		before func(*testing.T, *world, int64)
		change func(*Bill)
		faults []momenttest.Fault
		state  rivertype.JobState
		says   string // in the job's last error
		keys   int    // under how many the bill was sent
		gets   int
		raised bool
		fresh  bool // there is no customer
		asks   int  // for the customer to be created
	}{
		{why: "all is well: nothing is asked first", state: "completed", keys: 1, raised: true},
		{why: "the client tries again by itself", faults: []momenttest.Fault{momenttest.Status(503).On(createBill)}, state: "completed", keys: 1, raised: true},
		{
			why: "the answer is lost: the key gives it again", faults: []momenttest.Fault{momenttest.DropAfterCommit().On(createBill)},
			state: "completed", keys: 1, raised: true,
		},
		{
			why: "an argument that is never sent: it would not be the next time", change: func(b *Bill) { b.DueDate = moment.NewDate(2031, time.February, 30) },
			state: "cancelled", says: "create bill", raised: false,
		},
		{why: "the service refuses the bill", faults: []momenttest.Fault{momenttest.ServiceError(422).On(createBill)}, state: "cancelled", says: "422", keys: 1},
		{why: "a parameter is wrong", faults: []momenttest.Fault{momenttest.ServiceError(400).On(createBill)}, state: "cancelled", says: "400", keys: 1},
		{why: "the request failed", faults: []momenttest.Fault{momenttest.ServiceError(402).On(createBill)}, state: "cancelled", says: "402", keys: 1},
		{why: "the customer is new", state: "completed", keys: 2, raised: true, fresh: true, asks: 1},
		{
			why: "the customer is new, and the worker is killed before it raises the bill: what was answered is answered again, and passed", state: "completed", keys: 2, raised: true, fresh: true, asks: 1,
			before: func(t *testing.T, w *world, id int64) {
				t.Helper()
				w.srv.Fail(momenttest.Status(401).On(createCustomer))
				err := (&raiser{client: w.srv.Client()}).Work(t.Context(), &river.Job[raiseBill]{JobRow: &rivertype.JobRow{ID: id, CreatedAt: time.Now()}, Args: raiseBill{testBill(1)}})
				require.ErrorIs(t, err, moment.ErrUnauthorized)
			},
		},
		{why: "the customer is refused: there is no bill without", faults: []momenttest.Fault{momenttest.ServiceError(422).On(createCustomer)}, state: "cancelled", says: "422", keys: 1, fresh: true, asks: 1},
		{why: "the customer is created by the job of another bill", faults: []momenttest.Fault{momenttest.ServiceError(409).On(createCustomer), momenttest.ServiceError(404).On(createBill)}, state: "completed", keys: 2, raised: true, asks: 2},
		{why: "the key was deleted: another one will do, and a million bills are not to be enqueued again", faults: []momenttest.Fault{momenttest.Status(401)}, state: "retryable", says: "401", keys: 1},
		{why: "the key may not", faults: []momenttest.Fault{momenttest.ServiceError(403).On(createBill)}, state: "retryable", says: "403", keys: 1},
		{why: "the address is wrong", faults: []momenttest.Fault{momenttest.ServiceError(404).Times(2)}, state: "retryable", says: "create customer: 404", keys: 1, asks: 1},
		{why: "rate limited: put off for as long as it says, which is no attempt", faults: []momenttest.Fault{momenttest.RateLimit(time.Minute).On(createBill)}, state: "scheduled", keys: 1},
		{why: "rate limited at the customer", faults: []momenttest.Fault{momenttest.RateLimit(time.Minute).On(createCustomer)}, state: "scheduled", keys: 1, fresh: true, asks: 1},
		{why: "the service is down for as long as the client tries", faults: []momenttest.Fault{momenttest.Status(500).On(createBill).Times(4)}, state: "retryable", says: "500", keys: 1},
		{why: "no answer for as long as the client tries: it may be raised", faults: []momenttest.Fault{momenttest.DropAfterCommit().On(createBill).Times(4)}, state: "retryable", says: "EOF", keys: 1, raised: true},
		{
			why:    "the service has saved a failure: the bill is looked for, and sent under another key",
			faults: []momenttest.Fault{momenttest.ServiceError(500).On(createBill)}, state: "completed", keys: 2, gets: 1, raised: true,
		},
		{
			why:    "the same at the customer",
			faults: []momenttest.Fault{momenttest.ServiceError(500).On(createCustomer)}, state: "completed", keys: 2, raised: true, fresh: true, asks: 3,
		},
		{why: "it is there: raised by somebody else, or by a job that was removed since", before: there(func(*Bill) {}), state: "completed", keys: 1, gets: 1, raised: true},
		{why: "it is there without what the row leaves open", before: there(func(*Bill) {}), change: func(b *Bill) { b.DueDate = moment.Date{} }, state: "completed", keys: 1, gets: 1, raised: true},
		{why: "another amount is there: somebody has to decide", before: there(func(b *Bill) { b.Amount++ }), state: "cancelled", says: "the bill UBR1 exists: ZAR 1250.01 is due, and not ZAR 1250.00", keys: 1, gets: 1, raised: true},
		{why: "another currency", before: there(func(b *Bill) { b.Currency = moment.USD }), state: "cancelled", says: "USD 1250.00 is due, and not ZAR 1250.00", keys: 1, gets: 1, raised: true},
		{why: "another day", before: there(func(b *Bill) { b.DueDate = moment.NewDate(2031, time.March, 1) }), state: "cancelled", says: "it is due on 2031-03-01, and not on 2031-01-31", keys: 1, gets: 1, raised: true},
		{why: "another customer", before: there(func(b *Bill) { b.Customer = "UCR2" }), state: "cancelled", says: "it is that of another customer", keys: 1, gets: 1, raised: true},
		{
			why:    "a conflict and no bill: the call of a worker that was killed is still under way",
			faults: []momenttest.Fault{momenttest.ServiceError(409).On(createBill)}, state: "retryable", says: "there is no such bill", keys: 1, gets: 1,
		},
		{
			why: "it is not known whether it is there", before: there(func(*Bill) {}), faults: []momenttest.Fault{momenttest.ServiceError(500).On(getBill).Times(4)},
			state: "retryable", says: "500", keys: 1, gets: 4, raised: true,
		},
		{why: "within a day of the job the key lives: no need to look", before: age(22 * time.Hour), state: "completed", keys: 1, raised: true},
		{why: "later it is looked for, and not there", before: age(24 * time.Hour), state: "completed", keys: 1, gets: 1, raised: true},
		{
			why: "later it is looked for, and there: not even sent", state: "completed", gets: 1, raised: true,
			before: func(t *testing.T, w *world, id int64) {
				t.Helper()
				age(24*time.Hour)(t, w, id)
				there(func(*Bill) {})(t, w, id)
			},
		},
		{
			why: "later it is looked for, and another one is there", state: "cancelled", says: "ZAR 0.01 is due", gets: 1, raised: true,
			before: func(t *testing.T, w *world, id int64) {
				t.Helper()
				age(24*time.Hour)(t, w, id)
				there(func(b *Bill) { b.Amount = 1 })(t, w, id)
			},
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			b := testBill(1)
			if row.change != nil {
				row.change(&b)
			}
			var id int64
			if b.DueDate == moment.NewDate(2031, time.February, 30) { // which is no JSON either: it cannot come out of a database
				err := (&raiser{client: w.srv.Client()}).Work(t.Context(), &river.Job[raiseBill]{JobRow: &rivertype.JobRow{CreatedAt: time.Now()}, Args: raiseBill{b}})
				var cancelled *river.JobCancelError
				assert.ErrorAs(t, err, &cancelled)
				assert.ErrorContains(t, err, row.says)
				assert.Empty(t, w.srv.State().Bills)
				return
			}
			if !row.fresh {
				w.customer(t, b.Customer)
			}
			id = w.insert(t, raiseBill{b})
			if row.before != nil {
				row.before(t, w, id)
			}
			begun := len(w.srv.Requests())
			w.srv.ClearFaults()
			w.srv.Fail(row.faults...)
			job := w.work(t, w.srv.Client(), nowhere).next(t).Job
			state := job.State
			if state == rivertype.JobStateAvailable { // a retry within five seconds
				state = rivertype.JobStateRetryable
			}
			assert.Equal(t, row.state, state)
			if row.says != "" {
				require.NotEmpty(t, job.Errors)
				assert.Contains(t, job.Errors[0].Error, row.says)
			}
			if row.state == "scheduled" {
				assert.Zero(t, job.Attempt)
				assert.WithinRange(t, job.ScheduledAt, time.Now().Add(50*time.Second), time.Now().Add(2*time.Minute))
			}
			keys, gets, asks := map[string]bool{}, 0, 0
			for _, r := range w.srv.Requests()[begun:] {
				switch {
				case r.Method == http.MethodPost && r.Path == "/billing/bills":
					keys[r.Header.Get("Idempotency-Key")] = true
				case r.Method == http.MethodGet && r.Path == "/billing/bills/UBR1":
					gets++
				case r.Method == http.MethodPost && r.Path == "/billing/customers":
					asks++
				}
			}
			assert.Len(t, keys, row.keys, "keys")
			assert.Equal(t, row.gets, gets, "looked for")
			assert.Equal(t, row.asks, asks, "asked for the customer")
			assert.Equal(t, row.raised, len(w.srv.State().Bills) == 1)
		})
	}
}

// customer sees to it that there is one.
func (w *world) customer(t *testing.T, reference string) {
	t.Helper()
	_, err := w.srv.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: reference})
	if !errors.Is(err, moment.ErrConflict) {
		require.NoError(t, err)
	}
}

// raise raises a bill, and its customer.
func (w *world) raise(t *testing.T, b Bill) *moment.Bill {
	t.Helper()
	w.customer(t, b.Customer)
	raised, err := w.srv.Client().Bills.Create(t.Context(), moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(b.Customer),
		ExternalReference: b.Reference, Currency: b.Currency, AmountDue: b.Amount, DueDate: b.DueDate,
	})
	require.NoError(t, err)
	return raised
}

// What the service has refused, and saved, is the answer to a job, and not to a later one for the
// same row: the cause may have been mended at Moment meanwhile. Whatever is saved, there is one
// bill.
func TestEnqueuedAgain(t *testing.T) {
	for _, operation := range []string{createBill, createCustomer} {
		for _, status := range []int{400, 402, 422} {
			t.Run(fmt.Sprint(operation, " ", status), func(t *testing.T) {
				w := newWorld(t)
				w.srv.Fail(momenttest.ServiceError(status).On(operation))
				first := w.insert(t, raiseBill{testBill(1)})
				// The worker is killed before it stores what became of the job, which then is
				// answered the same again.
				var cancelled *river.JobCancelError
				err := (&raiser{client: w.srv.Client()}).Work(t.Context(), &river.Job[raiseBill]{JobRow: &rivertype.JobRow{ID: first, CreatedAt: time.Now()}, Args: raiseBill{testBill(1)}})
				require.ErrorAs(t, err, &cancelled)
				worker := w.work(t, w.srv.Client(), nowhere)
				job := worker.next(t).Job
				assert.Equal(t, rivertype.JobStateCancelled, job.State)
				assert.Contains(t, job.Errors[0].Error, "replay")
				assert.Empty(t, w.srv.State().Bills)
				w.insert(t, raiseBill{testBill(1)})
				assert.Equal(t, rivertype.JobStateCompleted, worker.next(t).Job.State)
				assert.Len(t, w.srv.State().Bills, 1)
			})
		}
	}
}

// Jobs for one reference that are worked at once, which uniqueness does not keep apart once one was
// cancelled, raise one bill.
func TestTwoJobsAtOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for range 100 { // as River would: a conflict with a call that is under way is tried again
				job := &river.Job[raiseBill]{JobRow: &rivertype.JobRow{ID: int64(n), CreatedAt: time.Now()}, Args: raiseBill{testBill(1)}}
				if (&raiser{client: w.srv.Client()}).Work(t.Context(), job) == nil {
					return
				}
			}
			assert.Fail(t, "a job is never done")
		})
	}
	all.Wait()
	assert.Len(t, w.srv.State().Bills, 1)
	assert.Len(t, w.srv.State().Customers, 1)
}

// A job that is worked again makes the same calls under the same keys; another one under others,
// and so does one with another content, as the service refuses a key with that.
func TestKeys(t *testing.T) {
	id := int64(1)
	sent := func(w *world, b Bill, age time.Duration) (keys []string) {
		begun := len(w.srv.Requests())
		job := &river.Job[raiseBill]{JobRow: &rivertype.JobRow{ID: id, CreatedAt: time.Now().Add(-age)}, Args: raiseBill{b}}
		_ = (&raiser{client: w.srv.Client()}).Work(t.Context(), job)
		for _, r := range w.srv.Requests()[begun:] {
			if key := r.Header.Get("Idempotency-Key"); r.Method == http.MethodPost && !slices.Contains(keys, key) { // a conflict is tried again
				keys = append(keys, key)
			}
		}
		return keys
	}
	w := newWorld(t)
	first := sent(w, testBill(1), 0)
	require.Len(t, first, 3, "the bill, its customer, and the bill again")
	assert.Equal(t, first, sent(w, testBill(1), 0), "again")
	assert.Equal(t, first, sent(w, testBill(1), 22*time.Hour), "when it is older")
	for why, change := range map[string]func(*Bill){
		"reference": func(b *Bill) { b.Reference = "UBR2" },
		"amount":    func(b *Bill) { b.Amount++ },
		"currency":  func(b *Bill) { b.Currency = moment.USD },
		"due date":  func(b *Bill) { b.DueDate = moment.NewDate(2031, time.March, 1) },
		"customer":  func(b *Bill) { b.Customer = "UCR2" },
	} {
		b := testBill(1)
		change(&b)
		assert.NotContains(t, first, sent(w, b, 0)[0], why)
	}
	for why, change := range map[string]func(*Bill){
		"name":   func(b *Bill) { b.Name = "Naledi" },
		"e-mail": func(b *Bill) { b.Email = "other@example.com" },
	} {
		b := testBill(1)
		change(&b)
		other := sent(newWorld(t), b, 0)
		assert.Equal(t, first[0], other[0], why)
		assert.NotEqual(t, first[1], other[1], why)
	}
	id++
	for _, key := range sent(newWorld(t), testBill(1), 0) {
		assert.NotContains(t, first, key, "another job")
	}
}

// River's schedule gives a job whose outcome is unknown enough attempts while its key lives, and
// enough after that to settle it.
func TestSchedule(t *testing.T) {
	policy, at := river.DefaultClientRetryPolicy{}, time.Duration(0)
	within, after := 0, 0
	for attempt := 1; attempt <= river.MaxAttemptsDefault; attempt++ {
		if at < keyLife {
			within++
		} else {
			after++
		}
		errs := make([]rivertype.AttemptError, attempt-1)
		at += time.Until(policy.NextRetry(&rivertype.JobRow{Attempt: attempt, Errors: errs}))
	}
	assert.GreaterOrEqual(t, within, 10)
	assert.GreaterOrEqual(t, after, 10)
}

// Each payment is in the ledger once, and its job done, in one transaction.
func TestPost(t *testing.T) {
	one := postPayment{"evt_1", "pay_1", "bill", "bill_1", 1500, moment.ZAR}
	entries := func(w *world) []string {
		return ask[[]string](t, w, "SELECT coalesce(array_agg(concat_ws(' ', event_id, payment_id, obligation_kind, obligation_id, amount, currency) ORDER BY event_id), '{}') FROM ledger")
	}
	for _, row := range []struct {
		why      string
		before   string
		state    rivertype.JobState
		entries  []string
		finished bool
	}{
		{"all is well", "", "completed", []string{"evt_1 pay_1 bill bill_1 1500 ZAR"}, true},
		{
			"it is there, from a message that momentsql has forgotten: it stays as it is",
			"INSERT INTO ledger VALUES ('evt_1', 'pay_1', 'bill', 'bill_1', 1500, 'ZAR', 0)", "completed",
			[]string{"evt_1 pay_1 bill bill_1 1500 ZAR"},
			true,
		},
		{
			"another amount is there: that payment is not in the ledger, and so not done",
			"INSERT INTO ledger VALUES ('evt_1', 'pay_1', 'bill', 'bill_1', 1, 'ZAR', 0)", "retryable",
			[]string{"evt_1 pay_1 bill bill_1 1 ZAR"},
			false,
		},
		{
			"another payment is there",
			"INSERT INTO ledger VALUES ('evt_1', 'pay_2', 'bill', 'bill_1', 1500, 'ZAR', 0)", "retryable",
			[]string{"evt_1 pay_2 bill bill_1 1500 ZAR"},
			false,
		},
		{
			"that of another bill is there",
			"INSERT INTO ledger VALUES ('evt_1', 'pay_1', 'bill', 'bill_2', 1500, 'ZAR', 0)", "retryable",
			[]string{"evt_1 pay_1 bill bill_2 1500 ZAR"},
			false,
		},
		{"the ledger is gone: tried again", "ALTER TABLE ledger RENAME TO elsewhere; CREATE VIEW ledger AS SELECT * FROM elsewhere WHERE false UNION ALL SELECT * FROM elsewhere", "retryable", []string{}, false},
		{
			"the job cannot be finished: there is no entry either",
			`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; CREATE TRIGGER fail BEFORE UPDATE ON river_job FOR EACH ROW WHEN (NEW.state = 'completed') EXECUTE FUNCTION fail()`,
			"retryable",
			[]string{},
			false,
		},
		{
			"the commit fails: the job is not done, and there is no entry",
			`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON ledger DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()`,
			"retryable",
			[]string{},
			false,
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			id := w.insert(t, one)
			w.exec(t, row.before)
			event := w.work(t, w.srv.Client(), nowhere).next(t)
			assert.Equal(t, row.state == "completed", event.Kind == river.EventKindJobCompleted)
			assert.Equal(t, row.entries, entries(w))
			assert.Equal(t, row.finished, ask[bool](t, w, "SELECT finalized_at IS NOT NULL FROM river_job WHERE id = $1", id))
		})
	}
}

// A payment is never given up, and never waits for long: not when the ledger was stopped for a
// month.
func TestPostIsNotGivenUp(t *testing.T) {
	for attempt, least := range map[int]time.Duration{1: 0, 3: time.Minute, 10: 14 * time.Minute, 3000: 14 * time.Minute} {
		job := &river.Job[postPayment]{JobRow: &rivertype.JobRow{Attempt: attempt, Errors: make([]rivertype.AttemptError, attempt-1)}}
		assert.WithinRange(t, (&poster{}).NextRetry(job), time.Now().Add(least), time.Now().Add(15*time.Minute), attempt)
	}
	w := newWorld(t)
	id := w.insert(t, postPayment{"evt_1", "pay_1", "bill", "bill_1", 1500, moment.ZAR})
	w.exec(t, "UPDATE river_job SET attempt = 30 * 24 * 4, errors = array_fill('{}'::jsonb, ARRAY[30 * 24 * 4]) WHERE id = $1", id)
	w.exec(t, "ALTER TABLE ledger RENAME TO elsewhere")
	job := w.work(t, w.srv.Client(), nowhere).next(t).Job
	assert.Equal(t, rivertype.JobStateRetryable, job.State)
	assert.WithinRange(t, job.ScheduledAt, time.Now().Add(14*time.Minute), time.Now().Add(15*time.Minute))
}

// The entry and the end of the job are one transaction: whoever sees the one, sees the other.
func TestPostIsOneTransaction(t *testing.T) {
	w := newWorld(t)
	w.exec(t, `CREATE TABLE seen (state TEXT, transaction TEXT);
		CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (TG_TABLE_NAME, pg_current_xact_id()::text); RETURN NULL; END';
		CREATE TRIGGER see AFTER INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION see();
		CREATE TRIGGER see AFTER UPDATE ON river_job FOR EACH ROW WHEN (NEW.state = 'completed' AND OLD.state <> 'completed') EXECUTE FUNCTION see()`)
	w.insert(t, postPayment{"evt_1", "pay_1", "bill", "bill_1", 1500, moment.ZAR})
	w.work(t, w.srv.Client(), nowhere).next(t)
	assert.Equal(t, 2, ask[int](t, w, "SELECT count(*) FROM seen"))
	assert.Equal(t, 1, ask[int](t, w, "SELECT count(DISTINCT transaction) FROM seen"))
}

func TestReconcile(t *testing.T) {
	paid := func(t *testing.T, w *world, ledger ...int) {
		t.Helper()
		bill := w.raise(t, testBill(1))
		_, err := w.srv.Pay(t.Context(), momenttest.Payment{Bill: bill.ID, Amount: 1500})
		require.NoError(t, err)
		for i, amount := range ledger {
			w.exec(t, "INSERT INTO ledger VALUES ($1, 'pay_1', 'bill', $2, $3, 'ZAR', 0)", fmt.Sprint("evt_", i), bill.ID, amount)
		}
	}
	for _, row := range []struct {
		why     string
		before  func(*testing.T, *world)
		snoozes int // before
		state   rivertype.JobState
		says    string
	}{
		{"as it is to be", func(t *testing.T, w *world) { t.Helper(); w.raise(t, testBill(1)) }, 0, "completed", `[]`},
		{"paid, and posted in two parts", func(t *testing.T, w *world) { t.Helper(); paid(t, w, 1000, 500) }, 0, "completed", `[]`},
		{"not raised", func(*testing.T, *world) {}, 0, "completed", `["there is no such bill"]`},
		{"another amount", func(t *testing.T, w *world) {
			t.Helper()
			b := testBill(1)
			b.Amount = 1
			w.raise(t, b)
		}, 0, "completed", `["ZAR 0.01 is due, and not ZAR 1250.00"]`},
		{"voided", func(t *testing.T, w *world) {
			t.Helper()
			_, err := w.srv.Client().Bills.Void(t.Context(), w.raise(t, testBill(1)).ID)
			require.NoError(t, err)
		}, 0, "completed", `["it is voided"]`},
		{"paid and not posted: its event may be under way", func(t *testing.T, w *world) { t.Helper(); paid(t, w) }, 0, "scheduled", ""},
		{"still not, ten seconds later", func(t *testing.T, w *world) { t.Helper(); paid(t, w) }, 1, "scheduled", ""},
		{"still not, ten more seconds later", func(t *testing.T, w *world) { t.Helper(); paid(t, w) }, 2, "completed", `["ZAR 15.00 is paid, and the ledger has ZAR 0.00"]`},
		{"posted twice", func(t *testing.T, w *world) { t.Helper(); paid(t, w, 1500, 1500) }, 2, "completed", `["ZAR 15.00 is paid, and the ledger has ZAR 30.00"]`},
		{"the service is down", func(_ *testing.T, w *world) { w.srv.Fail(momenttest.ServiceError(500).Times(4)) }, 0, "retryable", ""},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			row.before(t, w)
			id := w.insert(t, reconcileBill{testBill(1)})
			if row.snoozes > 0 {
				w.exec(t, "UPDATE river_job SET metadata = jsonb_build_object('snoozes', $1::int) WHERE id = $2", row.snoozes, id)
			}
			job := w.work(t, w.srv.Client(), nowhere).next(t).Job
			state := job.State
			if state == rivertype.JobStateAvailable {
				state = rivertype.JobStateRetryable
			}
			assert.Equal(t, row.state, state)
			if row.state == "scheduled" {
				assert.Empty(t, job.Errors, "normal payments are to alarm nobody")
				assert.WithinRange(t, job.ScheduledAt, time.Now().Add(5*time.Second), time.Now().Add(10*time.Second))
				assert.Equal(t, row.snoozes+1, snoozes(job), "what River counts")
			}
			if row.says != "" {
				assert.JSONEq(t, row.says, string(job.Output()))
			}
			differs := row.says != "" && row.says != `[]`
			assert.Equal(t, differs, len(w.log.String()) > 0 && containsAll(w.log.String(), "bill differs", "UBR1"))
		})
	}
}

// A worker that is told to stop finishes what it works, and takes nothing more.
func TestWorkerStopsGracefully(t *testing.T) {
	w := newWorld(t)
	arrived, release := make(chan bool), make(chan bool)
	var once sync.Once
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			close(arrived)
			<-release
		})
		w.srv.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	first := w.insert(t, raiseBill{testBill(1)})
	worker := w.work(t, w.srv.Client(moment.WithBaseURL(front.URL)), nowhere)
	await(t, "the call of the job", arrived)
	worker.stop()
	second := w.insert(t, raiseBill{testBill(2)})
	assert.Empty(t, worker.client.Stopped(), "it has stopped before the job was done")
	close(release)
	await(t, "the end", worker.client.Stopped())
	state := func(id int64) string {
		return ask[string](t, w, "SELECT state::text FROM river_job WHERE id = $1", id)
	}
	assert.Equal(t, "completed", state(first))
	assert.Equal(t, "available", state(second))
	assert.Len(t, w.srv.State().Bills, 1)
}

// A job whose worker was killed is tried again, by another one, once it has been running for longer
// than it could.
func TestRescue(t *testing.T) {
	w := newWorld(t)
	for n, ago := range map[int]time.Duration{1: 3 * time.Minute, 2: 90 * time.Second} {
		w.exec(t, "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - $1::interval, attempted_by = '{killed}' WHERE id = $2",
			ago.String(), w.insert(t, raiseBill{testBill(n)}))
	}
	job := w.work(t, w.srv.Client(), nowhere).next(t).Job
	assert.Equal(t, rivertype.JobStateCompleted, job.State)
	assert.Equal(t, 2, job.Attempt)
	assert.Equal(t, "running", ask[string](t, w, "SELECT state::text FROM river_job WHERE args->>'reference' = 'UBR2'"), "its worker may be alive")
}

// There is one job for each reference: while it is to be done, and after it was; but a row that was
// corrected gets another.
func TestUnique(t *testing.T) {
	w := newWorld(t)
	raise := w.insert(t, raiseBill{testBill(1)})
	w.insert(t, raiseBill{testBill(2)})
	reconcile := w.insert(t, reconcileBill{testBill(1)}) // another kind
	known := func(args river.JobArgs) bool {
		result, err := w.inserter(t).Insert(t.Context(), args, nil)
		require.NoError(t, err)
		return result.UniqueSkippedAsDuplicate
	}
	for _, row := range []struct {
		state              string
		raised, reconciled bool
		why                string
	}{
		{"available", true, true, "it waits"},
		{"running", true, true, "it is worked"},
		{"retryable", true, true, "it is tried again"},
		{"completed", true, false, "a bill is raised once, and can be reconciled each day"},
	} {
		w.exec(t, "UPDATE river_job SET state = $1::text::river_job_state, finalized_at = CASE WHEN $1::text = 'completed' THEN now() END WHERE id IN ($2, $3)", row.state, raise, reconcile)
		b := testBill(1)
		b.Amount = 1
		assert.Equal(t, row.raised, known(raiseBill{b}), row.why)
		assert.Equal(t, row.reconciled, known(reconcileBill{b}), row.why)
	}
	w.exec(t, "UPDATE river_job SET state = 'cancelled', finalized_at = now()")
	assert.False(t, known(raiseBill{testBill(1)}), "it was cancelled, and its row is corrected")
}

var errOfAnotherKind = errors.New("of another kind")

// A gateway's 404 does not say that a bill is missing.
func TestMissing(t *testing.T) {
	assert.True(t, missing(fmt.Errorf("get: %w", &moment.Error{Status: 404, FromService: true})))
	assert.False(t, missing(&moment.Error{Status: 404}))
	assert.False(t, missing(&moment.Error{Status: 400, FromService: true}))
}

func TestActOfOtherErrors(t *testing.T) {
	assert.NoError(t, act(nil))
	waits := map[time.Duration]bool{}
	for range 10 {
		var snoozed *river.JobSnoozeError
		require.ErrorAs(t, act(&moment.Error{Status: 429, RetryAfter: time.Minute}), &snoozed)
		assert.GreaterOrEqual(t, snoozed.Duration, time.Minute)
		assert.Less(t, snoozed.Duration, 2*time.Minute)
		waits[snoozed.Duration] = true
	}
	var snoozed *river.JobSnoozeError
	require.ErrorAs(t, act(&moment.Error{Status: 429, RetryAfter: 10 * 365 * 24 * time.Hour}), &snoozed)
	assert.GreaterOrEqual(t, snoozed.Duration, time.Hour)
	assert.Less(t, snoozed.Duration, 2*time.Hour, "a mistake")
	assert.Greater(t, len(waits), 1, "a thousand jobs are not to come back at once")
	var cancelled *river.JobCancelError
	for _, status := range []int{400, 402, 422} {
		assert.ErrorAs(t, act(&moment.Error{Status: status, FromService: true}), &cancelled, "the service rejected the bill")
		foreign := &moment.Error{Status: status}
		assert.Equal(t, error(foreign), act(foreign), "a gateway responded to a Get: the job is tried again")
	}
	assert.Equal(t, errOfAnotherKind, act(errOfAnotherKind))
	assert.ErrorIs(t, act(context.DeadlineExceeded), context.DeadlineExceeded)
}

// What is done is removed after a day, and what was given up after 30, as there are people in it.
func TestRetention(t *testing.T) {
	w := newWorld(t)
	for n, row := range []struct {
		state string
		ago   time.Duration
	}{
		{"completed", 25 * time.Hour},
		{"completed", 23 * time.Hour},
		{"cancelled", 31 * 24 * time.Hour},
		{"cancelled", 29 * 24 * time.Hour},
		{"discarded", 31 * 24 * time.Hour},
		{"discarded", 29 * 24 * time.Hour},
	} {
		w.exec(t, "UPDATE river_job SET state = $1::text::river_job_state, finalized_at = now() - $2::interval WHERE id = $3",
			row.state, row.ago.String(), w.insert(t, raiseBill{testBill(n)}))
	}
	w.work(t, w.srv.Client(), nowhere)
	w.until(t, "three are removed", func() bool { return ask[int](t, w, "SELECT count(*) FROM river_job") == 3 })
	assert.Equal(t, []string{"UBR1", "UBR3", "UBR5"}, ask[[]string](t, w, "SELECT array_agg(args->>'reference' ORDER BY id) FROM river_job"))
}

// A process keeps to its rate, with what the client repeats.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithBackoff(0, 0), moment.WithHTTPClient(&http.Client{
			Transport: newPace(10, answering(func(*http.Request) int { return 500 })),
		}))
		require.NoError(t, err)
		begun := time.Now()
		for range 5 {
			_, err := client.Bills.Get(t.Context(), "UBR1")
			assert.ErrorIs(t, err, moment.ErrServer)
		}
		assert.Equal(t, 1900*time.Millisecond, time.Since(begun), "20 requests: the first goes at once")
	})
}

// A request without an answer is given up after 10 seconds, and a call after four of them: a job
// has a minute.
func TestAttemptTimeout(t *testing.T) {
	usual := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = usual })
	synctest.Test(t, func(t *testing.T) {
		silent := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, there) }()
			return here, nil
		}}
		http.DefaultTransport = silent // which connect copies
		c := config{key: "sk_test_YOUR_SECRET_KEY", baseURL: "http://127.0.0.1:1", rate: 50}
		client, err := c.connect(nowhere)
		require.NoError(t, err)
		begun := time.Now()
		_, err = client.Bills.Get(t.Context(), "UBR1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.GreaterOrEqual(t, time.Since(begun), 40*time.Second)
		assert.Less(t, time.Since(begun), 44*time.Second)
	})
}

// All payments that a process posts at a time have a connection, and River has some besides.
func TestConnections(t *testing.T) {
	w := newWorld(t)
	for n := range maxPayments {
		w.insert(t, postPayment{fmt.Sprint("evt_", n), fmt.Sprint("pay_", n), "bill", "bill_1", 1500, moment.ZAR})
	}
	pool, err := openPool(t.Context(), w.address)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	lock, err := pgx.Connect(t.Context(), w.address)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, lock.Close(context.Background())) })
	_, err = lock.Exec(t.Context(), "BEGIN; LOCK TABLE ledger")
	require.NoError(t, err)
	w.pool, pool = pool, w.pool // the worker has one of its own
	worker := w.work(t, w.srv.Client(), nowhere)
	w.pool = pool
	w.until(t, "all wait for the ledger", func() bool {
		return ask[int](t, w, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'ledger'::regclass") == maxPayments
	})
	w.insert(t, raiseBill{testBill(1)})
	assert.Equal(t, "raise_bill", worker.next(t).Job.Kind, "bills do not wait for it")
	_, err = lock.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	for range maxPayments {
		assert.Equal(t, rivertype.JobStateCompleted, worker.next(t).Job.State)
	}
}

// Jobs of a worker with a low rate wait for their turn at Moment, and neither their requests nor
// they time out in it.
func TestLowRate(t *testing.T) {
	for _, row := range []struct {
		rate              float64
		jobTimeout        time.Duration
		bills, reconciles int
		why               string
	}{
		{50, time.Minute, maxBills, maxReconciles, "the defaults: all"},
		{4, time.Minute, maxBills, maxReconciles, "the least for all: a turn in 5 seconds, and an attempt may take 10"},
		{2, time.Minute, 8, 2, "fewer"},
		{1, time.Minute, 4, 1, "the least"},
		{50, 2 * time.Second, 8, 2, "jobs have little time"},
		{1, time.Second, 1, 1, "and less: one each is the least"},
		{1e6, 24 * time.Hour, maxBills, maxReconciles, "more than there is"},
	} {
		assert.Equal(t, map[string]river.QueueConfig{
			queuePayments: {MaxWorkers: maxPayments}, queueBills: {MaxWorkers: row.bills}, queueReconcile: {MaxWorkers: row.reconciles},
		}, queues(row.rate, row.jobTimeout), row.why)
	}

	w := newWorld(t)
	service := startService(t, 0)
	w.start(t, "worker", service.url, "worker", "--rate", "20", "--job-timeout", "1s")
	code, _, stderr := w.enqueue(t, writeBills(t, 40, 40)) // two requests of three are for customers, who are new: 4 seconds in all
	require.Zero(t, code, stderr)
	w.until(t, "all are raised", func() bool {
		return ask[int](t, w, "SELECT count(*) FROM river_job WHERE state = 'completed'") == 40
	})
	assert.Equal(t, 1, ask[int](t, w, "SELECT max(attempt) FROM river_job"), "attempts")
	assert.Equal(t, 40, service.tallyAll(t).Bills)
}

// answering answers with a status.
type answering func(*http.Request) int

// RoundTrip implements [http.RoundTripper].
func (f answering) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: f(req), Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}
