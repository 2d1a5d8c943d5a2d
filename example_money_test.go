package moment_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
)

func ExampleParseMoney() {
	price, err := moment.ParseMoney("10.95", moment.ZAR)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(price, "is", price.Amount, "minor units")
	// Output: ZAR 10.95 is 1095 minor units
}

// Nothing is rounded: how to round is for the seller to decide.
func ExampleParseMoney_tooManyDecimals() {
	_, err := moment.ParseMoney("10.955", moment.ZAR)
	fmt.Println(err)
	fmt.Println(errors.Is(err, moment.ErrInvalidArgument))
	// Output:
	// moment: parse money: decimal: "10.955" has more decimals than the 2 of ZAR: round it first
	// true
}

func ExampleAmount_In() {
	fmt.Println(moment.Amount(1095).In(moment.ZAR))
	fmt.Println(moment.Amount(1095).In(moment.JPY))
	fmt.Println(moment.Amount(1095).In(moment.BHD))
	// Output:
	// ZAR 10.95
	// JPY 1095
	// BHD 1.095
}

func ExampleCurrency_Exponent() {
	for _, currency := range []moment.Currency{moment.ZAR, moment.JPY, moment.BHD} {
		exponent, err := currency.Exponent()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(currency, exponent)
	}
	// Output:
	// ZAR 2
	// JPY 0
	// BHD 3
}

// A code that this version does not know is kept; only its decimals are not known.
func ExampleUnknownCurrencyError() {
	balance := moment.Amount(1095).In("QQQ")
	fmt.Println(balance)

	_, err := balance.Decimal()
	var unknown *moment.UnknownCurrencyError
	if errors.As(err, &unknown) {
		fmt.Println("no decimals known for", unknown.Currency)
	}
	// Output:
	// 1095 QQQ (minor units)
	// no decimals known for QQQ
}

func ExampleMoney_Decimal() {
	for _, money := range []moment.Money{
		moment.Amount(5).In(moment.ZAR),
		moment.Amount(-1000).In(moment.ZAR),
		moment.Amount(1000).In(moment.UGX),
	} {
		decimal, err := money.Decimal()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(decimal)
	}
	// Output:
	// 0.05
	// -10.00
	// 1000
}

func ExampleMoney_Add() {
	total := moment.Amount(0).In(moment.ZAR) // a total needs its currency from the start
	for _, payment := range []moment.Amount{1500, 495} {
		var err error
		if total, err = total.Add(payment.In(moment.ZAR)); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(total)

	_, err := total.Add(moment.Amount(100).In(moment.USD))
	fmt.Println(err)
	// Output:
	// ZAR 19.95
	// moment: add money: currency: "USD" is not "ZAR": convert one of the two first
}

func ExampleMoney_Sub() {
	due, paid := moment.Amount(2000).In(moment.ZAR), moment.Amount(1500).In(moment.ZAR)
	remaining, err := due.Sub(paid)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(remaining)
	// Output: ZAR 5.00
}

func ExampleMoney_Cmp() {
	due, paid := moment.Amount(2000).In(moment.ZAR), moment.Amount(1500).In(moment.ZAR)
	order, err := paid.Cmp(due)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("settled:", order >= 0)
	// Output: settled: false
}

func ExampleNewDate() {
	fmt.Println(moment.NewDate(2025, time.January, 31))

	// A day that does not exist is not moved to another: it fails on the way out.
	_, err := json.Marshal(moment.NewDate(2025, time.February, 30))
	var argument *moment.ArgumentError
	if errors.As(err, &argument) {
		fmt.Println(argument.Reason)
	}
	// Output:
	// 2025-01-31
	// 2025-02-30 is not a day: February 2025 has 28 days
}

func ExampleParseDate() {
	due, err := moment.ParseDate("2025-01-31")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(due.Day, due.Month, due.Year)

	_, err = moment.ParseDate("31/01/2025")
	fmt.Println(err)
	// Output:
	// 31 January 2025
	// moment: parse date: date: "31/01/2025" is not in the form YYYY-MM-DD, like "2025-01-31"
}

func ExampleDateOf() {
	johannesburg := time.FixedZone("SAST", 2*60*60)
	now := time.Date(2025, time.January, 31, 23, 30, 0, 0, time.UTC)
	fmt.Println(moment.DateOf(now))
	fmt.Println(moment.DateOf(now.In(johannesburg)))
	// Output:
	// 2025-01-31
	// 2025-02-01
}

func ExampleDate_Time() {
	due := moment.NewDate(2025, time.January, 31)
	overdue := due.Time(time.UTC).AddDate(0, 0, 1) // from the start of the day after
	fmt.Println(overdue.Format(time.RFC3339))
	// Output: 2025-02-01T00:00:00Z
}
