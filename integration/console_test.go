package integration_test

import (
	"bufio"
	"context"
	"encoding/json"
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
	t.Run("states", c.testStates)
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
	// A script clicks, because a new row may move this one away from the mouse.
	b.wait(t, `(line => line && (line.click(), true))(document.querySelector('[data-testid="row-`+kind+`"] .line'))`)
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
	require.Contains(t, b.text(t, "live-empty"), "Nothing to show yet")

	m.bill(t, "INV-2041", 85000)
	b.waitText(t, "row-request", "Create bill INV-2041")
	b.waitText(t, "row-request", "ZAR 850.00")

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
	b.waitText(t, "pay-link", "Paid")
	b.waitText(t, "row-delivery", "500")
	b.click(t, "row-send") // opens the row too
	b.waitText(t, "result", "Your endpoint responded 500.")
	b.waitText(t, "endpoint-response", "the ledger is locked")
	require.Zero(t, e.payments.Load())

	e.failing.Store(false)
	b.click(t, "row-send")
	b.waitText(t, "result", "Your endpoint responded 204.")
	b.waitText(t, "attempts", "204")
	require.Equal(t, int64(1), e.payments.Load())
}

func (c console) testLive(t *testing.T) {
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1280, light)

	// The command of the empty timeline, pasted into a terminal.
	example := b.text(t, "example")
	out, err := exec.Command("sh", "-c", example).Output()
	require.NoError(t, err, "%s", out)
	var raised moment.Bill
	require.NoError(t, json.Unmarshal(out, &raised))
	b.waitText(t, "row-request", "Create bill "+raised.ExternalReference)
	b.expand(t, "request")
	b.waitText(t, "response", `"status": "unpaid"`)
	require.NotContains(t, b.text(t, "detail"), "sk_test", "keys are not shown")
	b.run(t, `Object.defineProperty(navigator, "clipboard", {value: {writeText: async t => { window.copied = t }}})`)
	b.click(t, "copy-curl")
	b.waitText(t, "copy-curl", "Copied")
	out, err = exec.Command("sh", "-c", eval[string](t, b, "copied")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), raised.ID, "the same key: the response is replayed")
	b.waitRows(t, 2)
	time.Sleep(time.Second) // its references contain the second
	out, err = exec.Command("sh", "-c", example).Output()
	require.NoError(t, err)
	require.Contains(t, string(out), `"id":"bill_`, "pasted again, it raises another bill: %s", out)
	b.waitRows(t, 3)

	m.pay(t, raised.ID, "5.00")
	b.waitText(t, "row-delivery", "204")
	require.Contains(t, eval[string](t, b, `document.querySelector('[data-testid="row-send"]').ariaLabel`), "Resend ZAR 5.00 to ", "as a screen reader says it")
	b.do(t, chromedp.Click(chromedp.CSS(`[data-testid="row-request"] [aria-expanded="true"]`))) // collapse
	b.expand(t, "delivery")
	b.click(t, "send-twice")
	b.waitText(t, "result", "Your endpoint responded 204 and 204.")
	require.Equal(t, int64(3), e.received.Load())
	require.Equal(t, int64(1), e.payments.Load(), "the same message")
	for _, button := range []string{"old-secret", "old-timestamp"} {
		b.click(t, button)
		b.waitText(t, "result", "Your endpoint responded 400. It does not accept")
		b.waitText(t, "curl", "/deliver'") // beside the call as curl
	}
	b.waitText(t, "attempts", "resent with the old secret, to")
	b.waitText(t, "attempts", "resent with the timestamp ")

	visible := `[...document.querySelectorAll("#rows > li")].filter(li => !li.hidden).map(li => li.dataset.testid).join()`
	b.choose(t, "live-kind", "payment")
	require.Equal(t, "row-payment", eval[string](t, b, visible))
	b.choose(t, "live-kind", "")
	b.fill(t, "live-filter", "AMOUNT_applied")
	require.Equal(t, "row-delivery", eval[string](t, b, visible))
	b.fill(t, "live-filter", "nothing like this")
	require.NotEmpty(t, b.text(t, "live-none"))
	b.fill(t, "live-filter", "")

	b.click(t, "live-pause")
	m.bill(t, "INV-2", 100)
	b.waitText(t, "live-pause", "Resume")
	b.click(t, "live-pause")
	b.waitText(t, "row-request", "INV-2")
	b.click(t, "live-clear")
	b.text(t, "live-empty")
	b.open(t, m.url)
	m.bill(t, "INV-9", 100)
	b.waitText(t, "row-request", "INV-9")
	b.waitRows(t, 1) // a reload does not show the cleared rows again
	b.click(t, "live-clear")
	b.text(t, "live-empty")

	// A request in flight is shown, and gets its response later.
	resp, err := http.Post(m.url+"/_mock/faults", "application/json", strings.NewReader(`{"fault": "delay", "delay": "2s"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	created := make(chan error, 1)
	go func() {
		_, err := m.client.Bills.Create(t.Context(), moment.BillCreateParams{
			Customer: moment.ExistingCustomer("C-INV-2"), ExternalReference: "INV-3", Currency: moment.ZAR, AmountDue: 100,
		})
		created <- err
	}()
	b.waitText(t, "row-request", "no response")
	b.waitText(t, "row-request", "Create bill INV-3fault: The operation runs after a delay")
	require.NoError(t, <-created)
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
	b.fill(t, "bill-customerName", `Thandi <b>Nkosi</b>`)
	b.fill(t, "bill-reference", "INV-1")
	m.bill(t, "INV-0", 100) // a change meanwhile does not affect the entered text
	b.waitText(t, "objects", "INV-0")
	require.Equal(t, "INV-1", eval[string](t, b, `document.querySelector('[data-testid="bill-reference"]').value`))
	b.fill(t, "bill-amount", "20.005")
	b.wait(t, `document.querySelector("#object details").hidden`) // there is no such call
	for amount, why := range map[string]string{"20.005": "The amount must be a number such as 10.00.", "0": "The amount must be ZAR 0.01 or more."} {
		b.fill(t, "bill-amount", amount)
		b.click(t, "raise-bill")
		b.waitText(t, "result", why)
	}
	b.fill(t, "bill-amount", "20.00")
	b.fill(t, "bill-currency", "zar")
	b.waitText(t, "curl", `"currency":"ZAR","amount_due":2000`)
	b.click(t, "raise-bill")
	b.waitText(t, "object-title", "Bill INV-1")
	bill, err := m.client.Bills.Get(t.Context(), "INV-1")
	require.NoError(t, err)
	require.Equal(t, moment.Amount(2000), bill.AmountDue)

	b.fill(t, "pay-amount", "15.00")
	b.click(t, "pay")
	b.waitText(t, "result", "ZAR 15.00 paid. Your endpoint responded 204.")
	b.waitText(t, "object-facts", "ZAR 5.00")
	b.wait(t, `document.querySelector('[data-testid="pay-amount"]').value === "5.00"`) // the rest
	b.waitText(t, "object-payments", "ZAR 15.00 · succeeded")
	b.waitText(t, "object-events", "ZAR 15.00 · obligation.amount_applied · 204")

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

	b.fill(t, "ledger-search", "nothing like this")
	b.waitText(t, "ledger-count", "Nothing matches.")
	b.fill(t, "ledger-search", "zar 20.00")
	b.wait(t, `document.querySelectorAll("#objects li").length === 1`)
	b.fill(t, "ledger-search", "<B>nkosi")
	b.wait(t, `document.querySelectorAll("#objects li").length === 2`) // the customer, and the bill
	b.do(t, chromedp.Click(chromedp.CSS(`[data-testid="object-customers"]`), chromedp.NodeVisible))
	b.waitText(t, "object-title", "Customer Thandi <b>Nkosi</b>")
	b.unfold(t, "Set balance")
	b.fill(t, "balance-balance", "-12.50")
	b.click(t, "set-balance")
	b.waitText(t, "object-facts", "ZAR -12.50")
	customer, err := m.client.Customers.Get(t.Context(), "UCR1")
	require.NoError(t, err)
	require.Equal(t, moment.MinorUnits(-1250), customer.Balance)
	require.NotEmpty(t, b.text(t, "object-pay-link"))
	b.fill(t, "pay-amount", "1.00")
	b.click(t, "pay")
	b.waitText(t, "result", "Your endpoint responded 204. The balance stays: your program sets it.")
}
