package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

const fine = "UCR9,Joe,joe@example.com,UBR9,10.00,ZAR,2031-01-31\n"

// What is wrong with a row is said with its line and column, and the row after it is raised.
func TestWrongRows(t *testing.T) {
	for _, row := range []struct{ why, text, says string }{
		{"decimals with a comma, as Excel writes them here and there", `C,Joe,,B,"10,50",ZAR,`, `line 2, column 10: amount "10,50" is not a decimal: want digits and optionally "." with 1 to 2 more, with "-" in front if negative (a bill has ZAR 0.01 to ZAR 999999.99)`},
		{"a third decimal is not rounded", `C,Joe,,B,10.505,ZAR,`, `line 2, column 10: amount "10.505" has more decimals than the 2 of ZAR: round it first (a bill has ZAR 0.01 to ZAR 999999.99)`},
		{"decimals where the currency has none", `C,Joe,,B,10.50,JPY,`, `line 2, column 10: amount "10.50" has more decimals than the 0 of JPY: round it first (a bill has JPY 1 to JPY 99999999)`},
		{"nothing to pay", `C,Joe,,B,0.00,ZAR,`, `line 2, column 10: amount ZAR 0.00 is out of range: a bill has ZAR 0.01 to ZAR 999999.99`},
		{"a credit", `C,Joe,,B,-10,ZAR,`, `line 2, column 10: amount ZAR -10.00 is out of range: a bill has ZAR 0.01 to ZAR 999999.99`},
		{"more than Moment takes", `C,Joe,,B,1000000,ZAR,`, `line 2, column 10: amount ZAR 1000000.00 is out of range: a bill has ZAR 0.01 to ZAR 999999.99`},
		{"no amount", `C,Joe,,B,,ZAR,`, `line 2, column 10: amount is empty`},
		{"a currency that is none: nothing is said of the amount, whose decimals nobody knows", `C,Joe,,B,10.123456,RAND,`, `line 2, column 20: currency "RAND" is not a currency with minor units in ISO 4217, like ZAR`},
		{"a currency in small letters", `C,Joe,,B,10,zar,`, `line 2, column 13: currency "zar" must be in capitals: ZAR`},
		{"no currency", `C,Joe,,B,10,,`, `line 2, column 13: currency is empty`},
		{"a day that does not exist", `C,Joe,,B,10,ZAR,2031-02-30`, `line 2, column 17: due_date 2031-02-30 is not a day: February 2031 has 28 days`},
		{"a day in another order", `C,Joe,,B,10,ZAR,31/01/2031`, `line 2, column 17: due_date "31/01/2031" is not in the form YYYY-MM-DD, like "2025-01-31"`},
		{"no reference", `C,Joe,,,10,ZAR,`, `line 2, column 8: bill_reference is empty`},
		{"a reference with a space", `C 1,Joe,,B,10,ZAR,`, `line 2, column 1: customer_reference must not contain ' ': an external reference has only a-z, A-Z, 0-9, "_" and "-"`},
		{"an id, which would bill an existing customer", `bcus_1,Joe,,B,10,ZAR,`, `line 2, column 1: customer_reference "bcus_1" begins like an id of Moment's`},
		{"a long name", `C,` + strings.Repeat("é", 256) + `,,B,10,ZAR,`, `line 2, column 3: name has 256 characters: 255 are allowed`},
		{"Latin-1", "C,Jos\xe9,,B,10,ZAR,", `line 2, column 3: name is not UTF-8: save the file as CSV in UTF-8`},
		{"Latin-1 that another program has read as UTF-8", "C,Jos\ufffd,,B,10,ZAR,", `line 2, column 3: name has the character U+FFFD, which a program has put there for one that it could not read`},
		{"all that is wrong, at once", `C 1,Joe,,B 1,x,ZAR,x`, `line 2, column 1: customer_reference must not contain ' ': an external reference has only a-z, A-Z, 0-9, "_" and "-"; line 2, column 10: bill_reference must not contain ' ': an external reference has only a-z, A-Z, 0-9, "_" and "-"; line 2, column 14: amount "x" is not a decimal: want digits and optionally "." with 1 to 2 more, with "-" in front if negative (a bill has ZAR 0.01 to ZAR 999999.99); line 2, column 20: due_date "x" is not in the form YYYY-MM-DD, like "2025-01-31"`},
		{"after a cell of two lines", "C,\"Joe\nRoe\",,B,x,ZAR,", `line 3, column 9: amount "x" is not a decimal: want digits and optionally "." with 1 to 2 more, with "-" in front if negative (a bill has ZAR 0.01 to ZAR 999999.99)`},
		{"after blank lines", "\n\r\nC,Joe,,B,x,ZAR,", `line 4, column 10: amount "x" is not a decimal: want digits and optionally "." with 1 to 2 more, with "-" in front if negative (a bill has ZAR 0.01 to ZAR 999999.99)`},
		{"after rows that Excel leaves behind", ",,,,,,\n\n,,,,,,\nC,Joe,,B,x,ZAR,", `line 5, column 10: amount "x" is not a decimal: want digits and optionally "." with 1 to 2 more, with "-" in front if negative (a bill has ZAR 0.01 to ZAR 999999.99)`},
		{"a quote in the middle after those", ",,,,,,\n\n,,,,,,\nC,The \"Shop\",,B,10,ZAR,", `line 5, column 7: has a quote where none can be: write "the ""Shop"" Ltd"`},
		{"a column too few", `C,Joe,,B,10,ZAR`, `line 2: has 6 columns where the header has 7`},
		{"the same after blank lines", "\n\n,,,,,,\nC,Joe,,B,10,ZAR", `line 5: has 6 columns where the header has 7`},
		{"a comma too many", `C,Roe, Joe,,B,10,ZAR,`, `line 2: has 8 columns where the header has 7`},
		{"a quote in the middle", `C,The "Shop",,B,10,ZAR,`, `line 2, column 7: has a quote where none can be: write "the ""Shop"" Ltd"`},
		{"a quote that ends early", `C,"The "Shop"",,B,10,ZAR,`, `line 2, column 8: has a quote where none can be: write "the ""Shop"" Ltd"`},
		{"a quote that is never closed: the next row is not its second line", `C,"Joe,,B,10,ZAR,`, `line 2: has a quote that is not closed: write "the ""Shop"" Ltd"`},
		{"the same after blank lines", "\n\nC,\"Joe,,B,10,ZAR,", `line 4: has a quote that is not closed: write "the ""Shop"" Ltd"`},
		{"a row without an end", "C," + strings.Repeat("x", 3*maxRecord) + ",,B,10,ZAR,", `line 2: has more than 8192 bytes: is there a quote that is not closed?`},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, row.text+"\n"+fine)
			end := w.run(t)
			end.check(t, exitRefused, map[outcome]int{raised: 1, refused: 1})
			assert.Equal(t, []string{"UBR9 UCR9 ZAR 10.00 2031-01-31"}, w.bills())
			assert.Equal(t, []string{row.says}, w.whys(t))
			assert.Equal(t, "refused: "+row.says+"\n", end.stderr)
		})
	}
}

