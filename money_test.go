package moment_test

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

func TestMinorUnits(t *testing.T) {
	a, b := moment.MinorUnits(0), moment.MinorUnits(0)
	assert.Equal(t, moment.Amount(0), *a)
	assert.NotSame(t, a, b, "changing one must not change the other")
	assert.Equal(t, moment.Amount(math.MinInt64), *moment.MinorUnits(math.MinInt64))
}

func TestAmountIn(t *testing.T) {
	assert.Equal(t, moment.Money{Amount: 1095, Currency: unknown}, moment.Amount(1095).In(unknown))
}

// The decimals are in the form that Decimal writes, so the test checks both directions.
func TestDecimal(t *testing.T) {
	for _, tt := range []struct {
		decimal string
		money   moment.Money
		why     string
	}{
		{"10.95", moment.Money{1095, moment.ZAR}, "the example of the documentation"},
		{"10", moment.Money{10, moment.JPY}, "the example of the documentation"},
		{"10.000", moment.Money{10000, moment.BHD}, "the example of the documentation"},
		{"0.00", moment.Money{0, moment.ZAR}, "zero keeps its decimals"},
		{"0", moment.Money{0, moment.JPY}, "zero without decimals"},
		{"0.05", moment.Money{5, moment.ZAR}, "a zero before the cents"},
		{"0.50", moment.Money{50, moment.ZAR}, "a zero after them"},
		{"-0.05", moment.Money{-5, moment.ZAR}, "the sign is not lost with a whole part of zero"},
		{"-10.95", moment.Money{-1095, moment.ZAR}, "a credit"},
		{"-10", moment.Money{-10, moment.UGX}, "a credit without decimals"},
		{"0.005", moment.Money{5, moment.KWD}, "three decimals"},
		{"1.0001", moment.Money{10001, "CLF"}, "four decimals, the maximum"},
		{"7.00", moment.Money{700, "HRK"}, "a withdrawn code"},
		{"92233720368547758.07", moment.Money{math.MaxInt64, moment.ZAR}, "the largest"},
		{"-92233720368547758.08", moment.Money{math.MinInt64, moment.ZAR}, "the smallest cannot be negated"},
		{"9223372036854775807", moment.Money{math.MaxInt64, moment.JPY}, "the largest without decimals"},
		{"-9223372036854775808", moment.Money{math.MinInt64, moment.JPY}, "the smallest without decimals"},
		{"922337203685477.5807", moment.Money{math.MaxInt64, "CLF"}, "the largest with four decimals"},
	} {
		t.Run(tt.decimal+" "+string(tt.money.Currency), func(t *testing.T) {
			decimal, err := tt.money.Decimal()
			require.NoError(t, err)
			assert.Equal(t, tt.decimal, decimal, tt.why)

			money, err := moment.ParseMoney(tt.decimal, tt.money.Currency)
			require.NoError(t, err)
			assert.Equal(t, tt.money, money, tt.why)

			assert.Equal(t, string(tt.money.Currency)+" "+tt.decimal, tt.money.String(), tt.why)
		})
	}
}

// Forms that ParseMoney accepts and Decimal does not write.
func TestParseMoneyOtherForms(t *testing.T) {
	for _, tt := range []struct {
		decimal  string
		currency moment.Currency
		want     moment.Amount
		why      string
	}{
		{"10", moment.ZAR, 1000, "decimals are optional"},
		{"10.9", moment.ZAR, 1090, "one decimal of two"},
		{"-10.9", moment.BHD, -10900, "one decimal of three"},
		{"007.50", moment.ZAR, 750, "leading zeros are digits too"},
		{strings.Repeat("0", 100) + "1", moment.JPY, 1, "any number of them"},
		{"-0", moment.JPY, 0, "integers have one zero"},
		{"-0.00", moment.ZAR, 0, "integers have one zero"},
	} {
		t.Run(tt.decimal, func(t *testing.T) {
			got, err := moment.ParseMoney(tt.decimal, tt.currency)
			require.NoError(t, err)
			assert.Equal(t, tt.want.In(tt.currency), got, tt.why)
		})
	}
}

