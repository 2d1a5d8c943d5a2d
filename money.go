package moment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Amount is a number of minor units of a currency, as in the service's JSON: 1095 is ZAR 10.95, JPY
// 1095 or BHD 1.095. It is an integer and never a float, so no cent is lost. Beware of constants:
// AmountDue: 20.00 compiles and means 20 cents. [ParseMoney] parses decimals. database/sql stores
// and scans an Amount as an integer.
type Amount int64

// MinorUnits returns a pointer to an [Amount] of n minor units, for fields in which zero differs
// from absent:
//
//	moment.BillUpdateParams{AmountPaid: moment.MinorUnits(0)} // sends 0
func MinorUnits(n int64) *Amount {
	a := Amount(n)
	return &a
}

// In returns a as [Money] in currency c. It accepts any code.
func (a Amount) In(c Currency) Money {
	return Money{Amount: a, Currency: c}
}

// UnmarshalJSON accepts an exact integer, also in the form 2000.0 or 2e3 of some encoders. Anything
// else is a [*json.UnmarshalTypeError], because an amount is never rounded.
func (a *Amount) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil // as for any other type
	}
	n, ok := exactInteger(string(data))
	if !ok {
		return &json.UnmarshalTypeError{Value: jsonType(data), Type: reflect.TypeFor[Amount]()}
	}
	*a = Amount(n)
	return nil
}

// jsonType names the type of a JSON value as encoding/json does.
func jsonType(value []byte) string {
	for _, t := range [...]struct{ begins, name string }{{`"`, "string"}, {"{", "object"}, {"[", "array"}, {"t", "bool"}, {"f", "bool"}} {
		if bytes.HasPrefix(value, []byte(t.begins)) {
			return t.name
		}
	}
	return "number"
}

// maxPower bounds the power of ten of a number, so that nothing overflows. A response is shorter
// than the number of digits that a larger one could balance.
const maxPower = 10_000_000

