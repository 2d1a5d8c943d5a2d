package main

import (
	"fmt"
	"strconv"

	gomoney "github.com/Rhymond/go-money"
	"github.com/bojanz/currency"
	"github.com/govalues/money"
	"github.com/shopspring/decimal"

	"github.com/moment-billing/moment-go"
)

const (
	amountText  = "123456.78"
	amountUnits = 12345678
)

// measureMoney compares the formatting and the parsing of amounts.
func measureMoney(s settings) ([]table, error) {
	formatters, parsers, err := moneyContenders()
	if err != nil {
		return nil, err
	}
	formatting, err := measure(s, formatters)
	if err != nil {
		return nil, err
	}
	parsing, err := measure(s, parsers)
	return []table{
		timesTable("Formatting money", "12,345,678 minor units of rand become the text 123456.78. go-money writes R123,456.78. shopspring/decimal knows no currencies, so the number of decimals is passed to it.", formatting).
			inSummary("format money"),
		timesTable("Parsing money", "The text 123456.78 becomes an amount of rand. go-money does not read text, so strconv.ParseFloat does. shopspring/decimal reads a number.", parsing).
			inSummary("parse money"),
	}, err
}

func moneyContenders() (formatters, parsers []contender, err error) {
	ours := moment.Amount(amountUnits).In(moment.ZAR)
	byBojanz, err := currency.NewAmountFromInt64(amountUnits, "ZAR")
	if err != nil {
		return nil, nil, err
	}
	byGovalues, err := money.NewAmountFromMinorUnits("ZAR", amountUnits)
	if err != nil {
		return nil, nil, err
	}
	// This is checked once, and not in each run, because comparing takes long.
	if read, err := currency.NewAmount(amountText, "ZAR"); err != nil || !read.Equal(byBojanz) {
		return nil, nil, fmt.Errorf("bojanz/currency read %s as %v (%w)", amountText, read, err)
	}
	if read, err := decimal.NewFromString(amountText); err != nil || !read.Equal(decimal.New(amountUnits, -2)) {
		return nil, nil, fmt.Errorf("shopspring/decimal read %s as %v (%w)", amountText, read, err)
	}
	byRhymond := gomoney.New(amountUnits, "ZAR")
	byShopspring := decimal.New(amountUnits, -2)

	formatters = []contender{
		{ourName, func() error {
			text, err := ours.Decimal()
			if err != nil {
				return err
			}
			return sameText(text, amountText)
		}},
		{"bojanz/currency", func() error { return sameText(byBojanz.Number(), amountText) }},
		{"govalues/money", func() error { return sameText(byGovalues.Decimal().String(), amountText) }},
		{"Rhymond/go-money", func() error { return sameText(byRhymond.Display(), "R123,456.78") }},
		{"shopspring/decimal", func() error { return sameText(byShopspring.StringFixed(2), amountText) }},
	}
	parsers = []contender{
		{ourName, func() error {
			got, err := moment.ParseMoney(amountText, moment.ZAR)
			return same(got == ours, err)
		}},
		{"bojanz/currency", func() error {
			got, err := currency.NewAmount(amountText, "ZAR")
			return same(got.CurrencyCode() == "ZAR", err)
		}},
		{"govalues/money", func() error {
			got, err := money.ParseAmount("ZAR", amountText)
			return same(got == byGovalues, err)
		}},
		{"Rhymond/go-money", func() error {
			float, err := strconv.ParseFloat(amountText, 64)
			return same(gomoney.NewFromFloat(float, "ZAR").Amount() == amountUnits, err)
		}},
		{"shopspring/decimal", func() error {
			got, err := decimal.NewFromString(amountText)
			return same(got.Exponent() == -2, err)
		}},
	}
	return formatters, parsers, nil
}

func sameText(got, want string) error {
	if got != want {
		return fmt.Errorf("wrote %q instead of %q", got, want)
	}
	return nil
}

func same(equal bool, err error) error {
	if err == nil && !equal {
		err = fmt.Errorf("%s was read as something else", amountText)
	}
	return err
}
