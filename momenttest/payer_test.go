package momenttest_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// payerGet opens a page as a browser without JavaScript.
func payerGet(t *testing.T, srv *momenttest.Server, path string) response {
	t.Helper()
	resp, err := http.Get(srv.URL + path)
	require.NoError(t, err)
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) response {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return response{resp.StatusCode, resp.Header, style.ReplaceAllString(string(body), "")} // or a failure would print it
}

var (
	tagWithID  = regexp.MustCompile(`data-testid="([a-z-]+)"[^>]*>([^<]*)<`)
	style      = regexp.MustCompile(`(?s)<style>.*</style>`)
	hiddenPart = regexp.MustCompile(`name="(payment|amount)" value="([^"]*)"`)
)

// texts returns the texts of a page by their data-testid.
func texts(page response) map[string]string {
	all := map[string]string{}
	for _, tag := range tagWithID.FindAllStringSubmatch(page.body, -1) {
		all[tag[1]] = strings.TrimSpace(tag[2])
	}
	return all
}

// submit sends the first form of a page with some of its fields replaced, and follows the redirect.
func submit(t *testing.T, srv *momenttest.Server, path string, page response, fields url.Values) response {
	t.Helper()
	form := url.Values{}
	for _, field := range hiddenPart.FindAllStringSubmatch(page.body, -1) {
		if !form.Has(field[1]) {
			form.Set(field[1], field[2])
		}
	}
	maps.Copy(form, fields)
	resp, err := http.PostForm(srv.URL+path, form)
	require.NoError(t, err)
	return read(t, resp)
}

func TestPayerPagePaysABill(t *testing.T) {
	srv := newSample(t)
	path := "/_pay/UBR1234567890"
	page := payerGet(t, srv, path)
	require.Equal(t, 200, page.status)
	assert.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"))
	got := texts(page)
	assert.Equal(t, "ZAR 20.00", got["payer-amount"])
	assert.Equal(t, "UBR1234567890", got["payer-reference"])
	assert.Equal(t, "John Doe", got["payer-customer"])
	assert.Equal(t, "31 January 2025", got["payer-due"])
	assert.Equal(t, "This bill is overdue.", got["payer-status"], "by the clock of the fake")
	assert.Equal(t, "Pay ZAR 20.00", got["pay-all"])
	assert.Contains(t, got, "fake-notice")

	receipt := submit(t, srv, path, page, url.Values{"amount": {" 15.00 "}})
	require.Equal(t, 200, receipt.status)
	assert.Equal(t, "Paid", texts(receipt)["receipt-status"])
	assert.Equal(t, "ZAR 15.00", texts(receipt)["receipt-amount"])
	assert.Equal(t, "Visa that ends in 4242", texts(receipt)["receipt-method"])
	assert.Equal(t, "ZAR 5.00", texts(receipt)["receipt-left"])
	assert.Equal(t, "Pay the rest", texts(receipt)["receipt-back"])
	made, err := srv.Client().Payments.Get(t.Context(), texts(receipt)["receipt-payment"])
	require.NoError(t, err, "the receipt names the payment")
	assert.Equal(t, moment.Amount(1500), made.Amount)

	page = payerGet(t, srv, path)
	assert.Equal(t, "ZAR 5.00", texts(page)["payer-amount"])
	assert.Equal(t, "ZAR 15.00 of ZAR 20.00", texts(page)["payer-paid"])
	receipt = submit(t, srv, path, page, nil)
	assert.NotContains(t, texts(receipt), "receipt-left")
	assert.Equal(t, moment.BillStatusPaid, srv.State().Bills[0].Status)
	page = payerGet(t, srv, path)
	assert.Equal(t, "This bill is paid", texts(page)["payer-title"])
	assert.NotContains(t, page.body, "<form")
	assert.Len(t, srv.Requests(), 2, "of the bill and of the payment: the page is not an operation of the service")
}

