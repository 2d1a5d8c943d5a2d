package moment_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

const requestID = "pr_H4jp6KnU5cPw263v1jyz4"

var paymentRequestParams = moment.PaymentRequestCreateParams{
	Amount: 2000, Currency: moment.ZAR, ExternalReference: "UBR1234567890", Description: "Water, January",
	ExpiresAt: time.Date(2025, time.February, 1, 12, 0, 0, 0, time.UTC), Metadata: map[string]string{"order_id": "ord_789012"},
}

var paymentRequestOperations = []operation{
	{
		"PaymentRequestsService.Create", "create payment request", "POST /collect/payment_requests",
		`{"amount":2000,"currency":"ZAR","external_reference":"UBR1234567890","description":"Water, January","expires_at":"2025-02-01T12:00:00Z","metadata":{"order_id":"ord_789012"}}`,
		201, testkit.PaymentRequestJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.PaymentRequests.Create(ctx, paymentRequestParams)
		}, requestID,
	},
	{
		"PaymentRequestsService.Get", "get payment request", "GET /collect/payment_requests/{payment_request}", "", 200, testkit.PaymentRequestJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.PaymentRequests.Get(ctx, requestID)
		}, requestID,
	},
	{
		"PaymentRequestsService.Update", "update payment request", "PATCH /collect/payment_requests/{payment_request}",
		`{"external_reference":"UBR1","description":"","expires_at":"2025-02-02T00:00:00Z","metadata":{"order_id":"ord_789012"}}`, 200, testkit.PaymentRequestJSON,
		func(ctx context.Context, c *moment.Client) (any, error) {
			return c.PaymentRequests.Update(ctx, requestID, moment.PaymentRequestUpdateParams{
				ExternalReference: moment.Ptr("UBR1"), Description: moment.Ptr(""),
				ExpiresAt: moment.Ptr(time.Date(2025, time.February, 2, 0, 0, 0, 0, time.UTC)), Metadata: map[string]string{"order_id": "ord_789012"},
			})
		}, requestID,
	},
}

func TestPaymentRequestIsDecoded(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, testkit.PaymentRequestJSON))
	got, err := clientOf(t, s).PaymentRequests.Get(t.Context(), requestID)
	require.NoError(t, err)
	at := time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)
	assert.Equal(t, &moment.PaymentRequest{
		ID: requestID, Type: moment.PaymentRequestTypeLink, Status: moment.PaymentRequestStatusActive, Amount: 2000, Currency: moment.ZAR,
		ExternalReference: "UBR1234567890", Description: "Water, January", ExpiresAt: at.AddDate(0, 0, 1),
		Link:     &moment.PaymentLink{CheckoutSessionID: "chk_H4jp6KnU5cPw263v1jyz4", URL: "https://pay.momentpay.net/chk_H4jp6KnU5cPw263v1jyz4"},
		Metadata: map[string]string{"order_id": "ord_789012"}, CreatedAt: at, UpdatedAt: at,
	}, got)
	assert.Equal(t, "ZAR 20.00", got.Money().String())
	assert.JSONEq(t, testkit.PaymentRequestJSON, encoded(t, got))
}

// with returns object with by in place of text, which object must contain.
func with(t *testing.T, object, text, by string) string {
	t.Helper()
	require.Contains(t, object, text)
	return strings.Replace(object, text, by, 1)
}

