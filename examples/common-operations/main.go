// Command common-operations makes the calls of a merchant's daily work: it creates and voids bills,
// creates accounts, sets balances and paid amounts, looks up payments, and changes names and
// metadata. It needs no set-up, because it runs against a fake of the service in its own process.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "common-operations:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	srv := momenttest.NewServer()
	defer srv.Close()
	client := srv.Client() // in production: moment.NewClientFromEnv()

	// A customer with a bill and no account, in one call.
	order, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "Jane Roe", Currency: moment.ZAR},
		ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 5000, // ZAR 50.00
		Metadata: map[string]string{"order_id": "ord_789012"},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Raised: ", order.ExternalReference, "of", order.DueMoney())

	// A customer with two accounts. The first call creates the customer too, the second names it.
	primary, err := client.Accounts.Ensure(ctx, moment.AccountCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "UCR2", Name: "Richard Roe"},
		ExternalReference: "UAR1", Name: "Primary Account", Currency: moment.ZAR, Balance: moment.MinorUnits(5000),
	})
	if err != nil {
		return err
	}
	secondary, err := client.Accounts.Ensure(ctx, moment.AccountCreateParams{
		Customer:          moment.ExistingCustomer(primary.CustomerID),
		ExternalReference: "UAR2", Name: "Secondary Account", Currency: moment.ZAR, Balance: moment.MinorUnits(2000),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Opened: ", primary.Name, owes(primary.BalanceMoney()), "and", secondary.Name, owes(secondary.BalanceMoney()))

	// A customer with an account that has a bill, in one call.
	bill, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
		Account: moment.AccountCreateParams{
			Customer: moment.CustomerCreateParams{
				ExternalReference: "UCR1234567890", Name: "John Doe", Email: "john.doe@example.com", Currency: moment.ZAR,
			},
			ExternalReference: "UAR1234567890", Name: "Subscription Account", Currency: moment.ZAR,
		},
		ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000,
		BillDate: moment.NewDate(2025, time.January, 1), DueDate: moment.NewDate(2025, time.January, 31),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Raised: ", bill.ExternalReference, "of", bill.DueMoney(), "by", bill.DueDate)

	// New balances of a customer and an account, and the amounts paid of bills by other means. Each
	// replaces the old amount.
	customer, err := client.Customers.Update(ctx, bill.CustomerID, moment.CustomerUpdateParams{Balance: moment.MinorUnits(5000)})
	if err != nil {
		return err
	}
	account, err := client.Accounts.Update(ctx, bill.AccountID, moment.AccountUpdateParams{Balance: moment.MinorUnits(10000)})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Set:    ", customer.Name, owes(customer.BalanceMoney()), "and", account.Name, owes(account.BalanceMoney()))
	for _, payment := range []struct {
		bill   string
		amount moment.Amount
	}{{bill.ID, 1500}, {order.ID, 5000}} {
		paid, err := client.Bills.Update(ctx, payment.bill, moment.BillUpdateParams{AmountPaid: &payment.amount})
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "Paid:   ", paid.PaidMoney(), "of", paid.DueMoney(), "-", paid.RemainingMoney(), "remaining, now", paid.Status)
	}

	// How a payment was made. The event has its id. Here, the event was stored before.
	delivery, err := srv.Pay(ctx, momenttest.Payment{Bill: bill.ID, Amount: 500})
	if err != nil {
		return err
	}
	var event struct {
		Data moment.AmountApplied `json:"data"`
	}
	if err := json.Unmarshal(delivery.Body, &event); err != nil { // in production, Event.Raw
		return err
	}
	payment, err := client.Payments.Get(ctx, event.Data.PaymentID)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "By:     ", payment.Money(), payment.Status, "by", payment.Method.Type, how(payment.Method))

	// A new name, and metadata of a bill, which is merged into the existing metadata.
	customer, err = client.Customers.Update(ctx, order.CustomerID, moment.CustomerUpdateParams{Name: moment.Ptr("Jane Smith")})
	if err != nil {
		return err
	}
	order, err = client.Bills.Update(ctx, order.ID, moment.BillUpdateParams{Metadata: map[string]string{"branch": "Cape Town"}})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Changed:", customer.Name, order.Metadata)

	// A bill that was created by mistake is voided permanently.
	mistake, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
		Account: moment.ExistingAccount(secondary.ID), ExternalReference: "UBR2", Currency: moment.ZAR, AmountDue: 2000,
	})
	if err != nil {
		return err
	}
	mistake, err = client.Bills.Void(ctx, mistake.ID)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Voided: ", mistake.ExternalReference, "is", mistake.Status)
	return nil
}

// owes formats a balance. It ignores the bool, because the balance was set before.
func owes(balance moment.Money, _ bool) string { return "owes " + balance.String() }

// how describes a payment method: the scheme and last digits of a card, and the JSON of any other
// kind.
func how(m moment.PaymentMethod) string {
	if m.Card != nil {
		return m.Card.Scheme + " " + m.Card.Last4
	}
	return string(m.Raw)
}
