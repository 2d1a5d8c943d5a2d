package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// newFake returns a mock with objects of each kind.
func newFake(t *testing.T) *mock {
	t.Helper()
	h := newMock("mock.example.org:8787", nil, momenttest.WithOutbox(retryNow...))
	t.Cleanup(h.fake.Close)
	rules := &moment.PaymentRules{UnderpaymentAllowed: true}
	require.NoError(t, h.fake.Seed(momenttest.State{
		Customers: []moment.Customer{
			{ID: "bcus_1", ExternalReference: "UCR-1", Currency: moment.ZAR, Balance: moment.MinorUnits(2000)},
			{ID: "bcus_2", ExternalReference: "shared", Currency: moment.ZAR},
			{ID: "bcus_3", ExternalReference: "UCR-3"},
			{ID: "bcus_4", ExternalReference: "UCR-4", Currency: "QQQ"},
		},
		Accounts: []moment.Account{
			{ID: "bacc_1", ExternalReference: "UAR-1", CustomerID: "bcus_1", Currency: moment.JPY, Balance: moment.MinorUnits(10)},
			{ID: "bacc_2", ExternalReference: "shared", CustomerID: "bcus_1"},
		},
		Bills: []moment.Bill{
			{ID: "bill_1", ExternalReference: "UBR-1", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: rules},
			{ID: "bill_2", ExternalReference: "UBR-2", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, Status: moment.BillStatusVoided, PaymentRules: rules},
			{ID: "bill_4", ExternalReference: "UBR-4", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: rules},
			{ID: "bill_5", ExternalReference: "bill_4", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: rules},
			{ID: "bill_3", ExternalReference: "shared", CustomerID: "bcus_1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: rules},
		},
		PaymentRequests: []moment.PaymentRequest{
			{ID: "pr_1", Amount: 2000, Currency: moment.ZAR},
		},
	}))
	return h
}

// post sends a payment as any program could.
func post(h http.Handler, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8787"+paymentsPath, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
}

func TestPayments(t *testing.T) {
	e := newEndpoint(t)
	e.trust(t, ours)
	for _, row := range []struct {
		why, body string
		want      string // but for the event
		event     string // of its data
	}{
		{"a bill by its id", `{"to": "bill_1", "amount": "15.00"}`, `"to":"bill_1","money":"ZAR 15.00","remaining":"ZAR 5.00"`, `"amount":1500,"currency":"ZAR","payment_id":"pay_X","bill_id":"bill_1"`},
		{"a bill by its reference, in full", `{"to": "UBR-1", "amount": "20"}`, `"to":"bill_1","money":"ZAR 20.00","remaining":"ZAR 0.00"`, `"amount":2000,"currency":"ZAR","payment_id":"pay_X","bill_id":"bill_1"`},
		{"an account by its id, in a currency without decimals", `{"to": "bacc_1", "amount": "15"}`, `"to":"bacc_1","money":"JPY 15"`, `"amount":15,"currency":"JPY","payment_id":"pay_X","account_id":"bacc_1"`},
		{"an account by its reference", `{"to": "UAR-1", "amount": "15"}`, `"to":"bacc_1","money":"JPY 15"`, `"amount":15,"currency":"JPY","payment_id":"pay_X","account_id":"bacc_1"`},
		{"a customer by its id", `{"to": "bcus_1", "amount": "0.01"}`, `"to":"bcus_1","money":"ZAR 0.01"`, `"amount":1,"currency":"ZAR","payment_id":"pay_X","customer_id":"bcus_1"`},
		{"a customer by its reference", `{"to": "UCR-1", "amount": "15.5"}`, `"to":"bcus_1","money":"ZAR 15.50"`, `"amount":1550,"currency":"ZAR","payment_id":"pay_X","customer_id":"bcus_1"`},
		{"by its id what shares its reference", `{"to": "bcus_2", "amount": "15.00"}`, `"to":"bcus_2","money":"ZAR 15.00"`, `"amount":1500,"currency":"ZAR","payment_id":"pay_X","customer_id":"bcus_2"`},
	} {
		t.Run(row.why, func(t *testing.T) {
			h := newFake(t)
			h.setWebhook(webhook{url: e.URL, secret: ours})
			resp := post(h, row.body, nil)
			assert.Equal(t, 200, resp.Code)
			assert.Equal(t, "application/json", resp.Header().Get("Content-Type"))
			assert.Equal(t, `{`+row.want+`,"message_id":"msg_X","attempts":1,"acknowledged":true,"status":204,"event":{"id":"evt_X","type":"obligation.amount_applied","data":{"id":"ob_X",`+row.event+`,"created_at":"NOW","updated_at":"NOW"}}}`+"\n", masked(resp.Body.String()))
			var r receipt
			require.NoError(t, json.Unmarshal(resp.Body.Bytes(), &r))
			event := e.event(t)
			assert.Equal(t, r.MessageID, event.MessageID)
			assert.Equal(t, string(r.Event), string(event.Raw), "the receipt shows the delivered event")
		})
	}
}

func TestPaymentsRejected(t *testing.T) {
	const form = "the body must be a JSON object in UTF-8"
	const to = `to is required: an id or external reference, as in {"to": "bill_…", "amount": "15.00"}`
	for _, row := range []struct {
		why, body string
		status    int
		says      string
	}{
		{"no body", ``, 400, form},
		{"no JSON", `to=bill_1&amount=15.00`, 400, form},
		{"no object", `["bill_1", "15.00"]`, 400, form},
		{"no target", `{"amount": "15.00"}`, 400, to},
		{"a target that is null", `{"to": null}`, 400, "to must not be null: leave it out"},
		{"an empty amount", `{"to": "bill_1", "amount": ""}`, 400, `amount must not be "": leave it out`},
		{"a number, which could be meant in minor units", `{"to": "bill_1", "amount": 15}`, 400, "the body: amount must not be a number: see /_mock/openapi.yaml"},
		{"a currency, which would not be looked at", `{"to": "bill_1", "amount": "15.00", "currency": "USD"}`, 400, `the body: unknown field "currency": see /_mock/openapi.yaml`},
		{"an unknown time of delivery", `{"to": "bill_1", "deliver": "soon"}`, 400, "deliver must be now, hold or never"},
		{"two payments", `{"to": "bill_1", "amount": "1"} {"to": "bill_1", "amount": "1"}`, 400, form},
		{"too much", `{"to": "bill_1", "amount": "` + strings.Repeat("0", maxAdminBody) + `1"}`, 413, "the body may have at most 1048576 bytes"},
		{"no decimal", `{"to": "bill_1", "amount": "15,00"}`, 400, "amount: must be a decimal such as 15.00"},
		{"too many decimals", `{"to": "bacc_1", "amount": "15.00"}`, 422, `amount: "15.00" has more decimals than the 0 of JPY: round it first`},
		{"an amount of 0", `{"to": "bill_1", "amount": "0.00"}`, 422, "amount: must be more than 0, not 0.00"},
		{"a negative amount", `{"to": "bill_1", "amount": "-15.00"}`, 400, "amount: must be a decimal such as 15.00"},
		{"unknown", `{"to": "bill_9", "amount": "15.00"}`, 404, `no bill, account, customer or payment request has the id or external reference "bill_9": create it first, or see /_mock/state`},
		{"half of a payment request", `{"to": "pr_1", "amount": "10.00"}`, 422, "pr_1 is paid in full or not at all: the amount must be ZAR 20.00, not ZAR 10.00"},
		{"no remaining amount", `{"to": "bcus_2"}`, 422, "bcus_2 has nothing left to pay: pass an amount"},
		{"declined, but not a card", `{"to": "bill_1", "declined": true, "method": "eft"}`, 422, "only cards can be declined: leave the method empty"},
		{"one reference, three objects", `{"to": "shared", "amount": "15.00"}`, 409, `"shared" is the external reference of customer bcus_2 and of account bacc_2 and of bill bill_3: pass one of the ids`},
		{"no currency", `{"to": "bcus_3", "amount": "15.00"}`, 422, "bcus_3 has no currency: update it with one before it is paid"},
		{"a currency with unknown decimals", `{"to": "bcus_4", "amount": "15.00"}`, 422, `bcus_4: moment: unknown currency "QQQ": ISO 4217, as this version knows it, has no minor unit for that code (codes are three capital letters)`},
		{"a bill whose reference is a bill's id", `{"to": "bill_4", "amount": "20.01"}`, 422, "bill_4 has ZAR 20.00 left to pay, not ZAR 20.01: its payment_rules reject overpayment: set any_amount (--any-amount) to ignore them"},
		{"more than is due", `{"to": "bill_1", "amount": "20.01"}`, 422, "bill_1 has ZAR 20.00 left to pay, not ZAR 20.01: its payment_rules reject overpayment: set any_amount (--any-amount) to ignore them"},
		{"voided", `{"to": "UBR-2", "amount": "15.00"}`, 422, "bill_2 is voided: it can no longer be paid"},
	} {
		t.Run(row.why, func(t *testing.T) {
			h := newFake(t)
			resp := post(h, row.body, nil)
			var rejected rejection
			require.NoError(t, json.Unmarshal(resp.Body.Bytes(), &rejected))
			assert.Equal(t, *reject(row.status, "%s", row.says), rejected)
			assert.Equal(t, row.status, resp.Code)
			assert.Equal(t, "application/problem+json", resp.Header().Get("Content-Type"))
			assert.Empty(t, h.fake.State().Payments)
		})
	}
}

// A page that a browser on this machine has opened cannot pay, because it needs a consent (CORS),
// or sends its own name.
func TestPaymentsRejectWebPages(t *testing.T) {
	for _, row := range []struct {
		why    string
		change func(*http.Request)
		status int
	}{
		{"as curl does", nil, 200},
		{"by the name that --listen has", func(r *http.Request) { r.Host = "mock.example.org:8787" }, 200},
		{"by a Compose service name", func(r *http.Request) { r.Host = "moment-mock:8787" }, 200},
		{"with a character set", func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-8") }, 200},
		{"from a page of this machine", func(r *http.Request) { r.Header.Set("Origin", "http://localhost:3000") }, 200},
		{"a name that was made to resolve to this machine", func(r *http.Request) { r.Host = "evil.example:8787" }, 403},
		{"a page of another site", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		{"a form", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		{"no type", func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		{"an image", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		{"the question whether it may", func(r *http.Request) { r.Method = http.MethodOptions }, 405},
	} {
		t.Run(row.why, func(t *testing.T) {
			h := newFake(t)
			resp := post(h, `{"to": "bill_1", "amount": "15.00"}`, row.change)
			assert.Equal(t, row.status, resp.Code, resp.Body.String())
			assert.Equal(t, row.status == 200, len(h.fake.State().Payments) == 1)
			for name := range resp.Header() {
				assert.NotContains(t, name, "Access-Control")
			}
			if row.status == 405 {
				assert.Equal(t, "POST", resp.Header().Get("Allow"))
			}
		})
	}
}

// Everything else is the fake's, however untidy the path: it is not redirected.
func TestOtherPathsReachTheFake(t *testing.T) {
	h := newFake(t)
	for path, status := range map[string]int{
		"/billing/bills/UBR-1":              200,
		"/billing//bills/UBR-1":             404,
		"/billing/bills/../customers/UCR-1": 404,
		"/":                                 404,
	} {
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		r.Header.Set("Authorization", "Bearer "+anyKey)
		r.Host = "evil.example"
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, r)
		assert.Equal(t, 403, recorder.Code, "a page whose name was made to resolve to this machine: any key that it makes up would do")

		for _, host := range []string{defaultListen, "mock.example.org:8787"} { // the second one is that of --listen
			r.Host = host
			recorder = httptest.NewRecorder()
			h.ServeHTTP(recorder, r)
			assert.Equal(t, status, recorder.Code, path)
			assert.NotEmpty(t, recorder.Header().Get("X-Request-Id"), path)
		}
	}
}

func TestPay(t *testing.T) {
	responding := func(status int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, row := range []struct {
		why      string
		endpoint func(http.ResponseWriter, *http.Request) // nil: events go nowhere
		args     []string
		code     int
		stdout   string // its beginning
		stderr   string
	}{
		{"acknowledged", responding(204), []string{"UBR-1", "15.00"}, 0, "Paid ZAR 15.00 to bill_1, which leaves ZAR 5.00\nEvent msg_X: 204 at attempt 1\n{\n", ""},
		{"not a bill: there is no remaining amount", responding(204), []string{"UCR-1", "15.00"}, 0, "Paid ZAR 15.00 to bcus_1\nEvent msg_X: 204 at attempt 1\n{\n", ""},
		{"nowhere to go", nil, []string{"UBR-1", "15.00"}, 0, "Paid ZAR 15.00 to bill_1, which leaves ZAR 5.00\nThe event was not sent: moment-mock was started without --forward-to\n{\n", ""},
		{"not acknowledged", responding(500), []string{"UBR-1", "15.00"}, 1, "Paid ZAR 15.00 to bill_1, which leaves ZAR 5.00\nEvent msg_X: 500 at attempt 3\n{\n", "the event was not acknowledged: the endpoint responded 500: moment-mock resend msg_X delivers it again"},
		{"a redirect is not an acknowledgement", responding(302), []string{"UBR-1", "15.00"}, 1, "Paid ZAR 15.00 to bill_1, which leaves ZAR 5.00\nEvent msg_X: 302 at attempt 3\n{\n", "the event was not acknowledged: the endpoint responded 302: moment-mock resend msg_X delivers it again"},
		{"no response", hangUp, []string{"UBR-1", "15.00"}, 1, "Paid ZAR 15.00 to bill_1, which leaves ZAR 5.00\nEvent msg_X: no response at attempt 3\n{\n", `the event was not acknowledged: Post "http://ADDRESS": EOF: moment-mock resend msg_X delivers it again`},
		{"the remaining amount", responding(204), []string{"UBR-1"}, 0, "Paid ZAR 20.00 to bill_1, which leaves ZAR 0.00\nEvent msg_X: 204 at attempt 1\n{\n", ""},
		{"more than is due, with a flag at the end", responding(204), []string{"UBR-1", "20.01", "--any-amount"}, 0, "Paid ZAR 20.01 to bill_1, which leaves ZAR 0.00\nEvent msg_X: 204 at attempt 1\n{\n", ""},
		{"a payment request", responding(204), []string{"pr_1"}, 0, "Paid ZAR 20.00 to pr_1, which leaves ZAR 0.00\nEvent msg_X: 204 at attempt 1\n{\n", ""},
		{"declined", responding(204), []string{"--declined", "UBR-1", "15.00"}, 0, "Declined ZAR 15.00 to bill_1, which leaves ZAR 20.00\nEvent msg_X: 204 at attempt 1\n{\n", ""},
		{"not sent yet", responding(204), []string{"UBR-1", "--deliver", "hold"}, 0, "Paid ZAR 20.00 to bill_1, which leaves ZAR 0.00\nEvent msg_X was not sent: moment-mock resend msg_X delivers it\n{\n", ""},
		{"lost", responding(204), []string{"UBR-1", "--deliver=never"}, 0, "Paid ZAR 20.00 to bill_1, which leaves ZAR 0.00\nThe event is never delivered, as you asked\n{\n", ""},
		{"rejected", responding(204), []string{"UBR-1", "20.01"}, 1, "", "bill_1 has ZAR 20.00 left to pay, not ZAR 20.01: its payment_rules reject overpayment: set any_amount (--any-amount) to ignore them"},
		{"no decimal", responding(204), []string{"UBR-1", "much"}, 1, "", "amount: must be a decimal such as 15.00"},
		{"unknown", responding(204), []string{"UBR-9", "15.00"}, 1, "", `no bill, account, customer or payment request has the id or external reference "UBR-9": create it first, or see /_mock/state`},
	} {
		t.Run(row.why, func(t *testing.T) {
			h := newFake(t)
			if row.endpoint != nil {
				e := httptest.NewServer(http.HandlerFunc(row.endpoint))
				defer e.Close()
				h.setWebhook(webhook{url: e.URL, secret: ours})
			}
			srv := httptest.NewServer(h)
			defer srv.Close()
			code, stdout, stderr := execute(t, nil, append([]string{"pay", "--url", srv.URL}, row.args...)...)
			assert.Equal(t, row.code, code)
			assert.True(t, strings.HasPrefix(masked(stdout), row.stdout), stdout)
			assert.Equal(t, row.stdout == "", stdout == "")
			if row.stderr != "" {
				row.stderr = "moment-mock: " + row.stderr + "\n"
			}
			assert.Equal(t, row.stderr, masked(stderr))
		})
	}
}

// The URL may be that of another server, or of none.
func TestPayAtAnotherServer(t *testing.T) {
	for _, row := range []struct {
		why     string
		respond func(http.ResponseWriter, *http.Request)
		says    string
	}{
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, `http://ADDRESS/_mock/payments did not respond as moment-mock does: pass the URL of moment-mock with --url`},
		{"other JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, `http://ADDRESS/_mock/payments did not respond with a payment: pass the URL of moment-mock with --url`},
		{"no such path", http.NotFound, `http://ADDRESS/_mock/payments responded 404 Not Found: pass the URL of moment-mock with --url`},
		{"it ended meanwhile", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, `Post "http://ADDRESS/_mock/payments": EOF: the change may have been made: see moment-mock events`},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(row.respond))
			defer srv.Close()
			code, stdout, stderr := execute(t, nil, "pay", "--url", srv.URL, "UBR-1", "15.00")
			assert.Equal(t, 1, code)
			assert.Empty(t, stdout)
			assert.Equal(t, "moment-mock: "+row.says+"\n", masked(stderr))
		})
	}
	code, _, stderr := execute(t, nil, "pay", "--url", "http://127.0.0.1:1", "UBR-1", "15.00")
	assert.Equal(t, 1, code)
	assert.Regexp(t, `^moment-mock: Post "http://ADDRESS/_mock/payments": dial tcp ADDRESS: .*: start moment-mock, or pass its URL with --url\n$`, masked(stderr))
}
