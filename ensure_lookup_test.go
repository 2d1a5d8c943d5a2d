package moment_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
	"github.com/moment-billing/moment-go/momenttest"
)

// The fake creates the parts before the part that conflicts, because Moment does not document that
// a create of several objects is atomic.
func TestEnsureNamesWhatExists(t *testing.T) {
	customer := moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "John Doe"}
	account := moment.AccountCreateParams{Customer: customer, ExternalReference: "UAR1"}
	bill := moment.BillCreateParams{Account: account, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000}
	for _, row := range []struct {
		why     string
		exists  []any // params of the existing objects
		differs []string
	}{
		{why: "nothing exists"},
		{why: "the customer exists", exists: []any{customer}},
		{why: "the account exists", exists: []any{account}},
		{why: "the bill exists", exists: []any{bill}},
		{why: "the customer exists with another name", exists: []any{moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "Jane Roe"}}, differs: []string{"account.customer.name"}},
		{
			why:     "the account is another customer's",
			exists:  []any{moment.AccountCreateParams{Customer: moment.CustomerCreateParams{ExternalReference: "UCR2"}, ExternalReference: "UAR1"}},
			differs: []string{"account.customer"},
		},
		{
			why:     "the account has another customer, and its own exists",
			exists:  []any{customer, moment.AccountCreateParams{Customer: moment.CustomerCreateParams{ExternalReference: "UCR2"}, ExternalReference: "UAR1"}},
			differs: []string{"account.customer"},
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := momenttest.NewServer()
			t.Cleanup(srv.Close)
			client := srv.Client()
			for _, params := range row.exists {
				var err error
				switch p := params.(type) {
				case moment.CustomerCreateParams:
					_, err = client.Customers.Create(t.Context(), p)
				case moment.AccountCreateParams:
					_, err = client.Accounts.Create(t.Context(), p)
				case moment.BillCreateParams:
					_, err = client.Bills.Create(t.Context(), p)
				}
				require.NoError(t, err)
			}
			for range 3 { // the second and third time, the service has saved the conflicts
				got, err := client.Bills.Ensure(t.Context(), bill, moment.WithIdempotencyKey("first"))
				if row.differs != nil {
					var mismatch *moment.MismatchError
					require.ErrorAs(t, err, &mismatch)
					assert.Equal(t, row.differs, mismatch.Differences)
					assert.Empty(t, srv.State().Bills)
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, "UBR1", got.ExternalReference)
				assert.Len(t, srv.State().Customers, 1)
				assert.Len(t, srv.State().Accounts, 1)
				assert.Len(t, srv.State().Bills, 1)
			}
			assert.Equal(t, moment.AccountCreateParams{Customer: customer, ExternalReference: "UAR1"}, bill.Account, "the caller's params are not changed")
		})
	}
}

// Ensure does not change the caller's params, even behind pointers.
func TestEnsureLeavesParamsAlone(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	client := srv.Client()
	customer := moment.CustomerCreateParams{ExternalReference: "UCR1"}
	_, err := client.Customers.Create(t.Context(), customer)
	require.NoError(t, err)
	account := &moment.AccountCreateParams{Customer: &customer, ExternalReference: "UAR1"}
	_, err = client.Bills.Ensure(t.Context(), moment.BillCreateParams{Account: account, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 1})
	require.NoError(t, err)
	assert.Same(t, &customer, account.Customer)
}

// The key of a create that names existing objects depends on their ids, because the service rejects
// a key that was used with another body.
func TestEnsureKeysDependOnTheNames(t *testing.T) {
	s := testkit.Serve(t,
		testkit.Problem(409, testkit.Replayed), testkit.Problem(404), testkit.Respond(200, testkit.CustomerJSON),
		testkit.Respond(201, testkit.AccountJSON))
	_, err := clientOf(t, s).Accounts.Ensure(t.Context(), moment.AccountCreateParams{
		Customer: moment.CustomerCreateParams{ExternalReference: "UCR1234567890"}, ExternalReference: "UAR1234567890",
	}, moment.WithIdempotencyKey("first"))
	require.NoError(t, err)
	assert.Equal(t, []string{"POST 1 /accounts", "GET /accounts/UAR1234567890", "GET /customers/UCR1234567890", "POST 2 named /accounts"},
		ensureLog(s, "bcus_H4jp6KnU5cPw263v1jyz4"))
	assert.JSONEq(t, `{"customer":"bcus_H4jp6KnU5cPw263v1jyz4","external_reference":"UAR1234567890"}`, s.Received()[3].Body)
}

