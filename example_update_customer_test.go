package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleCustomersService_Update() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Customers.Create(ctx, moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890", Name: "John Doe", Currency: moment.ZAR, Balance: moment.MinorUnits(2000),
	})
	if err != nil {
		log.Fatal(err)
	}

	customer, err := client.Customers.Update(ctx, "UCR1234567890", moment.CustomerUpdateParams{
		Name:    moment.Ptr("Jane Doe"),
		Balance: moment.MinorUnits(0), // a pointer to zero sends zero; nil leaves the field unchanged
	})
	if err != nil {
		log.Fatal(err)
	}
	balance, _ := customer.BalanceMoney()
	fmt.Println(customer.Name, balance)
	// Output: Jane Doe ZAR 0.00
}
