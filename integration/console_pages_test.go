package integration_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

var screenshots = flag.Bool("screenshots", false, "write the pictures of cmd/moment-mock/README.md")

// Each view, in widths from a small phone to a large screen, light and dark. Markup in a name stays
// a text.
func (c console) testAccessible(t *testing.T) {
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	for _, scheme := range []string{light, dark} {
		b := c.open(t, m, 320, scheme)
		if scheme == light {
			b.requireAccessible(t, "live, empty")
			m.bill(t, "INV-1", 2000)
			_, err := m.client.Customers.Update(t.Context(), "C-INV-1", moment.CustomerUpdateParams{Name: moment.Ptr(`<img src="x" onerror="alert(1)">`)})
			require.NoError(t, err)
			_, err = m.client.Bills.Get(t.Context(), "nobody")
			require.Error(t, err)
			_, err = m.client.PaymentRequests.Create(t.Context(), moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR, Description: "Paint"})
			require.NoError(t, err)
			m.pay(t, "INV-1", "5.00")
		}
		for _, width := range []int64{320, 1280, 2560} {
			b.do(t, chromedp.EmulateViewport(width, max(800, width*9/16)))
			at := func(view string) string { return fmt.Sprintf("%s, %s, %d", view, scheme, width) }
			check := func(view string) {
				if width == 2560 {
					b.requireFits(t, at(view)) // the rest is as at 1,280 pixels
				} else {
					b.requireAccessible(t, at(view))
				}
				if folder := os.Getenv("SCREENSHOTS"); folder != "" {
					b.screenshot(t, fmt.Sprintf("%s/console-%s-%s-%d.png", folder, view, scheme, width))
				}
			}
			b.click(t, "nav-live")
			b.waitText(t, "row-delivery", "204")
			check("live")
			b.expand(t, "delivery")
			b.waitText(t, "attempts", "204")
			b.expand(t, "request")
			check("live-open")
			b.do(t, chromedp.Click(chromedp.CSS(`[data-testid="row-delivery"] .line`)), chromedp.Click(chromedp.CSS(`[data-testid="row-request"] .line`)))
			b.click(t, "nav-ledger")
			b.do(t, chromedp.Click(chromedp.CSS(`[data-testid="object-customers"]`), chromedp.NodeVisible))
			b.waitText(t, "object-title", `<img src="x" onerror="alert(1)">`)
			check("ledger")
			b.click(t, "new-bill")
			b.wait(t, `document.querySelector("#object").dataset.id === "new"`)
			check("new-bill")
			b.click(t, "nav-trouble")
			b.text(t, "now")
			check("trouble")
		}
	}
}

// testLoad shows that the page stays usable: the timeline and the memory are bounded under
// load.
func (c console) testLoad(t *testing.T) {
	const bills, requests = 2000, 5000
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1280, light)
	raise := func(from, to int) {
		for i := from; i < to; i++ {
			_, err := m.client.Bills.Create(t.Context(), moment.BillCreateParams{
				Customer:          moment.CustomerCreateParams{ExternalReference: fmt.Sprintf("C-%04d", i), Name: "Thandi Nkosi"},
				ExternalReference: fmt.Sprintf("INV-%04d", i), Currency: moment.ZAR, AmountDue: 2000,
			})
			require.NoError(t, err)
		}
	}
	look := func(n int) {
		for i := range n {
			_, err := m.client.Bills.Get(t.Context(), fmt.Sprintf("INV-%04d", i%bills))
			require.NoError(t, err)
		}
	}
	started := b.heap(t)
	begun := time.Now()
	raise(0, bills)
	look(requests - bills)
	loaded := time.Since(begun)
	b.waitRows(t, 1000)
	b.waitText(t, "row-request", fmt.Sprintf("INV-%04d", (requests-bills-1)%bills))
	first := b.heap(t)
	look(requests)
	b.waitRows(t, 1000)
	b.waitText(t, "row-request", fmt.Sprintf("INV-%04d", (requests-1)%bills))
	second := b.heap(t)
	t.Logf("%d requests in %s; JavaScript heap: %.1f MB at the start, %.1f MB after %d requests, %.1f MB after %d", requests, loaded.Round(time.Second), started, first, requests, second, 2*requests)
	assert.Less(t, first, 40.0, "MB: the memory is bounded")
	assert.Less(t, second, first*1.25+1, "MB: more requests need no more memory")
	require.Equal(t, 1000, eval[int](t, b, `document.querySelectorAll("#rows > li").length`))

	waits := make([]time.Duration, 0, 21)
	for i := range cap(waits) {
		reference := fmt.Sprintf("NEW-%d", i)
		begun := time.Now()
		m.bill(t, reference, 2000)
		b.waitText(t, "row-request", "Create bill "+reference)
		waits = append(waits, time.Since(begun))
	}
	slices.Sort(waits)
	t.Logf("a new request appears after %s (median), at most %s", waits[10].Round(time.Millisecond), waits[20].Round(time.Millisecond))
	assert.Less(t, waits[10], 5*time.Second)

	begun = time.Now()
	b.click(t, "nav-ledger")
	b.waitText(t, "object-bills", "NEW-20")
	t.Logf("the ledger of %d objects appears after %s", 2*(bills+21), time.Since(begun).Round(time.Millisecond))
	b.fill(t, "ledger-search", "INV-1234")
	b.wait(t, `document.querySelectorAll("#objects li").length === 1`)
	require.LessOrEqual(t, eval[int](t, b, `document.querySelectorAll("#objects li").length`), 200)
	t.Logf("with the ledger, the JavaScript heap has %.1f MB", b.heap(t))
}