func TestParseMoneyErrors(t *testing.T) {
	const (
		formZAR  = ` is not a decimal: want digits and optionally "." with 1 to 2 more, with "-" in front if negative`
		formJPY  = ` is not a decimal: want digits, with "-" in front if negative`
		rangeZAR = ` is out of range: want ZAR -92233720368547758.08 to ZAR 92233720368547758.07`
		rangeJPY = ` is out of range: want JPY -9223372036854775808 to JPY 9223372036854775807`
	)
	for _, tt := range []struct {
		decimal  string
		currency moment.Currency
		reason   string // after the quoted decimal
		why      string
	}{
		{"", moment.ZAR, formZAR, "an empty text is not zero"},
		{"-", moment.ZAR, formZAR, "a sign without digits"},
		{"--1", moment.ZAR, formZAR, "one sign at most"},
		{"+1", moment.ZAR, formZAR, "no plus"},
		{" 1", moment.ZAR, formZAR, "nothing is trimmed"},
		{"1 ", moment.ZAR, formZAR, "nothing is trimmed"},
		{"1\n", moment.ZAR, formZAR, "the line of a file with its line break"},
		{".5", moment.ZAR, formZAR, "a digit before the point"},
		{"-.5", moment.ZAR, formZAR, "a digit before the point"},
		{"5.", moment.ZAR, formZAR, "a digit after the point"},
		{".", moment.ZAR, formZAR, "digits on both sides"},
		{"1.-5", moment.ZAR, formZAR, "the sign comes first"},
		{"1.2.3", moment.ZAR, formZAR, "one point at most"},
		{"1,095", moment.ZAR, formZAR, "a comma may mean thousands or decimals"},
		{"1_000", moment.ZAR, formZAR, "no separators"},
		{"1e3", moment.ZAR, formZAR, "no exponents"},
		{"0x1", moment.ZAR, formZAR, "no other bases"},
		{"NaN", moment.ZAR, formZAR, "no NaN"},
		{"ZAR 1", moment.ZAR, formZAR, "String is for people"},
		{"١", moment.ZAR, formZAR, "digits are ASCII"},
		{"1/2", moment.ZAR, formZAR, "the character before 0"},
		{"1:2", moment.ZAR, formZAR, "the character after 9"},
		{"5.", moment.JPY, formJPY, "the advice fits the currency"},
		{"10.950", moment.ZAR, ` has more decimals than the 2 of ZAR: round it first`, "not even a zero is removed"},
		{"10.955", moment.ZAR, ` has more decimals than the 2 of ZAR: round it first`, "never rounded"},
		{"10.5", moment.JPY, ` has more decimals than the 0 of JPY: round it first`, "there are no decimals"},
		{"92233720368547758.08", moment.ZAR, rangeZAR, "the largest and one"},
		{"-92233720368547758.09", moment.ZAR, rangeZAR, "the smallest less one"},
		{"92233720368547758.1", moment.ZAR, rangeZAR, "in range only before the missing decimal is added"},
		{"9223372036854775808", moment.JPY, rangeJPY, "the largest and one"},
		{"-9223372036854775809", moment.JPY, rangeJPY, "the smallest less one"},
		{"18446744073709551617", moment.JPY, rangeJPY, "would be 1 after wrapping around"},
	} {
		t.Run(tt.decimal, func(t *testing.T) {
			got, err := moment.ParseMoney(tt.decimal, tt.currency)
			assert.Zero(t, got)
			assertArgumentError(t, err, "parse money", "decimal", strconv.Quote(tt.decimal)+tt.reason, tt.why)
		})
	}
}