func TestUnusualPaymentRequestsAreDecoded(t *testing.T) {
	const all = testkit.PaymentRequestJSON
	for _, row := range []struct {
		why, body string
		check     func(*assert.Assertions, *moment.PaymentRequest)
	}{
		{"the member's name on older pages", with(t, all, `"url"`, `"link_url"`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal("https://pay.momentpay.net/chk_H4jp6KnU5cPw263v1jyz4", r.Link.URL)
		}},
		{"both names", with(t, all, `"url":`, `"link_url": "https://old.momentpay.net", "url":`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal("https://pay.momentpay.net/chk_H4jp6KnU5cPw263v1jyz4", r.Link.URL)
		}},
		{"a session that is a number leaves the URL", with(t, all, `"chk_H4jp6KnU5cPw263v1jyz4"`, `1`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal(&moment.PaymentLink{URL: "https://pay.momentpay.net/chk_H4jp6KnU5cPw263v1jyz4"}, r.Link)
		}},
		{"no link", with(t, all, `"link":`, `"new":`), func(is *assert.Assertions, r *moment.PaymentRequest) { is.Nil(r.Link) }},
		{"a link that is null", with(t, all, `"link": {`, `"link": null, "new": {`), func(is *assert.Assertions, r *moment.PaymentRequest) { is.Nil(r.Link) }},
		{"a push", with(t, all, `"link":`, `"push": {"provider": "capitec", "capitec": {"phone_number": "+27823778084"}}, "new":`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal(&moment.PaymentPush{Provider: "capitec", Capitec: &moment.CapitecPush{PhoneNumber: "+27823778084"}}, r.Push)
		}},
		{"a push of another form", with(t, all, `"link":`, `"push": "capitec", "link":`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Nil(r.Push)
			is.NotNil(r.Link)
		}},
		{"it never expires", with(t, all, `"2025-02-01T12:00:00Z"`, `null`), func(is *assert.Assertions, r *moment.PaymentRequest) { is.True(r.ExpiresAt.IsZero()) }},
		{"times of another form", strings.ReplaceAll(strings.ReplaceAll(all, `"2025-01-31T12:00:00Z"`, `1738324800`), `"2025-02-01T12:00:00Z"`, `"tomorrow"`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.True(r.ExpiresAt.IsZero() && r.CreatedAt.IsZero() && r.UpdatedAt.IsZero())
			is.Equal("Water, January", r.Description)
		}},
		{"a description, a type and metadata of another form", with(t, with(t, with(t, all, `"Water, January"`, `{}`), `"link",`, `1,`), `"ord_789012"`, `1, "a": "b"`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Empty(r.Description)
			is.Empty(r.Type)
			is.Equal(map[string]string{"a": "b"}, r.Metadata)
			is.NotNil(r.Link)
			is.Equal("UBR1234567890", r.ExternalReference)
		}},
		{"a status and a type that are unknown", with(t, with(t, all, `"active"`, `"disputed"`), `"type": "link"`, `"type": "qr"`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal(moment.PaymentRequestStatus("disputed"), r.Status)
			is.Equal(moment.PaymentRequestType("qr"), r.Type)
		}},
		{"a currency in small letters formats", with(t, all, `"ZAR"`, `"zar"`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal("ZAR 20.00", r.Money().String())
		}},
		{"an unknown currency is kept", with(t, all, `"ZAR"`, `"qqq"`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal(moment.Currency("qqq"), r.Currency)
		}},
		{"an exact amount with decimals", with(t, all, `2000`, `2000.0`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal(moment.Amount(2000), r.Amount)
		}},
		{"paid", with(t, with(t, all, `"active"`, `"paid"`), `"amount"`, `"payment_id": "p_1", "amount"`), func(is *assert.Assertions, r *moment.PaymentRequest) {
			is.Equal(moment.PaymentRequestStatusPaid, r.Status)
			is.Equal("p_1", r.PaymentID)
		}},
	} {
		t.Run(row.why, func(t *testing.T) {
			got, err := clientOf(t, testkit.Serve(t, testkit.Respond(200, row.body))).PaymentRequests.Get(t.Context(), requestID)
			require.NoError(t, err)
			row.check(assert.New(t), got)
		})
	}
}

