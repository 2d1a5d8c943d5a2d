package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// mixed has all that can become of a row: customers with several bills, wrong rows, a bill twice,
// and references that are taken (see newMixed).
const mixed = `UCR1,Joe,,UBR1,1.00,ZAR,
UCR1,Joe,,UBR2,2.00,ZAR,
UCR2,"Ann
Roe",,UBR3,3.00,USD,2031-01-31

UCR3,Sue,,UBR4,"4,00",ZAR,
UCR1,"Joe
Doe",,UBR5,5.00,ZAR,
UCR4,"Ben,,UBR6,6.00,ZAR,
UCR5,Kim,,UBR7,7.00,ZAR,
UCR6,Lee,,UBR8,8.00,ZAR,
UCR5,Kim,,UBR9,9,JPY,
UCR1,Joe,,UBR1,1.00,ZAR,
`

func newMixed(t *testing.T, options ...momenttest.Option) *world {
	t.Helper()
	w := newWorld(t, mixed, options...)
	require.NoError(t, w.srv.Seed(momenttest.State{
		Customers: []moment.Customer{{ID: "bcus_6", ExternalReference: "UCR6"}, {ID: "bcus_7", ExternalReference: "UCR7"}},
		Bills: []moment.Bill{
			{ExternalReference: "UBR7", CustomerID: "bcus_7", Currency: moment.ZAR, AmountDue: 700},
			{ExternalReference: "UBR8", CustomerID: "bcus_6", Currency: moment.ZAR, AmountDue: 800},
		},
	}))
	return w
}

var mixedCounts = map[outcome]int{raised: 5, there: 2, refused: 3}

// A run that ended at any point, even in the middle of a line of its journal, and is started again:
// each bill is there once, and the report and the file of refused rows are as if it had never
// ended.
func TestRestart(t *testing.T) {
	now := time.Now()
	w := newMixed(t, momenttest.WithClock(func() time.Time { return now }))
	first := w.run(t)
	first.check(t, exitRefused, mixedCounts)
	journal, err := os.ReadFile(w.journal)
	require.NoError(t, err)
	bills, whys := w.bills(), slices.Sorted(slices.Values(w.whys(t)))
	require.Len(t, bills, 7)
	require.Equal(t, []string{
		`line 10: has a quote that is not closed: write "the ""Shop"" Ltd"`,
		"line 11: the bill UBR7 exists, of another customer",
		`line 7, column 16: amount "4,00" is not a decimal: want digits and optionally "." with 1 to 2 more, with "-" in front if negative (a bill has ZAR 0.01 to ZAR 999999.99)`,
	}, whys)
	money := first.stdout[strings.Index(first.stdout, "  raised"):strings.Index(first.stdout, "Peak")]

	cuts := []int{}
	for i := range journal {
		if i%23 == 0 || journal[i] == '\n' || i > 0 && journal[i-1] == '\n' {
			cuts = append(cuts, i)
		}
	}
	for _, cut := range append(cuts, len(journal)) {
		require.NoError(t, os.WriteFile(w.journal, journal[:cut], 0o600))
		_ = os.Remove(w.refused)
		again := w.run(t)
		again.check(t, exitRefused, mixedCounts)
		assert.Contains(t, again.stdout, money, "cut at %d", cut)
		assert.Equal(t, bills, w.bills(), "cut at %d", cut)
		assert.Equal(t, whys, slices.Sorted(slices.Values(w.whys(t))), "cut at %d", cut)
		if t.Failed() {
			return
		}
	}

	// A day later, the keys are forgotten. Then it cannot be told who raised a bill, but it is
	// raised once all the same.
	now = now.Add(25 * time.Hour)
	for cut := 0; cut < len(journal); cut += len(journal) / 7 {
		require.NoError(t, os.WriteFile(w.journal, journal[:cut], 0o600))
		_ = os.Remove(w.refused)
		again := w.run(t)
		assert.Equal(t, exitRefused, again.code)
		assert.Equal(t, 7, again.count[raised]+again.count[there])
		assert.Equal(t, 3, again.count[refused])
		assert.Equal(t, bills, w.bills(), "cut at %d", cut)
		assert.Len(t, w.whys(t), 3)
	}
}

// After a line that is half written there is no other: it would be cut off with it, and what it
// says be lost.
func TestNothingBehindATornLine(t *testing.T) {
	w := newWorld(t, fine)
	r, err := prepare(w.config)
	require.NoError(t, err)
	full, err := os.Open(w.journal) // no more can be written to it
	require.NoError(t, err)
	file := r.journal.file
	r.journal.file = full
	assert.Error(t, r.journal.add(entry{Outcome: raised}))
	r.journal.file = file // there is room again
	assert.Error(t, r.journal.add(entry{Outcome: raised}))
	assert.Zero(t, r.journal.progress.count[raised])
	require.NoError(t, errors.Join(r.journal.close(), full.Close(), r.input.file.Close()))
	w.run(t).check(t, exitDone, map[outcome]int{raised: 1})
}