func TestParseMoneyUnknownCurrency(t *testing.T) {
	got, err := moment.ParseMoney("10.95", unknown)
	assert.Zero(t, got)
	var unknownErr *moment.UnknownCurrencyError
	require.ErrorAs(t, err, &unknownErr)
	assert.Equal(t, unknown, unknownErr.Currency)
}

func TestParseMoneyErrorQuotesShortly(t *testing.T) {
	for _, tt := range []struct {
		decimal, quoted, why string
	}{
		{strings.Repeat("x", 40), `"` + strings.Repeat("x", 40) + `"`, "the longest text that is not truncated"},
		{strings.Repeat("x", 41), `"` + strings.Repeat("x", 40) + `…"`, "the message does not grow with the input"},
		{strings.Repeat("x", 39) + "€€", `"` + strings.Repeat("x", 39) + `…"`, "characters are not split"},
		{"x" + strings.Repeat("\x80", 60), `"x` + strings.Repeat(`\x80`, 35) + `…"`, "truncated anywhere, because it is not UTF-8"},
		{"1\x00\x1b[31m", `"1\x00\x1b[31m"`, "control characters are escaped for logs and terminals"},
	} {
		_, err := moment.ParseMoney(tt.decimal, moment.ZAR)
		require.Error(t, err)
		assert.Contains(t, err.Error(), "decimal: "+tt.quoted+" is not", tt.why)
	}
}

func TestMoneyAddSub(t *testing.T) {
	const largest, smallest moment.Amount = math.MaxInt64, math.MinInt64 // typed, because an int may have 32 bits
	for _, tt := range []struct {
		m, n            moment.Amount
		sum, difference any // nil if it overflows
		why             string
	}{
		{2000, 1500, 3500, 500, "an everyday pair"},
		{1500, 2000, 3500, -500, "below zero"},
		{-5, -7, -12, 2, "two credits"},
		{5, 0, 5, 5, "adding zero"},
		{0, 0, 0, 0, "zero and zero"},
		{0, 5, 5, -5, "from zero"},
		{largest, 0, largest, largest, "the largest is a result too"},
		{smallest, 0, smallest, smallest, "the smallest is a result too"},
		{largest, 1, nil, largest - 1, "one too many"},
		{largest, -1, largest - 1, nil, "one too many"},
		{smallest, 1, smallest + 1, nil, "one too few"},
		{smallest, -1, nil, smallest + 1, "one too few"},
		{largest, largest, nil, 0, "wraps around to -2"},
		{smallest, smallest, nil, 0, "wraps around to 0"},
		{largest, smallest, -1, nil, "wraps around to -1"},
		{smallest, largest, -1, nil, "wraps around to 1"},
		{0, smallest, smallest, nil, "subtracting it would add a number that does not fit"},
		{-1, smallest, nil, largest, "subtracting it can still fit"},
	} {
		for _, currency := range []moment.Currency{moment.ZAR, unknown} {
			m, n := tt.m.In(currency), tt.n.In(currency)
			check := func(op string, want any, got moment.Money, err error) {
				t.Helper()
				if want == nil {
					assert.Zero(t, got)
					assertArgumentError(t, err, op, "amount",
						m.String()+" and "+n.String()+": the result does not fit in an int64 of minor units", tt.why)
					return
				}
				require.NoError(t, err, tt.why)
				assert.EqualValues(t, want, got.Amount, tt.why)
				assert.Equal(t, currency, got.Currency, tt.why)
			}
			sum, err := m.Add(n)
			check("add money", tt.sum, sum, err)
			difference, err := m.Sub(n)
			check("subtract money", tt.difference, difference, err)
		}
	}
}

func TestMoneyCmp(t *testing.T) {
	for _, tt := range []struct {
		m, n moment.Amount
		want int
	}{
		{1, 2, -1}, {2, 2, 0}, {3, 2, 1}, {math.MinInt64, math.MaxInt64, -1}, {-1, 1, -1},
	} {
		got, err := tt.m.In(unknown).Cmp(tt.n.In(unknown))
		require.NoError(t, err)
		assert.Equal(t, tt.want, got)
	}
}

