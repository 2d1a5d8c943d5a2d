package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// Whatever goes wrong with the calls of two rows of one customer and a third of another, each is
// raised once; or, where that cannot be known, a second run settles it.
func TestTrouble(t *testing.T) {
	const rows = "UCR1,Joe,,UBR1,1.00,ZAR,\nUCR1,Joe,,UBR2,2.00,ZAR,\nUCR3,Ann,,UBR3,3,JPY,\n"
	create := func(f momenttest.Fault, n int) []momenttest.Fault {
		return []momenttest.Fault{f.On("create bill").Times(n)}
	}
	for _, row := range []struct {
		why    string
		faults []momenttest.Fault
		code   int
		count  map[outcome]int
		change func(*testing.T, *world)
	}{
		{"none", nil, exitDone, map[outcome]int{raised: 3}, nil},
		{"answers are lost", create(momenttest.DropAfterCommit(), 3), exitDone, map[outcome]int{raised: 3}, nil},
		{"all answers are lost, for longer than the client repeats a call", create(momenttest.DropAfterCommit(), 9), exitDone, map[outcome]int{raised: 3}, nil},
		{"answers are cut", create(momenttest.Truncate(), 3), exitDone, map[outcome]int{raised: 3}, nil},
		{"requests are lost", create(momenttest.DropBeforeCommit(), 3), exitDone, map[outcome]int{raised: 3}, nil},
		{"the gateway is down for a moment", create(momenttest.Status(503), 9), exitDone, map[outcome]int{raised: 3}, nil},
		{"too many requests", create(momenttest.Status(429), 9), exitDone, map[outcome]int{raised: 3}, nil},
		{"the service fails, and saves that: another key is taken", create(momenttest.ServiceError(500), 2), exitDone, map[outcome]int{raised: 3}, nil},
		{"the service fails for good", create(momenttest.ServiceError(500), 1000), exitFailed, map[outcome]int{open: 3}, nil},
		{"the gateway is down for good", create(momenttest.Status(502), 1000), exitFailed, map[outcome]int{open: 3}, nil},
		{"too many requests, for ever", create(momenttest.Status(429), 1000), exitFailed, map[outcome]int{open: 3}, nil},
		{"the service refuses a row", create(momenttest.ServiceError(422), 3), exitRefused, map[outcome]int{refused: 3}, nil},
		{"no answer, ever, although the bills are raised", create(momenttest.DropAfterCommit(), 1000), exitFailed, map[outcome]int{open: 3}, nil},
		{"a conflict that settles nothing, and then the other form is refused, which says nothing of the first", append(create(momenttest.Status(409), 12), create(momenttest.ServiceError(422), 1)...), exitFailed, map[outcome]int{raised: 2, open: 1}, nil},
		{"a bill is still being raised when the client gives up: a conflict is no refusal", create(momenttest.Delay(time.Second), 1), exitFailed, map[outcome]int{raised: 2, open: 1}, func(_ *testing.T, w *world) {
			w.options = append(w.options, moment.WithAttemptTimeout(50*time.Millisecond))
		}},
		{"the same, and the run was killed, so that a conflict is all it ever hears", create(momenttest.Delay(time.Second), 1), exitFailed, map[outcome]int{raised: 2, open: 1}, func(t *testing.T, w *world) {
			t.Helper()
			r, err := prepare(w.config)
			require.NoError(t, err)
			require.NoError(t, r.input.seek(r.journal.progress.done))
			rec, err := r.input.read()
			require.NoError(t, err)
			w.serving.Go(func() { r.raise(t.Context(), r.columns.row(rec), false) })
			require.Eventually(t, func() bool { return len(w.srv.Faults()) == 0 }, 10*time.Second, time.Millisecond, "the service is at it")
			require.NoError(t, r.journal.close())
		}},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, rows)
			w.workers = 1 // so that faults meet known requests
			w.srv.Fail(row.faults...)
			if row.change != nil {
				row.change(t, w)
			}
			end := w.run(t)
			end.check(t, row.code, row.count)
			assert.Equal(t, strings.Contains(row.why, "too many requests"), strings.Contains(end.stdout, "Rate limited by the service"))
			if row.code == exitDone {
				assert.Equal(t, []string{"UBR1 UCR1 ZAR 1.00 0000-00-00", "UBR2 UCR1 ZAR 2.00 0000-00-00", "UBR3 UCR3 JPY 3 0000-00-00"}, w.bills())
			}
			if row.count[open] == 0 {
				return
			}
			w.srv.ClearFaults()
			w.serving.Wait() // the service finishes what it has begun
			again := w.run(t)
			again.check(t, exitDone, map[outcome]int{raised: 3})
			assert.Equal(t, []string{"UBR1 UCR1 ZAR 1.00 0000-00-00", "UBR2 UCR1 ZAR 2.00 0000-00-00", "UBR3 UCR3 JPY 3 0000-00-00"}, w.bills())
			assert.Contains(t, again.stdout, "finished")
			w.run(t).check(t, exitDone, again.count)
		})
	}
}

