package moment_test

import (
	"context"
	"fmt"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// A job that runs again derives the same keys, so it does not apply its calls twice.
func ExampleWithIdempotencyKey() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()

	for range 2 {
		key := moment.DeriveIdempotencyKey("create customer", "UCR1234567890", "John Doe")
		var response moment.Response
		_, err := client.Customers.Create(ctx,
			moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"},
			moment.WithIdempotencyKey(key), moment.WithResponse(&response))
		fmt.Println(err, response.StatusCode, "replayed:", response.Replayed)
	}
	// Output:
	// <nil> 201 replayed: false
	// <nil> 201 replayed: true
}

// The key depends on the operation, the reference and the content, so a corrected call has another
// key.
func ExampleDeriveIdempotencyKey() {
	first := moment.DeriveIdempotencyKey("create bill", "UBR1234567890", "ZAR 20.00")
	again := moment.DeriveIdempotencyKey("create bill", "UBR1234567890", "ZAR 20.00")
	corrected := moment.DeriveIdempotencyKey("create bill", "UBR1234567890", "ZAR 25.00")
	fmt.Println(first)
	fmt.Println(first == again, first == corrected)
	// Output:
	// 6a40c877-b11d-4767-86f3-1684de991156
	// true false
}
