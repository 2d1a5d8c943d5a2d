package moment_test

import (
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
)

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
