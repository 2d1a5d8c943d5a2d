package integration_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// consoleSecret signs the events of the mock.
var consoleSecret = moment.RawWebhookSecret([]byte("01234567890123456789012345"))

// merchantEndpoint is a receiver that can be made to fail.
type merchantEndpoint struct {
	*httptest.Server

	failing  atomic.Bool
	payments atomic.Int64 // that were processed
	received atomic.Int64 // deliveries
}

func newMerchantEndpoint(t *testing.T) *merchantEndpoint {
	t.Helper()
	verifier, err := moment.NewWebhookVerifier(consoleSecret)
	require.NoError(t, err)
	e := &merchantEndpoint{}
	handler := verifier.Handler(func(context.Context, *moment.Event) error {
		e.payments.Add(1)
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)))
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.received.Add(1)
		if e.failing.Load() {
			http.Error(w, "the ledger is locked", http.StatusInternalServerError)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

// consoleMock is a moment-mock that runs.
type consoleMock struct {
	url    string
	client *moment.Client
}

// console is what its tests share.
type console struct {
	binary  string // of moment-mock
	browser browser
}

func TestConsole(t *testing.T) {
	c := console{filepath.Join(t.TempDir(), "moment-mock"), newBrowser(t)}
	out, err := exec.Command("go", "build", "-C", "..", "-o", c.binary, "./cmd/moment-mock").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Run("the promise", c.testPromise)
	t.Run("live", c.testLive)
	t.Run("ledger", c.testLedger)
	t.Run("trouble", c.testTrouble)
	t.Run("by keyboard", c.testKeyboard)
	t.Run("accessible", c.testAccessible)
	t.Run("under load", c.testLoad)
	t.Run("screenshots", c.testScreenshots)
}

// start starts moment-mock with an endpoint.
func (c console) start(t *testing.T, endpoint string) consoleMock {
	t.Helper()
	cmd := exec.Command(c.binary, "--listen", "127.0.0.1:0", "--forward-to", endpoint)
	cmd.Env = append(os.Environ(), "MOMENT_WEBHOOK_SECRET="+consoleSecret)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	exported := regexp.MustCompile(`export MOMENT_BASE_URL=(\S+)`)
	for lines.Scan() {
		if found := exported.FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() {
					// The rest is not read, but must not block moment-mock.
				}
			}()
			client, err := moment.NewClient(anyTestKey, moment.WithBaseURL(found[1]))
			require.NoError(t, err)
			return consoleMock{found[1], client}
		}
	}
	require.Fail(t, "moment-mock did not print its URL")
	return consoleMock{}
}

func (m consoleMock) bill(t *testing.T, reference string, amount moment.Amount) *moment.Bill {
	t.Helper()
	created, err := m.client.Bills.Create(t.Context(), moment.BillCreateParams{
		Customer:          moment.CustomerCreateParams{ExternalReference: "C-" + reference, Name: "Thandi Nkosi", Currency: moment.ZAR},
		ExternalReference: reference, Currency: moment.ZAR, AmountDue: amount,
	})
	require.NoError(t, err)
	return created
}

