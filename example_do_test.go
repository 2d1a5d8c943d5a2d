package moment_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/moment-billing/moment-go/momenttest"
)

// An operation that has no method in this package yet.
func ExampleClient_Do() {
	srv := momenttest.NewServer()
	defer srv.Close()

	var customer struct {
		Name string `json:"name"`
	}
	err := srv.Client().Do(context.Background(), http.MethodPost, "/billing/customers",
		map[string]any{"external_reference": "UCR1234567890", "name": "John Doe"}, &customer)
	fmt.Println(customer.Name, err)
	// Output: John Doe <nil>
}
