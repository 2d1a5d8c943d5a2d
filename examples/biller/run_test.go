package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// rows is a file with n rows.
func rows(n int) string {
	var text strings.Builder
	text.WriteString(header)
	for i := range n {
		fmt.Fprintf(&text, "C%d,Name %d,c%d@example.com,B%d,15.50,ZAR,2031-01-31\n", i, i, i, i)
	}
	return text.String()
}

const mixed = header + "C1,Zoë,z@example.com,B1,15.50,ZAR,2031-01-31\n" +
	"C2,=cmd|x,,B2,\"15,50\",ZAR,\n" + // to be corrected
	"C3,,,B3,1,ZAR,\n" +
	"C3,,,B3,1,ZAR,\n" + // a duplicate
	"C4,,,B4,20000,ZAR,\nC4,,,B4,30000,ZAR,\n" + // the same reference with different content
	"C5,\"Shop,,B5,1,ZAR,\n"

const mixedRejected = "\ufeffrejected_line,rejected_reason," + header +
	`3,"amount ""15,50"" is not a number like 1250.00, without signs, letters, spaces and thousands separators. If all amounts have a decimal comma, add --decimal ,",C2,'=cmd|x,,B2,"15,50",ZAR,` + "\n" +
	"6,\"bill_reference is on line 7 too, with different content: remove the wrong row\",C4,,,B4,20000,ZAR,\n" +
	"7,\"bill_reference is on line 6 too, with different content: remove the wrong row\",C4,,,B4,30000,ZAR,\n" +
	`8,"has a quote that is not closed, or a line in a cell that looks like a row: write its cells again, each on one line, and remove rows that are the rest of a cell","C5,""Shop,,B5,1,ZAR,"` + "\n"

func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", mixed)
	assert.Equal(t, exitFailed, w.biller("check", "bills.csv"))
	assert.Equal(t, `line 3, rejected: amount "15,50" is not a number like 1250.00, without signs, letters, spaces and thousands separators. If all amounts have a decimal comma, add --decimal ,
line 5, duplicate: is the same as line 4: the bill is raised once
line 6, rejected: bill_reference is on line 7 too, with different content: remove the wrong row
line 7, rejected: bill_reference is on line 6 too, with different content: remove the wrong row
line 8, rejected: has a quote that is not closed, or a line in a cell that looks like a row: write its cells again, each on one line, and remove rows that are the rest of a cell
`+filepath.Join(w.dir, "bills.csv")+`:
  duplicate       1  ZAR 1.00
  rejected        4
  to raise        2  ZAR 16.50
`, w.stdout)
	w.file("good.csv", rows(3))
	assert.Equal(t, exitDone, w.biller("check", "good.csv"))
	w.file("bad.csv", latin(mixed))
	assert.Equal(t, exitUsage, w.biller("check", "bad.csv"))
	assert.Contains(t, w.stderr, "line 2 is not utf-8")
	assert.Zero(t, w.requests.Load())
	left, err := os.ReadDir(w.dir)
	assert.NoError(t, err)
	assert.Len(t, left, 3, "check leaves nothing behind")
}

// A customer with two names in a file is reported, because Moment keeps only the name that it
// receives first.
func TestCustomersThatDiffer(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,1,ZAR,\nC2,Di,,B2,1,ZAR,\nC1,,,B3,1,ZAR,\nC2,Dinah,,B4,1,ZAR,\nC2,Dee,,B5,1,ZAR,\n")
	assert.Equal(t, exitDone, w.biller("check", "bills.csv"))
	assert.Equal(t, "line 3, note: customer_reference has another name or e-mail address on line 5: check both. A row is rejected if its customer has another name at Moment, unless the row or Moment has no name\n"+
		filepath.Join(w.dir, "bills.csv")+":\n  to raise        5  ZAR 5.00\n", w.stdout)
	w.file("bills.csv", header)
	assert.Equal(t, exitDone, w.biller("check", "bills.csv"))
	assert.Contains(t, w.stdout, "no rows")
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"))
	assert.Contains(t, w.stdout, "no rows")
}

// A reference that occurs twice is raised once, or not at all if its rows differ.
func TestTwice(t *testing.T) {
	for _, row := range []struct {
		amounts string
		bills   int
		counts  string
	}{
		{"1 1", 1, "duplicate       1  ZAR 1.00"},
		{"1 2", 0, "rejected        2"},
		{"1 2 1", 0, "rejected        3"},
		{"1 1 2", 0, "line 3, rejected: bill_reference is on line 4 too, with different content"},
		{"2 1 1", 0, "line 3, rejected: bill_reference is on line 2 too, with different content"},
		{"1 2 2", 0, "rejected        3"},
		{"1 x", 1, "rejected        1"},
	} {
		w := newWorld(t)
		w.file("bills.csv", header+"C,,,B,"+strings.ReplaceAll(row.amounts, " ", ",ZAR,\nC,,,B,")+",ZAR,\n")
		w.biller("run", "bills.csv")
		assert.Len(t, w.bills(), row.bills, row.amounts)
		assert.Contains(t, w.stderr, row.counts, row.amounts)
	}
}