// A reference that is taken: is it by this bill?
func TestTaken(t *testing.T) {
	joe := moment.Customer{ID: "bcus_joe", ExternalReference: "UCR9"}
	ann := moment.Customer{ID: "bcus_ann", ExternalReference: "UCR1"}
	same := moment.Bill{
		ExternalReference: "UBR9", CustomerID: "bcus_joe", Currency: moment.ZAR, AmountDue: 1000,
		DueDate: moment.NewDate(2031, time.January, 31), PaymentRules: &moment.PaymentRules{},
	}
	for _, row := range []struct {
		why    string
		seed   func(b *moment.Bill)
		people []moment.Customer
		says   string // empty: already there
	}{
		{"the same bill", func(*moment.Bill) {}, []moment.Customer{joe}, ""},
		{"the same, paid", func(b *moment.Bill) { b.AmountPaid, b.Status = 1000, moment.BillStatusPaid }, []moment.Customer{joe}, ""},
		{"another amount", func(b *moment.Bill) { b.AmountDue = 1001 }, []moment.Customer{joe}, "line 2: the bill UBR9 exists, with ZAR 10.01"},
		{"another currency", func(b *moment.Bill) { b.Currency = moment.USD }, []moment.Customer{joe}, "line 2: the bill UBR9 exists, with USD 10.00"},
		{"another day", func(b *moment.Bill) { b.DueDate.Day = 30 }, []moment.Customer{joe}, "line 2: the bill UBR9 exists, due on 2031-01-30"},
		{"no day", func(b *moment.Bill) { b.DueDate = moment.Date{} }, []moment.Customer{joe}, "line 2: the bill UBR9 exists, without a due date"},
		{"voided", func(b *moment.Bill) { b.Status = moment.BillStatusVoided }, []moment.Customer{joe}, "line 2: the bill UBR9 exists, and is voided"},
		{"of another customer: this one would never be billed", func(b *moment.Bill) { b.CustomerID = "bcus_ann" }, []moment.Customer{joe, ann}, "line 2: the bill UBR9 exists, of another customer"},
		{"of another customer, and this one is new", func(b *moment.Bill) { b.CustomerID = "bcus_ann" }, []moment.Customer{ann}, "line 2: the bill UBR9 exists, of another customer"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, fine)
			bill := same
			row.seed(&bill)
			require.NoError(t, w.srv.Seed(momenttest.State{Customers: row.people, Bills: []moment.Bill{bill}}))
			before := w.bills()
			if row.says == "" {
				w.run(t).check(t, exitDone, map[outcome]int{there: 1})
			} else {
				w.run(t).check(t, exitRefused, map[outcome]int{refused: 1})
				assert.Equal(t, []string{row.says}, w.whys(t))
			}
			assert.Equal(t, before, w.bills())
		})
	}
}

// A service that does not save conflicts leaves open whether it is still at the call. The bill says
// that it is not.
func TestTakenAndNotSaved(t *testing.T) {
	w := newWorld(t, fine)
	w.run(t).check(t, exitDone, map[outcome]int{raised: 1})
	w.append(t, "\n") // another file, with other keys
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		rw.Header().Set("Content-Type", "application/problem+json")
		rw.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(rw, `{"type":"https://api.momentco.io/docs/errors#conflict","title":"Conflict","status":409,"detail":"The external reference is taken.","instance":"/billing/bills"}`)
		return true
	})
	w.run(t).check(t, exitDone, map[outcome]int{there: 1})
}

// A row without a due date is the bill whose due date the service has set.
func TestTakenWithoutADay(t *testing.T) {
	w := newWorld(t, "UCR9,Joe,,UBR9,10.00,ZAR,\n")
	require.NoError(t, w.srv.Seed(momenttest.State{
		Customers: []moment.Customer{{ID: "bcus_joe", ExternalReference: "UCR9"}},
		Bills: []moment.Bill{{
			ExternalReference: "UBR9", CustomerID: "bcus_joe", Currency: moment.ZAR, AmountDue: 1000, DueDate: moment.NewDate(2031, time.January, 31),
		}},
	}))
	w.run(t).check(t, exitDone, map[outcome]int{there: 1})
}

