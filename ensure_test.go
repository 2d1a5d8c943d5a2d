package moment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// The bill of the reference, as a merchant raises it on an existing account.
var ensureBill = moment.BillCreateParams{
	Account:           moment.ExistingAccount("bacc_H4jp6KnU5cPw263v1jyz4"),
	ExternalReference: "UBR1234567890",
	Currency:          moment.ZAR,
	AmountDue:         2000,
	DueDate:           moment.NewDate(2025, 1, 31),
}

// ensureLog describes what a service received: "POST 2 /billing/bills" is a create under the second
// key of an Ensure whose first key is "first".
func ensureLog(s *testkit.Service, named ...string) (log []string) {
	keys := map[string]string{"first": "1"}
	for n := 2; n < 12; n++ {
		parts := []string{"first", "ensure", strconv.Itoa(n)}
		keys[moment.DeriveIdempotencyKey(parts...)] = strconv.Itoa(n)
		if len(named) > 0 {
			keys[moment.DeriveIdempotencyKey(append(parts, named...)...)] = strconv.Itoa(n) + " named"
		}
	}
	for _, r := range s.Received() {
		path := strings.TrimPrefix(r.URI, testkit.BasePath+"/billing")
		if r.Method == http.MethodPost {
			path = keys[r.Header.Get("Idempotency-Key")] + " " + path
		}
		log = append(log, r.Method+" "+path)
	}
	return log
}

const (
	billLookup = "GET /bills/UBR1234567890"
	voidedBill = `{"id":"bill_1","external_reference":"UBR1234567890","customer_id":"bcus_1","account_id":"bacc_H4jp6KnU5cPw263v1jyz4",
		"status":"VOIDED","currency":"ZAR","amount_due":2000,"amount_paid":0,"amount_remaining":2000,"due_date":"2025-01-31"}`
	billWithAnotherReference = `{"id":"bill_1","external_reference":"UBR2","customer_id":"bcus_1","account_id":"bacc_H4jp6KnU5cPw263v1jyz4",
		"status":"unpaid","currency":"ZAR","amount_due":2000,"amount_paid":0,"amount_remaining":2000,"due_date":"2025-01-31"}`
)