func TestMoneyOfAnotherCurrency(t *testing.T) {
	zar := moment.Amount(100).In(moment.ZAR)
	for _, tt := range []struct {
		other  moment.Money
		reason string
		why    string
	}{
		{moment.Amount(100).In(moment.USD), `"USD" is not "ZAR": convert one of the two first`, "equal numbers are not equal sums"},
		{moment.Amount(0).In(moment.USD), `"USD" is not "ZAR": convert one of the two first`, "even for zero"},
		{moment.Money{}, "one of the two has no currency: begin a total with Amount(0).In(ZAR), not with Money{}", "a forgotten currency must be reported"},
		{moment.Amount(1).In("zar"), `"zar" is not "ZAR": convert one of the two first`, "codes are compared exactly"},
	} {
		sum, err := zar.Add(tt.other)
		assert.Zero(t, sum)
		assertArgumentError(t, err, "add money", "currency", tt.reason, tt.why)

		difference, err := zar.Sub(tt.other)
		assert.Zero(t, difference)
		assertArgumentError(t, err, "subtract money", "currency", tt.reason, tt.why)

		order, err := zar.Cmp(tt.other)
		assert.Zero(t, order)
		assertArgumentError(t, err, "compare money", "currency", tt.reason, tt.why)
	}
}

func TestMoneyNeg(t *testing.T) {
	for _, a := range []moment.Amount{0, 1, -1, math.MaxInt64, math.MinInt64 + 1} {
		got, err := a.In(unknown).Neg()
		require.NoError(t, err)
		assert.Equal(t, (-a).In(unknown), got)
	}
	got, err := moment.Amount(math.MinInt64).In(moment.ZAR).Neg()
	assert.Zero(t, got)
	assertArgumentError(t, err, "negate money", "amount",
		"ZAR -92233720368547758.08 is the smallest amount: its negative does not fit in an int64 of minor units", "two's complement")
}

func TestMoneyIsZero(t *testing.T) {
	assert.True(t, moment.Money{}.IsZero())
	assert.True(t, moment.Amount(0).In(moment.ZAR).IsZero(), "the currency does not matter")
	assert.False(t, moment.Amount(-1).In(moment.ZAR).IsZero())
}

func TestMoneyDecimalUnknownCurrency(t *testing.T) {
	got, err := moment.Amount(1095).In(unknown).Decimal()
	assert.Empty(t, got, "a decimal without a known point would be a guess")
	var unknownErr *moment.UnknownCurrencyError
	require.ErrorAs(t, err, &unknownErr)
	assert.Equal(t, unknown, unknownErr.Currency)
}

func TestMoneyStringUnknownCurrency(t *testing.T) {
	for _, tt := range []struct {
		money moment.Money
		want  string
		why   string
	}{
		{moment.Amount(1095).In(unknown), "1095 QQQ (minor units)", "no point that might be wrong"},
		{moment.Amount(math.MinInt64).In("XAU"), "-9223372036854775808 XAU (minor units)", "the smallest"},
		{moment.Money{}, "0 minor units of no currency", "no currency is visible"},
		{moment.Amount(1).In("A\nB"), `1 "A\nB" (minor units)`, "a code from the service cannot break a log line"},
		{moment.Amount(1).In(moment.Currency(strings.Repeat("Q", 1000))), `1 "` + strings.Repeat("Q", 40) + `…" (minor units)`, "or make it long"},
	} {
		assert.Equal(t, tt.want, tt.money.String(), tt.why)
	}
}

