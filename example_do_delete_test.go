package moment_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/moment-billing/moment-go"
)

// Only Moment's changelog mentions the deletion of a payment request, so this package has no method
// for it. With an idempotency key, Do retries it like a create.
func ExampleClient_Do_delete() {
	attempts := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attempts++
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Idempotency-Key") != "")
		if attempts == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer service.Close()
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithBaseURL(service.URL), moment.WithBackoff(0, 0))
	if err != nil {
		log.Fatal(err)
	}

	const id = "pr_H4jp6KnU5cPw263v1jyz4"
	err = client.Do(context.Background(), http.MethodDelete, "/collect/payment_requests/"+url.PathEscape(id), nil, nil,
		moment.WithIdempotencyKey(moment.DeriveIdempotencyKey("delete payment request", id)))
	fmt.Println(err)
	// Output:
	// DELETE /collect/payment_requests/pr_H4jp6KnU5cPw263v1jyz4 true
	// DELETE /collect/payment_requests/pr_H4jp6KnU5cPw263v1jyz4 true
	// <nil>
}
