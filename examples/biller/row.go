package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/moment-billing/moment-go"
)

// ourColumns may be in any order. Other columns are ignored.
var ourColumns = []string{"customer_reference", "name", "email", "bill_reference", "amount", "currency", "due_date"}

var optionalColumns = []string{"name", "email", "due_date"}

// format has the flags that say how to read a file.
type format struct {
	Encoding   string            `default:"utf-8"      enum:"utf-8,windows-1252" help:"The encoding of a file that is not UTF-16: ${enum}."`
	Columns    map[string]string `mapsep:"none"        placeholder:"OURS=THEIRS" help:"The name of a column in the file; OURS= if it is missing."`
	DateFormat string            `default:"YYYY-MM-DD" help:"The form of dates: YYYY, YY, MM, M, MMM (Jan), MMMM, DD, D."`
	Decimal    string            `default:"."          help:"The decimal separator of amounts: a point or a comma."`
	Currency   string            `placeholder:"ZAR"    help:"The currency of all bills, if the file has no column for it."`
}

// Validate implements kong.Validatable.
func (f format) Validate() error {
	for ours, theirs := range f.Columns {
		if !slices.Contains(ourColumns, ours) {
			return fmt.Errorf("--columns: write OURS=THEIRS, where OURS is one of %s", strings.Join(ourColumns, ", "))
		}
		if theirs == "" && !slices.Contains(optionalColumns, ours) && (ours != "currency" || f.Currency == "") {
			return fmt.Errorf("--columns %s=: only %s may be missing, and currency if --currency sets it", ours, strings.Join(optionalColumns, ", "))
		}
	}
	if f.Decimal != "." && f.Decimal != "," {
		return errors.New("--decimal must be a point or a comma")
	}
	if _, err := moment.Currency(strings.ToUpper(f.Currency)).Exponent(); err != nil && f.Currency != "" {
		return fmt.Errorf("--currency: %w", err)
	}
	day := time.Date(2031, time.December, 30, 0, 0, 0, 0, time.UTC)
	at, err := time.Parse(f.layout(), day.Format(f.layout()))
	if err != nil || !at.Equal(day) || strings.ContainsAny(f.DateFormat, "hHsS") {
		return errors.New("--date-format must have a year (YYYY or YY), a month (MM, M, MMM or MMMM) and a day (DD or D), and no time. " +
			"If all times in the file are the same, write them as they are: YYYY-MM-DD 00:00")
	}
	return nil
}

var dateParts = strings.NewReplacer("YYYY", "2006", "YY", "06", "MMMM", "January", "MMM", "Jan", "MM", "01", "M", "1", "DD", "02", "D", "2")

// layout returns the date format in the notation of package time.
func (f format) layout() string { return dateParts.Replace(strings.ToUpper(f.DateFormat)) }

// findColumns finds our columns in the header, and reports all missing ones at once. A missing
// column is an error, because a misspelt due_date would otherwise be ignored.
func (r *reader) findColumns() error {
	r.columns = map[string]int{}
	var missing []string
	for _, ours := range ourColumns {
		theirs, named := r.Columns[ours]
		absent := named && theirs == "" || ours == "currency" && r.Currency != ""
		theirs = cmp.Or(theirs, ours)
		isTheirs := func(name string) bool { return normal(name) == normal(theirs) }
		switch i := slices.IndexFunc(r.header, isTheirs); {
		case i < 0 && !absent:
			if theirs == "currency" {
				theirs += " (--currency ZAR sets it)"
			}
			missing = append(missing, theirs)
		case i >= 0 && absent:
			return fmt.Errorf("there is a column %s, although --columns or --currency says that it is missing: leave out that flag", r.header[i])
		case slices.ContainsFunc(r.header[i+1:], isTheirs):
			return fmt.Errorf("there are two columns %s: rename one of them", r.header[i])
		case i >= 0:
			r.columns[ours] = i
		}
	}
	if len(r.columns) == 0 { // the row is not printed, because it may have names of customers
		return fmt.Errorf("the first row names none of the columns %s. Remove the rows above the header, add a header, "+
			"separate the cells with commas, semicolons or tabs, or name each of the file's columns with --columns OURS=THEIRS", strings.Join(missing, ", "))
	}
	if len(missing) > 0 {
		return fmt.Errorf("there is no column %s. The header has %q. Name the file's column with --columns OURS=THEIRS, "+
			"or write --columns OURS= if the file has no %s", strings.Join(missing, ", "), r.header, strings.Join(optionalColumns, " or "))
	}
	return nil
}