// A success is the requested payment request, or the call fails and the outcome of a write is
// unknown.
func TestSuccessIsTheRequestedPaymentRequest(t *testing.T) {
	const all = testkit.PaymentRequestJSON
	type calling = func(context.Context, *moment.Client) (any, error)
	get := func(ctx context.Context, c *moment.Client) (any, error) { return c.PaymentRequests.Get(ctx, requestID) }
	update := func(ctx context.Context, c *moment.Client) (any, error) {
		return c.PaymentRequests.Update(ctx, requestID, moment.PaymentRequestUpdateParams{Description: moment.Ptr("x")})
	}
	create := func(change func(*moment.PaymentRequestCreateParams)) calling {
		p := paymentRequestParams
		change(&p)
		return func(ctx context.Context, c *moment.Client) (any, error) { return c.PaymentRequests.Create(ctx, p) }
	}
	same := func(*moment.PaymentRequestCreateParams) {}
	for _, row := range []struct {
		why  string
		call calling
		body string
		says string
	}{
		{"the request that was created", create(same), all, ""},
		{"without a reference, any will do", create(func(p *moment.PaymentRequestCreateParams) { p.ExternalReference = "" }), all, ""},
		{"a currency in small letters is the same", create(same), with(t, all, "ZAR", "zar"), ""},
		{"another reference", create(func(p *moment.PaymentRequestCreateParams) { p.ExternalReference = "UBR1" }), all, "external_reference is not as it was sent"},
		{"another amount", create(func(p *moment.PaymentRequestCreateParams) { p.Amount = 2001 }), all, "amount is not as it was sent"},
		{"another currency", create(func(p *moment.PaymentRequestCreateParams) { p.Currency = moment.USD }), all, "currency is not as it was sent"},
		{"another type", create(func(p *moment.PaymentRequestCreateParams) { p.Type = moment.PaymentRequestTypePush }), all, "type is not as it was sent"},
		{"another request", get, with(t, all, requestID, "pr_1"), "neither id nor external_reference is the requested one"},
		{"another request than was updated", update, with(t, all, requestID, "pr_1"), "neither id nor external_reference is the requested one"},
		{"an older link", get, with(t, all, "pr_", "pl_"), "id does not begin with pr_"},
		{"an id that is a number", get, with(t, all, `"`+requestID+`"`, "1"), "id does not begin with pr_"},
		{"no status", get, with(t, all, `"status"`, `"state"`), "status is missing"},
		{"no currency", get, with(t, all, `"currency"`, `"coin"`), "currency is missing"},
		{"a currency that is a number", get, with(t, all, `"ZAR"`, "710"), "currency is missing"},
		{"no amount", get, with(t, all, `"amount"`, `"sum"`), "amount is missing"},
		{"the amount null", get, with(t, all, `2000`, `null`), "amount is missing"},
		{"an inexact amount", get, with(t, all, `2000`, `20.5`), "amount is not an exact integer"},
		{"an inexact amount beside a member of another form", get, with(t, with(t, all, `2000`, `20.5`), `"Water, January"`, "1"), "amount is not an exact integer"},
		{"an amount that is a text", get, with(t, all, `2000`, `"2000"`), "amount is of type string, not moment.Amount"},
		{"an inexact amount before an exact one", get, with(t, all, `"amount"`, `"AMOUNT": 0.5, "amount"`), "amount is not an exact integer"},
		{"a list", get, `[]`, "it is of type array, not object"},
		{"null", update, `null`, "id does not begin with pr_"},
	} {
		t.Run(row.why, func(t *testing.T) {
			s := testkit.Serve(t, testkit.Respond(200, row.body))
			got, err := row.call(t.Context(), clientOf(t, s))
			if row.says == "" {
				require.NoError(t, err)
				return
			}
			assert.Nil(t, got)
			require.ErrorContains(t, err, "200 OK: unexpected response body: "+row.says)
			assert.NotContains(t, err.Error(), "1234567890")
			var failure *moment.ConnectionError
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, s.Only(t).Method != "GET", failure.OutcomeUnknown)
		})
	}
}

// An update of a payment request sends a key, so it is retried like a create, by the same table.
func TestPaymentRequestUpdateIsRetriedLikeACreate(t *testing.T) {
	for _, row := range testkit.RetryTable {
		if strings.HasPrefix(row.Name, "200 ") && row.Post == "1?" {
			continue // about the body of a bill: see TestSuccessIsTheRequestedPaymentRequest
		}
		for column, script := range map[string][]testkit.Reply{row.Post: {row.Failure}, row.PostAfterDoubt + " after doubt": {testkit.HangUp, row.Failure}} {
			want, _, _ := strings.Cut(column, " ")
			t.Run(row.Name+"/"+column, func(t *testing.T) {
				s := testkit.Serve(t, script...)
				_, err := clientOf(t, s, moment.WithMaxRetries(2), ownConnections).PaymentRequests.Update(t.Context(), requestID, moment.PaymentRequestUpdateParams{Description: moment.Ptr("x")})
				require.Error(t, err)
				assert.Equal(t, strings.TrimSuffix(want, "?"), strconv.Itoa(len(s.Received())), err)
				if strings.HasSuffix(want, "?") {
					require.ErrorIs(t, err, moment.ErrOutcomeUnknown)
				} else {
					require.NotErrorIs(t, err, moment.ErrOutcomeUnknown)
				}
				sameRequestEveryTime(t, "PATCH", s.Received())
				assert.NotEmpty(t, s.Received()[0].Header.Get("Idempotency-Key"))
			})
		}
	}
}

