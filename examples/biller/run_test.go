package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

const mixed = header + "C1,Zoë,z@example.com,B1,15.50,ZAR,2031-01-31\n" +
	"C2,=cmd|x,,B2,\"15,50\",ZAR,\n" + // to be corrected
	"C3,,,B3,1,ZAR,\n" +
	"C3,,,B3,1,ZAR,\n" + // a duplicate
	"C4,,,B4,20000,ZAR,\nC4,,,B4,30000,ZAR,\n" + // the same reference with different content
	"C5,\"Shop,,B5,1,ZAR,\n"

const mixedRejected = "\ufeffrejected_line,rejected_reason," + header +
	`3,"amount ""15,50"" is not a number like 1250.00, without signs, letters, spaces and thousands separators. If all amounts have a decimal comma, add --decimal ,",C2,'=cmd|x,,B2,"15,50",ZAR,` + "\n" +
	"6,\"bill_reference is on line 7 too, with different content: remove the wrong row, or change its reference\",C4,,,B4,20000,ZAR,\n" +
	"7,\"bill_reference is on line 6 too, with different content: remove the wrong row, or change its reference\",C4,,,B4,30000,ZAR,\n" +
	`8,"has a quote that is not closed, or a line in a cell that looks like a row: write each value into its own cell, on one line","C5,""Shop,,B5,1,ZAR,"` + "\n"

func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", mixed)
	assert.Equal(t, exitFailed, w.biller("check", "bills.csv"))
	assert.Equal(t, `line 3, rejected: amount "15,50" is not a number like 1250.00, without signs, letters, spaces and thousands separators. If all amounts have a decimal comma, add --decimal ,
line 5, duplicate: is the same as line 4: the bill is raised once
line 6, rejected: bill_reference is on line 7 too, with different content: remove the wrong row, or change its reference
line 7, rejected: bill_reference is on line 6 too, with different content: remove the wrong row, or change its reference
line 8, rejected: has a quote that is not closed, or a line in a cell that looks like a row: write each value into its own cell, on one line
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
		{"1 x", 0, "line 2, rejected: bill_reference is on line 3 too, with different content"},
		{"x 1 1", 0, "line 4, rejected: bill_reference is on line 2 too, with different content"},
	} {
		w := newWorld(t)
		w.file("bills.csv", header+"C,,,B,"+strings.ReplaceAll(row.amounts, " ", ",ZAR,\nC,,,B,")+",ZAR,\n")
		w.biller("run", "bills.csv")
		assert.Len(t, w.bills(), row.bills, row.amounts)
		assert.Contains(t, w.stderr, row.counts, row.amounts)
	}
}

// A row whose cells cannot be read has its reference too.
func TestTwiceInBrokenRows(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", header+"C,\"Ann,,B1,1,ZAR,\nC,Ann,,B1,2,ZAR,\nC,\"Cy \"X\" Y\",,B2,1,ZAR,\nC,Cy X Y,,B2,2,ZAR,\n"+
		"C,Bob, Jr,,B3,1,ZAR,\nC,\"Bob, Jr\",,B3,2,ZAR,\nC,,,B4,1,ZAR,\n")
	w.biller("run", "bills.csv")
	assert.Equal(t, []string{"B4"}, w.bills(), w.stderr)
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
		{"zeros of some customers, whose bills are new", header + "C,,,A1,1,ZAR,\n007,,,A2,1,ZAR,\n", header + "C,,,E1,1,ZAR,\n7,,,E2,1,ZAR,\n7,,,E3,1,ZAR,\n", "", "customer_reference has other leading zeros than in an earlier file (rows: 2, the first on line 3)"},
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

// Rows that biller has rejected do not show that somebody accepts their form.
func TestWarningsAfterRejectedRows(t *testing.T) {
	const zeros = "customer_reference has other leading zeros than in an earlier file (rows: 1, "
	for _, row := range []struct {
		why, name string
		attempt   string // whose rows with a date of another form are rejected
		text      string
		warning   string
	}{
		{"all rows, as without a flag", "december.csv", "7,,,D1,1,ZAR,31.01.2031\n", "7,,,D1,1,ZAR,2031-01-31\n", zeros},
		{"some rows", "december.csv", "008,,,D2,1,ZAR,\n7,,,D1,1,ZAR,31.01.2031\n", "7,,,D1,1,ZAR,2031-01-31\n", zeros},
		{"all rows of a file with the same name", "november.csv", "9,,,D1,1,ZAR,31.01.2031\n", "9,,,D1,1,ZAR,2031-01-31\n", "0 of 1 references are in the earlier run of november.csv"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			w.file("october.csv", header+"7,,,N1,1,ZAR,31.01.2031\n") // the first row of all is rejected too
			require.Equal(t, exitRejected, w.biller("run", "october.csv"), w.stderr)
			w.file("november.csv", header+"007,,,N1,1,ZAR,\n008,,,N2,1,ZAR,\n")
			require.Equal(t, exitDone, w.biller("run", "november.csv", "--yes"), w.stderr)
			w.file(row.name, header+row.attempt)
			require.Equal(t, exitRejected, w.biller("run", row.name), w.stderr)
			w.file(row.name, header+row.text)
			assert.Equal(t, exitUsage, w.biller("run", row.name))
			assert.Contains(t, w.stderr, row.warning)
			assert.Equal(t, exitDone, w.biller("run", row.name, "--yes"))
			w.file("another-"+row.name, header+strings.ReplaceAll(row.text, "D1", "D3"))
			assert.Equal(t, exitDone, w.biller("run", "another-"+row.name), "somebody has accepted the form")
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
	for _, row := range []struct {
		change string
		code   int
	}{
		{"UPDATE biller_rows SET outcome = 'found'", exitUsage}, // as after the loss of the database
		{"UPDATE biller_runs SET service = 'https://elsewhere.example'", exitDone},
	} {
		s := w.store()
		w.exec(s, row.change)
		s.close()
		w.file("bills.csv", rows(3)+"\n") // a new file with the same rows
		assert.Equal(t, row.code, w.biller("run", "bills.csv"), w.stderr)
	}
}

// A corrected file is not compared with its first form if that had no valid row, because its
// references were wrong.
func TestCorrectedFile(t *testing.T) {
	w := newWorld(t)
	w.file("bills.rejected.csv", header+"C 7,,,INV/7,1,ZAR,\n")
	require.Equal(t, exitRejected, w.biller("run", "bills.rejected.csv"))
	w.file("bills.rejected.csv", header+"C7,,,INV-7,1,ZAR,\n")
	assert.Equal(t, exitDone, w.biller("run", "bills.rejected.csv"), w.stderr)
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
	assert.Contains(t, w.stdout, "First run bills.csv again, until no row is open.")
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPost && respond(rw, 422, true)
	})
	return w
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