func TestEnsure(t *testing.T) {
	found, absent := testkit.Respond(200, testkit.BillJSON), testkit.Problem(404)
	created := testkit.Respond(201, testkit.BillJSON)
	replayedSuccess := testkit.Respond(201, testkit.BillJSON, testkit.Replayed)
	replayed := func(status int) testkit.Reply { return testkit.Problem(status, testkit.Replayed) }
	const post = "POST 1 /bills"
	for _, row := range []struct {
		why    string
		random bool // the key is not the caller's
		script []testkit.Reply
		log    []string
		fails  []error // none for the bill
		not    error
		says   string
	}{
		{why: "it is created", script: []testkit.Reply{created}, log: []string{post}},
		{why: "a rejection is final", script: []testkit.Reply{testkit.Problem(400)}, log: []string{post}, fails: []error{moment.ErrBadRequest}, not: moment.ErrOutcomeUnknown},
		{why: "a replayed 400 is final, because the params are wrong under any key", script: []testkit.Reply{replayed(400)}, log: []string{post}, fails: []error{moment.ErrBadRequest}},
		{why: "a replayed 422 is final", script: []testkit.Reply{replayed(422)}, log: []string{post}, fails: []error{moment.ErrUnprocessable}},
		{why: "a 401 does not show whether the bill exists", script: []testkit.Reply{testkit.Problem(401)}, log: []string{post}, fails: []error{moment.ErrUnauthorized}, not: moment.ErrOutcomeUnknown},
		{
			why:    "a bill that was created under the key is read again, because it may have changed",
			script: []testkit.Reply{replayedSuccess, found}, log: []string{post, billLookup},
		},
		{
			why:    "it has been voided since",
			script: []testkit.Reply{replayedSuccess, testkit.Respond(200, voidedBill)}, log: []string{post, billLookup},
			fails: []error{moment.ErrConflict}, says: "differs in status",
		},
		{
			why:    "it cannot be read again",
			script: []testkit.Reply{replayedSuccess, testkit.Gateway(403)}, log: []string{post, billLookup},
			fails: []error{moment.ErrOutcomeUnknown}, not: moment.ErrForbidden, says: "it was created, but could not be read: get bill: 403 Forbidden",
		},
		{
			why:    "the bill exists: a 409 is not retried before the lookup",
			script: []testkit.Reply{testkit.Problem(409), found}, log: []string{post, billLookup},
		},
		{
			why: "under a random key too", random: true,
			script: []testkit.Reply{testkit.Problem(409), found}, log: []string{"POST  /bills", billLookup},
		},
		{
			why:    "a gateway's 409 leads to a lookup too",
			script: []testkit.Reply{testkit.Gateway(409), found}, log: []string{post, billLookup},
		},
		{
			why:    "the response was lost, and the bill exists",
			script: []testkit.Reply{testkit.HangUp, testkit.HangUp, testkit.HangUp, testkit.HangUp, found},
			log:    []string{post, post, post, post, billLookup},
		},
		{
			why:    "the response was lost, and the bill does not exist: no other key, because the request may be in flight",
			script: []testkit.Reply{testkit.HangUp, testkit.HangUp, testkit.HangUp, testkit.HangUp, absent},
			log:    []string{post, post, post, post, billLookup}, fails: []error{moment.ErrOutcomeUnknown}, not: moment.ErrNotFound,
		},
		{
			why:    "a gateway's 404 does not show that the bill is absent",
			script: []testkit.Reply{testkit.Problem(409), testkit.Gateway(404)}, log: []string{post, billLookup},
			fails: []error{moment.ErrOutcomeUnknown, moment.ErrConflict}, not: moment.ErrNotFound, says: "get bill",
		},
		{
			why:    "an earlier call is in flight: its key is retried as the table says, and then the bill is looked up once more",
			script: []testkit.Reply{testkit.Problem(409), absent, testkit.Problem(409), testkit.Problem(409), testkit.Problem(409), testkit.Problem(409), found},
			log:    []string{post, billLookup, post, post, post, post, billLookup},
		},
		{
			why:    "an earlier call may be in flight, and a 401 does not settle it",
			script: []testkit.Reply{testkit.Problem(409), absent, testkit.Problem(401), absent},
			log:    []string{post, billLookup, post, billLookup}, fails: []error{moment.ErrUnauthorized, moment.ErrOutcomeUnknown},
		},
		{
			why: "the first attempt may be in flight, and a limiter's response does not settle it", random: true,
			script: []testkit.Reply{testkit.HangUp, testkit.Problem(409), absent, testkit.Problem(429), testkit.Problem(429), testkit.Problem(429), testkit.Problem(429), absent},
			log:    []string{"POST  /bills", "POST  /bills", billLookup, "POST  /bills", "POST  /bills", "POST  /bills", "POST  /bills", billLookup},
			fails:  []error{moment.ErrRateLimited, moment.ErrOutcomeUnknown},
		},
		{
			why:    "a failure of this call is replayed to its retry: the next call makes the next attempt",
			script: []testkit.Reply{testkit.Problem(500), replayed(500), absent},
			log:    []string{post, post, billLookup}, fails: []error{moment.ErrServer, moment.ErrOutcomeUnknown},
		},
		{
			why:    "it is still in flight",
			script: []testkit.Reply{testkit.Problem(409), absent, testkit.Problem(409), testkit.Problem(409), testkit.Problem(409), testkit.Problem(409), absent},
			log:    []string{post, billLookup, post, post, post, post, billLookup}, fails: []error{moment.ErrConflict, moment.ErrOutcomeUnknown},
		},
		{
			why: "the first attempt is in flight, under a random key", random: true,
			script: []testkit.Reply{testkit.HangUp, testkit.Problem(409), absent, replayedSuccess, found},
			log:    []string{"POST  /bills", "POST  /bills", billLookup, "POST  /bills", billLookup},
		},
		{
			why: "the first attempt is still in flight", random: true,
			script: []testkit.Reply{testkit.HangUp, testkit.Problem(409), absent, testkit.Problem(409), replayedSuccess, found},
			log:    []string{"POST  /bills", "POST  /bills", billLookup, "POST  /bills", "POST  /bills", billLookup},
		},
		{
			why:    "it was created under the key, but the service does not find it",
			script: []testkit.Reply{replayedSuccess, absent}, log: []string{post, billLookup}, fails: []error{moment.ErrOutcomeUnknown}, not: moment.ErrNotFound, says: "get bill",
		},
		{
			why:    "a conflict under the second key leads to a lookup first, too",
			script: []testkit.Reply{testkit.Problem(409), absent, replayed(409), absent, testkit.Problem(409), found},
			log:    []string{post, billLookup, post, billLookup, "POST 2 /bills", billLookup},
		},
		{
			why:    "the first call ended in a conflict that no longer exists",
			script: []testkit.Reply{testkit.Problem(409), absent, replayed(409), absent, created},
			log:    []string{post, billLookup, post, billLookup, "POST 2 /bills"},
		},
		{
			why:    "a saved failure has ended: another key",
			script: []testkit.Reply{replayed(500), absent, created}, log: []string{post, billLookup, "POST 2 /bills"},
		},
		{
			why:    "a customer that appeared later",
			script: []testkit.Reply{replayed(404), absent, created}, log: []string{post, billLookup, "POST 2 /bills"},
		},
		{
			why:    "the second key has a saved failure too: one lookup is enough",
			script: []testkit.Reply{replayed(500), absent, replayed(503), replayed(402), created},
			log:    []string{post, billLookup, "POST 2 /bills", "POST 3 /bills", "POST 4 /bills"},
		},
		{
			why:    "the second key is unknown: no third",
			script: []testkit.Reply{replayed(500), absent, testkit.Gateway(502), testkit.Gateway(502), testkit.Gateway(502), testkit.Gateway(502), absent},
			log:    []string{post, billLookup, "POST 2 /bills", "POST 2 /bills", "POST 2 /bills", "POST 2 /bills", billLookup}, fails: []error{moment.ErrOutcomeUnknown},
		},
		{
			why:    "the second key is rejected",
			script: []testkit.Reply{replayed(500), absent, testkit.Problem(422)},
			log:    []string{post, billLookup, "POST 2 /bills"}, fails: []error{moment.ErrUnprocessable}, not: moment.ErrOutcomeUnknown,
		},
		{
			why:    "a redirect leaves the outcome unknown",
			script: []testkit.Reply{testkit.Respond(302, ""), found}, log: []string{post, billLookup},
		},
		{
			why:    "another object in the response",
			script: []testkit.Reply{testkit.Respond(201, testkit.CustomerJSON), found}, log: []string{post, billLookup},
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			s := testkit.Serve(t, row.script...)
			var resp moment.Response
			opts := []moment.RequestOption{moment.WithIdempotencyKey("first"), moment.WithResponse(&resp), moment.WithHeader("X-Trace", "1")}
			if row.random {
				opts = opts[1:]
			}
			bill, err := clientOf(t, s).Bills.Ensure(t.Context(), ensureBill, opts...)
			assert.Equal(t, row.log, ensureLog(s))
			for _, r := range s.Received() {
				assert.Equal(t, "1", r.Header.Get("X-Trace"), "options apply to every request")
			}
			if row.random {
				assert.Len(t, resp.IdempotencyKey, 36)
			} else {
				assert.Equal(t, "first", resp.IdempotencyKey)
			}
			if len(row.fails) == 0 {
				require.NoError(t, err)
				assert.Equal(t, "UBR1234567890", bill.ExternalReference)
				return
			}
			assert.Nil(t, bill)
			for _, target := range row.fails {
				require.ErrorIs(t, err, target)
			}
			if row.not != nil {
				require.NotErrorIs(t, err, row.not)
			}
			require.ErrorContains(t, err, row.says)
			assert.NotContains(t, err.Error(), "\n")
			for _, key := range keysIn(err) {
				assert.Equal(t, resp.IdempotencyKey, key)
			}
		})
	}
}

