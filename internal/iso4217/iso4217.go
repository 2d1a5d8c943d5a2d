// Package iso4217 knows how many decimals the minor unit of a currency stands for.
//
// The numbers come from ISO 4217: the current ones from list one, by way of
// github.com/bojanz/currency, and those of recently withdrawn codes from the
// reviewed list in gen/withdrawn.go. golang.org/x/text/currency cannot be used
// instead: its digits are the customary ones of CLDR, such as 0 for TZS, where ISO
// 4217 counts cents.
package iso4217

//go:generate go run -C gen .

// Exponent returns the number of decimals of the currency with the alphabetic
// code, and whether it has one. Codes are matched exactly. Those without a minor
// unit, such as XAU and XXX, are not in the table.
func Exponent(code string) (int, bool) { return exponent(code) }
