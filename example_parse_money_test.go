package moment_test

import (
	"errors"
	"fmt"
	"log"

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

// ParseMoney never rounds, because the seller decides how to round.
func ExampleParseMoney_tooManyDecimals() {
	_, err := moment.ParseMoney("10.955", moment.ZAR)
	fmt.Println(err)
	fmt.Println(errors.Is(err, moment.ErrInvalidArgument))
	// Output:
	// moment: parse money: decimal: "10.955" has more decimals than the 2 of ZAR: round it first
	// true
}