func (m consoleMock) pay(t *testing.T, to, amount string) {
	t.Helper()
	resp, err := http.Post(m.url+"/_mock/payments", "application/json", strings.NewReader(fmt.Sprintf(`{"to": %q, "amount": %q}`, to, amount)))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// open opens the URL, as a new user does.
func (c console) open(t *testing.T, m consoleMock, width int64, scheme string) *tab {
	t.Helper()
	b := c.browser.tab(t, width, scheme)
	b.open(t, m.url)
	b.waitText(t, "status", "Events go to")
	return b
}

// expand opens the first row of a kind.
func (b *tab) expand(t *testing.T, kind string) {
	t.Helper()
	b.do(t, chromedp.Click(chromedp.CSS(`[data-testid="row-`+kind+`"] .line`), chromedp.NodeVisible))
	b.text(t, "detail")
}

// unfold opens an action of the ledger.
func (b *tab) unfold(t *testing.T, action string) {
	t.Helper()
	b.do(t, chromedp.Click(chromedp.Search(`//summary[.="`+action+`"]`), chromedp.NodeVisible))
}

// What the console is for, in one test.
func (c console) testPromise(t *testing.T) {
	e := newMerchantEndpoint(t)
	e.failing.Store(true)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1280, light)
	require.Contains(t, b.text(t, "live-empty"), "Nothing has happened yet")

	m.bill(t, "INV-2041", 85000)
	b.waitText(t, "row-request", "Create bill INV-2041")
	require.Contains(t, b.text(t, "row-request"), "ZAR 850.00")

	opened := chromedp.WaitNewTarget(b.ctx, func(info *target.Info) bool { return strings.Contains(info.URL, "/_pay/") })
	b.click(t, "pay-link")
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(<-opened))
	require.NoError(t, chromedp.Do(ctx))
	payer := &tab{ctx: ctx}
	require.Equal(t, "ZAR 850.00", payer.text(t, "payer-amount"))
	payer.click(t, "pay-all")
	require.Equal(t, "Paid", payer.text(t, "receipt-status"))
	cancel() // closes the payer's tab

	b.waitText(t, "row-payment", "ZAR 850.00 paid")
	b.waitText(t, "row-delivery", "500")
	b.expand(t, "delivery")
	require.Contains(t, b.text(t, "endpoint-response"), "the ledger is locked")
	require.Zero(t, e.payments.Load())

	e.failing.Store(false)
	b.click(t, "resend")
	b.waitText(t, "result", "Your endpoint responded 204.")
	b.waitText(t, "attempts", "204")
	require.Equal(t, int64(1), e.payments.Load())
}