// Later rows of a customer: next to the first, where it is still under way; behind it; far behind,
// when nothing is known of it any more; and of one that was there before.
func TestCustomersWithSeveralBills(t *testing.T) {
	const rows = "UCR1,Joe,,UBR1,1.00,ZAR,\nUCR1,Joe,,UBR2,2.00,ZAR,\nUCR1,Joseph,,UBR3,3.00,ZAR,\n"
	want := []string{
		"UBR1 UCR1 ZAR 1.00 0000-00-00", "UBR2 UCR1 ZAR 2.00 0000-00-00", "UBR3 UCR1 ZAR 3.00 0000-00-00",
		"UBR4 UCR1 ZAR 4.00 0000-00-00", "UBR5 UCR2 ZAR 5.00 0000-00-00",
	}
	w := newWorld(t, rows)
	w.srv.Fail(momenttest.Delay(20 * time.Millisecond))
	w.run(t).check(t, exitDone, map[outcome]int{raised: 3})
	assert.Equal(t, want[:3], w.bills())
	requests := w.srv.Requests()
	assert.Len(t, requests, 3, "no row met another of its customer under way")
	for i, customer := range []string{`"customer":{"external_reference":"UCR1","name":"Joe"}`, `"customer":"UCR1"`, `"customer":"UCR1"`} {
		assert.Contains(t, string(requests[i].Body), customer)
	}

	require.NoError(t, w.srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "UCR2"}}}))
	w.append(t, "UCR1,Joe,,UBR4,4.00,ZAR,\nUCR2,Ann,,UBR5,5.00,ZAR,\n")
	w.run(t).check(t, exitDone, map[outcome]int{raised: 2, there: 3})
	assert.Equal(t, want, w.bills())
}

// append adds rows to the file, which makes it another one, with a journal of its own.
func (w *world) append(t *testing.T, rows string) {
	t.Helper()
	text, err := os.ReadFile(w.path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(w.path, append(text, rows...), 0o600))
	w.journal += ".next"
}

// The same bill twice in a file is raised once and counted once, whether it is of one customer or,
// by mistake, of two.
func TestTheSameBillTwice(t *testing.T) {
	w := newWorld(t, fine+fine+strings.Replace(fine, "UCR9", "UCR8", 1))
	w.workers = 1
	w.run(t).check(t, exitRefused, map[outcome]int{raised: 1, there: 1, refused: 1})
	assert.Equal(t, []string{"UBR9 UCR9 ZAR 10.00 2031-01-31"}, w.bills())
	assert.Equal(t, []string{"line 4: the bill UBR9 exists, of another customer"}, w.whys(t))
}

// What was refused is corrected and fed back, on the same day: neither the old failure nor the old
// bills come again.
func TestFeedBack(t *testing.T) {
	w := newWorld(t, good(3)+"UCR9,Joe,,UBR9,\"1,50\",ZAR,\nUCR8,Joe,,UBR8,8.00,ZAR,\n")
	w.workers = 1
	w.srv.Fail(momenttest.Delay(0).On("create bill").Times(3), momenttest.ServiceError(422).On("create bill")) // UBR8
	w.run(t).check(t, exitRefused, map[outcome]int{raised: 3, refused: 2})
	text, err := os.ReadFile(w.refused)
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSuffix(header, "\n")+",refused_line,refused_why\n", strings.SplitAfter(string(text), "\n")[0])

	w.path = w.refused
	w.journal, w.refused = w.path+".journal", besides(w.path)
	require.NoError(t, os.WriteFile(w.path, []byte(strings.Replace(string(text), `"1,50"`, "1.50", 1)), 0o600))
	w.run(t).check(t, exitDone, map[outcome]int{raised: 2})
	assert.Len(t, w.bills(), 5)
	assert.NoFileExists(t, w.refused)
}

// Customers that are there already, as all are in a merchant's second month, cost no more calls
// than new ones, but for the first.
func TestExistingCustomers(t *testing.T) {
	w := newWorld(t, good(10)+"UCR10,Joe,,UBR10,1.00,ZAR,\nUCR11,Joe,,UBR11,1.00,ZAR,\n")
	w.workers = 1
	for i := range 10 {
		require.NoError(t, w.srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: fmt.Sprintf("UCR%d", i)}}}))
	}
	w.run(t).check(t, exitDone, map[outcome]int{raised: 12})
	assert.Equal(t, 3+9+2+1, w.requests(), "a conflict, and its repetition, before the first; no such customer before the first new one")
}

