package moment_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/jarcoal/httpmock"

	"github.com/moment-billing/moment-go"
)

// A test that needs only one canned response can use httpmock. Activate it on the http.Client
// before NewClient, because NewClient reads the Transport.
func Example_httpmock() {
	httpClient := &http.Client{}
	httpmock.ActivateNonDefault(httpClient)
	defer httpmock.DeactivateAndReset()
	httpmock.RegisterResponder(http.MethodGet, "https://api.momentpay.net/billing/customers/UCR1234567890",
		httpmock.NewStringResponder(http.StatusOK, `{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe"}`))

	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithHTTPClient(httpClient))
	if err != nil {
		log.Fatal(err)
	}
	customer, err := client.Customers.Get(context.Background(), "UCR1234567890")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(customer.Name)
	// Output: John Doe
}