func TestRun(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", mixed)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.ElementsMatch(t, []string{"B1", "B3"}, w.bills())
	assert.Equal(t, mixedRejected, w.read("bills.rejected.csv"))
	assert.Equal(t, filepath.Join(w.dir, "bills.csv")+`, test mode:
  duplicate       1  ZAR 1.00
  raised          2  ZAR 16.50
  rejected        4
The rejected rows are in `+filepath.Join(w.dir, "bills.rejected.csv")+" (rows: 4), with the reasons. Correct them, and run them instead of this file, unless you have done so.\n", w.stdout)
	for _, name := range []string{"bills.rejected.csv", "biller.db", "biller.db.lock"} {
		info, err := os.Stat(filepath.Join(w.dir, name))
		require.NoError(t, err)
		assert.Equal(t, "-rw-------", info.Mode().String(), name)
	}

	before := w.requests.Load()
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.Equal(t, before, w.requests.Load(), "a run that is finished sends nothing")
	assert.Contains(t, w.stdout, "bills.csv, test mode; no row was open, so nothing was sent. The outcomes are:\n  duplicate       1")

	corrected := strings.NewReplacer(`"15,50",ZAR`, "15.50,ZAR", "B4,30000,ZAR", "B4b,30000,ZAR", `"C5,""Shop,,B5,1,ZAR,"`, "C5,Shop,,B5,1,ZAR,").Replace(mixedRejected)
	w.file("bills.rejected.csv", corrected)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.Equal(t, corrected, w.read("bills.rejected.csv"), "what people write is not lost")
	assert.NoFileExists(t, filepath.Join(w.dir, "bills.rejected-2.csv"), "rows that may have been corrected are not offered again")
	assert.Equal(t, exitDone, w.biller("run", "bills.rejected.csv"), w.stderr)
	assert.ElementsMatch(t, []string{"B1", "B2", "B3", "B4", "B4b", "B5"}, w.bills())
	assert.Equal(t, "=cmd|x", customer(t, w, "C2").Name, "the quote before the formula is removed again")
}

func customer(t *testing.T, w *world, reference string) *moment.Customer {
	t.Helper()
	c, err := w.srv.Client().Customers.Get(t.Context(), reference)
	require.NoError(t, err)
	return c
}

func TestTextInAnotherEncodingSendsNothing(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(200)+latin("C,Zoë,,B,1,ZAR,\n"))
	assert.Equal(t, exitUsage, w.biller("run", "bills.csv"))
	assert.Contains(t, w.stderr, "line 202 is not utf-8")
	for name, says := range map[string]string{"missing.csv": "no such file", ".": "is a directory"} {
		assert.Equal(t, exitUsage, w.biller("run", name))
		assert.Contains(t, w.stderr, says)
	}
	assert.Zero(t, w.requests.Load())
}

