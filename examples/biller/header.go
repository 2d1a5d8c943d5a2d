package main

import (
	"cmp"
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

// columns maps the name of each of our columns to its index in a row. It does not contain a column
// that the file does not have.
type columns map[string]int

// newColumns reports all problems of a header at once. A missing column is an error, because a
// misspelt due_date would otherwise be ignored. The flag --columns due_date= declares that the file
// does not have the column.
func newColumns(header []string, f format) (columns, error) {
	c := columns{}
	var missing []string
	for _, ours := range ourColumns {
		theirs, named := f.columns[ours]
		if !named {
			theirs = ours
		}
		if ours == columnCurrency && f.currency != "" {
			theirs = ""
		}
		for i, name := range header {
			if normal(name) != normal(cmp.Or(theirs, ours)) {
				continue
			}
			if _, twice := c[ours]; twice || theirs == "" {
				return nil, fmt.Errorf("there is a column %s more than expected: is it there twice, or named by a flag too?", name)
			}
			c[ours] = i
		}
		if _, found := c[ours]; !found && theirs != "" {
			missing = append(missing, theirs)
		}
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
