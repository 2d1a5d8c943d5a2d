package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleAccountsService_Get() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Accounts.Create(ctx, moment.AccountCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UAR1234567890", Currency: moment.ZAR, Balance: moment.MinorUnits(-500),
	})
	if err != nil {
		log.Fatal(err)
	}

	account, err := client.Accounts.Get(ctx, "UAR1234567890") // or its id, bacc_…
	if err != nil {
		log.Fatal(err)
	}
	if balance, ok := account.BalanceMoney(); ok && balance.Amount < 0 {
		fmt.Println("in credit:", balance)
	}
	// Output: in credit: ZAR -5.00
}