// A quote that is not closed takes nothing with it, however many rows follow.
func TestUnclosedQuote(t *testing.T) {
	for _, row := range []struct {
		why  string
		rows int
	}{
		{"to the end of the file", 3},
		{"to the end of what a row may have", 1000},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, "C,\"Joe,,B,10,ZAR,\n"+good(row.rows))
			w.run(t).check(t, exitRefused, map[outcome]int{raised: row.rows, refused: 1})
			assert.Len(t, w.bills(), row.rows)
			assert.Equal(t, `C,"Joe,,B,10,ZAR,`, w.refusedRows(t)[0][0], "the line, to be corrected")
		})
	}
}

// A row that cannot be told into cells stands in the file of refused rows as it stood in the input,
// quotes and all.
func TestBrokenRowIsKept(t *testing.T) {
	for _, text := range []string{`C,"Roe, Joe",,B,"1,000.00",ZAR`, `C,The "Shop",,B,10,ZAR,`} {
		w := newWorld(t, "\n\n"+text+"\r\n"+fine)
		w.run(t).check(t, exitRefused, map[outcome]int{raised: 1, refused: 1})
		assert.Equal(t, text, w.refusedRows(t)[0][0])
	}
}

// Whether a row is too long depends on the row, and not on where reading began: what was sent
// before a restart can be sent after it.
func TestLongRowsAfterARestart(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("notes," + header)
	for i, row := range strings.Split(strings.TrimSpace(good(60)), "\n") {
		rows.WriteString(strings.Repeat("x", []int{1500, 900, 9000, 300}[i%4]) + "," + row + "\n")
	}
	w := newWorld(t, "")
	require.NoError(t, os.WriteFile(w.path, []byte(rows.String()), 0o600))
	w.options = append(w.options, moment.WithMaxRetries(0))
	w.srv.Fail(momenttest.DropAfterCommit().On("create bill").Times(1000))
	w.run(t).check(t, exitFailed, map[outcome]int{open: 45, refused: 15})
	assert.Len(t, w.bills(), 45)
	w.srv.ClearFaults()
	w.run(t).check(t, exitRefused, map[outcome]int{raised: 45, refused: 15})
}

// The most that a row may have is the same wherever it stands.
func TestLongestRow(t *testing.T) {
	const least = len("C,,,B,10,ZAR,\n")
	for before := range 40 {
		w := newWorld(t, good(before)+"C,,,B,10,ZAR,"+strings.Repeat(" ", maxRecord-least)+"\nC3,,,B3,10,ZAR,\n"+
			"C,,,B2,10,ZAR,"+strings.Repeat(" ", maxRecord-least)+"\n")
		w.run(t).check(t, exitRefused, map[outcome]int{raised: before + 2, refused: 1})
		if t.Failed() {
			return
		}
	}
}