// A run that may do harm stops with a warning and exit code 2. --yes continues.
func TestWarnings(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		return string(text)
	}
	half := strings.Replace(rows(200), header, header+strings.Repeat("C,,,B,x,ZAR,\n", 51), 1)
	for _, row := range []struct {
		why           string
		first, second string
		key           string // for the second file
		warning       string
	}{
		{"leading zeros that a spreadsheet has removed", read("zeros-before-excel.csv"), read("zeros-after-excel.csv"), "", "0 of 2 references are in the earlier run of bills.csv: check whether leading zeros were lost."},
		{"zeros of some references", header + "C,,,0771,1,ZAR,\nC,,,1001,1,ZAR,\n", header + "C,,,771,1,ZAR,\nC,,,1001,1,ZAR,\n", "", "bill_reference has other leading zeros than in an earlier file (rows: 1, the first on line 2)"},
		{"zeros of some customers, whose bills are new", header + "C,,,A1,1,ZAR,\n007,,,A2,1,ZAR,\n", header + "C,,,E1,1,ZAR,\n7,,,E2,1,ZAR,\n", "", "customer_reference has other leading zeros than in an earlier file (rows: 1, the first on line 3)"},
		{"a reference of zeros", header + "C,,,0000,1,ZAR,\nC,,,A1,1,ZAR,\n", header + "C,,,0,1,ZAR,\nC,,,A2,1,ZAR,\n", "", "bill_reference has other leading zeros than in an earlier file (rows: 1, the first on line 2)"},
		{"a row without a reference has no zeros", header + "C,,,,1,ZAR,\nC,,,A1,1,ZAR,\n", header + "C,,,0,1,ZAR,\nC,,,A2,1,ZAR,\n", "", ""},
		{"customers that have both forms", header + "7,,,A1,1,ZAR,\n007,,,A2,1,ZAR,\n", header + "7,,,E1,1,ZAR,\n007,,,E2,1,ZAR,\n", "", ""},
		{"nothing in common", rows(5), strings.NewReplacer("C", "D", "B", "E").Replace(rows(5)), "", "0 of 5 references"},
		{"the bills of the next month, of the same customers", rows(5), strings.ReplaceAll(rows(5), ",B", ",E"), "", ""},
		{"a row more", rows(5), rows(6), "", ""},
		{"zeros of a bill that was rejected, and has lost them when it was corrected", header + "C,,,0691,x,ZAR,\nC,,,B1,1,ZAR,\n", header + "C,,,691,1,ZAR,\n", "", "bill_reference has other leading zeros than in an earlier file (rows: 1, the first on line 2)"},
		{"a rejected bill that is corrected with its zeros", header + "C,,,0691,x,ZAR,\nC,,,B1,1,ZAR,\n", header + "C,,,0691,1,ZAR,\n", "", ""},
		{"leading zeros of another company's references", header + "C,,,0771,1,ZAR,\n", header + "C,,,771,1,ZAR,\n", "sk_test_ANOTHER_KEY", ""},
		{"the API key of another company", rows(5), rows(5), "sk_test_ANOTHER_KEY", "rows with the same content were raised with another API key (rows: 5, the first on line 2): check that this key belongs to the right company"},
		{"some rows were raised with another company's key", rows(2), strings.ReplaceAll(rows(5), "Name 0", "Name X"), "sk_test_ANOTHER_KEY", "rows with the same content were raised with another API key (rows: 1, the first on line 3)"},
		{"another company's bills of the same references", rows(5), strings.ReplaceAll(rows(5), "15.50", "16.50"), "sk_test_ANOTHER_KEY", ""},
		{"another file of another company", rows(5), strings.NewReplacer("C", "D", "B", "E").Replace(rows(5)), "sk_test_ANOTHER_KEY", ""},
		{"more than half of a small file is wrong", rows(1), rows(4) + strings.Repeat("C,,,B,x,ZAR,\n", 6), "", "more than half of the first hundred rows"},
		{"half of the first hundred rows are wrong", rows(1), half, "", "more than half of the first hundred rows"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			w.file("bills.csv", row.first)
			w.biller("run", "bills.csv", "--decimal", ".")
			before := w.requests.Load()
			require.NotZero(t, before)
			w.file("bills.csv", row.second)
			if row.key != "" {
				w.key = row.key
			}
			code := w.biller("run", "bills.csv")
			if row.warning == "" {
				assert.NotEqual(t, exitUsage, code, w.stderr)
				assert.NotContains(t, w.stderr, "warning:")
				return
			}
			assert.Equal(t, exitUsage, code)
			assert.Contains(t, w.stderr, "warning: "+row.warning)
			assert.Equal(t, before, w.requests.Load())
			assert.Equal(t, exitUsage, w.biller("run", "bills.csv"), "the warning is not forgotten")
			assert.NotEqual(t, exitUsage, w.biller("run", "bills.csv", "--yes"))
			assert.Greater(t, w.requests.Load(), before)
		})
	}
}

// Only the last earlier file of the same name is compared, and only runs of the same service.
func TestWarningsAboutEarlierRuns(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(3))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	other := strings.NewReplacer("C", "D", "B", "E").Replace(rows(4))
	w.file("bills.csv", strings.Replace(other, "D3,Name 3,c3@example.com,E3,15.50,ZAR,2031-01-31\n", "", 1))
	require.Equal(t, exitDone, w.biller("run", "bills.csv", "--yes"), w.stderr)
	w.file("bills.csv", other)
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)

	w.key = "sk_test_ANOTHER_KEY"
	for i, change := range []string{
		"UPDATE biller_rows SET outcome = 'found'", // the other key has raised nothing
		"UPDATE biller_rows SET outcome = 'raised'; UPDATE biller_runs SET service = 'https://elsewhere.example'",
	} {
		s := w.store()
		w.exec(s, change)
		s.close()
		w.file("bills.csv", rows(3)+strings.Repeat("\n", i+1)) // a new file with the same rows
		assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	}
}

func respond(rw http.ResponseWriter, status int, own bool) bool {
	if own {
		rw.Header().Set("Content-Type", "application/problem+json")
		rw.WriteHeader(status)
		fmt.Fprintf(rw, `{"type":"https://api.momentco.io/docs/errors#x","title":"No","status":%d,"detail":"Naledi Pillay may not"}`, status)
		return true
	}
	http.Error(rw, "<html>nginx", status)
	return true
}

