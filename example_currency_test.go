package moment_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
)

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

// A code that this version does not know is kept, but its number of decimals is unknown.
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
