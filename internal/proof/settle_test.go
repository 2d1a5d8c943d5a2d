package proof_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/moment-billing/moment-go/momenttest"
)

// raiseBill raises a bill for a customer, under a key that was stored with it. It may be called
// again with the same arguments at any time, after an error or when the program starts again, and
// settles what is unknown by then.
func raiseBill(ctx context.Context, client *moment.Client, customerID string, params moment.BillCreateParams, key string) (*moment.Bill, error) {
	params.Customer = moment.ExistingCustomer(customerID)
	bill, err := client.Bills.Create(ctx, params, moment.WithIdempotencyKey(key))
	var failure *moment.Error
	if !errors.As(err, &failure) || !failure.Replayed {
		return bill, err
	}
	// The service saved a failure under the key: perhaps that the reference is taken, by an earlier
	// call of this function whose key it has forgotten, or by another bill.
	bill, err = client.Bills.Get(ctx, params.ExternalReference)
	switch {
	case errors.Is(err, moment.ErrNotFound) && errors.As(err, &failure) && failure.FromService: // a gateway's 404 says nothing
		// A new key, because the service returns the old failure under the old one for 24 hours.
		// The reference is unique, which guards against a second bill.
		return client.Bills.Create(ctx, params)
	case err != nil:
		return nil, err
	case bill.CustomerID != customerID, bill.AmountDue != params.AmountDue, bill.Currency != params.Currency,
		bill.DueDate != params.DueDate, bill.Status == moment.BillStatusVoided:
		return nil, fmt.Errorf("%s is the reference of another bill", params.ExternalReference)
	}
	return bill, nil
}

// The README's raiseBill is the one that the proofs use.
func TestRaiseBillIsTheDocumentedOne(t *testing.T) {
	needsTheRepository(t)
	_, function, found := strings.Cut(sources(t, "internal/proof/settle_test.go"), "\nfunc raiseBill(")
	require.True(t, found)
	function, _, _ = strings.Cut(function, "\n}\n")
	assert.Contains(t, sources(t, "README.md"), "\nfunc raiseBill("+function+"\n}\n")
}

// While an earlier call holds the key, nothing is done under another one.
func TestRaiseBillWaitsForACallThatRuns(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(409))
	_, err := raiseBill(t.Context(), clientOf(t, s), "bcus_1", moment.BillCreateParams{ExternalReference: "UBR1"}, "key-1")
	require.ErrorIs(t, err, moment.ErrOutcomeUnknown)
	require.Len(t, s.Received(), 4)
	for _, r := range s.Received() {
		assert.Equal(t, "key-1", r.Header.Get("Idempotency-Key"))
	}
}

