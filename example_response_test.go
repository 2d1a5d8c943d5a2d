package moment_test

import (
	"context"
	"fmt"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleWithResponse() {
	srv := momenttest.NewServer()
	defer srv.Close()

	var response moment.Response
	_, err := srv.Client().Customers.Get(context.Background(), "UCR1234567890", moment.WithResponse(&response))
	fmt.Println(err != nil, response.StatusCode, response.Header.Get("Content-Type"), response.Attempts)
	// Output: true 404 application/problem+json 1
}