// heap returns the size of the JavaScript heap in MB, after the garbage is collected.
func (b *tab) heap(t *testing.T) float64 {
	t.Helper()
	return value(t, b, "heap", chromedp.Action[float64](func(ctx context.Context, target *chromedp.Target) (float64, error) {
		if _, err := cdp.Call(ctx, target, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			return 0, err
		}
		usage, err := cdp.Call(ctx, target, runtime.GetHeapUsage, cdp.Empty{})
		return usage.UsedSize / 1e6, err
	}))
}

// testScreenshots makes the pictures of the README: with the flag -screenshots, in its folder.
func (c console) testScreenshots(t *testing.T) {
	folder := t.TempDir()
	if *screenshots {
		folder = "../cmd/moment-mock"
	}
	e := newMerchantEndpoint(t)
	m := c.start(t, e.URL+"/webhooks/moment")
	b := c.open(t, m, 1000, light)
	m.bill(t, "INV-2040", 49900)
	m.pay(t, "INV-2040", "499.00")
	m.bill(t, "INV-2041", 85000)
	e.failing.Store(true)
	m.pay(t, "INV-2041", "350.00")
	b.waitText(t, "row-delivery", "500")
	b.picture(t, filepath.Join(folder, "console.png"), 1000, 480)

	p := c.browser.tab(t, 360, light)
	p.open(t, m.url+"/_pay/INV-2041")
	p.text(t, "pay-all")
	p.picture(t, filepath.Join(folder, "payer.png"), 360, 670)
}

// picture writes a screenshot that is small enough for a README.
func (b *tab) picture(t *testing.T, path string, width, height int64) {
	t.Helper()
	b.do(t, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScrollbarsHidden, emulation.SetScrollbarsHiddenParams{Hidden: true})
		return err
	}))
	b.run(t, `scrollTo(0, 0); document.activeElement.blur()`)
	shot, err := png.Decode(bytes.NewReader(b.capture(t)))
	require.NoError(t, err)
	var file bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&file, paletted(shot)))
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o644))
	assert.Less(t, file.Len(), 60_000, path)
	t.Logf("%s: %d bytes", filepath.Base(path), file.Len())
}

// paletted draws a picture with its 64 most frequent colours, because a file of few colours is
// small.
func paletted(shot image.Image) *image.Paletted {
	count := map[color.Color]int{}
	for y := range shot.Bounds().Dy() {
		for x := range shot.Bounds().Dx() {
			count[shot.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	drawn := image.NewPaletted(shot.Bounds(), colours[:min(64, len(colours))])
	draw.Draw(drawn, drawn.Bounds(), shot, image.Point{}, draw.Src)
	return drawn
}