// exactInteger reads a JSON number whose value is an int64.
func exactInteger(number string) (int64, bool) {
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return n, true // nearly always
	}
	mantissa, power := number, "0"
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		mantissa, power = number[:i], number[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	fraction = strings.TrimRight(fraction, "0")
	unsigned, negative := strings.CutPrefix(whole, "-")
	digits := strings.TrimLeft(unsigned+fraction, "0")
	shift, err := strconv.Atoi(power)
	if digits == "" && isDigits(unsigned) {
		return 0, true // 0e9, with any power
	}
	if err != nil || shift < -maxPower || shift > maxPower || !isDigits(digits) {
		return 0, false
	}
	shift -= len(fraction)
	for shift < 0 && strings.HasSuffix(digits, "0") {
		digits, shift = digits[:len(digits)-1], shift+1
	}
	if shift < 0 || len(digits)+shift > 19 {
		return 0, false
	}
	digits += strings.Repeat("0", shift)
	if negative {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// decimal writes a at the end of buf with exponent digits after the point, and returns its start.
// It writes digit by digit from the end, because strconv.AppendUint for both sides of the point is
// 40 % slower.
func (a Amount) decimal(buf []byte, exponent int) int {
	u := uint64(a) // unsigned, because the smallest int64 cannot be negated
	if a < 0 {
		u = -u
	}
	i := len(buf)
	for range exponent {
		i--
		buf[i] = '0' + byte(u%10)
		u /= 10
	}
	if exponent > 0 {
		i--
		buf[i] = '.'
	}
	for {
		i--
		buf[i] = '0' + byte(u%10)
		u /= 10
		if u == 0 {
			break
		}
	}
	if a < 0 {
		i--
		buf[i] = '-'
	}
	return i
}

// Money is an [Amount] together with its [Currency]. It is comparable with ==.
//
// The zero Money has no currency, so a running total starts from
// Amount(0).In(ZAR), not from Money{}.
//
// In JSON it is {"amount":1095,"currency":"ZAR"}, in minor units as Moment writes amounts.
type Money struct {
	Amount   Amount   `json:"amount"` // minor units
	Currency Currency `json:"currency"`
}

// ParseMoney parses a decimal such as "10.95" or "-3" as an amount of c. It accepts digits, with a
// "-" in front if negative, and optionally a "." with 1 to [Currency.Exponent] digits. It never
// rounds. It rejects "+", spaces, thousands separators, "1e3", ".5" and "5.".
//
// The error is an [*UnknownCurrencyError], or an [*ArgumentError] for a decimal that has another
// form, has too many decimals, or is too large for an [Amount].
func ParseMoney(decimal string, c Currency) (Money, error) {
	exponent, err := c.Exponent()
	if err != nil {
		return Money{}, err
	}
	digits, negative := strings.CutPrefix(decimal, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if !isDigits(whole) || point && !isDigits(fraction) {
		want := "digits"
		if exponent > 0 {
			want = fmt.Sprintf(`digits and optionally "." with 1 to %d more`, exponent)
		}
		return Money{}, parseMoneyError(decimal, `is not a decimal: want %s, with "-" in front if negative`, want)
	}
	if len(fraction) > exponent {
		return Money{}, parseMoneyError(decimal, "has more decimals than the %d of %s: round it first", exponent, c)
	}

	// The missing decimals are zeros; a currency has at most four. n is negative, because the
	// smallest int64 cannot be negated.
	n := int64(0)
	for _, part := range [...]string{whole, fraction, "0000"[len(fraction):exponent]} {
		for _, ascii := range []byte(part) {
			digit := int64(ascii - '0')
			if n < (math.MinInt64+digit)/10 {
				return Money{}, outOfRangeError(decimal, c)
			}
			n = n*10 - digit
		}
	}
	if !negative {
		if n == math.MinInt64 {
			return Money{}, outOfRangeError(decimal, c)
		}
		n = -n
	}
	return Amount(n).In(c), nil
}

func outOfRangeError(decimal string, c Currency) error {
	return parseMoneyError(decimal, "is out of range: want %v to %v",
		Amount(math.MinInt64).In(c), Amount(math.MaxInt64).In(c))
}

func parseMoneyError(decimal, format string, args ...any) error {
	return &ArgumentError{
		Op:     "parse money",
		Param:  "decimal",
		Reason: quoteInput(decimal) + " " + fmt.Sprintf(format, args...),
	}
}

// isDigits reports whether s is one or more of 0 to 9.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Add returns m + n. The currency may be unknown. The error is an [*ArgumentError] if the
// currencies differ or the sum is too large for an [Amount].
func (m Money) Add(n Money) (Money, error) {
	sum := m.Amount + n.Amount
	return m.result("add money", n, sum, (sum > m.Amount) == (n.Amount > 0))
}

// Sub returns m - n, with the errors of [Money.Add].
func (m Money) Sub(n Money) (Money, error) {
	difference := m.Amount - n.Amount
	return m.result("subtract money", n, difference, (difference < m.Amount) == (n.Amount > 0))
}

// result returns the amount that op computed from m and n. It returns an error if their currencies
// differ or the amount overflowed.
func (m Money) result(op string, n Money, a Amount, fits bool) (Money, error) {
	if err := m.sameCurrency(op, n); err != nil {
		return Money{}, err
	}
	if !fits {
		return Money{}, &ArgumentError{
			Op:     op,
			Param:  "amount",
			Reason: fmt.Sprintf("%v and %v: the result does not fit in an int64 of minor units", m, n),
		}
	}
	return a.In(m.Currency), nil
}

// Cmp returns -1 if m is less than n, 0 if they are equal and +1 if m is more. The error is an
// [*ArgumentError] if the currencies differ.
func (m Money) Cmp(n Money) (int, error) {
	if err := m.sameCurrency("compare money", n); err != nil {
		return 0, err
	}
	return cmp.Compare(m.Amount, n.Amount), nil
}

func (m Money) sameCurrency(op string, n Money) error {
	if m.Currency == n.Currency {
		return nil
	}
	if m.Currency == "" || n.Currency == "" {
		return &ArgumentError{
			Op:     op,
			Param:  "currency",
			Reason: "one of the two has no currency: begin a total with Amount(0).In(ZAR), not with Money{}",
		}
	}
	return &ArgumentError{
		Op:     op,
		Param:  "currency",
		Reason: quoteInput(string(n.Currency)) + " is not " + quoteInput(string(m.Currency)) + ": convert one of the two first",
	}
}

// Neg returns -m. The error is an [*ArgumentError] for the smallest [Amount], which cannot be
// negated.
func (m Money) Neg() (Money, error) {
	if m.Amount == math.MinInt64 {
		return Money{}, &ArgumentError{
			Op:     "negate money",
			Param:  "amount",
			Reason: fmt.Sprintf("%v is the smallest amount: its negative does not fit in an int64 of minor units", m),
		}
	}
	return (-m.Amount).In(m.Currency), nil
}

// IsZero reports whether the amount is zero, in any currency.
func (m Money) IsZero() bool { return m.Amount == 0 }

// Decimal returns the amount as a decimal with all decimals of its currency: "10.95" in [ZAR], "10"
// in [JPY], "-0.005" in [BHD]. [ParseMoney] parses it. It has no separators: to format money for a
// language, use a library such as github.com/bojanz/currency. The error is an
// [*UnknownCurrencyError].
func (m Money) Decimal() (string, error) {
	exponent, err := m.Currency.Exponent()
	if err != nil {
		return "", err
	}
	var buf [len("-92233720368547758.08")]byte // so that only the string is allocated
	return string(buf[m.Amount.decimal(buf[:], exponent):]), nil
}

// String returns the money for logs and messages: "ZAR 10.95". In an unknown currency it returns
// the minor units: "1095 QQQ (minor units)".
func (m Money) String() string {
	if m.Currency == "" {
		return strconv.FormatInt(int64(m.Amount), 10) + " minor units of no currency"
	}
	exponent, err := m.Currency.Exponent()
	if err != nil {
		code := quoteInput(string(m.Currency))
		if plain := code[1 : len(code)-1]; plain != "" && plain == string(m.Currency) {
			code = plain
		}
		return strconv.FormatInt(int64(m.Amount), 10) + " " + code + " (minor units)"
	}
	var buf [len("ZAR -92233720368547758.08")]byte
	start := m.Amount.decimal(buf[:], exponent) - len("ZAR ")
	copy(buf[start:], m.Currency)
	buf[start+len("ZAR")] = ' '
	return string(buf[start:])
}

// quoteInput quotes s for an error message, and truncates it.
func quoteInput(s string) string {
	const limit = 40
	if len(s) <= limit {
		return strconv.Quote(s)
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return strconv.Quote(s[:end] + "…")
}
