package moment_test

import (
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
)

func ExampleNewClient() {
	_, err := moment.NewClient("pk_test_YOUR_PUBLIC_KEY")
	fmt.Println(err)

	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY",
		moment.WithMaxRetries(5),
		moment.WithAttemptTimeout(10*time.Second),
		moment.WithUserAgent("billing-backend/2.3"),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Mode())
	fmt.Printf("%+v\n", client) // formatting a client never shows its key
	// Output:
	// moment: new client: secret key: is a public key (pk_…), which cannot run billing operations; use a secret key (sk_…)
	// test
	// moment.Client(test mode, https://api.momentpay.net)
}
