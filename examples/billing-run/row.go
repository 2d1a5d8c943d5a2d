package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/moment-billing/moment-go"
)

// The columns that are read, in any order; others are not. All of them must be in the header, so
// that one that is misspelt does not go unnoticed: bills without a due date, say. Where a run has
// one currency for all, there is no column for it.
const (
	columnCustomer = "customer_reference"
	columnName     = "name"
	columnEmail    = "email"
	columnBill     = "bill_reference"
	columnAmount   = "amount"
	columnCurrency = "currency"
	columnDue      = "due_date"
)

// row is a bill that is to be raised, with its customer.
type row struct {
	record

	customer moment.CustomerCreateParams
	bill     string // its reference
	money    moment.Money
	due      moment.Date // zero: none
	wrong    []string    // what is, each with its line and column; such a row is not sent
}

// columns tell where in a record which column stands.
type columns struct {
	index    map[string]int
	currency moment.Currency // of all rows; empty where there is a column for it
}

func newColumns(header []string, currency moment.Currency) (columns, error) {
	c := columns{index: map[string]int{}, currency: currency}
	for i, name := range header {
		name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_")
		if _, twice := c.index[name]; twice && name != "" {
			return c, fmt.Errorf("line 1: the column %s is there twice", name)
		}
		c.index[name] = i
	}
	_, given := c.index[columnCurrency]
	switch {
	case given && currency != "":
		return c, errors.New("line 1: there is a column currency, and --currency as well: which of them is right?")
	case !given && currency == "":
		return c, fmt.Errorf("line 1: there is no column currency: add it, or give --currency; the header has %s", strings.Join(header, ", "))
	}
	for _, name := range []string{columnCustomer, columnName, columnEmail, columnBill, columnAmount, columnDue} {
		if _, ok := c.index[name]; !ok {
			return c, fmt.Errorf("line 1: there is no column %s: the header has %s", name, strings.Join(header, ", "))
		}
	}
	return c, nil
}

// likeID matches what would be taken for an id where a row names a customer that exists.
var likeID = regexp.MustCompile(`^(bcus|bacc|bill)_`)

// row makes a row of a record, and finds what is wrong with it: all of it at once, to be corrected
// in one go.
func (c columns) row(r record) *row {
	b := &row{record: r}
	if r.broken != "" {
		b.wrong = []string{r.broken}
		return b
	}
	b.customer.ExternalReference = c.cell(b, columnCustomer, checkReference)
	b.customer.Name = c.cell(b, columnName, checkText)
	b.customer.Email = c.cell(b, columnEmail, checkText)
	b.bill = c.cell(b, columnBill, checkReference)
	b.money.Currency = c.currency
	if c.currency == "" {
		c.cell(b, columnCurrency, func(code string) error {
			b.money.Currency = moment.Currency(code)
			return checkCurrency(b.money.Currency)
		})
	}
	if _, err := b.money.Currency.Exponent(); err == nil { // else that is said already
		c.cell(b, columnAmount, b.parseAmount)
	}
	c.cell(b, columnDue, func(day string) (err error) {
		if day != "" {
			b.due, err = moment.ParseDate(day)
		}
		return err
	})
	return b
}

func (b *row) parseAmount(decimal string) error {
	least, most := moment.Amount(1).In(b.money.Currency), moment.MaxBillAmount.In(b.money.Currency)
	money, err := moment.ParseMoney(decimal, b.money.Currency)
	var bad *moment.ArgumentError
	switch {
	case decimal == "":
		return errors.New("is empty")
	case errors.As(err, &bad):
		return fmt.Errorf("%s (a bill has %v to %v)", bad.Reason, least, most)
	case err != nil:
		return err
	case money.Amount < 1 || money.Amount > moment.MaxBillAmount:
		return fmt.Errorf("%v is out of range: a bill has %v to %v", money, least, most)
	}
	b.money = money
	return nil
}

// cell returns a cell of a row, and notes what is wrong with it.
func (c columns) cell(b *row, name string, check func(string) error) string {
	i := c.index[name]
	text := strings.TrimSpace(b.cells[i])
	err := check(text)
	if !utf8.ValidString(text) {
		err = errors.New("is not UTF-8: save the file as CSV in UTF-8")
	}
	if err != nil {
		reason := err.Error()
		var bad *moment.ArgumentError
		if errors.As(err, &bad) {
			reason = bad.Reason // without the operation, which was no call
		}
		b.wrong = append(b.wrong, fmt.Sprintf("%v: %s %s", b.places[i], name, reason))
	}
	return text
}

func checkReference(text string) error {
	if likeID.MatchString(text) {
		return fmt.Errorf("%.40q begins like an id of Moment's", text)
	}
	return moment.CheckReference(text)
}

func checkCurrency(code moment.Currency) error {
	if _, err := code.Exponent(); err != nil {
		capitals := moment.Currency(strings.ToUpper(string(code)))
		if _, err := capitals.Exponent(); err == nil {
			return fmt.Errorf("%q must be in capitals: %s", code, capitals)
		}
		if code == "" {
			return errors.New("is empty")
		}
		return fmt.Errorf("%.40q is not a currency with minor units in ISO 4217, like ZAR", code)
	}
	return nil
}

func checkText(text string) error {
	if strings.ContainsRune(text, utf8.RuneError) {
		return errors.New("has the character U+FFFD, which a program has put there for one that it could not read")
	}
	if n := utf8.RuneCountInString(text); n > moment.MaxNameLength {
		return fmt.Errorf("has %d characters: %d are allowed", n, moment.MaxNameLength)
	}
	return nil
}

// content is all of a row that is sent, for its idempotency keys.
func (b *row) content() []string {
	return []string{
		b.bill, b.customer.ExternalReference, b.customer.Name, b.customer.Email,
		strconv.FormatInt(int64(b.money.Amount), 10), string(b.money.Currency), b.due.String(),
	}
}

// params are those of the call that raises the bill.
func (b *row) params(customer moment.CustomerRef) moment.BillCreateParams {
	return moment.BillCreateParams{
		Customer:          customer,
		ExternalReference: b.bill,
		Currency:          b.money.Currency,
		AmountDue:         b.money.Amount,
		DueDate:           b.due,
	}
}
