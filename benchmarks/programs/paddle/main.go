// Command paddle is a minimal program on paddle-go-sdk. Without an argument it makes a client and
// ends; the call after that makes the linker keep the code of a call.
package main

import (
	"context"
	"os"

	"github.com/PaddleHQ/paddle-go-sdk/v4"
)

func main() {
	client, err := paddle.New("sk_test_benchmarks")
	if err != nil {
		panic(err)
	}
	if len(os.Args) < 2 {
		return
	}
	if _, err := client.CreateCustomer(context.Background(), &paddle.CreateCustomerRequest{Name: &os.Args[1]}); err != nil {
		panic(err)
	}
}