// While an earlier create may be in flight, nothing is created under another key.
func TestEnsureNamesNothingWhileACreateIsInFlight(t *testing.T) {
	conflict := testkit.Problem(409)
	s := testkit.Serve(t, conflict, testkit.Problem(404), conflict, conflict, conflict, conflict, testkit.Problem(404))
	_, err := clientOf(t, s).Accounts.Ensure(t.Context(), moment.AccountCreateParams{
		Customer: moment.CustomerCreateParams{ExternalReference: "UCR1"}, ExternalReference: "UAR1",
	}, moment.WithIdempotencyKey("first"))
	require.ErrorIs(t, err, moment.ErrOutcomeUnknown)
	assert.Len(t, s.Received(), 7)
}

// A conflict of a customer that does not exist has no explanation.
func TestEnsureConflictWithoutAnObject(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(409), testkit.Problem(404))
	_, err := clientOf(t, s).Customers.Ensure(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1"})
	require.ErrorIs(t, err, moment.ErrConflict)
	require.NotErrorIs(t, err, moment.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, moment.ErrNotFound)
	assert.Len(t, s.Received(), 2)
}

// If the lookup of a customer or an account fails, the error says so.
func TestEnsureLookupFails(t *testing.T) {
	inline := moment.AccountCreateParams{Customer: moment.CustomerCreateParams{ExternalReference: "UCR1"}, ExternalReference: "UAR1"}
	for why, row := range map[string]struct {
		account moment.AccountRef
		script  []testkit.Reply
		op      string
	}{
		"comparing a bill":            {moment.ExistingAccount("UAR1"), []testkit.Reply{testkit.Problem(409), testkit.Respond(200, testkit.BillJSON), testkit.Gateway(404)}, "get account"},
		"comparing a bill's customer": {nil, []testkit.Reply{testkit.Problem(409), testkit.Respond(200, testkit.BillJSON), testkit.Problem(403)}, "get customer"},
		"comparing a bill's new account": {inline, []testkit.Reply{
			testkit.Problem(409), testkit.Respond(200, testkit.BillJSON), testkit.Respond(200, `{"id":"bacc_H4jp6KnU5cPw263v1jyz4","external_reference":"UAR1","customer_id":"bcus_1"}`), testkit.Problem(403),
		}, "get customer"},
		"naming a customer": {inline, []testkit.Reply{testkit.Problem(409, testkit.Replayed), testkit.Problem(404), testkit.Problem(401)}, "get customer"},
		"naming an account": {inline, []testkit.Reply{testkit.Problem(409, testkit.Replayed), testkit.Problem(404), testkit.Problem(404), testkit.Gateway(404)}, "get account"},
		"comparing the account to be named": {inline, []testkit.Reply{
			testkit.Problem(409, testkit.Replayed), testkit.Problem(404), testkit.Problem(404),
			testkit.Respond(200, `{"id":"bacc_1","external_reference":"UAR1","customer_id":"bcus_1"}`), testkit.Problem(401),
		}, "get customer"},
	} {
		s := testkit.Serve(t, row.script...)
		params := moment.BillCreateParams{Account: row.account, ExternalReference: "UBR1234567890", Currency: moment.ZAR, AmountDue: 2000}
		if row.account == nil {
			params.Customer = moment.ExistingCustomer("UCR1")
		}
		_, err := clientOf(t, s).Bills.Ensure(t.Context(), params, moment.WithIdempotencyKey("first"))
		require.ErrorContains(t, err, row.op, why)
		require.ErrorIs(t, err, moment.ErrConflict, why)
		assert.Len(t, s.Received(), len(row.script), why)
		assert.Equal(t, []string{"first"}, keysIn(err), why)
	}
}