var ignored = regexp.MustCompile(`[-_\s\v\x{85}\pZ\x{200b}\x{feff}]`) // in the names of columns

// normal returns a column's name in the form in which names are compared.
func normal(name string) string { return strings.ToLower(ignored.ReplaceAllString(name, "")) }

// cell returns a cell without surrounding spaces. It is empty if the row is too short.
func (r *reader) cell(cells []string, column string) string {
	i, found := r.columns[column]
	if !found || i >= len(cells) {
		return ""
	}
	text := strings.TrimSpace(cells[i])
	unquoted := strings.TrimLeft(text, "'")
	if unquoted != text && strings.IndexAny(unquoted, formulaSigns) == 0 && r.header[0] == rejectedLine {
		text = text[1:] // the file of rejected rows adds this quote
	}
	return text
}

// bill is the content of a row.
type bill struct {
	Reference string
	Money     moment.Money
	Due       moment.Date `json:",omitzero"`
	Customer  moment.CustomerCreateParams
}

// row is a row of a file.
type row struct {
	bill

	line     int
	cells    []string // as they are in the file
	problems []string // why it is rejected
	warnings []string // reported; they do not reject the row

	oddQuotes bool // in its text: a quote may be wrong
}

func (b *row) rejectf(format string, args ...any) {
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

// parse reads the values of a row that is not broken, and finds all of its problems.
func (r *reader) parse(b *row) {
	n, own := len(b.cells), inputCells(r.header, b.cells)
	var valid []string // without the cells that are too many
	if n > len(r.header) {
		valid = r.validRow(b.cells)
	}
	switch {
	case slices.Equal(b.cells, r.header):
		b.rejectf("is the header again: remove it")
	case !isEmpty(b.cells[min(n, len(r.header)):]), valid != nil && len(valid) < n:
		b.Reference = r.cell(valid, "bill_reference")
		b.rejectf("has %d cells, but the header has %d: a cell that contains %q must be in quotes", n, len(r.header), r.comma)
	case strings.Contains(own[0], r.comma) && isEmpty(own[1:]):
		b.rejectf("is in one cell: move each value to its own cell, or remove the row")
	default:
		cell := func(column string) string { return r.cell(b.cells, column) }
		b.Customer.ExternalReference = b.reference("customer_reference", cell("customer_reference"))
		b.Customer.Name = b.text("name", cell("name"))
		b.Customer.Email = b.text("email", cell("email"))
		b.Reference = b.reference("bill_reference", cell("bill_reference"))
		b.parseMoney(cell("amount"), cell("currency"), r.format)
		b.Due = b.date(cell("due_date"), r.format)
	}
}

// date does not guess the form of a date, because it would swap days and months.
func (b *row) date(text string, f format) moment.Date {
	at, err := time.Parse(f.layout(), text)
	date := moment.DateOf(at)
	switch now := time.Now(); {
	case text == "":
		return moment.Date{}
	case err != nil:
		hint := "set the form of all dates with --date-format"
		if len(text) == 5 && digits.MatchString(text) { // a spreadsheet's number of days since 1900
			hint = "format the column as a date in the spreadsheet, and export it again"
		}
		b.rejectf("due_date %.40q is not a date in the form %s: correct it or leave it empty, or %s", text, f.DateFormat, hint)
	case at.Year() < 2000:
		b.rejectf("due_date %v is in the year %d: the earliest year is 2000", date, at.Year())
	case at.Before(now.AddDate(0, 0, -1)):
		b.warnings = append(b.warnings, fmt.Sprintf("due_date %v is in the past", date))
	case at.After(now.AddDate(10, 0, 0)):
		b.warnings = append(b.warnings, fmt.Sprintf("due_date %v is more than ten years away", date))
	}
	return date
}

// placeholder matches the words that programs write for a missing value.
var placeholder = regexp.MustCompile(`(?i)^(\(null\)|<null>|null|none|nil|n/a|nan|-|\\n|#(n/a|nv|[\pL0/]+[!?]))$`)

// notReferences match texts that cannot be meant as a reference, although CheckReference accepts
// some of them.
var notReferences = []struct {
	form   *regexp.Regexp
	reason string
}{
	{placeholder, "is a word for a missing value: write the reference"},
	// A total would be raised as a bill.
	{regexp.MustCompile(`(?i)^(sub|grand|gesamt|zwischen)?[ _-]*(totals?|totaal|sum|summe|gesamt)$`), "is the word for a total: remove the row, or change the reference"},
	// Spreadsheets show large numbers like this.
	{regexp.MustCompile(`(?i)^([0-9.,]+e\+[0-9]+|#+)$`), "was shortened by a spreadsheet: format the column as text, and export it again"},
	{regexp.MustCompile(`^(bcus|bacc|bill)_`), "begins like one of Moment's ids (bill_, bcus_, bacc_): write another reference"},
}

func (b *row) reference(column, text string) string {
	for _, not := range notReferences {
		if not.form.MatchString(text) {
			b.rejectf("%s %.40q %s", column, text, not.reason)
			return text
		}
	}
	if argument, is := errors.AsType[*moment.ArgumentError](moment.CheckReference(text)); is {
		b.rejectf("%s %.40q %s", column, text, argument.Reason)
	}
	return text
}

// text returns a name or an e-mail address, which may be empty. Placeholders are left out, because
// no customer is called NULL, and because a customer needs neither for a bill.
func (b *row) text(column, text string) string {
	isControl := func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' }
	switch n := utf8.RuneCountInString(text); {
	case placeholder.MatchString(text):
		b.warnings = append(b.warnings, fmt.Sprintf("%s is %q, a word for a missing value: it is left out", column, text))
		return ""
	case strings.ContainsFunc(text, isControl):
		b.rejectf("%s contains a control character or U+FFFD: correct it, or export the file again", column)
	case n > moment.MaxNameLength:
		b.rejectf("%s has %d characters: shorten it to %d", column, n, moment.MaxNameLength)
	case column == "email" && text != "":
		if address, err := mail.ParseAddress(text); err != nil || address.Address != text {
			b.warnings = append(b.warnings, fmt.Sprintf("email %.80q is not exactly one e-mail address", text))
		}
	}
	return text
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// parseMoney rejects thousands separators, and three decimals that may be one, because 1.250 means
// different amounts in different countries. Decimals beyond those of the currency must be zeros.
func (b *row) parseMoney(text, code string, f format) {
	currency := moment.Currency(strings.ToUpper(cmp.Or(f.Currency, code)))
	exponent, unknown := currency.Exponent()
	if unknown != nil {
		b.rejectf("currency %.20q is not a code like ZAR", code)
	}
	whole, decimals, hasDecimals := strings.Cut(text, f.Decimal)
	n := min(exponent, len(decimals))
	kept := decimals[:n] + strings.TrimRight(decimals[n:], "0")
	money, err := moment.ParseMoney(strings.TrimSuffix(whole+"."+kept, "."), currency)
	switch {
	case !digits.MatchString(whole) || hasDecimals && !digits.MatchString(decimals):
		hint := ""
		switch comma, point := strings.LastIndex(text, ","), strings.LastIndex(text, "."); {
		case f.Decimal == "." && comma > point:
			hint = ". If all amounts have a decimal comma, add --decimal ,"
		case f.Decimal == "," && point > comma:
			hint = ". If all amounts have a decimal point, leave out --decimal"
		}
		b.rejectf("amount %.40q is not a number like 1250%s00, without signs, letters, spaces and thousands separators%s", text, f.Decimal, hint)
	case unknown != nil:
	case len(decimals) == 3 && exponent < 3 && len(whole) <= 3 && whole[0] != '0':
		b.rejectf("amount %q may be in thousands: write %s%s if it is, and otherwise fewer decimals", text, whole, decimals)
	case len(kept) > exponent:
		b.rejectf("amount %.40q has too many decimals: %s has %d", text, currency, exponent)
	case err != nil || money.Amount < 1 || money.Amount > moment.MaxBillAmount:
		b.rejectf("amount %.40q is out of range: it must be more than zero, and at most %v", text, moment.MaxBillAmount.In(currency))
	default: // only then, because SQL adds up the amounts of rejected rows too, and their sum could overflow
		b.Money = money
	}
}

func hashOf(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:16])
}
