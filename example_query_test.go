package moment_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/moment-billing/moment-go"
)

// The query of a list, which a later version of the service may offer.
func ExampleWithQuery() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.URL)
		fmt.Fprint(w, `{"data": []}`)
	}))
	defer service.Close()
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithBaseURL(service.URL))
	if err != nil {
		log.Fatal(err)
	}

	query := struct {
		Status string `url:"status"`
		Limit  int    `url:"limit,omitempty"`
	}{Status: "unpaid"}
	var page struct {
		Data []moment.Bill `json:"data"`
	}
	err = client.Do(context.Background(), http.MethodGet, "/billing/bills", nil, &page, moment.WithQuery(query))
	fmt.Println(len(page.Data), err)
	// Output:
	// /billing/bills?status=unpaid
	// 0 <nil>
}
