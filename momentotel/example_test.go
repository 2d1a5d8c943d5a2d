package momentotel_test

import (
	"context"
	"fmt"
	"log"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momentotel"
	"github.com/moment-billing/moment-go/momenttest"
)

// A call with a retry has one span.
func Example() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))

	client := srv.Client(momentotel.ObserveCalls(momentotel.WithTracerProvider(provider)))
	srv.Fail(momenttest.DropAfterCommit())
	_, err := client.Customers.Create(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1234567890", Name: "John Doe"})
	if err != nil {
		log.Fatal(err)
	}

	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name)
		for _, a := range span.Attributes {
			if a.Key != "moment.wait" { // because it is random
				fmt.Printf("  %s = %s\n", a.Key, a.Value)
			}
		}
	}
	// Output:
	// moment create customer
	//   moment.operation = create customer
	//   moment.mode = test
	//   http.request.method = POST
	//   url.template = /billing/customers
	//   http.response.status_code = 201
	//   http.request.resend_count = 1
	//   moment.replayed = true
}
