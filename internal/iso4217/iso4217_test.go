package iso4217_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/moment-billing/moment-go/internal/iso4217"
)

// The rows are from ISO 4217 itself, to detect any error in the table: every code with a number of
// decimals other than two, and the codes with two that are most often wrong.
func TestExponent(t *testing.T) {
	for _, tt := range []struct {
		exponent int
		codes    string
		why      string
	}{
		{0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF", "currencies without a minor unit in use"},
		{0, "UYI", "a fund code without decimals"},
		{3, "BHD IQD JOD KWD LYD OMR TND", "dinars and the rial of a thousand parts"},
		{4, "CLF UYW", "funds counted in ten thousandths"},
		{2, "ZAR USD EUR GBP AUD BWP CAD CHF CNY EGP GHS INR KES MAD MZN NAD NGN ZMW", "two decimals, like most currencies"},
		{2, "MGA MRU", "coins of a fifth, but two decimals in the standard"},
		{2, "HUF IDR TWD COP AMD MMK LBP", "cash is rounded, but the standard has two decimals"},
		{2, "TZS MUR SOS PKR RSD IRR KPW LAK SYP YER ALL AFN", "golang.org/x/text says 0"},
		{2, "BOV CHE CHW COU MXV USN", "fund codes"},
		{2, "SLE VED VES XAD XCG ZWG", "assigned since 2018"},
		{2, "ANG BGN CUC HRK SLL ZWL", "withdrawn since 2021"},
	} {
		for code := range strings.FieldsSeq(tt.codes) {
			got, ok := iso4217.Exponent(code)
			assert.True(t, ok, "%s: %s", code, tt.why)
			assert.Equal(t, tt.exponent, got, "%s: %s", code, tt.why)
		}
	}
}

func TestExponentUnknown(t *testing.T) {
	for _, tt := range []struct{ codes, why string }{
		{"XAG XAU XPD XPT", "metals have no minor unit"},
		{"XBA XBB XBC XBD XDR XSU XUA", "units of account have no minor unit"},
		{"XTS XXX", "the codes for tests and for no currency have no minor unit"},
		{"QQQ AAA ZZZ", "not assigned"},
		{"DEM FRF ITL ZMK", "withdrawn before 2021"},
		{"zar Zar ZA ZARR ZAR\x00 ＺＡＲ 710", "not an alphabetic code in capitals"},
	} {
		for _, code := range append(strings.Fields(tt.codes), "", " ZAR") {
			got, ok := iso4217.Exponent(code)
			assert.False(t, ok, "%q: %s", code, tt.why)
			assert.Zero(t, got, "%q", code)
		}
	}
}

// The test counts all possible codes, so that only the codes of TestExponent are in the table.
func TestExponentOfAllCodes(t *testing.T) {
	count := make(map[int]int)
	letters := "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, a := range letters {
		for _, b := range letters {
			for _, c := range letters {
				if exponent, ok := iso4217.Exponent(string([]rune{a, b, c})); ok {
					count[exponent]++
				}
			}
		}
	}
	assert.Equal(t, map[int]int{0: 17, 2: 145, 3: 7, 4: 2}, count)
}

func TestExponentAllocations(t *testing.T) {
	var exponent int
	assert.Zero(t, testing.AllocsPerRun(100, func() { exponent, _ = iso4217.Exponent("ZAR") }))
	assert.Equal(t, 2, exponent)
}
