package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
)

func ExampleArgumentError() {
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY")
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Bills.Get(context.Background(), "") // perhaps from an unset variable; nothing is sent
	fmt.Println(err)
	// Output: moment: get bill: bill: is empty
}