// Which form of the call goes first depends on the rows before, and those are others after a
// restart. A bill that was raised by either of them is found again all the same.
func TestOtherFormFirst(t *testing.T) {
	for _, row := range []struct {
		why, rows string
		begins    bool // anew, with the first row
	}{
		{"sent with its customer; then that of the row before is there", "UCR1,Joe,,UBR1,1.00,ZAR,\nUCR9,Ann,,UBR2,2.00,ZAR,\n", true},
		{"sent for an existing customer; then nothing is known", "UCR1,Joe,,UBR1,1.00,ZAR,\nUCR2,Ann,,UBR2,2.00,ZAR,\n", false},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, row.rows)
			w.workers = 1
			require.NoError(t, w.srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "UCR1"}, {ExternalReference: "UCR2"}}}))
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				answer := httptest.NewRecorder()
				w.srv.ServeHTTP(answer, r)
				if answer.Code == http.StatusCreated && len(w.bills()) == 2 {
					panic(http.ErrAbortHandler) // the answer is lost
				}
				maps.Copy(rw.Header(), answer.Header())
				rw.WriteHeader(answer.Code)
				_, _ = answer.Body.WriteTo(rw)
				return true
			})
			w.run(t).check(t, exitFailed, map[outcome]int{raised: 1, open: 1})
			w.intercept(func(http.ResponseWriter, *http.Request) bool { return false })
			bills := w.bills()
			if row.begins {
				require.NoError(t, os.Remove(w.journal))
			}
			w.run(t).check(t, exitDone, map[outcome]int{raised: 2})
			assert.Equal(t, bills, w.bills())
		})
	}
}

// A service that asks to wait for longer than the client does gets that from all rows, and they do
// not end open. An interrupt does not wait with them.
func TestLongRetryAfter(t *testing.T) {
	const bill = `{"id":"bill_1","external_reference":"B","customer_id":"bcus_1","status":"unpaid","currency":"ZAR","amount_due":100,"amount_paid":0,"amount_remaining":100}`
	for _, c := range []struct {
		why, says string
		waits     time.Duration
		interrupt bool
	}{
		{"as long as it asks", "40", 40 * time.Second, false},
		{"but not for ever", "86400", maxHold, false},
		{"and not when it is interrupted", "40", 0, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				var sent []time.Time
				p := newPace(1000, 16, answering(func() *http.Response {
					sent = append(sent, time.Now())
					if len(sent) == 1 {
						if c.interrupt {
							interrupt()
						}
						return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {c.says}}, Body: http.NoBody}
					}
					return &http.Response{StatusCode: 201, Body: io.NopCloser(strings.NewReader(bill))}
				}))
				client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithHTTPClient(&http.Client{Transport: p}))
				require.NoError(t, err)
				b := &biller{client: client, pace: p, wait: time.Second}
				r := &row{bill: "B", customer: moment.CustomerCreateParams{ExternalReference: "C"}, money: moment.Amount(100).In(moment.ZAR)}
				first, second := b.raise(ctx, r, false), b.raise(ctx, r, false)
				if c.interrupt {
					assert.Equal(t, []outcome{open, open}, []outcome{first.outcome, second.outcome})
					assert.Len(t, sent, 1)
					return
				}
				assert.Equal(t, []outcome{raised, raised}, []outcome{first.outcome, second.outcome}, first.why)
				require.Len(t, sent, 3)
				assert.InDelta(t, c.waits, sent[1].Sub(sent[0]), float64(time.Second))
			})
		})
	}
}

// The file of refused rows has the bytes of the input: what is not UTF-8 does not become so by
// being refused, with other names in it, and the mark that tells Excel of UTF-8 is kept.
func TestRefusedBytes(t *testing.T) {
	w := newWorld(t, "")
	require.NoError(t, os.WriteFile(w.path, []byte("\ufeff"+header+"UCR1,Zo\xeb,,UBR1,1.00,ZAR,\nUCR2,Zo\xc3\xab,,UBR2,\"2,00\",ZAR,\n"), 0o600))
	w.run(t).check(t, exitRefused, map[outcome]int{refused: 2})
	text, err := os.ReadFile(w.refused)
	require.NoError(t, err)
	assert.Equal(t, "\ufeff"+strings.TrimSuffix(header, "\n")+`,refused_line,refused_why
UCR1,Zo`+"\xeb"+`,,UBR1,1.00,ZAR,,2,"line 2, column 6: name is not UTF-8: save the file as CSV in UTF-8"
UCR2,Zoë,,UBR2,"2,00",ZAR,,3,`, string(text[:len(text)-len(text[strings.LastIndex(string(text), `"line 3`):])]))

	w.path = w.refused
	w.journal, w.refused = w.path+".journal", besides(w.path)
	require.NoError(t, os.WriteFile(w.path, []byte(strings.Replace(string(text), `"2,00"`, "2.00", 1)), 0o600))
	w.run(t).check(t, exitRefused, map[outcome]int{raised: 1, refused: 1})
	assert.Equal(t, "Zoë", w.srv.State().Customers[0].Name)
}

