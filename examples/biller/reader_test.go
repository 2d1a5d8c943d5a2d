package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"

	"github.com/moment-billing/moment-go"
)

const (
	header   = "customer_reference,name,email,bill_reference,amount,currency,due_date\n"
	ordinary = "C1,Zoë,z@example.com,B1,15.50,ZAR,2031-01-31\n"
)

// The reader returns the right rows for each form of file that programs write. A valid row is
// written "line + customer (name) bill amount due". A rejected row is written "line - reason", and
// only the beginning of the reason is compared.
func TestReader(t *testing.T) {
	const good = "2 + C1 (Zoë) B1 ZAR 15.50 2031-01-31"
	for _, row := range []struct {
		why  string
		text string // of the file, or the name of one in testdata
		args string // flags
		want []string
		err  string // of the whole file
	}{
		{why: "without a byte order mark; one amount to correct", text: "nobom.csv", want: []string{`2 - amount "15,50" is not a number like 1250.00, without signs, letters, spaces and thousands separators. If all amounts have a decimal comma, add --decimal ,`}},
		{why: "the same, with a decimal comma", text: "nobom.csv", args: "--decimal ,", want: []string{"2 + CZ1 (Zoë) MZ1 ZAR 15.50 2031-01-31"}},
		{why: "trailing empty cells left out", text: "a25_short_rows.csv", want: []string{
			"2 + C1-a25 (Müller & Söhne GmbH) INV-0001-a25 ZAR 1250.00 2031-01-31",
			"3 + C2-a25 (Zoë van der Merwe) INV-0002-a25 ZAR 15.50 2031-01-31",
			"4 + C3-a25 (Naledi, Pillay) INV-0003-a25 ZAR 9.99 ",
		}},
		{why: "rows of commas at the end are skipped", text: "a21_trailing_rows.csv", want: []string{
			"2 + C1-a21 (Müller & Söhne GmbH) INV-0001-a21 ZAR 1250.00 2031-01-31",
			"3 + C2-a21 (Zoë van der Merwe) INV-0002-a21 ZAR 15.50 2031-01-31",
			"4 + C3-a21 (Naledi, Pillay) INV-0003-a21 ZAR 9.99 ",
		}},
		{why: "words that mean no value, and four decimals", text: "ssms-null.csv", want: []string{
			`2 - customer_reference "NULL" is a word for a missing value: write the reference; due_date "NULL" is not a date`,
			`3 - customer_reference "NULL"`, `4 - customer_reference "NULL"`,
			`5 - customer_reference "None"`, `6 - customer_reference "nan"`,
			"7 + 0 (Eve) SN6 ZAR 70.00 ", `8 - customer_reference "-"`, `9 - bill_reference "NULL"`,
		}},
		{why: "a quote that opens in one row and closes in a later one", text: "swallow.csv", want: []string{
			"2 - has a quote that is not closed",
			"3 + CU2 (Fine One) BU2 ZAR 200.00 ", "4 + CU3 (Fine Two) BU3 ZAR 300.00 ",
			`5 + CU4 (Ring 5") BU4 ZAR 400.00 `, "6 + CU5 (ok) BU5 ZAR 500.00 ",
		}},
		{why: "leading zeros are kept", text: "zeros-before-excel.csv", want: []string{
			"2 + 00121 (Name 1) 000771 ZAR 15.50 2031-01-31", `3 - amount "15,50" is not a number`,
		}},
		{why: "leading zeros that a spreadsheet has lost cannot be seen in the file", text: "zeros-after-excel.csv", want: []string{
			"2 + 121 (Name 1) 771 ZAR 15.50 2031-01-31", "3 + 129 (Name 9) 779 ZAR 15.50 2031-01-31",
		}},
		{why: "dates in other forms", text: "a37_dates.csv", want: dates(map[int]string{
			0:  `- due_date "31/01/2031" is not a date in the form YYYY-MM-DD: correct it or leave it empty, or set the form of all dates with --date-format`,
			18: `- due_date "31/1/31" is`, 2: `- due_date "2031-01-31 00:00:00" is`, 4: `- due_date "2031-01-31T00:00:00Z" is`,
			10: `- due_date "47879" is not a date in the form YYYY-MM-DD: correct it or leave it empty, or format the column as a date in the spreadsheet, and export it again`, 13: `- due_date "2031-02-30" is`, 14: `- due_date "0000-00-00" is`, 15: `- due_date "1900-01-00" is`,
			16: `- due_date "NULL" is`, 17: `- due_date "-" is`, 21: `- due_date "\"2031-01-31\"" is`, 22: `- due_date "'2031-01-31" is`,
			19: "+ C1 (Müller & Söhne GmbH) I37-19 ZAR 15.50 2020-01-31 (due_date 2020-01-31 is in the past)",
			20: "+ C1 (Müller & Söhne GmbH) I37-20 ZAR 15.50 2131-01-31 (due_date 2131-01-31 is more than ten years away)",
			23: "+ C1 (Müller & Söhne GmbH) I37-23 ZAR 15.50 2031-01-31",
		})},
		{why: "day before month, because the flag says so", text: "a37_dates.csv", args: "--date-format DD/MM/YYYY", want: dates(map[int]string{0: "+ C1 (Müller & Söhne GmbH) I37-0 ZAR 15.50 2031-01-31"})},
		{why: "month before day, because the flag says so", text: "a37_dates.csv", args: "--date-format MM/DD/YYYY", want: dates(map[int]string{1: "+ C1 (Müller & Söhne GmbH) I37-1 ZAR 15.50 2031-01-31"})},
		{why: "names of months", text: "a37_dates.csv", args: "--date-format dd-mmm-yy", want: dates(map[int]string{8: "+ C1 (Müller & Söhne GmbH) I37-8 ZAR 15.50 2031-01-31"})},
		{why: "midnight, because the flag says so", text: "a37_dates.csv", args: "--date-format 'YYYY-MM-DD 00:00:00'", want: dates(map[int]string{2: "+ C1 (Müller & Söhne GmbH) I37-2 ZAR 15.50 2031-01-31"})},

		{why: "UTF-8 with a byte order mark", text: "\ufeff" + header + ordinary, want: []string{good}},
		{why: "UTF-16, little endian, as a spreadsheet's Unicode text has it, with tabs", text: utf16Text("\ufeff"+strings.ReplaceAll(header+ordinary, ",", "\t"), false), want: []string{good}},
		{why: "UTF-16, big endian", text: utf16Text("\ufeff"+header+ordinary, true), want: []string{good}},
		{why: "UTF-16 without a byte order mark", text: utf16Text(header+ordinary, false), want: []string{good}},
		{why: "the same, big endian", text: utf16Text(header+ordinary, true), want: []string{good}},
		{why: "half a character of UTF-16 at the end", text: utf16Text(header+ordinary, false) + "x", err: "line 3 is not utf-16"},
		{why: "Windows-1252", text: latin(header + ordinary), args: "--encoding windows-1252", want: []string{good}},
		{why: "Windows-1252 that nobody named ends the command", text: latin(header + ordinary), err: "line 2 is not utf-8: export it as CSV UTF-8, or add --encoding windows-1252"},
		{why: "UTF-8 read as Windows-1252 would rename Zoë", text: header + ordinary, args: "--encoding windows-1252", err: "line 2 is not windows-1252: it is UTF-8"},
		{why: "a byte without a meaning in Windows-1252", text: header + "C1,\x81\xe4,,B1,1,ZAR,\n", args: "--encoding windows-1252", err: "line 2 is not windows-1252"},
		{why: "a byte order mark comes first: a file of rejected rows is UTF-8", text: "\ufeff" + header + ordinary, args: "--encoding windows-1252", want: []string{good}},
		{why: "such a file that is not UTF-8, for which no flag helps", text: "\ufeff" + latin(header+ordinary), args: "--encoding windows-1252", err: "line 2 is not utf-8: export it as CSV UTF-8"},
		{why: "a character U+FFFD in a file with a byte order mark rejects its row only", text: "\ufeff" + header + "C1,\ufffd,,B0,1,ZAR,\n" + ordinary, want: []string{"2 - name contains a control character or U+FFFD", "3" + good[1:]}},
		{why: "a NUL", text: header + "C1,\x00,,B1,1,ZAR,\n", err: "line 2 is not utf-8: it contains a NUL"},
		{why: "compressed", text: compressed(header + ordinary), want: []string{good}},
		{why: "compressed and truncated at once", text: compressed(header)[:8], err: "the gzip file is damaged, or its end is missing: copy it again"},
		{why: "compressed and truncated", text: compressed(header + ordinary)[:60], err: "the gzip file is damaged, or its end is missing: copy it again"},
		{why: "a spreadsheet", text: "PK\x03\x04[Content_Types].xml", err: "is a spreadsheet (.xlsx or .ods)"},
		{why: "an old spreadsheet", text: "\xd0\xcf\x11\xe0\xa1\xb1", err: "is a spreadsheet (.xls)"},
		{why: "HTML that is named .xls", text: "<html><table>", err: "is HTML"},
		{why: "empty", text: "", err: "is empty"},

		{why: "semicolons and a decimal comma, as in Europe", text: "customer_reference;name;email;bill_reference;amount;currency;due_date\nC1;Zoë;;B1;15,50;ZAR;2031-01-31\n", args: "--decimal ,", want: []string{good}},
		{why: "a line that names the separator", text: "sep=|\n" + strings.ReplaceAll(header+ordinary, ",", "|"), want: []string{"3" + good[1:]}},
		{why: "the same in quotes, with a byte order mark and CR LF", text: "\ufeff\"sep=;\"\r\n" + strings.ReplaceAll(strings.ReplaceAll(header+ordinary, ",", ";"), "\n", "\r\n"), want: []string{"3" + good[1:]}},
		{why: "lines that end as on old Macs", text: strings.ReplaceAll(header+ordinary, "\n", "\r"), want: []string{good}},
		{why: "no line end at the end", text: header + strings.TrimSpace(ordinary), want: []string{good}},
		{why: "a column more, and headers as people write them", text: "Notes,Customer Reference,NAME,e-mail,Bill\u00a0Reference, amount ,Currency,Due-Date\nx,C1,Zoë,,B1,15.50,ZAR,2031-01-31\n", want: []string{good}},
		{why: "names of their own", text: "Konto,Name,Nr,Betrag,fällig\nC1,Zoë,B1,15.50,2031-01-31\n", args: "--columns customer_reference=konto --columns bill_reference=Nr --columns amount=Betrag --columns due_date=FÄLLIG --columns email= --currency ZAR", want: []string{good}},
		{why: "all missing columns at once", text: "name,mail,bill_reference,amout\n", err: "there is no column customer_reference, email, amount, currency (--currency ZAR sets it), due_date."},
		{why: "a name of their own that contains a column's name", text: header + ordinary, args: "--columns 'amount=the currency of'", err: "there is no column the currency of. The header"},
		{why: "rows without text above the header", text: "\u00a0\n;;\r\n" + header + ordinary, want: []string{"4" + good[1:]}},
		{why: "the same in a file of an old Mac", text: ";;\r\r" + strings.ReplaceAll(header+ordinary, "\n", "\r"), want: []string{"4" + good[1:]}},
		{why: "no header: its first row is not printed, because it has names", text: ordinary, err: "the first row names none of the columns customer_reference, name,"},
		{why: "a column twice", text: "amount," + header, err: "there are two columns amount: rename one of them"},
		{why: "a column and a flag", text: header + ordinary, args: "--currency ZAR", err: "there is a column currency, although --columns or --currency says that it is missing"},

		{why: "zeros beyond the currency's decimals", text: header + "C1,,,B1,1250.0000,ZAR,\nC1,,,B2,1500.00,JPY,\nC1,,,B3,1500.50,JPY,\nC1,,,B4,1.2345,bhd,\n", want: []string{
			"2 + C1 () B1 ZAR 1250.00 ", "3 + C1 () B2 JPY 1500 ", "4 - amount", "5 - amount",
		}},
		{why: "invalid amounts", text: header + "C,,,B,\"1,250.00\",ZAR,\nC,,,B,R15.50,ZAR,\nC,,,B,-15.50,ZAR,\nC,,,B,0.00,ZAR,\nC,,,B,1000000.00,ZAR,\nC,,,B,,ZAR,\nC,,,B,1.5E3,ZAR,\nC,,,B,1 250,ZAR,\nC,,,B,99999999999999999999,ZAR,\n", want: []string{
			"2 - amount", "3 - amount", "4 - amount", `5 - amount "0.00" is out of range`, `6 - amount "1000000.00" is out of range`, `7 - amount "" is not a number`, "8 - amount", "9 - amount", "10 - amount",
		}},
		{why: "three decimals may be thousands, unless the currency has three, or the number would need two separators", text: header + "C,,,B1,1.250,ZAR,\nC,,,B2,12.000,JPY,\nC,,,B3,1.250,BHD,\nC,,,B4,1250.000,ZAR,\nC,,,B5,123.456,ZAR,\n", want: []string{
			`2 - amount "1.250" may be in thousands: write 1250 if it is, and otherwise fewer decimals`, `3 - amount "12.000" may be in thousands`, "4 + C () B3 BHD 1.250 ", "5 + C () B4 ZAR 1250.00 ", `6 - amount "123.456" may be in thousands`,
		}},
		{why: "all problems, although the decimals of an unknown currency are unknown", text: header + "C,,,B1,\"1 250,00\",R,\nC,,,B2,1.250,R,\nC,,,B3,\"1,250.00\",ZAR,x\n", want: []string{
			`2 - currency "R" is not a code like ZAR; amount "1 250,00" is not a number like 1250.00, without signs, letters, spaces and thousands separators. If all amounts have a decimal comma, add --decimal ,`,
			`3 - currency "R" is not a code like ZAR`, `4 - amount "1,250.00" is not a number like 1250.00, without signs, letters, spaces and thousands separators; due_date "x"`,
		}},
		{why: "less than one cannot be in thousands", text: header + "C,,,B1,0.001,ZAR,\nC,,,B2,0.100,ZAR,\n", want: []string{`2 - amount "0.001" has too many decimals: ZAR has 2`, "3 + C () B2 ZAR 0.10 "}},
		{why: "a currency in lower case", text: strings.Replace(header, ",currency", "", 1) + "C,,,B1,1.00,\n", args: "--currency zar", want: []string{"2 + C () B1 ZAR 1.00 "}},
		{why: "a point is not a decimal comma: 1.250 may be a thousand", text: strings.ReplaceAll(header, ",", ";") + "C;;;B;1.250;ZAR;\nC;;;B;1.250,00;ZAR;\n", args: "--decimal ,", want: []string{
			`2 - amount "1.250" is not a number like 1250,00, without signs, letters, spaces and thousands separators. If all amounts have a decimal point, leave out --decimal`, `3 - amount "1.250,00" is not a number like 1250,00, without signs, letters, spaces and thousands separators`,
		}},
		{why: "cells that are not quoted shift the others", text: header + "C1,Naledi, Pillay,,B1,15.50,ZAR,2031-01-31\n", want: []string{"2 - has 8 cells, but the header has 7"}},
		{why: "trailing cells added", text: header + strings.TrimSpace(ordinary) + ",,,\n", want: []string{good}},
		{why: "rows that are too short", text: header + "C1,Zoë,,B1\n", want: []string{`2 - currency "" is not a code`}},
		{why: "a cell of several lines", text: header + "C1,\"PO Box 1,\nCape Town\",,B1,15.50,ZAR,\n" + ordinary, want: []string{"2 + C1 (PO Box 1,\nCape Town) B1 ZAR 15.50 ", "4" + good[1:]}},
		{why: "a cell whose quote opens and never closes, before rows with quotes", text: header + "C0,\"Shop,,B0,1.00,ZAR,\nC1,\"Naledi, Pillay\",,B1,15.50,ZAR,\n", want: []string{"2 - has a quote that is not closed", "3 + C1 (Naledi, Pillay) B1 ZAR 15.50 "}},
		{why: "one that closes in the next row alone", text: header + "C0,\"Shop,,B0,1.00,ZAR,\nC1,Ring 5\",,B1,15.50,ZAR,\n", want: []string{"2 - has a quote that is not closed", `3 + C1 (Ring 5") B1 ZAR 15.50 `}},
		{why: "a cell of several lines, of which the last one has as many cells as a row", text: header + "C0,\"Acme Ltd\nBerlin, Germany\",,B0,1.00,ZAR,\n", want: []string{"2 + C0 (Acme Ltd\nBerlin, Germany) B0 ZAR 1.00 "}},
		{why: "the same in the first column", text: "name,customer_reference,email,bill_reference,amount,currency,due_date\n\"Acme Ltd\nBerlin\",C0,,B0,1.00,ZAR,\n", want: []string{"2 + C0 (Acme Ltd\nBerlin) B0 ZAR 1.00 "}},
		{why: "an address after the amount, whose number is not an amount", text: "bill_reference,amount,currency,customer_reference,name,email,due_date\nB0,1.00,ZAR,C0,\"Acme Ltd\nBerlin, 12 Main Rd\",,\n", want: []string{"2 + C0 (Acme Ltd\nBerlin, 12 Main Rd) B0 ZAR 1.00 "}},
		{why: "a long address after the amount, whose lines look like rows: no line becomes a bill", text: "customer_reference,bill_reference,amount,address\nG1,GB1,10.00,\"Flat 3, Main Rd, 7, KZN\nDurban, 4001, 12, KZN\"\nG3,GB3,30.00,\"1 St\nDurban, 4001, 12\"\n", args: "--columns name= --columns email= --columns due_date= --currency ZAR", want: []string{
			"2 - has a line in a cell that looks like a row: write the cell on one line", "4 + G3 () GB3 ZAR 30.00 ",
		}},
		{why: "a row with fewer cells at the end of the last cell, and one at the beginning", text: strings.TrimSpace(header) + ",address\n" +
			"C1,,,B1,1.00,ZAR,,\"x\nC2,,,B2,2.00,ZAR,\"\nC3,,,B3,3.00,ZAR,,\"C4,,,B4,4.00,ZAR,\ny\"\nC5,,,B5,5.00,ZAR,,z\n", want: []string{
			"2 - has a line in a cell that looks like a row", "4 - has a line in a cell that looks like a row", "6 + C5 () B5 ZAR 5.00 ",
		}},
		{why: "a quote inside quotes", text: header + "C0,\"The \"Shop\"\",,B0,1.00,ZAR,\n" + ordinary, want: []string{"2 - has a quote inside a quoted cell", "3" + good[1:]}},
		{why: "a row of more than 64 KiB", text: header + "C0," + strings.Repeat("é", 40<<10) + ",,B0,1.00,ZAR,\n" + ordinary + ordinary, want: []string{"2 - has more than 64 KiB", "3 - may be the rest of the row on line 2", "4" + good[1:]}},
		{why: "a row of less", text: header + "C0,\"x\",,B0,1.00,ZAR,,,\"" + strings.Repeat(" ", 63<<10) + "\"\n" + ordinary, want: []string{"2 + C0 (x) B0 ZAR 1.00 ", "3" + good[1:]}},
		{why: "references as no reference is", text: header + "C 1,,,B1,1,ZAR,\n,,,B2,1,ZAR,\nbcus_1,,,B3,1,ZAR,\nbacc_1,,,B3,1,ZAR,\nC1,,,bill_1,1,ZAR,\nC1,,,1.23E+05,1,ZAR,\nN/A,,,B4,1,ZAR,\n" + strings.Repeat("C", 256) + ",,,B5,1,ZAR,\n", want: []string{
			`2 - customer_reference "C 1" must not contain ' ' (U+0020)`, `3 - customer_reference "" is empty`, `4 - customer_reference "bcus_1" begins like one of Moment's ids`,
			`5 - customer_reference "bacc_1" begins like one of Moment's ids`, `6 - bill_reference "bill_1" begins like one of Moment's ids`,
			`7 - bill_reference "1.23E+05" was shortened by a spreadsheet`, `8 - customer_reference "N/A"`, `9 - customer_reference "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC" has 256 characters`,
		}},
		{why: "totals, and references that a spreadsheet has shortened", text: header + "Zwischensumme,,,B1,1,ZAR,\nC1,,,Grand Total,1,ZAR,\nC1,,,TOTAL-1,1,ZAR,\n####,,,B4,1,ZAR,\nC1,,,12E3,1,ZAR,\n", want: []string{
			`2 - customer_reference "Zwischensumme" is the word for a total`, `3 - bill_reference "Grand Total" is the word for a total`, "4 + C1 () TOTAL-1 ZAR 1.00 ", `5 - customer_reference "####" was shortened`, "6 + C1 () 12E3 ZAR 1.00 ",
		}},
		{why: "two wrong quotes, with a row between them", text: "customer_reference,name,email,address,bill_reference,amount,currency,due_date\nWA1,Ann,,\"1 Main\nCape Town,WB1,1.00,ZAR,2031-01-31\nWA2,Bob,,x,WB2,2.00,ZAR,2031-01-31\nWA3,Cy,,z\",WB3,3.00,ZAR,2031-01-31\nWA4,Dee,,z,WB4,4.00,ZAR,2031-01-31\n", want: []string{"2 - has a line in a cell that looks like a row: write the cell on one line. If the cell contains later rows", "6 + WA4 (Dee) WB4 ZAR 4.00 2031-01-31"}},
		{why: "an address whose lines have a reference and an amount in their columns, but no currency", text: "bill_reference,customer_reference,address,amount,currency,name,email,due_date\nB1,C1,\"6 inch\nGauteng,8001,x,12,Main\ny\",2.00,ZAR,,,\n", want: []string{"2 + C1 () B1 ZAR 2.00 "}},
		{why: "the same without a reference", text: "customer_reference,address,bill_reference,amount,currency,name,email,due_date\nC1,\"Flat 3\nDurban,Unit 5,The Oaks,12,ZAR\nGauteng\",B1,2.00,ZAR,,,\n", want: []string{"2 + C1 () B1 ZAR 2.00 "}},
		{why: "a wrong quote, then a line with the cells of a row, then the rest", text: "customer_reference,name,address,email,bill_reference,amount,currency,due_date\nKW1,Cy,\"The \"Oaks\" Estate\nx,y,z,q,r s,t,u,v\nFairland,Gauteng,\"2196\",c@x.co,INV1,10.00,ZAR,\n", want: []string{"2 - has a quote inside", "3 - bill_reference", "4 - may be the rest of the row on line 2"}},
		{why: "an address in the last column that looks like a row: no line becomes a bill", text: "bill_reference,amount,customer_reference,address\nB1,100.00,C1,\"Sandton\nLinden,2195,Gauteng,South Africa\"\nB2,5.00,C2,x\n", args: "--columns name= --columns email= --columns due_date= --currency ZAR", want: []string{"2 - has a line in a cell that looks like a row", "4 + C2 () B2 ZAR 5.00 "}},
		{why: "the same with a wrong quote", text: "bill_reference,amount,customer_reference,address\nB1,100.00,C1,\"The \"Oaks\" Estate\nLinden,2195,Gauteng,South Africa\"\nB2,5.00,C2,x\n", args: "--columns name= --columns email= --columns due_date= --currency ZAR", want: []string{"2 - has a quote", "3 - may be the rest of the row on line 2", "4 + C2 () B2 ZAR 5.00 "}},
		{why: "a right quote after a rejected row", text: header + "C1,Ann,,B1,x,ZAR,\nC2,\"Bob 6\"\" pipe\",,B2,1.00,ZAR,\n", want: []string{`2 - amount "x"`, `3 + C2 (Bob 6" pipe) B2 ZAR 1.00 `}},
		{why: "a wrong quote after an empty row", text: header + "\n,,,\nC1,Ring 5\",,B1,1.00,ZAR,\n", want: []string{`4 + C1 (Ring 5") B1 ZAR 1.00 `}},
		{why: "two wrong quotes, and an invalid amount in the first row", text: header + "C1,\"Tom,,B1,1 250.00,ZAR,\nC2,Uwe 24\",,B2,2.00,ZAR,\n" + ordinary, want: []string{"2 - has a line in a cell that looks like a row", "4" + good[1:]}},
		{why: "a row inside a cell, before its last quote", text: header + "C1,\"Tom\nC2,Uwe,,B2,2.00,ZAR,\",,B1,1.00,ZAR,\n" + ordinary, want: []string{"2 - has a line in a cell that looks like a row", "4" + good[1:]}},
		{why: "a line end in a cell without quotes", text: "customer_reference,bill_reference,amount,currency,address,due_date,name,email\nC1,B1,1.00,ZAR,Hof 1\nStr 1,2031-01-31,Ben,\nC2,B2,2.00,ZAR,Hof 2\nC3,B3,x,ZAR\nC4,B4,4.00,ZAR,,,,\n(2 rows)\n", want: []string{
			"2 - may continue on line 3", "3 - customer_reference", "4 + C2 () B2 ZAR 2.00 ", "5 - amount", "6 + C4 () B4 ZAR 4.00 ", "7 - customer_reference",
		}},
		{why: "a line end in a name without quotes", text: "name,customer_reference,bill_reference,amount,currency,email,due_date\nBen\nHof,C1,B1,1.00,ZAR,,\nEve,C2,B2,2.00,ZAR,,\n(2 rows)\n\"Ann,C3,B3,3.00,ZAR,,\nDan,C4,B4,4.00,ZAR,,\n(3 rows)\nFay,C5,B5,5.00,ZAR\n", want: []string{
			"2 - customer_reference", "3 - may be the rest of the row on line 2", "4 + C2 (Eve) B2 ZAR 2.00 ", "5 - customer_reference", "6 - has a quote", "7 + C4 (Dan) B4 ZAR 4.00 ",
			"8 - customer_reference", "9 + C5 (Fay) B5 ZAR 5.00 ",
		}},
		{why: "a missing quote after the amount", text: "customer_reference,bill_reference,amount,currency,address,due_date,name,email\nC1,B1,1.00,ZAR,Hof 1\nStr 1\",2031-01-31,Ben,\nC2,B2,2.00,ZAR,Hof 2\n", want: []string{"2 - may continue on line 3", "3 - customer_reference", "4 + C2 () B2 ZAR 2.00 "}},
		{why: "two wrong quotes, far apart", text: header + "C1,\"Anna\nKhumalo,,B1,1.00,ZAR,\nC2,Bob,,B2,2.00,ZAR,\nC3,Dora\nSmith\",,B3,3.00,ZAR,\n" + ordinary, want: []string{"2 - has a line in a cell that looks like a row", "7" + good[1:]}},
		{why: "a row inside a cell", text: header + "C1,\"Anna\nC2,Bob,,B2,2.00,ZAR,\nSmith\",,B1,1.00,ZAR,\n" + ordinary, want: []string{"2 - has a line in a cell that looks like a row", "5" + good[1:]}},
		{why: "a quote that opens before the amount, and closes in an address of the next row", text: "customer_reference,name,email,address,bill_reference,amount,currency,due_date\nC1,Ann,,\"Main,Unit 5,Berlin,B1,3.00,ZAR,\nC2,Bob,,The \"\"Oaks\"\"\nBerlin\",B2,4.00,ZAR,\n", want: []string{"2 - has a line in a cell that looks like a row"}},
		{why: "two wrong quotes, with the rest of a row", text: "customer_reference,name,email,address,bill_reference,amount,currency,due_date\nWA1,Ann,,\"1 Main\nCape Town,WB1,1.00,ZAR,2031-01-31\nWA3,Cy,,6 inch\",WB3,3.00,ZAR,2031-01-31\n", want: []string{"2 - has a line in a cell that looks like a row"}},
		{why: "two wrong quotes, with a rest without its empty cells", text: "customer_reference,name,email,address,bill_reference,amount,currency,due_date\nWA1,Ann,,\"1 Main\nCape Town,WB1,1.00,ZAR\nWA3,Cy,,6 inch\",WB3,3.00,ZAR,2031-01-31\n", want: []string{"2 - has a line in a cell that looks like a row"}},
		{why: "two wrong quotes, with a rest that has an invalid amount", text: "customer_reference,name,email,address,bill_reference,amount,currency,due_date\nWA1,Ann,,\"1 Main\nCape Town,WB1,R1.00,ZAR,\nWA3,Cy,,6 inch\",WB3,3.00,ZAR,2031-01-31\n", want: []string{"2 - has a line in a cell that looks like a row"}},
		{why: "the same with the line ends of old Macs", text: strings.ReplaceAll("customer_reference,name,email,address,bill_reference,amount,currency,due_date\nWA1,Ann,,\"1 Main\nCape Town,WB1,1.00,ZAR,2031-01-31\nWA3,Cy,,6 inch\",WB3,3.00,ZAR,2031-01-31\nWA4,Dee,,z,WB4,4.00,ZAR,2031-01-31\n", "\n", "\r"), want: []string{"2 - has a line in a cell that looks like a row", "5 + WA4 (Dee) WB4 ZAR 4.00 2031-01-31"}},
		{why: "an unclosed quote with the line ends of old Macs", text: strings.ReplaceAll(header+"C1,\"Ann,,B1,1.00,ZAR,\nC2,\"Bob\",,B2,2.00,ZAR,\n", "\n", "\r"), want: []string{"2 - has a quote that is not closed", "3 + C2 (Bob) B2 ZAR 2.00 "}},
		{why: "an address whose last line has the cells of a row, and whose other lines have no more than two", text: header + "C0,\"Acme Ltd\nUnit 5, Mitte\nBerlin, Germany\",,B0,1.00,ZAR,\n", want: []string{"2 + C0 (Acme Ltd\nUnit 5, Mitte\nBerlin, Germany) B0 ZAR 1.00 "}},
		{why: "an address whose last line does not look like a row", text: header + "C0,\"Acme Ltd\nUnit 5, Tower, Mitte\nBerlin\",,B0,1.00,ZAR,\n", want: []string{"2 + C0 (Acme Ltd\nUnit 5, Tower, Mitte\nBerlin) B0 ZAR 1.00 "}},
		{why: "a wrong quote in a row that is whole, in a file with quotes around all cells", text: header + "\"C1\",\"The \"Oaks\"\",\"\",\"B1\",\"1.00\",\"ZAR\",\"\"\n" + ordinary, want: []string{"2 - has a quote inside a quoted cell", "3" + good[1:]}},
		{why: "a wrong quote in a cell of several lines: no bill is made of its rest", text: "customer_reference,name,address,email,bill_reference,amount,currency,due_date\nKW1,Cy,\"The \"Oaks\" Estate\nFairland,Gauteng,2196\",c@x.co,INV1,10.00,ZAR,2031-01-31\nKW2,Di,1 Main,,INV2,5.00,ZAR,2031-01-31\n", want: []string{"2 - has a quote inside a quoted cell. Write each value into its own cell", "3 - may be the rest of the row on line 2: correct that row", "4 + KW2 (Di) INV2 ZAR 5.00 2031-01-31"}},
		{why: "the same with an unclosed quote before the rest", text: "customer_reference,name,address,email,bill_reference,amount,currency,due_date\nKW1,Cy,\"5 Main\nLinden,Gauteng,\"The Oaks\",c@x.co,INV1,10.00,ZAR,2031-01-31\nKW2,Di,1 Main,,INV2,5.00,ZAR,2031-01-31\n", want: []string{"2 - has a quote that is not closed", "3 - may be the rest of the row on line 2", "4 + KW2 (Di) INV2 ZAR 5.00 2031-01-31"}},
		{why: "the same with lines that cannot be rows", text: "customer_reference,name,address,email,bill_reference,amount,currency,due_date\nKW1,Cy,\"The \"Oaks\" Estate\n\nMain Road\nFairland,Gauteng,2196\",c@x.co,INV1,10.00,ZAR,2031-01-31\nKW2,Di,1 Main,,INV2,5.00,ZAR,2031-01-31\n", want: []string{"2 - has a quote inside a quoted cell", `4 - customer_reference "Main Road" must not contain ' ' (U+0020): an external reference has only a-z, A-Z, 0-9, "_" and "-"; bill_reference "" is empty; currency "" is not a code like ZAR; amount "" is not a number like 1250.00, without signs, letters, spaces and thousands separators; may be the rest of the row on line 2: correct that row`, "5 - may be the rest of the row on line 2", "6 + KW2 (Di) INV2 ZAR 5.00 2031-01-31"}},
		{why: "a wrong quote in a row that is whole: the next row is not its rest", text: header + "C1,\"The \"Oaks\", Linden\",,B1,1.00,ZAR,\n" + ordinary, want: []string{"2 - has a quote inside a quoted cell", "3 + C1 (Zoë) B1 ZAR 15.50 2031-01-31"}},
		{why: "the header again", text: header + ordinary + header, want: []string{good, "3 - is the header again: remove it"}},
		{why: "a row in one cell, as a row with an unclosed quote is in the file of rejected rows", text: header + "\"C1,Zoë,,B1,15.50,ZAR,2031-01-31\"\n", want: []string{"2 - is in one cell: move each value to its own cell"}},
		{why: "the same in a file of rejected rows", text: "rejected_line,rejected_reason," + header + "2,x,\"C1,Zoë,,B1,15.50,ZAR,2031-01-31\"\n", want: []string{"2 - is in one cell: move each value to its own cell"}},
		{why: "a date of digits, which is not a number of days", text: header + "C,,,B,1.00,ZAR,20310131\n", want: []string{`2 - due_date "20310131" is not a date in the form YYYY-MM-DD: correct it or leave it empty, or set the form of all dates`}},
		{why: "what programs write for no value", text: header + `C1,\N,(null),B1,1,ZAR,` + "\nC1,#REF!,#N/A,B2,1,ZAR,\n", want: []string{
			`2 + C1 () B1 ZAR 1.00  (name is "\\N", a word for a missing value: it is left out; email is "(null)", a word for a missing value: it is left out)`,
			`3 + C1 () B2 ZAR 1.00  (name is "#REF!", a word for a missing value: it is left out; email is "#N/A", a word for a missing value: it is left out)`,
		}},
		{why: "several addresses, and none", text: header + "C1,,a@example.com; b@example.com,B1,1,ZAR,\nC2,,Zoë <z@example.com>,B2,1,ZAR,\nC3,,zoë@example.com,B3,1,ZAR,\n", want: []string{
			`2 + C1 () B1 ZAR 1.00  (email "a@example.com; b@example.com" is not exactly one e-mail address)`,
			`3 + C2 () B2 ZAR 1.00  (email "Zoë <z@example.com>" is not exactly one e-mail address)`, "4 + C3 () B3 ZAR 1.00 ",
		}},
		{why: "years that nobody means", text: header + "C1,,,B1,1,ZAR,1899-12-30\nC1,,,B2,1,ZAR,0031-01-02\n", want: []string{"2 - due_date 1899-12-30 is in the year 1899", "3 - due_date 0031-01-02 is in the year 31"}},
		{why: "names and addresses that mean no value are left out, and reported", text: header + "C1,NULL,n/a,B1,15.50,ZAR,\n", want: []string{
			`2 + C1 () B1 ZAR 15.50  (name is "NULL", a word for a missing value: it is left out; email is "n/a", a word for a missing value: it is left out)`,
		}},
		{why: "names that cannot be", text: header + "C1,Zo\ufffd,,B1,1,ZAR,\nC1,a\x07b,,B1,1,ZAR,\nC1," + strings.Repeat("ë", 256) + ",,B1,1,ZAR,\n", want: []string{"2 - name contains a control character or U+FFFD", "3 - name contains a control character", "4 - name has 256 characters"}},
		{why: "currencies", text: header + "C1,,,B1,1,zar,\nC1,,,B2,1,R,\nC1,,,B3,1,,\n", want: []string{"2 + C1 () B1 ZAR 1.00 ", `3 - currency "R" is not a code like ZAR`, `4 - currency "" is not a code`}},
		{why: "as the file of rejected rows quotes formulas", text: "rejected_line,rejected_reason," + header + "2,x,C1,'=1+1,'-x,B1,1,ZAR,\n3,x,C1,'t Hooft,,B2,1,ZAR,\n", want: []string{`2 + C1 (=1+1) B1 ZAR 1.00  (email "-x" is not exactly one e-mail address)`, "3 + C1 ('t Hooft) B2 ZAR 1.00 "}},
		{why: "in another file, a quote is part of the name", text: header + "C1,'-5 Club,,B1,1,ZAR,\n", want: []string{"2 + C1 ('-5 Club) B1 ZAR 1.00 "}},
		{why: "all problems of a row at once", text: header + "C 1,,,B 1,x,ZAR,y\n", want: []string{`2 - customer_reference "C 1" must not contain ' ' (U+0020): an external reference has only a-z, A-Z, 0-9, "_" and "-"; bill_reference "B 1" must not contain ' ' (U+0020): an external reference has only a-z, A-Z, 0-9, "_" and "-"; amount "x" is not a number`}},
	} {
		t.Run(row.why, func(t *testing.T) {
			path := filepath.Join("testdata", row.text)
			if !strings.HasSuffix(row.text, ".csv") || strings.Contains(row.text, "\n") {
				path = write(t, row.text)
			}
			got, err := readAll(t, path, row.args)
			if row.err != "" {
				assert.ErrorContains(t, err, row.err)
				return
			}
			require.NoError(t, err)
			require.Len(t, got, len(row.want), got)
			for i, want := range row.want {
				if _, rejected, _ := strings.Cut(want, " "); strings.HasPrefix(rejected, "-") {
					got[i] = got[i][:min(len(got[i]), len(want))]
				}
				assert.Equal(t, want, got[i])
			}
		})
	}
}