// A run stops if it makes no progress. Only the service's own rejection rejects a row.
func TestStops(t *testing.T) {
	always := func(status int, own bool) func(int64, http.ResponseWriter) bool {
		return func(_ int64, rw http.ResponseWriter) bool { return respond(rw, status, own) }
	}
	for _, row := range []struct {
		why      string
		rows     int
		front    func(n int64, rw http.ResponseWriter) bool
		code     int
		says     string
		rejected int // at least
		most     int64
	}{
		{"the service rejects ten bills in a row", 200, always(422, true), exitFailed, "rejected 10 bills in a row", 10, 100},
		{"it rejects all ten bills of a file, so that no row is open", 10, always(422, true), exitFailed, "stopped, but no row is open. If the rejected rows are right, run their file: more than half of the first hundred", 10, 10},
		{"it rejects nine", 9, always(422, true), exitRejected, "", 9, 9},
		{"a gateway responds to the first request", 200, always(404, false), exitFailed, "check MOMENT_BASE_URL: ", 0, 100},
		{"the API key is wrong", 200, always(401, true), exitFailed, "check MOMENT_API_KEY: ", 0, 100},
		{"it may not create bills", 200, always(403, true), exitFailed, "check MOMENT_API_KEY: ", 0, 100},
		{"two of three of the first hundred are rejected", 400, func(n int64, rw http.ResponseWriter) bool { return n%3 > 0 && respond(rw, 422, true) }, exitFailed, "more than half of the first hundred", 51, 200},
		{"the service goes down", 200, func(n int64, rw http.ResponseWriter) bool { return n > 1 && respond(rw, 503, false) }, exitFailed, "50 attempts failed in a row", 0, 500},
		{"a gateway fails, and limits the next attempts", 1, func(n int64, rw http.ResponseWriter) bool {
			return n <= 4 && respond(rw, map[bool]int{true: 503, false: 429}[n == 1], false)
		}, exitDone, "", 0, 100},
		{"a gateway responds later", 40, func(n int64, rw http.ResponseWriter) bool { return n == 35 && respond(rw, 400, false) }, exitDone, "", 0, 100},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			w.file("bills.csv", rows(row.rows))
			w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool { return row.front(w.requests.Load(), rw) })
			assert.Equal(t, row.code, w.biller("run", "bills.csv"), w.stderr)
			assert.Contains(t, w.stderr, row.says)
			assert.LessOrEqual(t, w.requests.Load(), row.most)
			s := w.store()
			n := 0
			require.NoError(t, s.rows.QueryRowContext(t.Context(), "SELECT count(*) FROM biller_rows WHERE outcome = 'rejected'").Scan(&n))
			assert.GreaterOrEqual(t, n, row.rejected)
			if row.rejected == 0 {
				assert.Zero(t, n)
			}
			s.close()
			w.setFront(nil)
			w.biller("run", "bills.csv")
			assert.Len(t, w.bills(), row.rows-n, "started again, it raises the others")
		})
	}
	w := newWorld(t)
	w.file("bills.csv", rows(200))
	w.url = "http://127.0.0.1:1"
	assert.Equal(t, exitFailed, w.biller("run", "bills.csv"))
	assert.Contains(t, w.stderr, "connection refused")
}

// Bills that differ from those at Moment are rejected, but do not stop the run.
func TestManyMismatches(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(30))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	w.file("bills.csv", strings.ReplaceAll(rows(30), "15.50", "15.51"))
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.Contains(t, w.stdout, "rejected       30")
	w.file("bills.csv", strings.ReplaceAll(rows(40), "15.50", "15.52"))
	limited := false
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		rejects := r.Method == http.MethodPost && !limited
		limited = limited || rejects
		return rejects && respond(rw, 422, true)
	})
	w.biller("run", "bills.csv")
	assert.NotContains(t, w.stderr, errEarly.Error(), "one rejection by the service does not count the others")
}

// A file of rejected rows can be run if the input has an unusual separator.
func TestRejectedRowsOfAnotherSeparator(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", "sep=|\n"+strings.ReplaceAll(header, ",", "|")+"C1|||B1|1,50|ZAR|\n")
	require.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	w.file("bills.rejected.csv", strings.Replace(w.read("bills.rejected.csv"), `"1,50",ZAR`, "1.50,ZAR", 1))
	assert.Equal(t, exitDone, w.biller("run", "bills.rejected.csv"), w.stderr)
}

// Rejections after the first hundred rows do not stop a run, and neither do those before --yes.
func TestRejectionsAfterAWarning(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", strings.Replace(rows(200), ",15.50,", ",R 15.50,", 51))
	assert.Equal(t, exitUsage, w.biller("run", "bills.csv"))
	w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool {
		n := w.requests.Load()
		return n > 80 && n%20 == 19 && respond(rw, 422, true) // after the first hundred rows
	})
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv", "--yes"), w.stderr)
	assert.Contains(t, w.stdout, "raised        146 ")
}

// Bills that exist need at most three requests each, without waiting.
func TestBillsThatExist(t *testing.T) {
	w := newWorld(t)
	const n = 200
	w.file("bills.csv", rows(n))
	first := time.Now()
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	took := time.Since(first)
	require.NoError(t, os.Remove(filepath.Join(w.dir, "biller.db")))
	before, begun := w.requests.Load(), time.Now()
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"))
	assert.Contains(t, w.stdout, "found         200  ZAR 3100.00")
	assert.LessOrEqual(t, w.requests.Load()-before, int64(3*n))
	assert.Less(t, time.Since(begun), 3*took+2*time.Second, "three requests take as long as three, and wait for nothing")

	w.file("bills.csv", strings.ReplaceAll(rows(n), ",B", ",E"))
	before = w.requests.Load()
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Equal(t, int64(n), w.requests.Load()-before, "a customer whom an earlier run has seen needs no requests")
}