func (c console) testLive(t *testing.T) {
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1280, light)

	// The command of the empty timeline, pasted into a terminal.
	out, err := exec.Command("sh", "-c", b.text(t, "example")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	b.waitText(t, "row-request", "Create bill UBR1234567890")
	b.expand(t, "request")
	require.Contains(t, b.text(t, "response"), `"status": "unpaid"`)
	require.NotContains(t, b.text(t, "detail"), "sk_test", "keys are not shown")
	b.run(t, `Object.defineProperty(navigator, "clipboard", {value: {writeText: async t => { window.copied = t }}})`)
	b.click(t, "copy-curl")
	b.waitText(t, "copy-curl", "Copied")
	out, err = exec.Command("sh", "-c", eval[string](t, b, "copied")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), `"external_reference":"UBR1234567890"`, "the same key: the response is replayed")
	b.waitRows(t, 2)

	m.pay(t, "UBR1234567890", "5.00")
	b.waitText(t, "row-delivery", "204")
	b.do(t, chromedp.Click(chromedp.CSS(`[data-testid="row-request"] [aria-expanded="true"]`))) // collapse
	b.expand(t, "delivery")
	b.click(t, "send-twice")
	b.waitText(t, "result", "Your endpoint responded 204.")
	require.Equal(t, int64(3), e.received.Load())
	require.Equal(t, int64(1), e.payments.Load(), "the same message")
	for _, button := range []string{"old-secret", "old-timestamp"} {
		b.click(t, button)
		b.waitText(t, "result", "Your endpoint responded 400.")
		require.Contains(t, b.text(t, "curl"), "/deliver'", "beside the call as curl")
	}

	visible := `[...document.querySelectorAll("#rows > li")].filter(li => !li.hidden).map(li => li.dataset.testid).join()`
	b.choose(t, "live-kind", "payment")
	require.Equal(t, "row-payment", eval[string](t, b, visible))
	b.choose(t, "live-kind", "")
	b.fill(t, "live-filter", "AMOUNT_applied")
	require.Equal(t, "row-delivery", eval[string](t, b, visible))
	b.fill(t, "live-filter", "")

	b.click(t, "live-pause")
	m.bill(t, "INV-2", 100)
	require.Contains(t, b.text(t, "live-pause"), "Resume")
	b.click(t, "live-pause")
	b.waitText(t, "row-request", "INV-2")
	b.click(t, "live-clear")
	b.text(t, "live-empty")

	// A request in flight is shown, and gets its response later.
	resp, err := http.Post(m.url+"/_mock/faults", "application/json", strings.NewReader(`{"fault": "delay", "delay": "2s"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	raised := make(chan error, 1)
	go func() {
		_, err := m.client.Bills.Create(t.Context(), moment.BillCreateParams{
			Customer: moment.ExistingCustomer("C-INV-2"), ExternalReference: "INV-3", Currency: moment.ZAR, AmountDue: 100,
		})
		raised <- err
	}()
	b.waitText(t, "row-request", "no response")
	require.NoError(t, <-raised)
	b.waitText(t, "row-request", "Create bill INV-3")
	b.waitRows(t, 1)
}

// Raising, paying, voiding and setting a balance by clicking.
func (c console) testLedger(t *testing.T) {
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1280, light)
	b.click(t, "raise-here")
	b.fill(t, "bill-customer", "UCR1")
	b.fill(t, "bill-customer-name", `Thandi <b>Nkosi</b>`)
	b.fill(t, "bill-reference", "INV-1")
	m.bill(t, "INV-0", 100) // a change meanwhile does not affect the entered text
	b.waitText(t, "objects", "INV-0")
	require.Equal(t, "INV-1", eval[string](t, b, `document.querySelector('[data-testid="bill-reference"]').value`))
	b.fill(t, "bill-amount", "20.005")
	b.waitText(t, "curl", "The amount must be a number such as 10.00.")
	b.fill(t, "bill-amount", "20.00")
	b.waitText(t, "curl", `"amount_due":2000`)
	b.click(t, "raise-bill")
	b.waitText(t, "object-title", "Bill INV-1")
	bill, err := m.client.Bills.Get(t.Context(), "INV-1")
	require.NoError(t, err)
	require.Equal(t, moment.Amount(2000), bill.AmountDue)

	b.fill(t, "pay-amount", "15.00")
	b.click(t, "pay")
	b.waitText(t, "result", "Your endpoint responded 204.")
	b.waitText(t, "object-facts", "ZAR 5.00")
	require.Contains(t, b.text(t, "object-payments"), `"amount": 1500`)
	require.Contains(t, b.text(t, "object-events"), "obligation.amount_applied")

	b.fill(t, "pay-amount", "50.00")
	b.click(t, "pay")
	b.waitText(t, "result", "has ZAR 5.00 left to pay")
	b.fill(t, "pay-amount", "1.00")
	b.choose(t, "pay-deliver", "hold")
	b.click(t, "pay")
	b.waitText(t, "result", "The event was not sent")
	require.Equal(t, int64(1), e.received.Load(), "not sent yet")
	b.waitText(t, "object-facts", "ZAR 4.00")

	b.unfold(t, "Void")
	b.click(t, "void")
	b.waitText(t, "object-facts", "voided")
	require.False(t, b.has(t, "pay"), "a voided bill cannot be paid")

	b.fill(t, "ledger-search", "<B>nkosi")
	b.wait(t, `document.querySelectorAll("#objects li").length === 1`)
	b.do(t, chromedp.Click(chromedp.CSS(`[data-testid="object-customers"]`), chromedp.NodeVisible))
	b.waitText(t, "object-title", "Customer Thandi <b>Nkosi</b>")
	b.unfold(t, "Set balance")
	b.fill(t, "balance", "-12.50")
	b.click(t, "set-balance")
	b.waitText(t, "object-facts", "ZAR -12.50")
	customer, err := m.client.Customers.Get(t.Context(), "UCR1")
	require.NoError(t, err)
	require.Equal(t, moment.MinorUnits(-1250), customer.Balance)
	require.NotEmpty(t, b.text(t, "object-pay-link"))
}

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
	for _, fault := range eval[[]string](t, b, `[...document.querySelectorAll('[data-testid="fault"] option')].map(o => o.value)`) {
		b.choose(t, "fault", fault)
		b.click(t, "add-fault")
		b.waitText(t, "result", "Added.")
	}
	b.wait(t, `document.querySelectorAll('[data-testid="fault-left"]').length === 7`)
	b.click(t, "clear-faults")
	for _, operation := range eval[[]string](t, b, `[...document.querySelectorAll('[data-testid="fault-on"] option')].map(o => o.value)`) {
		b.choose(t, "fault-on", operation)
		b.click(t, "add-fault")
		b.wait(t, `document.querySelectorAll('[data-testid="result"]')[0].textContent === "Added. It meets the next requests."`)
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
	b.click(t, "reset")
	b.waitText(t, "result", "Done.")
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
	b.press(t, kb.ArrowDown) // kept pressed
	b.tabTo(t, byTestID("pay"))
	b.press(t, " ")
	b.waitText(t, "object-facts", "paid")
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
