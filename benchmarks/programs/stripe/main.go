// Command stripe is a minimal program on stripe-go. Without an argument it makes a client and ends;
// the call after that makes the linker keep the code of a call.
package main

import (
	"context"
	"os"

	"github.com/stripe/stripe-go/v85"
)

func main() {
	client := stripe.NewClient("sk_test_benchmarks")
	if len(os.Args) < 2 {
		return
	}
	if _, err := client.V1Customers.Create(context.Background(), &stripe.CustomerCreateParams{Name: &os.Args[1]}); err != nil {
		panic(err)
	}
}