// A byte that is wrong in the middle of the journal costs nothing but calls.
func TestDamagedJournal(t *testing.T) {
	w := newMixed(t)
	w.run(t).check(t, exitRefused, mixedCounts)
	journal, err := os.ReadFile(w.journal)
	require.NoError(t, err)
	bills := w.bills()
	for at := bytes.IndexByte(journal, '\n') + 1; at < len(journal); at += 97 {
		damaged := bytes.Clone(journal)
		damaged[at] ^= 1
		require.NoError(t, os.WriteFile(w.journal, damaged, 0o600))
		require.NoError(t, os.Remove(w.refused)) // of which the journal may know nothing any more
		w.run(t).check(t, exitRefused, mixedCounts)
		assert.Equal(t, bills, w.bills())
	}
}

// What a crash has left behind the last whole line is cut off, and does not come back behind later
// lines.
func TestTornJournal(t *testing.T) {
	w := newMixed(t)
	w.run(t).check(t, exitRefused, mixedCounts)
	journal, err := os.ReadFile(w.journal)
	require.NoError(t, err)
	lines := bytes.SplitAfter(journal, []byte("\n"))
	torn := slices.Concat(lines[0], lines[1][:20], []byte("\n"), journal) // the whole lines behind are not to be counted once more
	require.NoError(t, os.WriteFile(w.journal, torn, 0o600))
	require.NoError(t, os.Remove(w.refused)) // of which the journal knows nothing any more
	w.run(t).check(t, exitRefused, mixedCounts)
	w.run(t).check(t, exitRefused, mixedCounts)
	whole, err := os.ReadFile(w.journal)
	assert.NoError(t, err)
	assert.Len(t, whole, len(journal))
}

// A run that is finished is not run again; and a file of refused rows that is being corrected stays
// as it is.
func TestFinished(t *testing.T) {
	w := newMixed(t)
	w.run(t).check(t, exitRefused, mixedCounts)
	requests := w.requests()
	require.NoError(t, os.WriteFile(w.refused, []byte("my corrections"), 0o600))
	again := w.run(t)
	again.check(t, exitRefused, mixedCounts)
	assert.Contains(t, again.stdout, "was finished before")
	assert.Empty(t, again.stderr)
	assert.Equal(t, requests, w.requests())
	text, err := os.ReadFile(w.refused)
	assert.NoError(t, err)
	assert.Equal(t, "my corrections", string(text))
}

// What somebody has written into the file of refused rows is never lost, whoever comes back to it.
func TestCorrectionsAreKept(t *testing.T) {
	for _, row := range []struct {
		why    string
		text   string
		change func(*world)
		when   int // the request at which it is changed, in the second run; 0: before it
	}{
		{"corrected while a row is open", "corrected", func(*world) {}, 0},
		{"a row was taken out", "refused_line,refused_why\n", func(*world) {}, 0},
		{"corrected, and the run is begun anew", "corrected", func(w *world) { w.journal += ".2" }, 0},
		{"somebody's other file", header, func(w *world) { w.refused += ".2" }, 0},
		{"corrected while the run is going on", "corrected", func(*world) {}, 1},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, "C,Joe,,B,\"1,50\",ZAR,\n"+fine)
			w.options = append(w.options, moment.WithMaxRetries(0))
			w.srv.Fail(momenttest.Status(503).Times(3))
			w.run(t).check(t, exitFailed, map[outcome]int{refused: 1, open: 1})
			row.change(w)
			correct := func() { assert.NoError(t, os.WriteFile(w.refused, []byte(row.text), 0o600)) }
			requests := w.requests()
			if row.when == 0 {
				correct()
			} else {
				w.intercept(func(http.ResponseWriter, *http.Request) bool { correct(); return false })
			}
			end := w.run(t)
			says := w.refused + " is not as this run wrote it: if you have corrected it, run that file by itself; give this run another --refused"
			if row.when == 0 {
				assert.Equal(t, exitUsage, end.code)
				assert.Equal(t, "billing-run: "+says+"\n", end.stderr)
				assert.Equal(t, requests, w.requests())
			} else {
				end.check(t, exitFailed, map[outcome]int{raised: 1, refused: 1})
				assert.Contains(t, end.stdout, says)
			}
			text, err := os.ReadFile(w.refused)
			assert.NoError(t, err)
			assert.Equal(t, row.text, string(text))

			w.refused += ".new"
			w.run(t).check(t, exitRefused, map[outcome]int{raised: 1, refused: 1})
			assert.Len(t, w.refusedRows(t), 1)
		})
	}
}

