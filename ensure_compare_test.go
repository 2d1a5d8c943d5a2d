package moment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/moment-billing/moment-go/momenttest"
)

// An existing object is the same if every field that params set is equal.
func TestEnsureCompares(t *testing.T) {
	customer := moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "John Doe", Currency: moment.ZAR, Metadata: map[string]string{"plan": "basic"}}
	account := moment.AccountCreateParams{Customer: moment.ExistingCustomer("UCR1"), ExternalReference: "UAR1", Name: "Water", Currency: moment.ZAR}
	bill := moment.BillCreateParams{
		Account: moment.ExistingAccount("UAR1"), ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000,
		BillDate: moment.NewDate(2025, time.January, 1), DueDate: moment.NewDate(2025, time.January, 31), Metadata: map[string]string{"meter": "1"},
	}
	onCustomer := bill
	onCustomer.Account, onCustomer.Customer, onCustomer.ExternalReference = nil, moment.ExistingCustomer("UCR1"), "UBR2"
	other := moment.CustomerCreateParams{ExternalReference: "UCR2"}
	otherAccount := moment.AccountCreateParams{Customer: moment.ExistingCustomer("UCR2"), ExternalReference: "UAR2"}

	ensureCustomer := func(change func(*moment.CustomerCreateParams)) func(*moment.Client) error {
		return func(c *moment.Client) error {
			p := customer
			change(&p)
			_, err := c.Customers.Ensure(t.Context(), p)
			return err
		}
	}
	ensureAccount := func(change func(*moment.AccountCreateParams)) func(*moment.Client) error {
		return func(c *moment.Client) error {
			p := account
			change(&p)
			_, err := c.Accounts.Ensure(t.Context(), p)
			return err
		}
	}
	ensureBill := func(p moment.BillCreateParams, change func(*moment.BillCreateParams)) func(*moment.Client) error {
		return func(c *moment.Client) error {
			change(&p)
			_, err := c.Bills.Ensure(t.Context(), p)
			return err
		}
	}
	for _, row := range []struct {
		why      string
		ensure   func(*moment.Client) error
		differs  []string
		requests int
	}{
		{"the same customer", ensureCustomer(func(*moment.CustomerCreateParams) {}), nil, 2},
		{"fields that are not set are not compared", ensureCustomer(func(p *moment.CustomerCreateParams) { p.Name, p.Currency, p.Metadata = "", "", nil }), nil, 2},
		{"payments change the balance", ensureCustomer(func(p *moment.CustomerCreateParams) { p.Balance = moment.MinorUnits(1) }), nil, 2},
		{"updates add metadata", ensureCustomer(func(p *moment.CustomerCreateParams) { p.Metadata = map[string]string{} }), nil, 2},
		{"another name", ensureCustomer(func(p *moment.CustomerCreateParams) { p.Name = "Jane Roe" }), []string{"name"}, 2},
		{"another value in metadata", ensureCustomer(func(p *moment.CustomerCreateParams) { p.Metadata = map[string]string{"plan": "gold"} }), []string{"metadata"}, 2},
		{"an e-mail address that the customer does not have", ensureCustomer(func(p *moment.CustomerCreateParams) { p.Email = "john.doe@example.com" }), []string{"email"}, 2},
		{"a phone number and another currency", ensureCustomer(func(p *moment.CustomerCreateParams) { p.Phone, p.Currency = "+27123456789", moment.USD }), []string{"phone", "currency"}, 2},

		{"the same account: one get resolves the customer's reference", ensureAccount(func(*moment.AccountCreateParams) {}), nil, 3},
		{"another customer", ensureAccount(func(p *moment.AccountCreateParams) { p.Customer = moment.ExistingCustomer("UCR2") }), []string{"customer"}, 3},
		{"a customer in params that did not exist", ensureAccount(func(p *moment.AccountCreateParams) {
			p.Customer = moment.CustomerCreateParams{ExternalReference: "UCR3"}
		}), []string{"customer"}, 3},
		{"a customer that does not exist", ensureBill(bill, func(p *moment.BillCreateParams) {
			p.Account = moment.AccountCreateParams{Customer: moment.ExistingCustomer("UCR3"), ExternalReference: "UAR1"}
		}), nil, 1},
		{"the same customer, which may have been updated since", ensureAccount(func(p *moment.AccountCreateParams) {
			p.Customer = moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "Jane Roe"}
		}), nil, 3},
		{"another name and currency", ensureAccount(func(p *moment.AccountCreateParams) { p.Name, p.Currency = "Gas", moment.USD }), []string{"name", "currency"}, 3},

		{"the same bill: one get resolves the account's reference", ensureBill(bill, func(*moment.BillCreateParams) {}), nil, 3},
		{"the same bill of a customer", ensureBill(onCustomer, func(*moment.BillCreateParams) {}), nil, 3},
		{"dates that are not set are not compared, nor is metadata", ensureBill(bill, func(p *moment.BillCreateParams) {
			p.BillDate, p.DueDate, p.Metadata = moment.Date{}, moment.Date{}, map[string]string{"meter": "2"}
		}), nil, 3},
		{"another amount", ensureBill(bill, func(p *moment.BillCreateParams) { p.AmountDue = 2001 }), []string{"amount_due"}, 3},
		{"other dates", ensureBill(bill, func(p *moment.BillCreateParams) {
			p.BillDate, p.DueDate = p.DueDate, moment.NewDate(2025, time.February, 1)
		}), []string{"bill_date", "due_date"}, 3},
		{"another currency", ensureBill(bill, func(p *moment.BillCreateParams) { p.Currency = moment.USD }), []string{"currency"}, 3},
		{"another account", ensureBill(bill, func(p *moment.BillCreateParams) { p.Account = moment.ExistingAccount("UAR2") }), []string{"account"}, 3},
		{"the account under another customer", ensureBill(bill, func(p *moment.BillCreateParams) {
			p.Account = moment.AccountCreateParams{Customer: moment.ExistingCustomer("UCR2"), ExternalReference: "UAR1"}
		}), []string{"account.customer"}, 4},
		{"the same account and customer, which may have been updated since", ensureBill(bill, func(p *moment.BillCreateParams) {
			p.Account = &moment.AccountCreateParams{Customer: &moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "J"}, ExternalReference: "UAR1", Name: "W"}
		}), nil, 4},
		{"the customer's, and the bill is an account's", ensureBill(bill, func(p *moment.BillCreateParams) {
			p.Account, p.Customer = nil, moment.ExistingCustomer("UCR1")
		}), []string{"account"}, 3},
		{"another customer of the bill", ensureBill(onCustomer, func(p *moment.BillCreateParams) {
			other := moment.ExistingCustomer("UCR2")
			p.Customer = &other
		}), []string{"customer"}, 3},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := momenttest.NewServer()
			t.Cleanup(srv.Close)
			client := srv.Client()
			for _, p := range []moment.CustomerCreateParams{customer, other} {
				_, err := client.Customers.Create(t.Context(), p)
				require.NoError(t, err)
			}
			for _, p := range []moment.AccountCreateParams{account, otherAccount} {
				_, err := client.Accounts.Create(t.Context(), p)
				require.NoError(t, err)
			}
			for _, p := range []moment.BillCreateParams{bill, onCustomer} {
				_, err := client.Bills.Create(t.Context(), p)
				require.NoError(t, err)
			}
			before, stored := len(srv.Requests()), srv.State()

			err := row.ensure(client)
			assert.Len(t, srv.Requests(), before+row.requests)
			assert.Equal(t, stored.Accounts, srv.State().Accounts)
			assert.Equal(t, stored.Bills, srv.State().Bills)
			if row.requests == 1 {
				require.ErrorIs(t, err, moment.ErrNotFound)
				return
			}
			if row.differs == nil {
				require.NoError(t, err)
				return
			}
			var mismatch *moment.MismatchError
			require.ErrorAs(t, err, &mismatch)
			assert.Equal(t, row.differs, mismatch.Differences)
		})
	}
}