func TestPayerPagePaysARequestAtItsLink(t *testing.T) {
	srv := newServer(t)
	request, err := srv.Client().PaymentRequests.Create(t.Context(), moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR, Description: "Water <July>"})
	require.NoError(t, err)
	path := strings.TrimPrefix(request.Link.URL, srv.URL)
	page := payerGet(t, srv, path)
	assert.Equal(t, "ZAR 20.00", texts(page)["payer-amount"])
	assert.Equal(t, "Water &lt;July&gt;", texts(page)["payer-description"])
	assert.NotContains(t, page.body, "pay-part", "a request is paid in full or not at all")

	declined := submit(t, srv, path, page, url.Values{"decline": {"yes"}})
	assert.Equal(t, "Card declined", texts(declined)["receipt-status"])
	assert.Contains(t, declined.body, "The card has insufficient funds. Nothing was paid.")
	page = payerGet(t, srv, path)
	assert.Contains(t, page.body, "pay-all", "a link can be tried again")

	receipt := submit(t, srv, path, page, nil)
	assert.Equal(t, "Paid", texts(receipt)["receipt-status"])
	request, err = srv.Client().PaymentRequests.Get(t.Context(), request.ID)
	require.NoError(t, err)
	assert.Equal(t, moment.PaymentRequestStatusPaid, request.Status)
	assert.Equal(t, texts(receipt)["receipt-payment"], request.PaymentID)
}

// A double click submits a form twice, and so does a reload that the payer confirms.
func TestPayerFormSubmittedTwicePaysOnce(t *testing.T) {
	srv := newSample(t)
	path := "/_pay/" + srv.State().Bills[0].ID
	page := payerGet(t, srv, path)
	first := submit(t, srv, path, page, url.Values{"amount": {"5.00"}})
	second := submit(t, srv, path, page, url.Values{"amount": {"5.00"}})
	require.Equal(t, first.body, second.body, "the same receipt")
	require.Equal(t, moment.Amount(500), srv.State().Bills[0].AmountPaid)
	require.Len(t, srv.State().PaymentDetails, 1)
}

// The page waits for the endpoint, so that a browser test finds the merchant's page up to date.
func TestPayerFormDeliversTheEvent(t *testing.T) {
	srv := newSample(t)
	var events atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { events.Add(1) }))
	t.Cleanup(endpoint.Close)
	srv.SetWebhook(endpoint.URL, moment.RawWebhookSecret([]byte("0123456789abcdef")))
	path := "/_pay/UBR1234567890"
	submit(t, srv, path, payerGet(t, srv, path), nil)
	require.Equal(t, int32(1), events.Load())

	srv.SetWebhook(noServer, webhookSecret)
	path = "/_pay/UAR1234567890"
	receipt := submit(t, srv, path, payerGet(t, srv, path), nil)
	require.Equal(t, "Paid", texts(receipt)["receipt-status"], "the payer does not see the merchant's failure")
}

func TestPayerPageFollowsTheRules(t *testing.T) {
	rules := func(least, most int64, under, over bool) *moment.PaymentRules {
		r := &moment.PaymentRules{UnderpaymentAllowed: under, OverpaymentAllowed: over}
		if least > 0 {
			r.MinAmount = moment.MinorUnits(least)
		}
		if most > 0 {
			r.MaxAmount = moment.MinorUnits(most)
		}
		return r
	}
	for _, row := range []struct {
		why   string
		rules *moment.PaymentRules
		all   string
		hint  string
	}{
		{"in full only", rules(0, 0, false, false), "Pay ZAR 20.00", ""},
		{"as on every bill that is created", rules(0, 0, true, false), "Pay ZAR 20.00", "From ZAR 0.01 to ZAR 20.00"},
		{"a bill has a maximum of its own", rules(0, 0, false, true), "Pay ZAR 20.00", "From ZAR 20.00 to ZAR 999999.99"},
		{"a minimum", rules(500, 0, true, false), "Pay ZAR 20.00", "From ZAR 5.00 to ZAR 20.00"},
		{"a maximum below the amount due", rules(500, 1500, true, false), "", "From ZAR 5.00 to ZAR 15.00"},
		{"exactly one amount, which is not all", rules(1500, 1500, true, false), "", "From ZAR 15.00 to ZAR 15.00"},
		{"no amount is allowed", rules(2500, 0, true, false), "", ""},
		{"no rules", nil, "", ""},
	} {
		srv := newServer(t)
		require.NoError(t, srv.Seed(momenttest.State{
			Customers: []moment.Customer{{ExternalReference: "UCR-1"}},
			Bills:     []moment.Bill{{ExternalReference: "UBR-1", CustomerID: "UCR-1", Currency: moment.ZAR, AmountDue: 2000, PaymentRules: row.rules}},
		}))
		page := payerGet(t, srv, "/_pay/UBR-1")
		assert.Equal(t, row.all, texts(page)["pay-all"], row.why)
		hint := ""
		if _, after, ok := strings.Cut(page.body, `id="hint">`); ok {
			hint, _, _ = strings.Cut(after, "<")
		}
		assert.Equal(t, row.hint, hint, row.why)
		assert.Equal(t, row.all != "" || row.hint != "", strings.Contains(page.body, "card-declined"), row.why)
	}
}

