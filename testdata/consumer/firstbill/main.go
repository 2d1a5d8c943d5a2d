// Command firstbill is the program in the README.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
)

func main() {
	ctx := context.Background()
	client, err := moment.NewClientFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	customer, err := client.Customers.Ensure(ctx, moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890",
		Name:              "John Doe",
	})
	if err != nil {
		log.Fatal(err)
	}
	bill, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
		Customer:          moment.ExistingCustomer(customer.ID),
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
		DueDate:           moment.NewDate(2025, time.January, 31),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(customer.Name, "has to pay", bill.DueMoney(), "by", bill.DueDate)
}