// raiseBill is what the README tells merchants to write, so it must be right: called again until it
// has an answer, it ends with exactly the bill that was asked for, or with an error.
func TestRaiseBillSettlesWhateverHappened(t *testing.T) {
	params := moment.BillCreateParams{ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000}
	other := func(change func(*moment.BillCreateParams)) func(t *testing.T, c *moment.Client, customer string) {
		return func(t *testing.T, c *moment.Client, customer string) {
			t.Helper()
			p := params
			p.Customer = moment.ExistingCustomer(customer)
			change(&p)
			_, err := c.Bills.Create(t.Context(), p)
			require.NoError(t, err)
		}
	}
	for _, row := range []struct {
		why    string
		before func(t *testing.T, c *moment.Client, customer string)
		lost   int
		says   string // the error; empty for a bill
	}{
		{why: "nothing happened"},
		{why: "every answer of one call is lost", lost: 4},
		{why: "every answer of two calls is lost", lost: 8},
		{why: "the bill was raised under another key, by a run whose key was lost", before: other(func(*moment.BillCreateParams) {})},
		{
			why: "the key's first answer was a failure that is mended now",
			before: func(t *testing.T, c *moment.Client, _ string) {
				t.Helper()
				p := params
				p.Customer = moment.ExistingCustomer("nobody")
				_, err := c.Bills.Create(t.Context(), p, moment.WithIdempotencyKey("key-1"))
				require.ErrorIs(t, err, moment.ErrNotFound)
			},
			says: "422", // another body under the key: the service does not even look
		},
		{why: "the reference is another amount's", before: other(func(p *moment.BillCreateParams) { p.AmountDue = 1 }), says: "UBR1 is the reference of another bill"},
		{why: "the reference is another currency's", before: other(func(p *moment.BillCreateParams) { p.Currency = moment.USD }), says: "UBR1 is the reference of another bill"},
		{why: "the reference is another due date's", before: other(func(p *moment.BillCreateParams) { p.DueDate = moment.NewDate(2030, 1, 1) }), says: "UBR1 is the reference of another bill"},
		{
			why: "the reference is another customer's", before: other(func(p *moment.BillCreateParams) {
				p.Customer = moment.CustomerCreateParams{ExternalReference: "UCR2"}
			}), says: "UBR1 is the reference of another bill",
		},
		{
			why: "the bill was voided", before: func(t *testing.T, c *moment.Client, customer string) {
				t.Helper()
				other(func(*moment.BillCreateParams) {})(t, c, customer)
				_, err := c.Bills.Void(t.Context(), "UBR1")
				require.NoError(t, err)
			}, says: "UBR1 is the reference of another bill",
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := momenttest.NewServer()
			t.Cleanup(srv.Close)
			client := srv.Client()
			customer, err := client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1"})
			require.NoError(t, err)
			if row.before != nil {
				row.before(t, client, customer.ID)
			}
			if row.lost > 0 {
				srv.Fail(momenttest.DropAfterCommit().Times(row.lost))
			}

			bill, err := raiseBill(t.Context(), client, customer.ID, params, "key-1")
			for range row.lost / 4 {
				require.ErrorIs(t, err, moment.ErrOutcomeUnknown)
				bill, err = raiseBill(t.Context(), client, customer.ID, params, "key-1")
			}
			if row.says != "" {
				assert.ErrorContains(t, err, row.says)
				assert.Nil(t, bill)
				return
			}
			require.NoError(t, err)
			held, err := client.Bills.Get(t.Context(), "UBR1")
			require.NoError(t, err)
			assert.Equal(t, held, bill)
		})
	}
}

// The table of docs/testing.md tells merchants what a call makes of each fault.
func TestTableOfTheTestingGuide(t *testing.T) {
	ends := func(applied bool, err error) string {
		text := "applied"
		if !applied {
			text = "not applied"
		}
		switch {
		case errors.Is(err, moment.ErrOutcomeUnknown):
			return text + ", outcome unknown"
		case !errors.Is(err, moment.ErrRateLimited):
			require.NoError(t, err)
		}
		return text
	}
	for fault, f := range map[string]momenttest.Fault{
		"Status(503)": momenttest.Status(503), "RateLimit(d)": momenttest.RateLimit(0), "RateLimit(d)`, longer": momenttest.RateLimit(31 * time.Second), "ServiceError(500)": momenttest.ServiceError(500),
		"DropBeforeCommit()": momenttest.DropBeforeCommit(), "DropAfterCommit()": momenttest.DropAfterCommit(),
		"Truncate()": momenttest.Truncate(), "Delay(d)": momenttest.Delay(time.Minute),
	} {
		patience := time.Minute
		if fault == "Delay(d)" {
			patience = 100 * time.Millisecond
		}
		srv := momenttest.NewServer()
		client := srv.Client(moment.WithAttemptTimeout(patience))
		srv.Fail(f)
		_, err := client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1"})
		create := ends(len(srv.State().Customers) == 1, err)
		require.NoError(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "UCR2"}}}))
		srv.Fail(f)
		_, err = client.Customers.Update(t.Context(), "UCR2", moment.CustomerUpdateParams{Name: moment.Ptr("John Doe")})
		customers := srv.State().Customers
		update := ends(customers[len(customers)-1].Name != "", err)
		if fault == "Delay(d)" { // which Close ends, and time would
			create, update = strings.Replace(create, "not", "not yet", 1), strings.Replace(update, "not", "not yet", 1)
		}
		srv.Close()
		if !strings.Contains(fault, "`") {
			fault += "`"
		}
		assert.Regexp(t, "(?m)^"+regexp.QuoteMeta("| `"+fault+" |")+"[^|]*"+regexp.QuoteMeta("| "+create+" | "+update+" |")+"$", sources(t, "docs/testing.md"))
	}
}