// An optional member that could not be read is not compared.
func TestEnsureDoesNotCompareWhatCouldNotBeRead(t *testing.T) {
	for _, row := range []struct {
		why, dates string
		same       bool
	}{
		{"unexpected forms", `"bill_date":20250101,"due_date":"31 January 2025"`, true},
		{"no date is another date", `"bill_date":null`, false},
		{"read, and another date", `"bill_date":"2025-01-02","due_date":"2025-01-31"`, false},
	} {
		s := testkit.Serve(t, testkit.Problem(409), testkit.Respond(200, `{"id":"bill_1","external_reference":"UBR1","customer_id":"bcus_1",
			"status":"unpaid","currency":"ZAR","amount_due":2000,"amount_paid":0,"amount_remaining":2000,`+row.dates+`}`))
		_, err := clientOf(t, s).Bills.Ensure(t.Context(), moment.BillCreateParams{
			Customer: moment.ExistingCustomer("bcus_1"), ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000,
			BillDate: moment.NewDate(2025, time.January, 1), DueDate: moment.NewDate(2025, time.January, 31),
		})
		assert.Equal(t, row.same, err == nil, "%s: %v", row.why, err)
	}
	for metadata, same := range map[string]bool{`{"plan":1}`: true, `"basic"`: true, `{}`: false, `null`: false, `{"plan":"gold","n":1}`: false} {
		s := testkit.Serve(t, testkit.Problem(409), testkit.Respond(200, `{"id":"bcus_1","external_reference":"UCR1","metadata":`+metadata+`}`))
		_, err := clientOf(t, s).Customers.Ensure(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1", Metadata: map[string]string{"plan": "basic"}})
		assert.Equal(t, same, err == nil, "%s: %v", metadata, err)
	}
}