func TestPayerPageOfBalances(t *testing.T) {
	srv := newSample(t)
	require.NoError(t, srv.Seed(momenttest.State{
		Customers: []moment.Customer{
			{ExternalReference: "UCR-credit", Currency: moment.JPY, Balance: moment.MinorUnits(-5)},
			{ExternalReference: "UCR-none"},
			{ExternalReference: "UCR-open", Currency: moment.ZAR},
		},
	}))
	page := payerGet(t, srv, "/_pay/UCR1234567890")
	assert.Equal(t, "ZAR 20.00", texts(page)["payer-amount"])
	assert.Equal(t, "John Doe (UCR1234567890)", texts(page)["payer-reference"])
	assert.Contains(t, page.body, "Account UAR1234567890")
	assert.Contains(t, page.body, "Bill UBR1234567890")
	receipt := submit(t, srv, "/_pay/UCR1234567890", page, nil)
	assert.Equal(t, "ZAR 20.00", texts(receipt)["receipt-amount"])
	require.Len(t, srv.State().Payments, 1)
	assert.Equal(t, srv.State().Customers[0].ID, srv.State().Payments[0].CustomerID)

	page = payerGet(t, srv, "/_pay/UCR-credit")
	assert.Equal(t, "Nothing is due.", texts(page)["payer-status"])
	assert.Contains(t, page.body, "JPY 1 or more", "a credit can grow")
	assert.Contains(t, page.body, `placeholder="10"`)

	page = payerGet(t, srv, "/_pay/UCR-none")
	assert.Equal(t, "There is nothing to pay here", texts(page)["payer-title"])
	assert.NotContains(t, page.body, "<form")

	page = payerGet(t, srv, "/_pay/UCR-open")
	assert.Empty(t, texts(page)["payer-amount"])
	declined := submit(t, srv, "/_pay/UCR-open", page, url.Values{"amount": {"3.00"}, "decline": {"yes"}})
	assert.Equal(t, "ZAR 3.00", texts(declined)["receipt-amount"])
}

func TestPayerPageRejects(t *testing.T) {
	srv := newSample(t)
	_, err := srv.Client().Accounts.Create(t.Context(), moment.AccountCreateParams{ExternalReference: "UBR1234567890", Customer: moment.ExistingCustomer("UCR1234567890")})
	require.NoError(t, err)
	page := payerGet(t, srv, "/_pay/UBR1234567890")
	require.Equal(t, 300, page.status, "a bill and an account have this reference")
	assert.Equal(t, 2, strings.Count(page.body, "<li>"))

	path := "/_pay/" + srv.State().Bills[0].ID
	page = payerGet(t, srv, path)
	for _, row := range []struct {
		why    string
		fields url.Values
		want   string
	}{
		{"more than is due", url.Values{"amount": {"25.00"}}, "This bill has ZAR 20.00 left to pay, not ZAR 25.00."},
		{"not a number", url.Values{"amount": {"five"}}, "The amount must be a number such as 10.00."},
		{"too many decimals", url.Values{"amount": {"5.001"}}, "The amount must be a number such as 10.00."},
		{"an amount of 0", url.Values{"amount": {"0"}}, "The amount must be ZAR 0.01 or more, not ZAR 0.00."},
		{"no payment id", url.Values{"payment": {""}}, "The form lacks its payment: open the page again."},
	} {
		got := submit(t, srv, path, page, row.fields)
		assert.Equal(t, 422, got.status, row.why)
		assert.Equal(t, row.want, texts(got)["payer-error"], row.why)
		if sent := row.fields.Get("amount"); sent != "" {
			assert.Contains(t, got.body, `value="`+sent+`"`, "the entered text stays")
		}
	}
	assert.Empty(t, srv.State().PaymentDetails)

	for _, row := range []struct {
		why, method, path string
		header            []string
		status            int
	}{
		{"an unknown name", "GET", "/_pay/nobody", nil, 404},
		{"no name", "GET", "/_pay/", nil, 404},
		{"an unknown receipt", "GET", path + "/pay_nothing", nil, 404},
		{"a form for an unknown name", "POST", "/_pay/nobody", []string{"Content-Type: application/x-www-form-urlencoded"}, 404},
		{"a form for a receipt", "POST", path + "/pay_nothing", []string{"Content-Type: application/x-www-form-urlencoded"}, 405},
		{"another method", "DELETE", path, nil, 405},
		{"JSON", "POST", path, nil, 415},
		{"another site's form, in a browser of today", "POST", path, []string{"Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: cross-site"}, 403},
		{"a form of another program on this machine", "POST", path, []string{"Content-Type: application/x-www-form-urlencoded", "Origin: http://localhost:3000"}, 403},
		{"a form that is too large", "POST", path, []string{"Content-Type: application/x-www-form-urlencoded"}, 400},
	} {
		body := ""
		if row.status == 400 {
			body = "amount=" + strings.Repeat("1", 5000)
		}
		got := send(t, srv, row.method, row.path, body, row.header...)
		assert.Equal(t, row.status, got.status, row.why)
		assert.Contains(t, got.body, `data-testid="fake-notice"`, row.why)
		assert.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-", row.why)
	}
	for _, origin := range []string{"https://evil.example", "null"} {
		got := send(t, srv, "POST", path, "", "Content-Type: application/x-www-form-urlencoded", "Origin: "+origin)
		assert.Equal(t, 403, got.status, "another site's form, or a sandboxed frame's")
	}
	assert.Empty(t, srv.State().PaymentDetails)
}

