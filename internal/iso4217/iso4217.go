// Package iso4217 has the number of decimals of each currency.
//
// The numbers are from ISO 4217. Those of current codes are from list one, through
// github.com/bojanz/currency. Those of recently withdrawn codes are from the reviewed list in
// gen/withdrawn.go. golang.org/x/text/currency is not suitable, because its numbers are the
// customary ones of CLDR, such as 0 for TZS instead of 2.
package iso4217

//go:generate go run -C gen .

// Exponent returns the number of decimals of the currency with the alphabetic code, and whether it
// has one. Codes must match exactly. Codes without a minor unit, such as XAU and XXX, are not in
// the table.
func Exponent(code string) (int, bool) { return exponent(code) }
