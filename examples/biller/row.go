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

// format has the flags that say how to read a file.
type format struct {
	Encoding   string            `default:"utf-8"      enum:"utf-8,windows-1252" help:"The encoding of a file that is not UTF-16: ${enum}."`
	Columns    map[string]string `mapsep:"none"        placeholder:"OURS=THEIRS" help:"The name of a column in the file; OURS= if it is missing."`
	DateFormat string            `default:"YYYY-MM-DD" help:"The form of dates: YYYY, YY, MM, M, MMM (Jan), MMMM, DD, D."`
	Decimal    string            `default:"."          help:"The decimal separator of amounts: a point or a comma."`
	Currency   moment.Currency   `placeholder:"ZAR"    help:"The currency of all bills, if the file has no column for it."`
}

// Validate implements kong.Validatable.
func (f format) Validate() error {
	for ours := range f.Columns {
		if !slices.Contains(ourColumns, ours) {
			return fmt.Errorf("--columns: write OURS=THEIRS, where OURS is one of %s", strings.Join(ourColumns, ", "))
		}
	}
	if f.Decimal != "." && f.Decimal != "," {
		return errors.New("--decimal must be a point or a comma")
	}
	if _, err := f.Currency.Exponent(); err != nil && f.Currency != "" {
		return fmt.Errorf("--currency: %w", err)
	}
	day := time.Date(2031, time.December, 30, 0, 0, 0, 0, time.UTC)
	if at, err := time.Parse(f.layout(), day.Format(f.layout())); err != nil || !at.Equal(day) {
		return errors.New("--date-format must have a year (YYYY or YY), a month (MM, M, MMM or MMMM) and a day (DD or D)")
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
		for i, name := range r.header {
			if normal(name) != normal(theirs) {
				continue
			}
			if absent {
				return fmt.Errorf("there is a column %s, although --columns or --currency says that it is missing: leave out that flag", name)
			}
			if _, twice := r.columns[ours]; twice {
				return fmt.Errorf("there are two columns %s: rename one of them", name)
			}
			r.columns[ours] = i
		}
		if _, found := r.columns[ours]; !found && !absent {
			missing = append(missing, theirs)
		}
	}
	if slices.Contains(missing, "currency") {
		missing[slices.Index(missing, "currency")] = "currency (--currency ZAR sets it)"
	}
	if len(r.columns) == 0 { // the row is not printed, because it may have names of customers
		return fmt.Errorf("the first row names none of the columns %s. Remove the rows above the header, add a header, "+
			"or name each of the file's columns with --columns OURS=THEIRS", strings.Join(missing, ", "))
	}
	if len(missing) > 0 {
		return fmt.Errorf("there is no column %s. The header has %q. Name the file's column with --columns OURS=THEIRS, "+
			"or write --columns OURS= if the file lacks it", strings.Join(missing, ", "), r.header)
	}
	return nil
}