func TestPayerPageOfPaidAndVoidedObjects(t *testing.T) {
	var clock atomic.Pointer[time.Time]
	now := time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)
	clock.Store(&now)
	srv := momenttest.NewServer(momenttest.WithClock(func() time.Time { return *clock.Load() }))
	t.Cleanup(srv.Close)
	client := srv.Client()
	request, err := client.PaymentRequests.Create(t.Context(), moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR})
	require.NoError(t, err)
	push, err := client.PaymentRequests.Create(t.Context(), moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR, Type: moment.PaymentRequestTypePush, Push: &moment.PaymentPush{Provider: "capitec", Capitec: &moment.CapitecPush{PhoneNumber: "+27823778084"}}})
	require.NoError(t, err)
	bill, err := client.Bills.Create(t.Context(), moment.BillCreateParams{Customer: moment.CustomerCreateParams{ExternalReference: "UCR-1"}, ExternalReference: "UBR-1", Currency: moment.ZAR, AmountDue: 2000})
	require.NoError(t, err)
	_, err = client.Bills.Void(t.Context(), bill.ID)
	require.NoError(t, err)
	assert.Equal(t, "1 February 2025, 12:00 UTC", texts(payerGet(t, srv, "/_pay/"+request.ID))["payer-due"])
	submit(t, srv, "/_pay/"+push.ID, payerGet(t, srv, "/_pay/"+push.ID), url.Values{"decline": {"yes"}})
	clock.Store(&request.ExpiresAt)
	for id, title := range map[string]string{
		request.ID: "This payment request has expired",
		push.ID:    "This payment request has failed",
		bill.ID:    "This bill is cancelled",
	} {
		page := payerGet(t, srv, "/_pay/"+id)
		assert.Equal(t, title, texts(page)["payer-title"])
		assert.NotContains(t, page.body, "<form")
	}
}

// Browser tests of merchants depend on these attributes.
func TestPayerTestIDsAreDocumented(t *testing.T) {
	docs, err := os.ReadFile("../docs/testing.md")
	require.NoError(t, err)
	var sources strings.Builder
	for _, name := range []string{"payer/page.html", "payer/ask.html", "payer/receipt.html", "payer_page.go", "payer_targets.go"} {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		sources.Write(source)
	}
	ids := regexp.MustCompile(`"((?:payer|receipt|pay|card|fake)(?:-[a-z]+)+|receipt)"`)
	used := map[string]bool{}
	for _, id := range ids.FindAllStringSubmatch(sources.String(), -1) {
		used[id[1]] = true
		assert.Contains(t, string(docs), "`"+id[1]+"`")
	}
	assert.Len(t, used, 26)
}
