package moment_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
)

// A job queue stores params as JSON. The request has the same JSON.
func ExampleBillCreateParams_UnmarshalJSON() {
	job, err := json.Marshal(moment.BillCreateParams{
		Customer:          moment.ExistingCustomer("UCR1234567890"),
		ExternalReference: "UBR1234567890",
		Currency:          moment.ZAR,
		AmountDue:         2000, // ZAR 20.00
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(job))

	var params moment.BillCreateParams
	if err := json.Unmarshal(job, &params); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%T %v\n", params.Customer, params.Customer)
	// Output:
	// {"customer":"UCR1234567890","external_reference":"UBR1234567890","currency":"ZAR","amount_due":2000}
	// moment.ExistingCustomer UCR1234567890
}