// A bill is neither raised for another person nor raised twice, if it or its customer exists.
func TestWhatExists(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(9))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	_, err := w.srv.Client().Bills.Void(t.Context(), "B5")
	require.NoError(t, err)
	_, err = w.srv.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "C9"})
	require.NoError(t, err)
	_, err = w.srv.Client().Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "CQ", Name: `The "Shop"`})
	require.NoError(t, err)
	w.file("more.csv", header+
		"C9,Nine,c9@example.com,E9,15.50,ZAR,\n"+ // no name at Moment
		"C0,Name 0,c0@example.com,B0,15.51,ZAR,2031-01-31\n"+ // another amount
		"C1,Name 1,new@example.com,E1,15.50,ZAR,\n"+ // another e-mail address
		"C2,Somebody,,E2,15.50,ZAR,\n"+ // another name
		"CQ,Shop,,EQ,15.50,ZAR,\n"+ // a name to copy from the reason
		"C3,,,E3,15.50,ZAR,\n"+ // no name
		"C4,Name 4,,B3,15.50,ZAR,2031-01-31\n"+ // another customer
		"C6,name  6,,E6,15.50,ZAR,\n"+ // a name that looks the same
		"C5,Name 5,,B5,15.50,ZAR,2031-01-31\n") // voided
	assert.Equal(t, exitRejected, w.biller("run", "more.csv"), w.stderr)
	assert.ElementsMatch(t, append(strings.Fields("B0 B1 B2 B3 B4 B5 B6 B7 B8"), "E1", "E3", "E9"), w.bills())
	assert.Equal(t, "c1@example.com", customer(t, w, "C1").Email)
	got := w.read("more.rejected.csv")
	for _, want := range []string{
		"but differs in amount: the bill at Moment is ZAR 15.50, unpaid, due on 2031-01-31. Use another bill_reference, change the bill at Moment, or remove the row\",C0", "customer_reference has the name \"\"Name 2\"\" at Moment, not \"\"Somebody\"\". If it is the same person, write that name or leave it empty. Otherwise use another customer_reference\",C2",
		`has the name ""Name 6"" at Moment, not ""name  6"". They differ only in letter case, spaces, hyphens, or characters that look alike. If`,
		"but differs in customer: the bill at Moment is", "but differs in status: the bill at Moment is ZAR 15.50, voided, due on 2031-01-31. Use another bill_reference, or remove",
		`customer_reference has the name ""The ""Shop"""" at Moment`,
	} {
		assert.Contains(t, got, want)
	}
}

// A write without a definite response is settled, whether it was applied or not.
func TestUnknownOutcomes(t *testing.T) {
	for _, fault := range []momenttest.Fault{
		momenttest.DropAfterCommit(), momenttest.DropBeforeCommit(), momenttest.Truncate(), momenttest.Status(503), momenttest.ServiceError(500), momenttest.RateLimit(0),
	} {
		w := newWorld(t)
		w.file("bills.csv", rows(20))
		w.srv.Fail(fault.Times(10))
		assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
		assert.Len(t, w.bills(), 20)
	}
}

// A run that is interrupted finishes its calls, and continues when it is started again.
func TestInterruptedRunContinues(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(300))
	ctx, interrupt := context.WithCancel(t.Context())
	w.setFront(func(http.ResponseWriter, *http.Request) bool {
		if w.requests.Load() == 100 {
			interrupt()
		}
		return false
	})
	assert.Equal(t, exitFailed, w.billerUntil(ctx, "run", "bills.csv"))
	assert.Contains(t, w.stderr, "biller: stopped; start it again to continue: context canceled\n")
	assert.Less(t, len(w.bills()), 300)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, command := range []string{"run", "import", "check", "reconcile"} {
		assert.Equal(t, exitFailed, w.billerUntil(stopped, command, "bills.csv"), command)
		assert.Contains(t, w.stderr, "biller: stopped; start it again to continue", command)
	}
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	assert.Len(t, w.bills(), 300)
	assert.Equal(t, int64(300), w.requests.Load())
}

// Ctrl+C in the middle of the last calls does not ask for another start.
func TestInterruptedAtTheEnd(t *testing.T) {
	for text, code := range map[string]int{rows(1): exitDone, rows(1) + "C2,,,B2,x,ZAR,\n": exitRejected} {
		w := newWorld(t)
		w.file("bills.csv", text)
		ctx, interrupt := context.WithCancel(t.Context())
		w.setFront(func(http.ResponseWriter, *http.Request) bool {
			interrupt()
			return false
		})
		assert.Equal(t, code, w.billerUntil(ctx, "run", "bills.csv"), w.stderr)
		assert.NotContains(t, w.stderr, "stopped")
		assert.Len(t, w.bills(), 1)
	}
}