// Files as programs write them.
func TestForms(t *testing.T) {
	want := []string{"UBR9 UCR9 ZAR 10.00 2031-01-31"}
	for _, row := range []struct{ why, text string }{
		{"as documented", header + fine},
		{"with the mark of UTF-8 that Excel writes, and lines as on Windows", "\ufeff" + strings.ReplaceAll(header+fine, "\n", "\r\n")},
		{"without a line break at the end", strings.TrimSuffix(header+fine, "\n")},
		{"all quoted, with blank lines", "\n" + `"customer_reference","name","email","bill_reference","amount","currency","due_date"` + "\n\n" + `"UCR9","Joe","","UBR9","10","ZAR","2031-01-31"` + "\n\n"},
		{"with rows that Excel leaves behind", ",,,\n" + header + ",,,,,,\n, ,,,,,\n" + fine + ",,,,,,\n,,,,,,\n"},
		{"in another order, with columns that are not read", "Due Date, CURRENCY ,note,amount,Bill reference,name,email,customer_reference\n2031-01-31,ZAR,x,10.0,UBR9,Joe,,UCR9\n"},
		{"with spaces", header + " UCR9 , Joe ,, UBR9 , 10.00 , ZAR , 2031-01-31 \n"},
		{"refused once", "refused_line," + strings.TrimSuffix(header, "\n") + ",refused_why\n2,UCR9,Joe,,UBR9,10.00,ZAR,2031-01-31,was wrong\n"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, "")
			require.NoError(t, os.WriteFile(w.path, []byte(row.text), 0o600))
			w.run(t).check(t, exitDone, map[outcome]int{raised: 1})
			assert.Equal(t, want, w.bills())
			assert.Equal(t, "Joe", w.srv.State().Customers[0].Name)
		})
	}
}

// A header is a file too: of an export that found nothing, say.
func TestNoRows(t *testing.T) {
	for _, text := range []string{header, "\ufeff" + header, header + "\n,,,,,,\n"} {
		w := newWorld(t, "")
		require.NoError(t, os.WriteFile(w.path, []byte(text), 0o600))
		end := w.run(t)
		end.check(t, exitDone, map[outcome]int{})
		assert.Contains(t, end.stdout, ": has no rows below its header.\n")
	}
}

// A file that is no good as a whole is refused before anything is sent.
func TestWrongFiles(t *testing.T) {
	for _, row := range []struct{ why, text, currency, says string }{
		{"empty", "", "", "is empty: its first row must name the columns"},
		{"no header", fine, "", "line 1: there is no column currency: add it, or give --currency; the header has UCR9, Joe, joe@example.com, UBR9, 10.00, ZAR, 2031-01-31"},
		{"a misspelt column", strings.Replace(header, "due_date", "due date_", 1) + fine, "", "line 1: there is no column due_date: the header has customer_reference, name, email, bill_reference, amount, currency, due date_"},
		{"no currency", strings.Replace(header, ",currency", "", 1), "", "line 1: there is no column currency: add it, or give --currency; the header has customer_reference, name, email, bill_reference, amount, due_date"},
		{"a currency twice", header + fine, "ZAR", "line 1: there is a column currency, and --currency as well: which of them is right?"},
		{"a column twice", "amount," + header, "", "line 1: the column amount is there twice"},
		{"semicolons, as Excel writes them where a comma is in numbers", strings.ReplaceAll(header, ",", ";"), "", "has ; between its columns: save it as CSV with commas, in UTF-8"},
		{"tabs, as they come with a paste", strings.ReplaceAll(header, ",", "\t"), "ZAR", "has tabs between its columns: save it as CSV with commas, in UTF-8"},
		{"a spreadsheet by its new name", "PK\x03\x04\x14\x00", "", "is a spreadsheet (.xlsx), or another ZIP file: save it as CSV with commas, in UTF-8"},
		{"lines as on an old Mac", strings.ReplaceAll(header+fine, "\n", "\r"), "", "has a carriage return alone at the end of its lines: save it as CSV with commas, in UTF-8"},
		{"UTF-16", "\xff\xfec\x00", "", "is UTF-16: save it as CSV with commas, in UTF-8"},
		{"a broken header", "a,b\"c,d\n", "", `line 1, column 4: has a quote where none can be: write "the ""Shop"" Ltd"`},
		{"no text", strings.Repeat("\x00", 2*maxRecord), "", "line 1: has more than 8192 bytes: is there a quote that is not closed?"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t, "")
			w.currency = moment.Currency(row.currency)
			require.NoError(t, os.WriteFile(w.path, []byte(row.text), 0o600))
			end := w.run(t)
			assert.Equal(t, exitUsage, end.code)
			assert.Equal(t, "billing-run: "+w.path+": "+row.says+"\n", end.stderr)
			assert.Zero(t, w.requests())
		})
	}
}
