package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleAccountsService_Update() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Accounts.Create(ctx, moment.AccountCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UAR1234567890", Name: "Primary Account", Currency: moment.ZAR, Balance: moment.MinorUnits(2000),
	})
	if err != nil {
		log.Fatal(err)
	}

	account, err := client.Accounts.Update(ctx, "UAR1234567890", moment.AccountUpdateParams{
		Balance: moment.MinorUnits(10000), // replaces the 2000; the name is unchanged, because it is not set here
	})
	if err != nil {
		log.Fatal(err)
	}
	balance, _ := account.BalanceMoney()
	fmt.Println(account.Name, balance)
	// Output: Primary Account ZAR 100.00
}
