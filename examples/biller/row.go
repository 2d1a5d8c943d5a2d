package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/moment-billing/moment-go"
)

// row is a row of a file: a bill that is to be raised, and its customer.
type row struct {
	line  int
	cells []string // as they are in the file

	customer moment.CustomerCreateParams
	bill     string // its reference
	money    moment.Money
	due      moment.Date // zero: none

	problems []string // why it is rejected
	warnings []string // what is reported, and does not reject it
}

// parse makes a row of cells, and finds all of its problems at once.
func (r *reader) parse(number int, cells []string) row {
	b := row{line: number, cells: cells}
	for _, cell := range cells[min(len(cells), len(r.header)):] {
		if strings.TrimSpace(cell) != "" {
			b.problems = []string{fmt.Sprintf("has %d cells, and the header has %d: put cells that contain %q into quotes", len(cells), len(r.header), r.comma)}
			return b
		}
	}
	read := func(name string, parse func(string) error) {
		if err := parse(r.columns.cell(cells, name)); err != nil {
			reason := err.Error()
			if argument, ok := errors.AsType[*moment.ArgumentError](err); ok {
				reason = argument.Reason // without its operation, because this is not a call
			}
			b.problems = append(b.problems, name+" "+reason)
		}
	}
	read(columnCustomer, parseReference(&b.customer.ExternalReference))
	read(columnName, b.parseText(columnName, &b.customer.Name))
	read(columnEmail, b.parseText(columnEmail, &b.customer.Email))
	read(columnBill, parseReference(&b.bill))
	read(columnCurrency, b.parseCurrency(r.currency))
	read(columnAmount, b.parseAmount(r.format.comma))
	read(columnDue, b.parseDate(r.date))
	return b
}

// placeholder matches what programs write for a value that is not there.
var placeholder = regexp.MustCompile(`(?i)^(null|none|n/a|nan|-)$`)

var errEmpty = errors.New("is empty")

func parseReference(to *string) func(string) error {
	return func(text string) error {
		*to = text
		switch {
		case text == "":
			return errEmpty
		case placeholder.MatchString(text):
			return fmt.Errorf("is %q, which stands for no value", text)
		case shortened.MatchString(text):
			return errors.New("is a number that a spreadsheet has shortened: format the column as text")
		case strings.HasPrefix(text, "bcus_"), strings.HasPrefix(text, "bacc_"), strings.HasPrefix(text, "bill_"):
			return errors.New("begins like one of Moment's ids, and must be your own reference")
		}
		return moment.CheckReference(text)
	}
}

var shortened = regexp.MustCompile(`^[0-9][.,]?[0-9]*E\+[0-9]+$`)

// parseText reads a name or an e-mail address, which may be empty. No customer is to be called
// NULL, and none is to lose a bill because a program wrote that.
func (b *row) parseText(name string, to *string) func(string) error {
	return func(text string) error {
		if placeholder.MatchString(text) {
			b.warnings = append(b.warnings, fmt.Sprintf("%s is %q, which stands for no value: it is left out", name, text))
			return nil
		}
		*to = text
		switch n := utf8.RuneCountInString(text); {
		case strings.ContainsRune(text, utf8.RuneError):
			return errors.New("contains U+FFFD, which a program has written for a character that it could not read")
		case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
			return errors.New("contains a control character")
		case n > moment.MaxNameLength:
			return fmt.Errorf("has %d characters: %d are allowed", n, moment.MaxNameLength)
		}
		return nil
	}
}

func (b *row) parseCurrency(ofAll moment.Currency) func(string) error {
	return func(text string) error {
		b.money.Currency = cmp.Or(ofAll, moment.Currency(strings.ToUpper(text)))
		if _, err := b.money.Currency.Exponent(); err != nil && text != "" {
			return fmt.Errorf("%.20q is not a currency code like ZAR", text)
		}
		if b.money.Currency == "" {
			return errEmpty
		}
		return nil
	}
}

var decimal = regexp.MustCompile(`^([0-9]+)(?:([.,])([0-9]+))?$`)