// dates returns the rows of a37_dates.csv. The first one is on line 2.
func dates(want map[int]string) []string {
	rows := make([]string, 24)
	for n := range rows {
		is, known := want[n]
		if !known {
			is = "- due_date"
		}
		rows[n] = fmt.Sprint(n+2, " ", is)
	}
	return rows
}

func readAll(t *testing.T, path, args string) ([]string, error) {
	t.Helper()
	c, _, err := parseFlags(append([]string{"check", path}, words(args)...), io.Discard)
	require.NoError(t, err)
	var rows []string
	file, err := open(c.input)
	if err != nil {
		return nil, err
	}
	err = file.eachRow(func(b row) error {
		if len(b.problems) > 0 {
			rows = append(rows, fmt.Sprintf("%d - %s", b.line, strings.Join(append(b.problems, b.warnings...), "; ")))
			return nil
		}
		text := fmt.Sprintf("%d + %s (%s) %s %v ", b.line, b.Customer.ExternalReference, b.Customer.Name, b.Reference, b.Money)
		if b.Due != (moment.Date{}) {
			text += b.Due.String()
		}
		if len(b.warnings) > 0 {
			text += " (" + strings.Join(b.warnings, "; ") + ")"
		}
		rows = append(rows, text)
		return nil
	})
	return rows, err
}

