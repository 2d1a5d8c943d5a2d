package moment_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/jarcoal/httpmock"

	"github.com/moment-billing/moment-go"
)

// An error of a mock is the service's own only if it is a problem details object whose type is on
// one of Moment's domains.
func Example_httpmockError() {
	httpClient := &http.Client{}
	httpmock.ActivateNonDefault(httpClient)
	defer httpmock.DeactivateAndReset()
	httpmock.RegisterResponder(http.MethodGet, "https://api.momentpay.net/billing/customers/UCR1234567890",
		httpmock.NewStringResponder(http.StatusNotFound,
			`{"type": "https://api.momentco.io/docs/errors#not-found", "title": "Not Found", "status": 404, "detail": "There is no such customer."}`).
			HeaderSet(http.Header{"Content-Type": {"application/problem+json"}}))
	httpmock.RegisterResponder(http.MethodGet, "https://api.momentpay.net/billing/customers/UCR2",
		httpmock.NewStringResponder(http.StatusNotFound, `{"error": "not found"}`))

	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithHTTPClient(httpClient))
	if err != nil {
		log.Fatal(err)
	}
	for _, reference := range []string{"UCR1234567890", "UCR2"} {
		_, err := client.Customers.Get(context.Background(), reference)
		var failure *moment.Error
		if errors.As(err, &failure) {
			fmt.Println(failure.FromService, failure)
		}
	}
	// Output:
	// true moment: get customer: 404 Not Found: There is no such customer.
	// false moment: get customer: 404 Not Found; not the service's own response (a gateway or a mock?)
}