// normal returns a column's name in the form in which names are compared.
func normal(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("-_\u200b\ufeff", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// cell returns a cell without surrounding spaces. It is empty if the row is too short.
func (r *reader) cell(cells []string, column string) string {
	i, found := r.columns[column]
	if !found || i >= len(cells) {
		return ""
	}
	text := strings.TrimSpace(cells[i])
	if len(text) > 1 && text[0] == '\'' && strings.ContainsRune(formulaSigns, rune(text[1])) {
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
}

// parse returns a row with all of its problems.
func (r *reader) parse(line int, cells []string) row {
	b := row{line: line, cells: cells}
	if !isEmpty(cells[min(len(cells), len(r.header)):]) {
		b.problems = []string{fmt.Sprintf("has %d cells, but the header has %d: a cell that contains %q must be in quotes",
			len(cells), len(r.header), r.comma)}
		return b
	}
	if strings.Contains(cells[0], r.comma) && isEmpty(cells[1:]) {
		b.problems = []string{"is in one cell: move each value to its own cell"}
		return b
	}
	cell := func(column string) string { return r.cell(cells, column) }
	b.Customer.ExternalReference = b.reference("customer_reference", cell)
	b.Customer.Name = b.text("name", cell)
	b.Customer.Email = b.text("email", cell)
	b.Reference = b.reference("bill_reference", cell)
	var err error
	if b.Money, err = r.parseMoney(cell("amount"), cell("currency")); err != nil {
		b.problems = append(b.problems, err.Error())
	}
	if date := cell("due_date"); date != "" {
		b.dueDate(date, r.format)
	}
	return b
}

// dueDate does not guess the form of a date, because it would swap days and months.
func (b *row) dueDate(text string, f format) {
	at, err := time.Parse(f.layout(), text)
	b.Due = moment.DateOf(at)
	switch now := time.Now(); {
	case err != nil:
		b.problems = append(b.problems, fmt.Sprintf("due_date %.40q is not a date in the form %s: correct it or leave it empty, "+
			"or set the form of all dates with --date-format", text, f.DateFormat))
	case at.Year() < 2000:
		b.problems = append(b.problems, fmt.Sprintf("due_date %v is in the year %d: the earliest year is 2000", b.Due, at.Year()))
	case at.Before(now.AddDate(0, 0, -1)):
		b.warnings = append(b.warnings, fmt.Sprintf("due_date %v is in the past", b.Due))
	case at.After(now.AddDate(10, 0, 0)):
		b.warnings = append(b.warnings, fmt.Sprintf("due_date %v is more than ten years away", b.Due))
	}
}

var (
	// placeholder matches the words that programs write for a missing value.
	placeholder = regexp.MustCompile(`(?i)^(\(null\)|<null>|null|none|nil|n/a|nan|-|\\n|#(n/a|ref!|name\?|value!|div/0!|num!|null!))$`)

	// totals matches the words in the row of a total, because the total would be raised as a bill.
	totals = regexp.MustCompile(`(?i)^(sub|grand)?[ _-]*(totals?|totaal|sum|summe)$`)

	// shortened matches large numbers as spreadsheets show them.
	shortened = regexp.MustCompile(`(?i)^([0-9.,]+e\+[0-9]+|#+)$`)
)

func (b *row) reference(column string, cell func(string) string) string {
	text := cell(column)
	var reason string
	argument, isArgument := errors.AsType[*moment.ArgumentError](moment.CheckReference(text))
	switch {
	case placeholder.MatchString(text):
		reason = "is a word for a missing value: write the reference"
	case totals.MatchString(text):
		reason = "is the word for a total: remove the row, or change the reference"
	case shortened.MatchString(text):
		reason = "was shortened by a spreadsheet: format the column as text, and export it again"
	case strings.HasPrefix(text, "bcus_"), strings.HasPrefix(text, "bacc_"), strings.HasPrefix(text, "bill_"):
		reason = "begins like one of Moment's ids: write your own reference"
	case isArgument:
		reason = argument.Reason
	default:
		return text
	}
	b.problems = append(b.problems, fmt.Sprintf("%s %.40q %s", column, text, reason))
	return text
}

// text returns a name or an e-mail address, which may be empty. Placeholders are left out, because
// no customer is called NULL, and because a customer needs neither for a bill.
func (b *row) text(column string, cell func(string) string) string {
	text := cell(column)
	isControl := func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' }
	switch n := utf8.RuneCountInString(text); {
	case placeholder.MatchString(text):
		b.warnings = append(b.warnings, fmt.Sprintf("%s is %q, a word for a missing value: it is left out", column, text))
		return ""
	case strings.ContainsFunc(text, isControl):
		b.problems = append(b.problems, column+" contains a control character or U+FFFD: correct it, or export the file again")
	case n > moment.MaxNameLength:
		b.problems = append(b.problems, fmt.Sprintf("%s has %d characters: shorten it to %d", column, n, moment.MaxNameLength))
	case column == "email" && text != "":
		if address, err := mail.ParseAddress(text); err != nil || address.Address != text {
			b.warnings = append(b.warnings, fmt.Sprintf("email %.80q is not an e-mail address", text))
		}
	}
	return text
}

// parseMoney rejects thousands separators, and three decimals that may be one, because 1.250 means
// different amounts in different countries. Decimals beyond those of the currency must be zeros.
func (r *reader) parseMoney(text, code string) (moment.Money, error) {
	currency := cmp.Or(r.Currency, moment.Currency(strings.ToUpper(code)))
	exponent, err := currency.Exponent()
	if err != nil {
		return moment.Money{}, fmt.Errorf("currency %.20q is not a code like ZAR", code)
	}
	match := r.amount.FindStringSubmatch(text)
	if match == nil {
		hint := ""
		if strings.Contains(text, ",") && r.Decimal == "." {
			hint = ". If all amounts have a decimal comma, add --decimal ,"
		}
		return moment.Money{}, fmt.Errorf("amount %.40q is not a number like 1250%s00, "+
			"without signs, letters, spaces and thousands separators%s", text, r.Decimal, hint)
	}
	decimals := match[2]
	if len(decimals) == 3 && exponent < 3 && len(match[1]) <= 3 {
		return moment.Money{}, fmt.Errorf("amount %q may be in thousands: write %s%s if it is, and otherwise fewer decimals",
			text, match[1], decimals)
	}
	for len(decimals) > exponent && strings.HasSuffix(decimals, "0") {
		decimals = decimals[:len(decimals)-1]
	}
	if len(decimals) > exponent {
		return moment.Money{}, fmt.Errorf("amount %.40q has too many decimals: %s has %d", text, currency, exponent)
	}
	money, err := moment.ParseMoney(strings.TrimSuffix(match[1]+"."+decimals, "."), currency)
	if err != nil || money.Amount < 1 || money.Amount > moment.MaxBillAmount {
		return money, fmt.Errorf("amount %.40q is out of range: it must be more than zero, and at most %v",
			text, moment.MaxBillAmount.In(currency))
	}
	return money, nil
}

func hashOf(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:16])
}