// words splits flags at spaces that are not in quotes.
func words(args string) []string {
	var all []string
	for i, part := range strings.Split(args, "'") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bills.csv")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func utf16Text(text string, bigEndian bool) string {
	units := utf16.Encode([]rune(text))
	b := make([]byte, 0, 2*len(units))
	for _, unit := range units {
		if bigEndian {
			unit = unit<<8 | unit>>8
		}
		b = append(b, byte(unit), byte(unit>>8))
	}
	return string(b)
}

func latin(text string) string {
	encoded, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		panic(err)
	}
	return encoded
}

func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// The amounts of rejected rows are not added up, because their sum may be larger than an integer.
func TestRejectedAmountsDoNotOverflow(t *testing.T) {
	path := write(t, header+"C1,,,B1,90000000000000000.00,ZAR,\nC1,,,B2,90000000000000000.00,ZAR,\n")
	var stdout, stderr strings.Builder
	assert.Equal(t, exitFailed, start(t.Context(), []string{"check", path}, &stdout, &stderr))
	assert.Contains(t, stdout.String(), "rejected        2", stderr.String())
}

// A wrong quote makes no bill for a wrong customer or amount, wherever it is in a file with
// addresses of several lines.
func TestWrongQuotes(t *testing.T) {
	headers := []string{
		"customer_reference,name,email,address,bill_reference,amount,currency,due_date",
		"customer_reference,name,email,bill_reference,amount,currency,due_date,address",
		"customer_reference,address,bill_reference,amount,currency,name,email,due_date",
		"address,customer_reference,bill_reference,amount,currency,name,email,due_date",
		"bill_reference,customer_reference,address,amount,currency,name,email,due_date",
		"bill_reference,amount,currency,customer_reference,name,email,due_date,address",
		"customer_reference,bill_reference,amount,currency,address,due_date,name,email",
	}
	words := []string{"12 Main Rd", "Berlin", "Unit 5", "10115 Mitte", "Gauteng", `The "Oaks"`, "Germany", "Cape Town", "8001", "6\" pipe"}
	valid, raised := 0, 0 // the bills of files without a wrong quote
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 0))
		header := strings.Split(headers[random.IntN(len(headers))], ",")
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		require.NoError(t, w.Write(header))
		for i := range 4 {
			var address strings.Builder
			for range 1 + random.IntN(7) {
				address.WriteString(words[random.IntN(len(words))] + []string{"", ",", ", ", "\n"}[random.IntN(4)])
			}
			cells := map[string]string{
				"customer_reference": fmt.Sprint("C", i), "bill_reference": fmt.Sprint("B", i), "amount": strconv.Itoa(i + 1), "currency": "ZAR", "address": address.String(),
			}
			record := make([]string, len(header))
			for j, column := range header {
				record[j] = cells[column]
			}
			require.NoError(t, w.Write(record))
		}
		w.Flush()
		file := text.String()
		body := strings.IndexByte(file, '\n') + 1
		at := body + random.IntN(len(file)-body)
		if quote := strings.IndexByte(file[at:], '"'); seed%3 == 0 && quote >= 0 {
			file = file[:at+quote] + file[at+quote+1:]
		} else if seed%3 == 1 {
			file = file[:at] + `"` + file[at:]
		}
		if seed%3 == 2 {
			valid += 4
		}
		r, err := open(fileFlags{format: format{Encoding: "utf-8", DateFormat: "YYYY-MM-DD", Decimal: "."}, File: write(t, file)})
		require.NoError(t, err)
		require.NoError(t, r.eachRow(func(b row) error {
			if len(b.problems) == 0 {
				if seed%3 == 2 {
					raised++
				}
				n := int(b.Money.Amount) / 100
				assert.Equal(t, fmt.Sprintf("C%d B%d", n-1, n-1), b.Customer.ExternalReference+" "+b.Reference, file)
			}
			return nil
		}))
	}
	assert.Greater(t, raised, valid*98/100, "few valid rows are rejected")
}