// A key that the service does not take ends the run at once, and nothing is lost by it.
func TestKeyRefused(t *testing.T) {
	for _, status := range []int{401, 403} {
		w := newWorld(t, good(500))
		var answered atomic.Int64
		w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
			if answered.Add(1) <= 100 {
				return false
			}
			rw.WriteHeader(status)
			return true
		})
		end := w.run(t)
		end.check(t, exitFailed, map[outcome]int{raised: 100})
		assert.Contains(t, end.stdout, ": stopped at line ")
		assert.LessOrEqual(t, answered.Load(), int64(100+w.workers), "the calls that were under way, and no other")
		assert.Empty(t, end.stderr)
		w.intercept(func(http.ResponseWriter, *http.Request) bool { return false })
		w.run(t).check(t, exitDone, map[outcome]int{raised: 500})
		assert.Len(t, w.bills(), 500)
	}
}

// A base URL with another path must not refuse each row.
func TestWrongPath(t *testing.T) {
	w := newWorld(t, good(500))
	w.baseURL += "/v2"
	end := w.run(t)
	end.check(t, exitFailed, map[outcome]int{})
	assert.Contains(t, end.stdout, "is the base URL right? moment: create bill: 404 Not Found")
}

// An address at which nobody answers ends the run with the first row, and not after a hundred.
func TestNobodyThere(t *testing.T) {
	w := newWorld(t, good(500))
	gone := httptest.NewServer(nil)
	gone.Close()
	w.baseURL = gone.URL
	end := w.run(t)
	end.check(t, exitFailed, map[outcome]int{})
	assert.Contains(t, end.stdout, ": is the service there? moment: create bill: ")
	w.baseURL = newWorld(t, "").baseURL
	w.run(t).check(t, exitDone, map[outcome]int{raised: 500}) // nothing was raised, so the journal holds for any address
}

// A service that is not there ends the run after some rows, which the next run sends first.
func TestServiceAway(t *testing.T) {
	w := newWorld(t, good(500))
	w.options = append(w.options, moment.WithMaxRetries(0))
	w.srv.Fail(momenttest.Status(503).Times(10_000))
	end := w.run(t)
	assert.Equal(t, exitFailed, end.code)
	assert.InDelta(t, maxOpen, end.count[open], float64(w.workers))
	assert.Contains(t, end.stdout, "100 rows have no outcome: the service, or the way to it, is in trouble")
	assert.Equal(t, maxComplaints+1, strings.Count(end.stderr, "\n"))
	assert.Equal(t, 1, strings.Count(end.stdout, "503"), "one reason, once")
	assert.Contains(t, end.stdout, " rows, lines 2, 3, 4, ")
	w.srv.ClearFaults()
	w.run(t).check(t, exitDone, map[outcome]int{raised: 500})
	assert.Len(t, w.bills(), 500)
}

// A gateway's 404 does not say that a bill is missing.
func TestMissing(t *testing.T) {
	assert.True(t, missing(fmt.Errorf("get: %w", &moment.Error{Status: 404, FromService: true})))
	assert.False(t, missing(&moment.Error{Status: 404}))
	assert.False(t, missing(&moment.Error{Status: 400, FromService: true}))
}

// Only the service rejects a row: a gateway's response leaves it open.
func TestOnlyTheServiceRejectsARow(t *testing.T) {
	for _, status := range []int{400, 402, 404, 405, 413, 422} {
		assert.Equal(t, refused, judge(nil, &moment.Error{Status: status, FromService: true}).outcome, status)
		assert.Equal(t, open, judge(nil, &moment.Error{Status: status}).outcome, status)
		assert.Equal(t, open, judge(nil, &moment.Error{Status: status, OutcomeUnknown: true}).outcome, status)
	}
}