// The file of refused rows that nobody has changed is written again, with what a later run refuses,
// killed in between or not.
func TestRefusedFileGrows(t *testing.T) {
	w := newWorld(t, "C,Joe,,B,\"1,50\",ZAR,\n"+fine)
	w.options = append(w.options, moment.WithMaxRetries(0))
	w.srv.Fail(momenttest.Status(503).Times(3), momenttest.ServiceError(422))
	w.run(t).check(t, exitFailed, map[outcome]int{refused: 1, open: 1})
	assert.Len(t, w.refusedRows(t), 1)
	written, err := os.ReadFile(w.refused)
	require.NoError(t, err)
	w.run(t).check(t, exitRefused, map[outcome]int{refused: 2})
	assert.Len(t, w.refusedRows(t), 2)
	require.NoError(t, os.WriteFile(w.refused, written, 0o600)) // killed before it was put in its place
	w.run(t).check(t, exitRefused, map[outcome]int{refused: 2})
}

// A folder in which nothing can be written is found before the first bill is raised, and not after
// the last.
func TestNowhereToWrite(t *testing.T) {
	w := newWorld(t, fine)
	w.refused = filepath.Join(filepath.Dir(w.path), "none", "refused.csv")
	end := w.run(t)
	assert.Equal(t, exitUsage, end.code)
	assert.Contains(t, end.stderr, "no such file or directory")
	assert.Zero(t, w.requests())
}

// A journal holds for one file, one service and one mode: with another, bills would be taken for
// raised that are not.
func TestJournalOfAnotherRun(t *testing.T) {
	for _, row := range []struct {
		why    string
		change func(*testing.T, *world)
		says   string
	}{
		{"the file was changed", func(t *testing.T, w *world) {
			t.Helper()
			text, err := os.ReadFile(w.path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(w.path, bytes.Replace(text, []byte("1.50"), []byte("2.50"), 1), 0o600))
		}, "another file, or the input has been changed since"},
		{"test bills are not live ones", func(_ *testing.T, w *world) { w.key = "sk_LIVE" }, "a run in test mode"},
		{"another service", func(t *testing.T, w *world) { t.Helper(); w.baseURL = newWorld(t, "").baseURL }, "a run against http://127.0.0.1:"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, good(3))
			w.run(t).check(t, exitDone, map[outcome]int{raised: 3})
			requests := w.requests()
			row.change(t, w)
			end := w.run(t)
			assert.Equal(t, exitUsage, end.code)
			assert.Contains(t, end.stderr, w.journal+" is the journal of "+row.says)
			assert.Contains(t, end.stderr, ": use another --journal, or remove it to begin anew\n")
			assert.Equal(t, requests, w.requests())
		})
	}
}

// A file that is somebody's is not made a journal.
func TestNotAJournal(t *testing.T) {
	for _, text := range []string{"a diary\n", "a diary", "deadbeef {}\n", header + fine} {
		w := newWorld(t, fine)
		require.NoError(t, os.WriteFile(w.journal, []byte(text), 0o600))
		end := w.run(t)
		assert.Equal(t, exitUsage, end.code)
		assert.Equal(t, "billing-run: "+w.journal+" is not a journal: use another --journal\n", end.stderr)
		left, err := os.ReadFile(w.journal)
		assert.NoError(t, err)
		assert.Equal(t, text, string(left))
	}
}

// A file that is written to while it is read does not end as if all were well, and no row is sent
// that it did not have.
func TestChangedWhileRead(t *testing.T) {
	const rows = 2 * window
	for _, row := range []struct {
		why, text string
		mode      int
	}{
		{"half of a row, as a program that is still writing leaves it: the beginning of 1250.00", "U2,N,,B2,ZAR,,12", os.O_APPEND},
		{"other amounts in rows that are as long", header + strings.ReplaceAll(good(rows), ".50", ".99"), 0},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, good(rows))
			var once sync.Once
			w.intercept(func(http.ResponseWriter, *http.Request) bool {
				once.Do(func() {
					file, err := os.OpenFile(w.path, os.O_WRONLY|row.mode, 0)
					assert.NoError(t, err)
					_, err = file.WriteString(row.text)
					assert.NoError(t, errors.Join(err, file.Close()))
				})
				return false
			})
			end := w.run(t)
			assert.Equal(t, exitFailed, end.code)
			assert.Contains(t, end.stdout, ": the file was changed while it was read. Run it as it is now with another --journal: what was raised is already there then.\n")
			assert.NotContains(t, end.stdout, "Start it again")
			for _, bill := range w.bills() {
				assert.Contains(t, bill, ".50 ")
			}
		})
	}
}