// keysIn returns the idempotency keys of all errors that err joins.
func keysIn(err error) (keys []string) {
	switch e := err.(type) {
	case *moment.Error:
		return []string{e.IdempotencyKey}
	case *moment.ConnectionError:
		return []string{e.IdempotencyKey}
	case *moment.MismatchError:
		return []string{e.IdempotencyKey}
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			keys = append(keys, keysIn(one)...)
		}
	}
	return keys
}

// Ensure does not look for the object after its context has ended.
func TestEnsureEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	s := testkit.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(errors.New("shutting down"))
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	_, err := clientOf(t, s).Bills.Ensure(ctx, ensureBill)
	require.ErrorIs(t, err, moment.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	require.NotContains(t, err.Error(), "get bill")
	assert.Len(t, s.Received(), 1)
}

// A bill whose id is the reference is another bill.
func TestEnsureFindsByReferenceOnly(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(409), testkit.Respond(200, billWithAnotherReference))
	p := ensureBill
	p.ExternalReference = "bill_1"
	_, err := clientOf(t, s).Bills.Ensure(t.Context(), p)
	require.ErrorContains(t, err, "external_reference is not the requested one")
	require.ErrorIs(t, err, moment.ErrConflict)
}

// One call tries at most 32 keys.
func TestEnsureTriesSoManyKeys(t *testing.T) {
	failed := testkit.Problem(404, testkit.Replayed)
	s := testkit.Serve(t, failed, testkit.Problem(404), failed)
	_, err := clientOf(t, s).Bills.Ensure(t.Context(), ensureBill)
	require.ErrorIs(t, err, moment.ErrNotFound)
	assert.Len(t, s.Received(), 33)
}