// parseAmount reads a decimal without separators of thousands, because 1.250 is two amounts in two
// countries. Decimals beyond those of the currency must be zeros.
func (b *row) parseAmount(comma bool) func(string) error {
	point, other := ".", "add --decimal , if all amounts have a decimal comma"
	if comma {
		point, other = ",", "leave out --decimal if all amounts have a decimal point"
	}
	return func(text string) error {
		match := decimal.FindStringSubmatch(text)
		exponent, err := b.money.Currency.Exponent()
		switch {
		case err != nil:
			return nil //nolint:nilerr // the currency has its own problem
		case text == "":
			return errEmpty
		case match == nil:
			return fmt.Errorf("%.40q is not a number like 1250%s00, without signs, spaces or separators of thousands", text, point)
		case match[2] != "" && match[2] != point:
			return fmt.Errorf("%.40q has %q before its decimals: %s", text, match[2], other)
		}
		decimals := match[3]
		for len(decimals) > exponent && strings.HasSuffix(decimals, "0") {
			decimals = decimals[:len(decimals)-1]
		}
		money, err := moment.ParseMoney(strings.TrimSuffix(match[1]+"."+decimals, "."), b.money.Currency)
		if err == nil && (money.Amount < 1 || money.Amount > moment.MaxBillAmount) {
			err = fmt.Errorf("%v is out of range: a bill has %v to %v", money, moment.Amount(1).In(money.Currency), moment.MaxBillAmount.In(money.Currency))
		}
		b.money.Amount = money.Amount
		return err
	}
}

// parseDate reads a date in a layout. It never guesses, because day and month would be swapped.
func (b *row) parseDate(layout string) func(string) error {
	return func(text string) error {
		if text == "" {
			return nil
		}
		at, err := time.Parse(layout, text)
		if err == nil {
			b.due = moment.DateOf(at)
			return nil
		}
		i := slices.IndexFunc(dateForms, func(form dateForm) bool { return form.pattern.MatchString(text) })
		return fmt.Errorf("%.40q %s", text, dateForms[i].is)
	}
}

type dateForm struct {
	pattern *regexp.Regexp
	is      string
}

// dateForms say what a text is. The last one matches all.
var dateForms = []dateForm{
	{placeholder, "stands for no value: leave the cell empty"},
	{regexp.MustCompile(`^0000|-00|^1900-01-00`), "is not a day: leave the cell empty if there is no date"},
	{regexp.MustCompile(`^\d{4}-\d\d-\d\d$`), "is not a day of the calendar, or not in the form of --date-format"},
	{regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:`), "has a time: add --date-format 'YYYY-MM-DD 00:00:00' if all dates have midnight like this one"},
	{regexp.MustCompile(`^\d{1,2}/\d{1,2}/\d{2,4}$`), "is day/month/year or month/day/year: say which with --date-format DD/MM/YYYY or MM/DD/YYYY"},
	{regexp.MustCompile(`^\d{5}(\.0+)?$`), "is a spreadsheet's number of a day: format the column as a date"},
	{regexp.MustCompile(`^["']`), "begins with a quote"},
	{regexp.MustCompile(``), "is not in the form YYYY-MM-DD, or that of --date-format"},
}

// layoutOf makes a layout of package time from one like DD.MM.YYYY.
func layoutOf(form string) (string, error) {
	layout := strings.NewReplacer("YYYY", "2006", "YY", "06", "MMMM", "January", "MMM", "Jan", "MM", "01", "M", "1", "DD", "02", "D", "2").
		Replace(strings.ToUpper(form))
	day := time.Date(2031, time.December, 30, 0, 0, 0, 0, time.UTC)
	if at, err := time.Parse(layout, day.Format(layout)); err != nil || !at.Equal(day) {
		return "", fmt.Errorf("--date-format %q must have a year (YYYY, YY), a month (MM, M, MMM, MMMM) and a day (DD, D), like DD/MM/YYYY", form)
	}
	return layout, nil
}

// contentHash is over all that is sent.
func (b *row) contentHash() string {
	return hashOf(b.customerHash(), b.bill, b.money.String(), b.due.String())
}

func (b *row) customerHash() string {
	return hashOf(b.customer.ExternalReference, b.customer.Name, b.customer.Email)
}

func hashOf(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:16])
}

// params are those of the bill.
func (b *row) params(customer moment.CustomerRef) moment.BillCreateParams {
	return moment.BillCreateParams{Customer: customer, ExternalReference: b.bill, Currency: b.money.Currency, AmountDue: b.money.Amount, DueDate: b.due}
}