// A row that was sent may have been raised. If it cannot be read any more, it is not refused, but
// somebody has to look.
func TestOpenRowThatIsWrong(t *testing.T) {
	w := newWorld(t, fine+"C,Joe,,B,x,ZAR,\n")
	r, err := prepare(w.config)
	require.NoError(t, err)
	at := position{int64(len(header + fine)), 3}
	require.NoError(t, r.journal.add(entry{At: at, Next: position{r.input.size, 4}, Outcome: open, Line: 3, Why: "line 3: no answer"}))
	require.NoError(t, errors.Join(r.journal.close(), r.input.file.Close()))
	end := w.run(t)
	end.check(t, exitFailed, map[outcome]int{open: 1})
	assert.Contains(t, end.stdout, "a row without an outcome cannot be read any more: line 3, column 10: amount")
	assert.Zero(t, w.requests())
}

// Two runs at once, by mistake, do not write to one journal.
func TestTwoRunsAtOnce(t *testing.T) {
	w := newWorld(t, good(3))
	var second ending
	var begun atomic.Bool
	w.intercept(func(http.ResponseWriter, *http.Request) bool {
		if begun.CompareAndSwap(false, true) {
			second = w.run(t)
		}
		return false
	})
	w.run(t).check(t, exitDone, map[outcome]int{raised: 3})
	assert.Equal(t, exitUsage, second.code)
	assert.Contains(t, second.stderr, w.journal+": another run is using it")
}

// An interrupted run finishes the calls that are under way, and nothing else.
func TestInterrupted(t *testing.T) {
	w := newWorld(t, good(200))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var arrived atomic.Int64
	w.intercept(func(http.ResponseWriter, *http.Request) bool {
		if arrived.Add(1) == 50 {
			interrupt()
		}
		return false
	})
	var stdout, stderr strings.Builder
	end := newEnding(bill(ctx, w.config, &stdout, &stderr), stdout.String(), stderr.String())
	assert.Equal(t, exitFailed, end.code)
	assert.Contains(t, stdout.String(), ": interrupted. Start it again to go on.")
	assert.Regexp(t, `^interrupted: finishing the [1-4] rows that are under way; again to end at once\n$`, stderr.String())
	assert.Equal(t, map[outcome]int{raised: len(w.bills())}, end.count, "all that was sent is in the report")
	assert.InDelta(t, 50, end.count[raised], float64(2*w.workers))
	requests := w.requests()
	again := w.run(t)
	again.check(t, exitDone, map[outcome]int{raised: 200})
	assert.Regexp(t, fmt.Sprintf(`^going on at line \d+: %d raised, 0 already there, 0 refused, 0 open before\n$`, end.count[raised]), again.stderr)
	assert.Equal(t, requests+200-end.count[raised], w.requests(), "none is sent twice")
}

// While the service is away, calls are repeated after a wait. An interrupt does not wait with them.
func TestInterruptedInTrouble(t *testing.T) {
	w := newWorld(t, good(200))
	w.wait = time.Hour
	w.srv.Fail(momenttest.Status(503).Times(10_000))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var arrived atomic.Int64
	w.intercept(func(http.ResponseWriter, *http.Request) bool {
		if arrived.Add(1) == int64(4*w.workers) { // the client has made its four attempts for each
			interrupt()
		}
		return false
	})
	var stdout, stderr strings.Builder
	assert.Equal(t, exitFailed, bill(ctx, w.config, &stdout, &stderr))
	assert.Contains(t, stdout.String(), ": interrupted. Start it again to go on.")
	w.srv.ClearFaults()
	w.run(t).check(t, exitDone, map[outcome]int{raised: 200})
}

// The sum of the journal is the same however its lines are ordered.
func TestProgressInAnyOrder(t *testing.T) {
	entries := make([]entry, 6)
	for i := range entries {
		entries[i] = entry{At: position{int64(10 * i), i + 1}, Next: position{int64(10*i + 10), i + 2}, Outcome: raised, Amount: 1, Currency: moment.ZAR}
	}
	for range 100 {
		order := slices.Clone(entries)
		shuffle(order)
		p := newProgress(position{0, 1})
		for _, e := range order {
			assert.False(t, p.has(e.At.Offset))
			p.add(e)
			assert.True(t, p.has(e.At.Offset))
		}
		assert.Equal(t, position{60, 7}, p.done, fmt.Sprint(order))
		assert.Empty(t, p.ahead)
		assert.EqualValues(t, 6, p.money[raised][moment.ZAR])
	}
}