func TestEnsureChecksItsArguments(t *testing.T) {
	c := testkit.Serve(t, testkit.Problem(500))
	client := clientOf(t, c)
	ctx := t.Context()
	for param, call := range map[string]func() error{
		"external_reference": func() error {
			_, err := client.Bills.Ensure(ctx, moment.BillCreateParams{Customer: moment.ExistingCustomer("UCR1"), ExternalReference: "a/b"})
			return err
		},
		"customer": func() error {
			_, err := client.Bills.Ensure(ctx, moment.BillCreateParams{Customer: moment.ExistingCustomer("a%2fb"), ExternalReference: "UBR1"})
			return err
		},
		"account": func() error {
			_, err := client.Bills.Ensure(ctx, moment.BillCreateParams{Account: moment.ExistingAccount(".."), ExternalReference: "UBR1"})
			return err
		},
		"account.customer.external_reference": func() error {
			_, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
				Account: moment.AccountCreateParams{Customer: moment.CustomerCreateParams{}, ExternalReference: "UAR1"}, ExternalReference: "UBR1",
			})
			return err
		},
		"account.customer": func() error {
			_, err := client.Bills.Ensure(ctx, moment.BillCreateParams{Account: moment.AccountCreateParams{ExternalReference: "UAR1"}, ExternalReference: "UBR1"})
			return err
		},
		"account.customer ": func() error { // the error of the create
			_, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
				Account: moment.AccountCreateParams{Customer: (*moment.CustomerCreateParams)(nil), ExternalReference: "UAR1"}, ExternalReference: "UBR1",
			})
			assert.ErrorContains(t, err, "is a nil *CustomerCreateParams")
			return err
		},
		"idempotency key": func() error {
			_, err := client.Customers.Ensure(ctx, moment.CustomerCreateParams{ExternalReference: "UCR1"}, moment.WithIdempotencyKey("no spaces"))
			return err
		},
	} {
		err := call()
		var bad *moment.ArgumentError
		require.ErrorAs(t, err, &bad, param)
		assert.Equal(t, strings.TrimSpace(param), bad.Param)
		assert.Contains(t, bad.Op, "ensure ")
	}
	assert.Empty(t, c.Received())
	_, err := new(moment.BillsService).Ensure(ctx, ensureBill)
	require.ErrorIs(t, err, moment.ErrInvalidArgument)
	_, err = client.Bills.Ensure(nil, ensureBill) //nolint:staticcheck // the text of the error
	require.ErrorIs(t, err, moment.ErrInvalidArgument)
}

// Neither the text nor the log value of a mismatch contains values or identifiers.
func TestMismatchError(t *testing.T) {
	s := testkit.Serve(t, testkit.Problem(409), testkit.Respond(200, testkit.CustomerJSON))
	_, err := clientOf(t, s).Customers.Ensure(t.Context(), moment.CustomerCreateParams{
		ExternalReference: "UCR1234567890", Name: "Jane Roe", Email: "jane.roe@example.com", Phone: "+27123456789", Currency: "zar", Metadata: map[string]string{"a": "b"},
	}, moment.WithIdempotencyKey("first"))
	var mismatch *moment.MismatchError
	require.ErrorAs(t, err, &mismatch)
	require.ErrorIs(t, err, moment.ErrConflict)
	require.NotErrorIs(t, err, moment.ErrOutcomeUnknown)
	assert.Equal(t, []string{"name", "email", "phone", "metadata"}, mismatch.Differences)
	assert.Equal(t, "ensure customer", mismatch.Op)
	assert.Equal(t, "UCR1234567890", mismatch.Reference)
	assert.Equal(t, "first", mismatch.IdempotencyKey)
	assert.Equal(t, "John Doe", mismatch.Existing.(*moment.Customer).Name)
	text, jsonErr := json.Marshal(mismatch)
	require.NoError(t, jsonErr)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "err", err)
	for _, said := range []string{err.Error(), fmt.Sprintf("%+v", err), log.String(), string(text)} {
		assert.Contains(t, said, "email")
		for _, value := range []string{"Jane", "John", "example.com", "+27"} {
			assert.NotContains(t, said, value)
		}
	}
	assert.NotContains(t, err.Error()+log.String(), "UCR1234567890")
}
