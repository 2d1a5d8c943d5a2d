package moment_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/moment-billing/moment-go"
)

// Kept where the compiler cannot see that nobody reads them.
var (
	sinkMoney  moment.Money
	sinkString string
	sinkInt    int
)

// Budgets of allocations. Money is formatted and parsed in the loops of imports
// and exports, where a regression here would be felt.
func TestMoneyAllocations(t *testing.T) {
	m := moment.Amount(math.MinInt64).In(moment.ZAR)
	for _, tt := range []struct {
		name string
		max  float64
		run  func()
		why  string
	}{
		{"Decimal", 1, func() { sinkString, _ = m.Decimal() }, "the string"},
		{"String", 1, func() { sinkString = m.String() }, "the string"},
		{"ParseMoney", 0, func() { sinkMoney, _ = moment.ParseMoney("-92233720368547758.08", moment.ZAR) }, "nothing to keep"},
		{"Exponent", 0, func() { sinkInt, _ = moment.ZAR.Exponent() }, "nothing to keep"},
		{"Add", 0, func() { sinkMoney, _ = m.Add(moment.Amount(1).In(moment.ZAR)) }, "nothing to keep"},
	} {
		got := testing.AllocsPerRun(100, tt.run)
		assert.LessOrEqual(t, got, tt.max, "%s: %s", tt.name, tt.why)
	}
}
