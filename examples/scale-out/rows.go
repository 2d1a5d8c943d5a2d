package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/moment-billing/moment-go"
)

// The columns are those of examples/biller, in any order; others are not read. All of them
// must be in the header, so that one that is misspelt does not go unnoticed. Where a file has one
// currency for all, there is no column for it.
const (
	columnCustomer = "customer_reference"
	columnName     = "name"
	columnEmail    = "email"
	columnBill     = "bill_reference"
	columnAmount   = "amount"
	columnCurrency = "currency"
	columnDue      = "due_date"
)

// maxRecord is the most bytes of a row. Without it, a quote that is never closed would bring the
// rest of the file into memory.
const maxRecord = 64 << 10

// rows are the bills of a file, read one by one.
type rows struct {
	csv      *csv.Reader
	bounded  *bounded
	index    map[string]int  // of the columns
	currency moment.Currency // of all rows; empty where there is a column for it
}

var errTooLong = fmt.Errorf("a row has more than %d bytes: is there a quote that is not closed?", maxRecord)

// bounded reads no more than is left. It then fails, as it must not look like the end of the file:
// what there is of the row would be taken for all of it, with an amount of fewer digits.
type bounded struct {
	r    io.Reader
	left int
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// refusal is what is wrong with a row. Those behind it can be read.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

func newRows(file io.Reader, currency moment.Currency) (*rows, error) {
	bounded := &bounded{file, maxRecord}
	r := &rows{csv: csv.NewReader(bounded), bounded: bounded, index: map[string]int{}, currency: currency}
	r.csv.TrimLeadingSpace = true
	r.csv.ReuseRecord = true
	header, err := r.csv.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	for i, name := range header {
		name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))), " ", "_") // Excel marks UTF-8
		if _, twice := r.index[name]; twice && name != "" {
			return nil, fmt.Errorf("line 1: the column %s is there twice", name)
		}
		r.index[name] = i
	}
	_, given := r.index[columnCurrency]
	switch {
	case given && currency != "":
		return nil, errors.New("line 1: there is a column currency, and --currency as well: which of them is right?")
	case !given && currency == "":
		return nil, errors.New("line 1: there is no column currency: add it, or give --currency")
	}
	for _, name := range []string{columnCustomer, columnName, columnEmail, columnBill, columnAmount, columnDue} {
		if _, ok := r.index[name]; !ok {
			return nil, fmt.Errorf("line 1: there is no column %s: the header has %s", name, strings.Join(header, ", "))
		}
	}
	return r, nil
}

// next returns the next row, a [*refusal], or io.EOF. After any other error nothing more can be
// read.
func (r *rows) next() (b Bill, line int, err error) {
	r.bounded.left = maxRecord
	cells, err := r.csv.Read()
	if len(cells) > 0 {
		line, _ = r.csv.FieldPos(0)
	}
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return b, line, &refusal{fmt.Sprintf("has %d columns where the header has %d", len(cells), r.csv.FieldsPerRecord)}
	case err != nil:
		return b, 0, err // which says the line
	}
	var wrong []string
	cell := func(name string, check func(string) error) string {
		text := strings.TrimSpace(cells[r.index[name]])
		err := check(text)
		if !utf8.ValidString(text) {
			err = errors.New("is not UTF-8: save the file as CSV in UTF-8")
		}
		if err != nil {
			reason := err.Error()
			if bad, ok := errors.AsType[*moment.ArgumentError](err); ok {
				reason = bad.Reason // without the operation, which was no call
			}
			wrong = append(wrong, name+" "+reason)
		}
		return text
	}
	b.Customer = cell(columnCustomer, checkReference)
	b.Name = cell(columnName, checkText)
	b.Email = cell(columnEmail, checkText)
	b.Reference = cell(columnBill, checkReference)
	b.Currency = r.currency
	if r.currency == "" {
		b.Currency = moment.Currency(cell(columnCurrency, func(code string) error { return checkCurrency(moment.Currency(code)) }))
	}
	if _, err := b.Currency.Exponent(); err == nil { // else that is said already
		cell(columnAmount, func(decimal string) error {
			money, err := moment.ParseMoney(decimal, b.Currency)
			if err == nil && (money.Amount < 1 || money.Amount > moment.MaxBillAmount) {
				err = fmt.Errorf("%v is out of range", money)
			}
			b.Amount = money.Amount
			return err
		})
	}
	cell(columnDue, func(day string) (err error) {
		if day != "" {
			b.DueDate, err = moment.ParseDate(day)
		}
		return err
	})
	if len(wrong) > 0 {
		return b, line, &refusal{strings.Join(wrong, "; ")}
	}
	return b, line, nil
}

// reservedPrefix is the prefix of customers' ids, which Moment reserves in the references of customers
// and bills.
const reservedPrefix = "bcus_"

func checkReference(text string) error {
	if strings.HasPrefix(text, reservedPrefix) {
		return fmt.Errorf("%.40q begins with %s, which Moment reserves", text, reservedPrefix)
	}
	return moment.CheckReference(text)
}

func checkCurrency(code moment.Currency) error {
	if _, err := code.Exponent(); err != nil {
		return fmt.Errorf("%.40q is not a currency with minor units in ISO 4217, like ZAR", code)
	}
	return nil
}

func checkText(text string) error {
	if n := utf8.RuneCountInString(text); n > moment.MaxNameLength {
		return fmt.Errorf("has %d characters: %d are allowed", n, moment.MaxNameLength)
	}
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 { // PostgreSQL's jsonb has no NUL, and would refuse the whole batch
		r, _ := utf8.DecodeRuneInString(text[i:])
		return fmt.Errorf("has the control character %U", r)
	}
	return nil
}
