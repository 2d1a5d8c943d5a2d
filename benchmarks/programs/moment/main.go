// Command moment is a minimal program on this SDK. Without an argument it makes a client and ends;
// the call after that makes the linker keep the code of a call.
package main

import (
	"context"
	"os"

	"github.com/moment-billing/moment-go"
)

func main() {
	client, err := moment.NewClient("sk_test_benchmarks")
	if err != nil {
		panic(err)
	}
	if len(os.Args) < 2 {
		return
	}
	if _, err := client.Customers.Create(context.Background(), moment.CustomerCreateParams{Name: os.Args[1]}); err != nil {
		panic(err)
	}
}
