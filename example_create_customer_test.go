package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleCustomersService_Create() {
	srv := momenttest.NewServer()
	defer srv.Close()

	customer, err := srv.Client().Customers.Create(context.Background(), moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890",
		Name:              "John Doe",
		Email:             "john.doe@example.com",
		Currency:          moment.ZAR,
		Balance:           moment.MinorUnits(2000), // owes ZAR 20.00; nil would keep no balance
	})
	if err != nil {
		log.Fatal(err)
	}
	balance, _ := customer.BalanceMoney()
	fmt.Println(customer.Name, balance)
	// Output: John Doe ZAR 20.00
}
