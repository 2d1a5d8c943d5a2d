package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleCustomersService_Get() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	created, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"})
	if err != nil {
		log.Fatal(err)
	}

	for _, idOrReference := range []string{created.ID, "UCR1234567890"} {
		customer, err := client.Customers.Get(ctx, idOrReference)
		if err != nil {
			log.Fatal(err)
		}
		_, kept := customer.BalanceMoney()
		fmt.Println(customer.Name, "- has a balance:", kept)
	}
	// Output:
	// John Doe - has a balance: false
	// John Doe - has a balance: false
}
