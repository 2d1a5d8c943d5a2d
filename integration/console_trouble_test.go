package integration_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

func (c console) testTrouble(t *testing.T) {
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1280, light)
	m.bill(t, "INV-1", 2000)
	b.click(t, "nav-trouble")
	b.choose(t, "fault-on", "get bill")
	b.fill(t, "fault-status", "500")
	b.fill(t, "fault-times", "2")
	b.waitText(t, "curl", `{"fault":"status","status":500,"on":"get bill","times":2}`)
	b.click(t, "add-fault")
	b.waitText(t, "fault-left", "500 · to get bill · 2 left")
	b.waitText(t, "nav-trouble", "Trouble (1)")
	_, err := m.client.Bills.Get(t.Context(), "INV-1", moment.WithCallMaxRetries(0))
	require.ErrorIs(t, err, moment.ErrServer)
	b.waitText(t, "fault-left", "1 left")
	b.click(t, "clear-faults")
	b.wait(t, `!document.querySelector('[data-testid="fault-left"]')`)

	// Every fault that is offered is one that moment-mock has.
	added := `document.querySelectorAll('[data-testid="result"]')[0].textContent.startsWith("Added: see") && !document.querySelector('[data-testid="add-fault"]').disabled`
	for _, fault := range eval[[]string](t, b, `[...document.querySelectorAll('[data-testid="fault-fault"] option')].map(o => o.value)`) {
		b.choose(t, "fault-fault", fault)
		b.click(t, "add-fault")
		b.wait(t, added)
	}
	b.wait(t, `document.querySelectorAll('[data-testid="fault-left"]').length === 7`)
	b.click(t, "clear-faults")
	for _, operation := range eval[[]string](t, b, `[...document.querySelectorAll('[data-testid="fault-on"] option')].map(o => o.value)`) {
		b.choose(t, "fault-on", operation)
		b.click(t, "add-fault")
		b.wait(t, added)
	}
	b.wait(t, `document.querySelectorAll('[data-testid="fault-left"]').length === 15`)
	b.click(t, "clear-faults")
	b.wait(t, `!document.querySelector('[data-testid="fault-left"]')`)

	request, err := m.client.PaymentRequests.Create(t.Context(), moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR})
	require.NoError(t, err)
	b.click(t, "advance-24h")
	b.waitText(t, "result", "The clock is moved")
	request, err = m.client.PaymentRequests.Get(t.Context(), request.ID)
	require.NoError(t, err)
	require.Equal(t, moment.PaymentRequestStatusExpired, request.Status)

	exported := filepath.Join(t.TempDir(), "moment-mock.json")
	state := eval[string](t, b, `fetch(document.querySelector('[data-testid="export"]').href).then(r => r.text())`)
	require.NoError(t, os.WriteFile(exported, []byte(state), 0o600))
	b.run(t, `window.confirm = text => { window.asked = text; return false }`)
	b.click(t, "reset")
	require.Equal(t, "Remove all other data?", eval[string](t, b, "asked"))
	_, err = m.client.Bills.Get(t.Context(), "INV-1")
	require.NoError(t, err, "not without a confirmation")
	b.run(t, `window.confirm = () => true`)
	b.click(t, "reset")
	b.waitText(t, "result", "Back to the seed.")
	_, err = m.client.Bills.Get(t.Context(), "INV-1")
	require.ErrorIs(t, err, moment.ErrNotFound)
	b.do(t, chromedp.SetUploadFiles(byTestID("import"), []string{exported}))
	b.waitText(t, "import-result", "Imported.")
	_, err = m.client.Bills.Get(t.Context(), "INV-1")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(exported, []byte(`{"version": 0}`), 0o600))
	b.do(t, chromedp.SetUploadFiles(byTestID("import"), []string{exported}))
	b.waitText(t, "import-result", "version")
}

// Raise, pay and redeliver without a mouse.
func (c console) testKeyboard(t *testing.T) {
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1280, light)
	b.tabTo(t, ".skip")
	b.press(t, kb.Enter)
	b.tabTo(t, byTestID("raise-here"))
	b.press(t, kb.Enter)
	b.tabTo(t, byTestID("raise-bill"))
	b.press(t, kb.Enter)
	b.waitText(t, "object-title", "Bill INV-")
	b.tabTo(t, byTestID("pay-deliver"))
	b.press(t, kb.ArrowDown) // later
	b.tabTo(t, byTestID("pay"))
	b.press(t, " ")
	b.waitText(t, "object-facts", "paid")
	b.wait(t, `document.activeElement.dataset.testid === "object-title"`) // the form is gone, not the focus
	require.Zero(t, e.received.Load())
	b.tabTo(t, byTestID("nav-live"))
	b.press(t, kb.Enter)
	b.waitText(t, "row-delivery", "not sent")
	b.tabTo(t, `[data-testid="row-delivery"] .line`)
	b.press(t, kb.Enter)
	b.tabTo(t, byTestID("resend"))
	b.press(t, kb.Enter)
	b.waitText(t, "result", "Your endpoint responded 204.")
	b.wait(t, `document.activeElement.dataset.testid === "resend"`) // the focus stays
	b.press(t, kb.Enter)
	b.wait(t, `document.querySelectorAll('[data-testid="attempts"] li').length === 2`)
	require.Equal(t, int64(2), e.received.Load())
	assert.Equal(t, int64(1), e.payments.Load())
}
