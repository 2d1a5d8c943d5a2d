package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// testStates covers what happens while the page polls, or without a request that it would see.
func (c console) testStates(t *testing.T) {
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1280, light)
	m.bill(t, "INV-1", 2000)
	b.waitText(t, "row-request", "INV-1")

	// Clear removes the rows that were shown. A list that was requested before adds only new rows.
	b.run(t, `
		const real = window.fetch;
		window.fetch = async (path, ...rest) => {
			const response = await real(path, ...rest);
			if (String(path).startsWith("/_mock/requests?")) { window.held = true; await new Promise(r => { window.release = r }); window.fetch = real; }
			return response;
		}`)
	m.bill(t, "INV-2", 2000)
	b.wait(t, `window.held === true`)
	b.wait(t, `(window.release && fetch("/_mock/requests").then(r => r.json()).then(l => l.requests.some(r => r.body.includes("INV-2")))) !== undefined`)
	b.click(t, "live-clear")
	b.text(t, "live-empty")
	b.run(t, `window.release()`)
	m.bill(t, "INV-3", 2000)
	b.waitText(t, "row-request", "INV-3")
	b.waitText(t, "row-request", "INV-2")
	b.waitRows(t, 2)

	// A request that is open when its response arrives shows it.
	m.post(t, "/_mock/faults", `{"fault": "delay", "delay": "2s"}`)
	raised := make(chan error, 1)
	go func() {
		_, err := m.client.Bills.Get(t.Context(), "INV-1")
		raised <- err
	}()
	b.waitText(t, "row-request", "no response")
	b.expand(t, "request")
	b.waitText(t, "detail", "No response")
	require.NoError(t, <-raised)
	b.waitText(t, "response", "INV-1")

	// The ledger goes on while the timeline is paused, and keeps its object. A resend that fails is
	// shown as such.
	b.click(t, "nav-ledger")
	b.do(t, chromedp.Click(chromedp.CSS(`[data-testid="object-bills"]`), chromedp.NodeVisible))
	b.text(t, "object-title")
	b.click(t, "nav-live")
	b.click(t, "live-pause")
	b.click(t, "nav-ledger")
	b.text(t, "object-title")                  // waits until it is visible
	b.waitText(t, "object-title", "Bill INV-") // the link leads back to the object
	m.bill(t, "INV-4", 2000)
	b.waitText(t, "objects", "INV-4")
	e.failing.Store(true)
	b.click(t, "pay")
	b.waitText(t, "result", "did not acknowledge the event: 500")
	require.True(t, eval[bool](t, b, `document.querySelector("#object .result").classList.contains("bad")`))

	// A fault that meets the page itself is explained.
	m.post(t, "/_mock/faults", `{"fault": "status", "status": 503}`)
	b.click(t, "new-bill")
	b.click(t, "raise-bill")
	b.waitText(t, "result", "503 without JSON, as from a gateway: is a fault of Trouble left?")

	// Another program resets the data.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, m.url+"/_mock/state", http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	b.waitText(t, "ledger-count", "Nothing yet")
	b.click(t, "nav-live")
	b.text(t, "live-empty")
}

// post makes a call of the admin API.
func (m consoleMock) post(t *testing.T, path, body string) {
	t.Helper()
	resp, err := http.Post(m.url+path, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