// JSON does not change amounts and codes, whether or not the code is known.
func TestMoneyJSON(t *testing.T) {
	type object struct {
		Balance  *moment.Amount  `json:"balance,omitempty"`
		Currency moment.Currency `json:"currency,omitempty"`
	}
	for _, tt := range []struct {
		body string
		want object
		why  string
	}{
		{`{"balance":2000,"currency":"ZAR"}`, object{moment.MinorUnits(2000), moment.ZAR}, "an integer and a string"},
		{`{"balance":-5,"currency":"QQQ"}`, object{moment.MinorUnits(-5), unknown}, "an unknown code is kept"},
		{`{"balance":1,"currency":"zar "}`, object{moment.MinorUnits(1), "zar "}, "and never corrected"},
		{`{"balance":0}`, object{moment.MinorUnits(0), ""}, "zero differs from absent"},
		{`{}`, object{}, "absent"},
		{`{"balance":9223372036854775807}`, object{moment.MinorUnits(math.MaxInt64), ""}, "a float64 would be out by one"},
	} {
		var got object
		require.NoError(t, json.Unmarshal([]byte(tt.body), &got), tt.why)
		assert.Equal(t, tt.want, got, tt.why)
		body, err := json.Marshal(got)
		require.NoError(t, err)
		assert.Equal(t, tt.body, string(body), tt.why)
	}

	var got object
	assert.Error(t, json.Unmarshal([]byte(`{"balance":10.95}`), &got), "an amount is never a decimal")
	assert.Error(t, json.Unmarshal([]byte(`{"balance":9223372036854775808}`), &got), "or reduced to fit")
}

func assertArgumentError(t *testing.T, err error, op, param, reason, why string) {
	t.Helper()
	var argument *moment.ArgumentError
	if assert.ErrorAs(t, err, &argument, why) {
		assert.Equal(t, moment.ArgumentError{Op: op, Param: param, Reason: reason}, *argument, why)
		assert.ErrorIs(t, err, moment.ErrInvalidArgument, why)
		assert.EqualError(t, err, "moment: "+op+": "+param+": "+reason, why)
	}
}

var decimalForm = regexp.MustCompile(`^-?[0-9]+(?:\.([0-9]+))?$`)

// FuzzParseMoney compares ParseMoney with a regular expression and a fraction of math/big, and an
// accepted text with the output of Decimal.
func FuzzParseMoney(f *testing.F) {
	for _, decimal := range []string{
		"10.95", "-10.95", "10", "0", "-0", "-0.00", "00.10", "1.0001", "10.955",
		"92233720368547758.07", "92233720368547758.08", "-92233720368547758.08", "-92233720368547758.09",
		"9223372036854775807", "-9223372036854775808", "18446744073709551617", "99999999999999999999999",
		"", "-", ".", ".5", "5.", "--5", "+5", " 5", "5\n", "1e3", "1_0", "1,0", "1.2.3", "0x1", "١", "\xff",
	} {
		for _, currency := range []string{"ZAR", "JPY", "BHD", "CLF", "QQQ"} {
			f.Add(decimal, currency)
		}
	}
	f.Fuzz(func(t *testing.T, decimal, code string) {
		currency := moment.Currency(code)
		got, err := moment.ParseMoney(decimal, currency)

		exponent, exponentErr := currency.Exponent()
		if exponentErr != nil {
			assert.Equal(t, exponentErr, err)
			return
		}
		want, ok := parseByFraction(decimal, exponent)
		if !ok {
			assert.ErrorIs(t, err, moment.ErrInvalidArgument)
			assert.Zero(t, got)
			assert.Less(t, len(err.Error()), 400)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, moment.Amount(want).In(currency), got)

		written, err := got.Decimal()
		require.NoError(t, err)
		again, err := moment.ParseMoney(written, currency)
		require.NoError(t, err)
		assert.Equal(t, got, again)
		assert.Equal(t, code+" "+written, got.String())
	})
}

