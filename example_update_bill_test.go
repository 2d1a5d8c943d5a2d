package moment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// AmountPaid replaces the old amount, and the service calculates the remaining amount. Metadata is
// merged.
func ExampleBillsService_Update() {
	ctx := context.Background()
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client()
	_, err := client.Bills.Create(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1234567890"},
		ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000,
		Metadata: map[string]string{"order_id": "ord_789012"},
	})
	if err != nil {
		log.Fatal(err)
	}

	for _, paid := range []int64{1500, 2000} {
		bill, err := client.Bills.Update(ctx, "UBR1234567890", moment.BillUpdateParams{
			AmountPaid: moment.MinorUnits(paid),
			Metadata:   map[string]string{"paid_at": "till 3"},
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(bill.Status, bill.RemainingMoney(), "remaining", bill.Metadata)
	}
	// Output:
	// unpaid ZAR 5.00 remaining map[order_id:ord_789012 paid_at:till 3]
	// paid ZAR 0.00 remaining map[order_id:ord_789012 paid_at:till 3]
}