func TestWhyStopped(t *testing.T) {
	for _, row := range []struct {
		why                      string
		left                     int
		stopped, interrupted, is error
	}{
		{"it is finished", 0, errFinished, nil, nil},
		{"it is finished, and then interrupted", 0, errFinished, context.Canceled, nil},
		{"interrupted with open rows", 1, context.Canceled, context.Canceled, context.Canceled},
		{"interrupted during the last calls", 0, context.Canceled, context.Canceled, nil},
		{"it stopped itself", 0, errEarly, nil, errEarly},
		{"it stopped itself, and then was interrupted: the person must see the reason", 0, errEarly, context.Canceled, errEarly},
	} {
		assert.Equal(t, row.is, (&worker{left: row.left}).whyStopped(row.stopped, row.interrupted), row.why)
	}
}

func TestReconcile(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(6))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	assert.Equal(t, exitDone, w.biller("reconcile", "bills.csv"))
	bill, err := w.srv.Client().Bills.Get(t.Context(), "B1")
	require.NoError(t, err)
	_, err = w.srv.Pay(t.Context(), momenttest.Payment{Bill: bill.ID, Amount: 1550})
	require.NoError(t, err)
	_, err = w.srv.Client().Bills.Void(t.Context(), "B2")
	require.NoError(t, err)
	failures := 0
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/B2") || failures == 2 {
			return false
		}
		failures++
		return respond(rw, 503, false) // so the outcome of an early row is known late
	})
	w.file("bills.csv", strings.NewReplacer("B3,15.50", "B3,1.00", "C4,", "C0,", "B5,15.50,ZAR,2031-01-31", "B6,15.50,ZAR,\nC5,,,B5,15.50,ZAR,2031-02-28\nC5,,,B7,x,ZAR,").Replace(rows(6)))
	assert.Equal(t, exitRejected, w.biller("reconcile", "bills.csv"), w.stderr)
	for _, want := range []string{
		"line 4: the bill is voided", "line 5: the amount is ZAR 15.50 at Moment, but ZAR 1.00 in the file", "line 6: the bill at Moment has another customer",
		"line 7: the bill does not exist at Moment", "line 8: the due date is 2031-01-31 at Moment, but 2031-02-28 in the file", `line 9: amount "x"`,
		": rows that agree with their bills: 2 (1 paid); that differ: 6\n",
	} {
		assert.Contains(t, w.stdout, want)
	}
	lines := regexp.MustCompile("line [0-9]:").FindAllString(w.stdout, -1)
	assert.True(t, slices.IsSorted(lines), lines)
	w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool { return respond(rw, 404, false) })
	assert.Equal(t, exitFailed, w.biller("reconcile", "bills.csv"), "a gateway's 404 does not say that a bill is missing")
}

// With PostgreSQL, payments at Moment are compared with the ledger too.
func TestReconcileWithTheLedger(t *testing.T) {
	b := newPostgresBase(t)
	w := newWorld(t)
	w.file("bills.csv", rows(2))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	w.Setenv("DATABASE_URL", b.address)
	assert.Equal(t, exitDone, w.biller("reconcile", "bills.csv"), w.stderr)
	bill, err := w.srv.Client().Bills.Get(t.Context(), "B1")
	require.NoError(t, err)
	_, err = w.srv.Pay(t.Context(), momenttest.Payment{Bill: bill.ID, Amount: 1550})
	require.NoError(t, err)
	for _, row := range []struct {
		amount int
		code   int
		says   string
	}{
		{0, exitRejected, "line 3: the payments are ZAR 15.50 at Moment, but ZAR 0.00 in the ledger\n"},
		{1600, exitRejected, "line 3: the payments are ZAR 15.50 at Moment, but ZAR 16.00 in the ledger\n"},
		{-50, exitDone, "rows that agree with their bills: 2 (1 paid)"}, // a reversal
	} {
		b.exec(`INSERT INTO ledger (event_id, payment_id, obligation_kind, obligation_id, amount, currency, posted_at)
			VALUES ('evt_' || $2::bigint, 'pay_1', 'bill', $1, $2::bigint, 'ZAR', 0)`, bill.ID, row.amount)
		assert.Equal(t, row.code, w.biller("reconcile", "bills.csv"), w.stderr)
		assert.Contains(t, w.stdout, row.says)
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(1))
	for _, row := range []struct {
		args string
		code int
		says string
	}{
		{"", exitUsage, "expected one of"},
		{"run --help", exitDone, ""},
		{"raise bills.csv", exitUsage, "unexpected argument raise"},
		{"run", exitUsage, `expected "<file>"`},
		{"run bills.csv --columns foo=bar", exitUsage, "OURS is one of customer_reference"},
		{"run bills.csv --columns amount=", exitUsage, "only name, email, due_date may be missing"},
		{"run bills.csv --columns currency=", exitUsage, "--columns currency=: only"},
		{"run bills.csv --columns currency= --currency ZAR", exitUsage, "MOMENT_API_KEY"},
		{"run bills.csv --date-format DD/MM", exitUsage, "must have a year"},
		{"run bills.csv --date-format DD/MM/YYYYThh:mm", exitUsage, "and no time"},
		{"run bills.csv --decimal ;", exitUsage, "must be a point or a comma"},
		{"run bills.csv --encoding latin1", exitUsage, "must be one of"},
		{"run bills.csv --currency R", exitUsage, "currency"},
		{"run bills.csv --rate 0", exitUsage, "--rate"},
		{"run bills.csv", exitUsage, "MOMENT_API_KEY"},
		{"demo many", exitUsage, "expected a valid 64 bit int"},
		{"check missing.csv", exitUsage, "no such file"},
	} {
		var stdout, stderr strings.Builder
		assert.Equal(t, row.code, start(t.Context(), strings.Fields(row.args), &stdout, &stderr), row.args)
		assert.Contains(t, stderr.String(), row.says)
	}
}