// parseByFraction is ParseMoney in another way.
func parseByFraction(decimal string, exponent int) (int64, bool) {
	form := decimalForm.FindStringSubmatch(decimal)
	if form == nil || len(form[1]) > exponent {
		return 0, false
	}
	n, ok := new(big.Rat).SetString(decimal)
	if !ok {
		return 0, false
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
	n.Mul(n, new(big.Rat).SetInt(scale))
	return n.Num().Int64(), n.IsInt() && n.Num().IsInt64()
}

// FuzzMoneyAddSub compares the overflow checks with math/big.
func FuzzMoneyAddSub(f *testing.F) {
	for _, m := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		for _, n := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
			f.Add(m, n)
		}
	}
	f.Fuzz(func(t *testing.T, m, n int64) {
		check := func(want *big.Int, got moment.Money, err error) {
			t.Helper()
			if !want.IsInt64() {
				assert.ErrorIs(t, err, moment.ErrInvalidArgument)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, moment.Amount(want.Int64()).In(moment.ZAR), got)
		}
		x, y := moment.Amount(m).In(moment.ZAR), moment.Amount(n).In(moment.ZAR)
		sum, err := x.Add(y)
		check(new(big.Int).Add(big.NewInt(m), big.NewInt(n)), sum, err)
		difference, err := x.Sub(y)
		check(new(big.Int).Sub(big.NewInt(m), big.NewInt(n)), difference, err)
	})
}

// A JSON number is read if its value is exactly an int64, and is otherwise an error.
func FuzzAmount(f *testing.F) {
	for _, number := range []string{
		"0", "-0", "2000", "2000.0", "2000.00", "2e3", "2E+3", "2.5e1", "2.50e1", "0.2e4", "2000e-3", "200e-3", "-1500.0", "0e999999999", "0.000", "1e-1", "1.5",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "9223372036854775807.0", "0.9223372036854775807e19",
		"1e18", "1e19", "1e999999999", "1e-999999999", "1e99999999999999999999", "00", "01", "+1", ".5", "5.", "1e", "-", "", "null", `"1"`, "true", "{}", "[]",
	} {
		f.Add(number)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := moment.Amount(-7)
		err := json.Unmarshal([]byte(text), &got)
		trimmed := strings.Trim(text, " \t\r\n") // the white space of JSON
		if trimmed == "null" {
			assert.NoError(t, err)
			assert.Equal(t, moment.Amount(-7), got)
			return
		}
		if i := strings.IndexAny(trimmed, "eE"); len(trimmed) > 200 || i >= 0 && len(trimmed)-i > 4 {
			return // big.Rat would not return
		}
		isNumber := json.Valid([]byte(trimmed)) && strings.IndexAny(trimmed, "-0123456789") == 0
		want, ok := new(big.Rat).SetString(trimmed)
		if !isNumber || !ok || !want.IsInt() || !want.Num().IsInt64() {
			assert.Error(t, err, text)
			return
		}
		require.NoError(t, err, text)
		assert.Equal(t, want.Num().Int64(), int64(got), text)
	})
}

// UnmarshalJSON rejects a text that is not a JSON number, even if encoding/json has not checked it.
func TestAmountRejectsInvalidJSON(t *testing.T) {
	for _, text := range []string{"x", "1_000", "0x10", "1e1e1", "1.2.3", "--1", "1,000", " 1", "Inf", "NaN", "e5", ".", "-.e1", ""} {
		var a moment.Amount
		assert.Error(t, a.UnmarshalJSON([]byte(text)), text)
	}
}

func TestMoneyHasJSONNames(t *testing.T) {
	want := moment.Amount(9007199254740993).In(moment.ZAR)
	body, err := json.Marshal(want)
	require.NoError(t, err)
	stored := []string{`{"amount":9007199254740993,"currency":"ZAR"}`, `{"Amount":9007199254740993,"Currency":"ZAR"}`} // the latter is the form without JSON names
	assert.Equal(t, stored[0], string(body), "minor units, exactly")
	for _, text := range stored {
		var got moment.Money
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		assert.Equal(t, want, got)
	}
	assert.Error(t, json.Unmarshal([]byte(`{"amount":10.95,"currency":"ZAR"}`), new(moment.Money)))
}
