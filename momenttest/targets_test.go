package momenttest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestTargets(t *testing.T) {
	srv := newServer(t)
	rules := &moment.PaymentRules{UnderpaymentAllowed: true}
	require.NoError(t, srv.Seed(momenttest.State{
		Customers:       []moment.Customer{{ID: "bcus_1", ExternalReference: "shared", Currency: moment.ZAR, Balance: moment.MinorUnits(500)}},
		Accounts:        []moment.Account{{ID: "bacc_1", ExternalReference: "shared", CustomerID: "bcus_1"}},
		Bills:           []moment.Bill{{ID: "bill_1", ExternalReference: "bill-1", CustomerID: "bcus_1", Currency: moment.JPY, AmountDue: 20, AmountPaid: 5, PaymentRules: rules}},
		PaymentRequests: []moment.PaymentRequest{{ID: "pr_1", Amount: 30, Currency: moment.ZAR, ExternalReference: "shared"}},
	}))
	customer := momenttest.Target{Kind: "customer", ID: "bcus_1", Currency: moment.ZAR, Owed: moment.MinorUnits(500)}
	request := momenttest.Target{Kind: "payment request", ID: "pr_1", Currency: moment.ZAR, Owed: moment.MinorUnits(30)}
	require.Empty(t, srv.Targets("none"))
	require.Equal(t, []momenttest.Target{customer, {Kind: "account", ID: "bacc_1"}}, srv.Targets("shared"), "a payment request is found by its id only")
	require.Equal(t, []momenttest.Target{customer}, srv.Targets("bcus_1"), "an id takes precedence over a reference")
	require.Equal(t, []momenttest.Target{{Kind: "bill", ID: "bill_1", Currency: moment.JPY, Owed: moment.MinorUnits(15)}}, srv.Targets("bill_1"))
	require.Equal(t, []momenttest.Target{request}, srv.Targets("pr_1"))
	for _, target := range []momenttest.Target{customer, request, srv.Targets("bill_1")[0]} {
		_, err := srv.Pay(t.Context(), target.Payment(*target.Owed))
		require.NoError(t, err, target.Kind)
	}
	require.Equal(t, moment.MinorUnits(0), srv.Targets("pr_1")[0].Owed, "it is paid")
	require.Equal(t, momenttest.Payment{Account: "bacc_1", Amount: 1}, srv.Targets("bacc_1")[0].Payment(1))
}