func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("DATABASE_URL", "postgres://u:p@localhost/d") // is not used
	var stdout, stderr strings.Builder
	assert.Equal(t, exitDone, start(t.Context(), []string{"demo", "600"}, &stdout, &stderr), stderr.String())
	assert.Contains(t, stdout.String(), "The fake has 599 bills of ZAR 7782.00, each exactly once.")
	left, err := os.ReadDir(os.TempDir())
	assert.NoError(t, err)
	assert.Empty(t, left)
}

// A database that cannot be opened is wrong usage, because another start would not help.
func TestWrongDatabase(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(1))
	w.file("text.db", strings.Repeat("no database\n", 100))
	for database, says := range map[string]string{
		"text.db": "file is not a database", ".": "is a directory", "missing/biller.db": "the folder must exist, and be writable",
	} {
		assert.Equal(t, exitUsage, w.biller("run", "bills.csv", "--database", filepath.Join(w.dir, database)))
		assert.Contains(t, w.stderr, says)
	}
	assert.Zero(t, w.requests.Load())
}

// A run that was stopped by rejections continues without a warning, because its rows were checked.
func TestStoppedByRejections(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(100))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	w.file("bills.csv", strings.ReplaceAll(rows(160), "15.50", "15.52")) // 100 bills differ
	ctx, interrupt := context.WithCancel(t.Context())
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !strings.Contains(string(body), "B159") {
			return false
		}
		interrupt()
		return respond(rw, 501, false) // this row stays open
	})
	assert.Equal(t, exitFailed, w.billerUntil(ctx, "run", "bills.csv"), w.stderr)
	require.Contains(t, w.stdout, "rejected      100")
	w.setFront(nil)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.NotContains(t, w.stderr, "warning")
	assert.Len(t, w.bills(), 160)
}

// A file of rejected rows that somebody has changed is not overwritten.
func TestChangedRejectedRows(t *testing.T) {
	w := interruptedRun(t)
	w.file("bills.rejected.csv", "changed")
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.Equal(t, "changed", w.read("bills.rejected.csv"))
	assert.NotContains(t, w.read("bills.rejected-2.csv"), "B1", "which may be corrected and raised")
	assert.Contains(t, w.read("bills.rejected-2.csv"), "B2")
	assert.Contains(t, w.stdout, "are in "+filepath.Join(w.dir, "bills.rejected.csv")+" (rows: 1) and "+filepath.Join(w.dir, "bills.rejected-2.csv")+" (rows: 1), with")

	w = interruptedRun(t)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.Contains(t, w.read("bills.rejected.csv"), "B1", "a file that nobody has changed gets the later rows too")
	assert.Contains(t, w.read("bills.rejected.csv"), "B2")
	assert.NoFileExists(t, filepath.Join(w.dir, "bills.rejected-2.csv"))
}

// interruptedRun returns a folder with a rejected row B1, and a run whose next start rejects B2.
func interruptedRun(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,x,ZAR,\nC2,,,B2,1,ZAR,\n")
	ctx, interrupt := context.WithCancel(t.Context())
	w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool {
		interrupt()
		return respond(rw, 501, false)
	})
	assert.Equal(t, exitFailed, w.billerUntil(ctx, "run", "bills.csv"))
	assert.Contains(t, w.stdout, "First run this file again, until no row is open.")
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPost && respond(rw, 422, true)
	})
	return w
}

// The message for a failed connection names MOMENT_BASE_URL, because the address may be wrong.
func TestNoConnection(t *testing.T) {
	_, s := stored(t, 1)
	w := &worker{store: s, run: run{id: 1, header: `["amount"]`}, last: &moment.ConnectionError{Op: "create bill", Err: errors.New("connection refused")}}
	err := w.finish(t.Context(), nil, io.Discard)
	assert.ErrorContains(t, err, "rows still open: 1: check MOMENT_BASE_URL and the network, and start it again to continue. The last error: ")
	assert.ErrorContains(t, err, "connection refused")
}