func TestPaymentRequestUpdateAcceptsAKey(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, testkit.PaymentRequestJSON))
	_, err := clientOf(t, s).PaymentRequests.Update(t.Context(), requestID, moment.PaymentRequestUpdateParams{}, moment.WithIdempotencyKey("key-1"))
	require.NoError(t, err)
	assert.Equal(t, "key-1", s.Only(t).Header.Get("Idempotency-Key"))
	assert.Equal(t, "{}", s.Only(t).Body)
}

func TestPaymentRequestParams(t *testing.T) {
	push := &moment.PaymentPush{Provider: "capitec", Capitec: &moment.CapitecPush{PhoneNumber: "+27823778084"}}
	for _, row := range []struct {
		why    string
		params any
		body   string // empty if nothing is sent
		says   string
	}{
		{"only required fields", moment.PaymentRequestCreateParams{Amount: 1, Currency: moment.JPY}, `{"amount":1,"currency":"JPY"}`, ""},
		{"a push", moment.PaymentRequestCreateParams{Amount: 1, Currency: moment.ZAR, Type: moment.PaymentRequestTypePush, Push: push}, `{"amount":1,"currency":"ZAR","type":"push","push":{"provider":"capitec","capitec":{"phone_number":"+27823778084"}}}`, ""},
		{"the service checks for missing fields", moment.PaymentRequestCreateParams{}, `{"amount":0,"currency":""}`, ""},
		{"a time in the merchant's zone", moment.PaymentRequestUpdateParams{ExpiresAt: moment.Ptr(time.Date(2025, 2, 1, 0, 0, 0, 0, time.FixedZone("", 2*60*60)))}, `{"expires_at":"2025-02-01T00:00:00+02:00"}`, ""},
		{"the zero time", moment.PaymentRequestUpdateParams{ExpiresAt: &time.Time{}}, "", "update payment request: expires_at: is the zero time; nil leaves it unchanged"},
		{"a year that JSON cannot represent", moment.PaymentRequestCreateParams{ExpiresAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "", "create payment request: body: cannot be encoded as JSON"},
		{"a description that is not UTF-8", moment.PaymentRequestCreateParams{Description: "\xff"}, "", "create payment request: description: is not valid UTF-8"},
		{"a phone number that is not UTF-8", moment.PaymentRequestCreateParams{Push: &moment.PaymentPush{Capitec: &moment.CapitecPush{PhoneNumber: "\xff"}}}, "", "create payment request: push.capitec.phone_number: is not valid UTF-8"},
		{"a description that is not UTF-8", moment.PaymentRequestUpdateParams{Description: moment.Ptr("\xff")}, "", "update payment request: description: is not valid UTF-8"},
		{"metadata that is not UTF-8", moment.PaymentRequestUpdateParams{Metadata: map[string]string{"a": "\xff"}}, "", "update payment request: metadata: is not valid UTF-8"},
	} {
		s := testkit.Serve(t, testkit.Problem(400))
		err := apply(t.Context(), clientOf(t, s), row.params)
		if row.says != "" {
			require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
			assert.ErrorContains(t, err, row.says, row.why)
			assert.Empty(t, s.Received(), row.why)
			continue
		}
		require.ErrorIs(t, err, moment.ErrBadRequest, row.why)
		assert.JSONEq(t, row.body, s.Only(t).Body, row.why)
	}
}

func TestAbsentMembersOfAPaymentRequestAreLogged(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(200, `{"id":"pr_1","status":"active","amount":1,"currency":"ZAR"}`))
	var out strings.Builder
	_, err := clientOf(t, s, moment.WithLogger(infos(&out))).PaymentRequests.Get(t.Context(), "pr_1")
	require.NoError(t, err)
	assert.Equal(t, `level=INFO msg="moment: response lacks members" method=GET path=/collect/payment_requests/{payment_request} members="[type created_at updated_at]"`+"\n", out.String())
}

// Decoding an encoded object returns an equal object.
func TestPaymentRequestRoundTrips(t *testing.T) {
	var first, second moment.PaymentRequest
	require.NoError(t, json.Unmarshal([]byte(testkit.PaymentRequestJSON), &first))
	require.NoError(t, json.Unmarshal([]byte(encoded(t, first)), &second))
	assert.Equal(t, first, second)
}
