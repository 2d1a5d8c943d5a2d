package moment_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/moment-billing/moment-go"
)

// Package variables, so that the compiler does not remove the results.
var (
	sinkMoney  moment.Money
	sinkString string
	sinkInt    int
)

// The test limits allocations, because imports and exports format and parse money in loops.
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
		{"ParseMoney", 0, func() { sinkMoney, _ = moment.ParseMoney("-92233720368547758.08", moment.ZAR) }, "no allocation is needed"},
		{"Exponent", 0, func() { sinkInt, _ = moment.ZAR.Exponent() }, "no allocation is needed"},
		{"Add", 0, func() { sinkMoney, _ = m.Add(moment.Amount(1).In(moment.ZAR)) }, "no allocation is needed"},
	} {
		got := testing.AllocsPerRun(100, tt.run)
		assert.LessOrEqual(t, got, tt.max, "%s: %s", tt.name, tt.why)
	}
}
