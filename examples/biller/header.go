package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The columns of a file, in any order. Other columns are not read.
const (
	columnCustomer = "customer_reference"
	columnName     = "name"
	columnEmail    = "email"
	columnBill     = "bill_reference"
	columnAmount   = "amount"
	columnCurrency = "currency"
	columnDue      = "due_date"
)

var ourColumns = []string{columnCustomer, columnName, columnEmail, columnBill, columnAmount, columnCurrency, columnDue}

// columns says where in a row each of our columns is. A column that the file does not have is not
// in it.
type columns map[string]int

// newColumns reports all that is wrong with a header at once. A column that is missing is an error,
// because a misspelt due date must not go unnoticed; --columns due_date= says that there is none.
func newColumns(header []string, f format) (columns, error) {
	at, c := map[string][]int{}, columns{}
	for i, name := range header {
		at[normal(name)] = append(at[normal(name)], i)
	}
	var missing, twice []string
	for _, ours := range ourColumns {
		theirs, named := f.columns[ours]
		switch {
		case ours == columnCurrency && f.currency != "" && len(at[normal(ours)]) > 0:
			return nil, fmt.Errorf("there is a column %s, and --currency too: which is right?", ours)
		case ours == columnCurrency && f.currency != "", named && theirs == "":
			continue
		case !named:
			theirs = ours
		}
		switch found := at[normal(theirs)]; len(found) {
		case 0:
			missing = append(missing, theirs)
		case 1:
			c[ours] = found[0]
		default:
			twice = append(twice, theirs)
		}
	}
	if len(twice) > 0 {
		return nil, fmt.Errorf("there is more than one column %s", strings.Join(twice, ", "))
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("there is no column %s. The header has %q. Name columns with --columns %s=THEIR-NAME, or say with --columns %[3]s= that there is none",
			strings.Join(missing, ", "), header, missing[0])
	}
	return c, nil
}

// normal returns a column's name in the form in which names are compared.
func normal(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || slices.Contains([]rune("-_\u200b\u202f\ufeff"), r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// cell returns a cell without the spaces around it. It is empty if the row ends before it.
func (c columns) cell(cells []string, name string) string {
	i, found := c[name]
	if !found || i >= len(cells) {
		return ""
	}
	text := strings.TrimSpace(cells[i])
	if len(text) > 1 && text[0] == '\'' && strings.ContainsRune(formulaSigns, rune(text[1])) {
		text = text[1:] // as the file of rejected rows quotes it
	}
	return text
}
