package moment_test

import (
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
)

func ExampleAmount_In() {
	fmt.Println(moment.Amount(1095).In(moment.ZAR))
	fmt.Println(moment.Amount(1095).In(moment.JPY))
	fmt.Println(moment.Amount(1095).In(moment.BHD))
	// Output:
	// ZAR 10.95
	// JPY 1095
	// BHD 1.095
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
