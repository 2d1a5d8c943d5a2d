package moment_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

const unknown moment.Currency = "QQQ" // never assigned by ISO 4217

func TestCurrencyExponent(t *testing.T) {
	for _, tt := range []struct {
		currency moment.Currency
		want     int
	}{
		{moment.JPY, 0}, {moment.ZAR, 2}, {moment.BHD, 3}, {"CLF", 4},
	} {
		got, err := tt.currency.Exponent()
		require.NoError(t, err)
		assert.Equal(t, tt.want, got, tt.currency)
	}
}

func TestCurrencyExponentUnknown(t *testing.T) {
	for _, tt := range []struct {
		currency moment.Currency
		why      string
	}{
		{unknown, "not assigned"},
		{"XAU", "a metal has no minor unit"},
		{"XXX", "no currency has no minor unit"},
		{"", "the zero value"},
		{"zar", "codes are in capitals; accepting others would be a guess"},
		{" ZAR", "nothing is trimmed"},
	} {
		t.Run(string(tt.currency), func(t *testing.T) {
			got, err := tt.currency.Exponent()
			assert.Zero(t, got)
			var unknownErr *moment.UnknownCurrencyError
			require.ErrorAs(t, err, &unknownErr, tt.why)
			assert.Equal(t, tt.currency, unknownErr.Currency)
			assert.NotErrorIs(t, err, moment.ErrInvalidArgument, "the code may come from the service")
		})
	}
}

func TestUnknownCurrencyErrorText(t *testing.T) {
	assert.EqualError(t, &moment.UnknownCurrencyError{Currency: unknown},
		`moment: unknown currency "QQQ": ISO 4217, as this version knows it, has no minor unit for that code (codes are three capital letters)`)
}

// Each constant must be spelt as its value and have an exponent.
func TestCurrencyConstants(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	found := 0
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || spec.Type == nil {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Currency" {
				return true
			}
			found++
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			assert.Equal(t, spec.Names[0].Name, code)

			exponent, err := moment.Currency(code).Exponent()
			require.NoError(t, err)
			comment := spec.Comment.Text()
			switch exponent {
			case 0:
				assert.Contains(t, comment, "no decimals", code)
			case 2:
				assert.NotContains(t, comment, "decimals", code)
			case 3:
				assert.Contains(t, comment, "three decimals", code)
			}
			return true
		})
	}
	assert.Greater(t, found, 30)
}
