package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// newDebts starts a fake with a customer who owes a bill, a part-paid bill and two balances.
func newDebts(t *testing.T) *momenttest.Server {
	t.Helper()
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	due := moment.DateOf(time.Now().AddDate(0, 0, 14))
	require.NoError(t, srv.Seed(momenttest.State{
		Customers: []moment.Customer{{ExternalReference: "UCR1", Name: "Thandi Nkosi", Currency: moment.ZAR, Balance: moment.MinorUnits(12050)}},
		Accounts:  []moment.Account{{ExternalReference: "UAR1", CustomerID: "UCR1", Name: "Fibre at home", Currency: moment.ZAR, Balance: moment.MinorUnits(49900)}},
		Bills: []moment.Bill{
			{ExternalReference: "INV-2041", CustomerID: "UCR1", Currency: moment.ZAR, AmountDue: 85000, DueDate: due, PaymentRules: &moment.PaymentRules{UnderpaymentAllowed: true}},
			{ExternalReference: "INV-2040", AccountID: "UAR1", Currency: moment.ZAR, AmountDue: 85000, AmountPaid: 35000, DueDate: moment.NewDate(2025, time.January, 31), PaymentRules: &moment.PaymentRules{UnderpaymentAllowed: true}},
			{ExternalReference: "INV-2039", CustomerID: "UCR1", Currency: moment.ZAR, AmountDue: 85000, Status: moment.BillStatusVoided},
		},
	}))
	return srv
}

// As on a customer's phone, and with all scripts blocked.
func TestPayerPageWithoutJavaScript(t *testing.T) {
	srv := newDebts(t)
	var events atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { events.Add(1) }))
	t.Cleanup(endpoint.Close)
	srv.SetWebhook(endpoint.URL, moment.RawWebhookSecret([]byte("0123456789abcdef")))
	b := newBrowser(t).tab(t, 360, light)
	b.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))

	b.open(t, srv.URL+"/_pay/INV-2041")
	require.Equal(t, "ZAR 850.00", b.text(t, "payer-amount"))
	b.fill(t, "pay-part-amount", "900")
	b.click(t, "pay-part")
	require.Equal(t, "This bill has ZAR 850.00 left to pay, not ZAR 900.00.", b.text(t, "payer-error"))
	b.fill(t, "pay-part-amount", "350.00")
	b.click(t, "pay-part")
	require.Equal(t, "Paid", b.text(t, "receipt-status"))
	require.Equal(t, "ZAR 350.00", b.text(t, "receipt-amount"))
	require.Equal(t, "ZAR 500.00", b.text(t, "receipt-left"))
	require.Equal(t, int32(1), events.Load(), "the event has been delivered when the receipt appears")
	b.do(t, chromedp.Reload())
	require.Equal(t, "ZAR 350.00", b.text(t, "receipt-amount"), "a reload shows the receipt again, and pays nothing")

	b.click(t, "receipt-back")
	require.Equal(t, "ZAR 500.00", b.text(t, "payer-amount"))
	b.click(t, "card-declined")
	require.Equal(t, "Card declined", b.text(t, "receipt-status"))
	b.click(t, "receipt-back")
	b.click(t, "pay-all")
	require.Equal(t, "ZAR 500.00", b.text(t, "receipt-amount"))
	b.click(t, "receipt-back")
	require.Equal(t, "This bill is paid", b.text(t, "payer-title"))
	assert.Equal(t, moment.BillStatusPaid, srv.State().Bills[0].Status)
	assert.Len(t, srv.State().Payments, 2)
}

func TestPayerPageByKeyboard(t *testing.T) {
	srv := newDebts(t)
	b := newBrowser(t).tab(t, 1280, light)
	b.open(t, srv.URL+"/_pay/INV-2041")
	b.tabTo(t, byTestID("pay-part-amount"))
	b.press(t, "50")
	b.press(t, kb.Enter)
	require.Equal(t, "ZAR 50.00", b.text(t, "receipt-amount"), "Enter in the amount pays the amount, not everything")
	b.tabTo(t, byTestID("receipt-back"))
	b.press(t, kb.Enter)
	require.Equal(t, "ZAR 800.00", b.text(t, "payer-amount"))
	b.tabTo(t, byTestID("card-declined"))
	b.press(t, " ")
	require.Equal(t, "Card declined", b.text(t, "receipt-status"))
}

// Every page, in widths from a small phone to a large screen, light and dark.
func TestPayerPageIsAccessible(t *testing.T) {
	srv := newDebts(t)
	request, err := srv.Client().PaymentRequests.Create(t.Context(), moment.PaymentRequestCreateParams{
		Amount: 20000, Currency: moment.ZAR, ExternalReference: "ORDER-77", Description: "Two litres of wall paint, and delivery to Observatory",
	})
	require.NoError(t, err)
	paid, err := srv.Pay(t.Context(), momenttest.Payment{Account: "UAR1", Amount: 9900})
	require.NoError(t, err)
	require.NotNil(t, paid)
	declined, err := srv.FailPayment(t.Context(), momenttest.Payment{Account: "UAR1", Amount: 9900})
	require.NoError(t, err)
	require.NotNil(t, declined)
	chromium := newBrowser(t)
	payments := srv.State().PaymentDetails
	tabs := map[string]*tab{light: chromium.tab(t, 320, light), dark: chromium.tab(t, 320, dark)}
	for name, path := range map[string]string{
		"request":  request.Link.URL[len(srv.URL):],
		"bill":     "/_pay/INV-2041",
		"overdue":  "/_pay/INV-2040",
		"voided":   "/_pay/INV-2039",
		"customer": "/_pay/UCR1",
		"account":  "/_pay/UAR1",
		"unknown":  "/_pay/nobody",
		"receipt":  "/_pay/UAR1/" + payments[0].ID,
		"declined": "/_pay/UAR1/" + payments[1].ID,
	} {
		for scheme, b := range tabs {
			b.open(t, srv.URL+path)
			for _, width := range []int64{320, 1280, 2560} {
				where := fmt.Sprintf("%s, %s, %d", name, scheme, width)
				b.do(t, chromedp.EmulateViewport(width, max(800, width*9/16)))
				if width == 320 {
					b.requireAccessible(t, where)
				} else {
					b.requireFits(t, where) // the same elements in the same colours
				}
				if folder := os.Getenv("SCREENSHOTS"); folder != "" {
					b.screenshot(t, fmt.Sprintf("%s/payer-%s-%s-%d.png", folder, name, scheme, width))
				}
			}
		}
	}
}