// A run with a mistyped API key raises nothing, so the right one is not another company's.
func TestKeyThatWasMistyped(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(2))
	w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool { return respond(rw, 401, true) })
	assert.Equal(t, exitFailed, w.biller("run", "bills.csv"))
	w.setFront(nil)
	w.key = "sk_test_ANOTHER_KEY"
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
}

// A copy of the file in another folder is the same run, and the message names the file that exists.
func TestRejectedRowsOfACopy(t *testing.T) {
	w := newWorld(t)
	text := header + "C1,,,B1,x,ZAR,\nC2,,,B2,1.00,ZAR,\n"
	w.file("bills.csv", text)
	require.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	require.NoError(t, os.Mkdir(filepath.Join(w.dir, "copy"), 0o700))
	w.file("copy/bills.csv", text)
	path, database := filepath.Join(w.dir, "bills.rejected.csv"), filepath.Join(w.dir, "biller.db")
	assert.Equal(t, exitRejected, w.biller("run", "copy/bills.csv", "--database", database))
	assert.Contains(t, w.stdout, "The rejected rows are in "+path+" (rows: 1), with")
	assert.NoFileExists(t, filepath.Join(w.dir, "copy/bills.rejected.csv"))
	require.NoError(t, os.Remove(path))
	assert.Equal(t, exitRejected, w.biller("run", "copy/bills.csv", "--database", database))
	assert.Contains(t, w.stdout, "The rejected rows are in "+path+" (rows: 1, not there any more), with")
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.FileExists(t, path, "it is written again")
}

// Each month has its own file of rejected rows, even if a run is started again.
func TestRejectedRowsOfTheNextMonth(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,1,ZAR,\nC1,,,B2,x,ZAR,\n")
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	w.file("bills.csv", header+"C1,,,E1,1,ZAR,\nC1,,,E2,x,ZAR,\n")
	for range 2 {
		assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
		assert.Contains(t, w.stdout, "bills.rejected-2.csv")
	}
	assert.Contains(t, w.read("bills.rejected.csv"), "B2")
	assert.Contains(t, w.read("bills.rejected-2.csv"), "E2")
}

// Names keep their own quotes in a file of rejected rows, and in one of such a file.
func TestQuotesOfRejectedRows(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,=1,,B1,x,ZAR,\nC2,'=2,,B2,x,ZAR,\nC3,''=3,,B3,x,ZAR,\nC4,'four,,B4,x,ZAR,\n")
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.Equal(t, exitRejected, w.biller("run", "bills.rejected.csv"))
	assert.Contains(t, w.read("bills.rejected.rejected.csv"), "C1,'=1,,B1,")
	w.file("bills.rejected.rejected.csv", strings.ReplaceAll(w.read("bills.rejected.rejected.csv"), ",x,ZAR", ",1,ZAR"))
	assert.Equal(t, exitDone, w.biller("run", "bills.rejected.rejected.csv"), w.stderr)
	for reference, name := range map[string]string{"C1": "=1", "C2": "'=2", "C3": "''=3", "C4": "'four"} {
		assert.Equal(t, name, customer(t, w, reference).Name)
	}
}

// The rejected rows have the header of the file as it was loaded, because somebody may have saved
// it again with other columns.
func TestFileThatChangesDuringItsRun(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,1,ZAR,\nC1,,,B2,x,ZAR,\n")
	w.setFront(func(http.ResponseWriter, *http.Request) bool {
		w.file("bills.csv", "amount\n")
		return false
	})
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.Contains(t, w.read("bills.rejected.csv"), "rejected_line,rejected_reason,"+header+"3,")
}

// Attempts after an unknown outcome make the same call, even if the customer is known by then.
func TestLaterAttemptsMakeTheSameCall(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,1,ZAR,\nC1,,,B2,1,ZAR,\n")
	var calls []string
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Method != http.MethodPost || !strings.Contains(string(body), "B1") {
			return false
		}
		calls = append(calls, r.Header.Get("Idempotency-Key")+string(body))
		return len(calls) == 1 && respond(rw, 501, false) // not retried, and the outcome is unknown
	})
	assert.Equal(t, exitDone, w.biller("run", "bills.csv"), w.stderr)
	require.Greater(t, len(calls), 1)
	assert.Equal(t, calls[0], calls[1])
}

// If the rejected rows cannot be written, no part of a file remains, and no file is named.
func TestRejectedRowsThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C1,,,B1,x,ZAR,\n")
	require.NoError(t, os.MkdirAll(filepath.Join(w.dir, "bills.rejected.csv.new", "x"), 0o700)) // the file is written here before it is renamed
	assert.Equal(t, exitFailed, w.biller("run", "bills.csv"))
	assert.NotContains(t, w.stdout, "Correct the rejected rows")
	assert.NoDirExists(t, filepath.Join(w.dir, "bills.rejected.csv"))
}
