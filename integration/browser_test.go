package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	light = "light"
	dark  = "dark"

	// browserPatience is how long a test waits for what should appear at once, on a busy machine.
	browserPatience = 20 * time.Second
)

// browser is a Chromium that ends with the test.
type browser struct {
	ctx context.Context
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("%v: run .ci/chromium", err)
	}
	require.NoError(t, err)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.Flag("enable-precise-memory-info", true), chromedp.Flag("js-flags", "--expose-gc"))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // its sandbox does not work as root
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return browser{ctx}
}

// A tab of Chromium. Its methods fail the test.
type tab struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string // exceptions, and what the browser reports as an error
}

// tab opens a tab of a width and a colour scheme.
func (c browser) tab(t *testing.T, width int64, scheme string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(c.ctx)
	b := &tab{ctx: ctx}
	require.NoError(t, chromedp.Do(ctx)) // the tab lives as long as the context of its first action
	b.do(t,
		chromedp.EmulateViewport(width, max(800, width*9/16)),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			return err
		}),
	)
	messages := chromedp.Console(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil {
				return
			}
			// A response that is not a success is part of some tests.
			if (m.Type == "error" || m.Type == chromedp.ConsoleException) && !strings.HasPrefix(m.Text, "Failed to load resource") {
				b.mu.Lock()
				b.problems = append(b.problems, m.Text)
				b.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		assert.Empty(t, b.problems, "the browser reports no exception, and nothing that breaks the Content-Security-Policy")
	})
	return b
}

func (b *tab) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, actions...))
}

// value runs an action that returns a value, again if the page replaces the element meanwhile.
func value[T any](t *testing.T, b *tab, what string, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	for {
		got, err := chromedp.Run(ctx, action)
		if err != nil && strings.Contains(err.Error(), "No node with") {
			continue
		}
		require.NoError(t, err, what)
		return got
	}
}

func (b *tab) open(t *testing.T, url string) {
	t.Helper()
	b.do(t, chromedp.Navigate(url))
}

// byTestID selects by data-testid, or by an id that serves as one.
func byTestID(id string) chromedp.CSS { return chromedp.CSS(`[data-testid="` + id + `"], #` + id) }

// text waits for an element, and returns its text.
func (b *tab) text(t *testing.T, id string) string {
	t.Helper()
	return strings.TrimSpace(value(t, b, id, chromedp.Text(byTestID(id), chromedp.NodeVisible)))
}

func (b *tab) click(t *testing.T, id string) {
	t.Helper()
	value(t, b, id, chromedp.Click(byTestID(id), chromedp.NodeVisible))
}

// fill replaces the text of an input.
func (b *tab) fill(t *testing.T, id, text string) {
	t.Helper()
	b.do(t, chromedp.Focus(byTestID(id), chromedp.NodeVisible))
	b.run(t, `document.activeElement.select()`)
	if text == "" {
		text = kb.Delete
	}
	b.press(t, text)
}

// wait waits until an expression of JavaScript is true.
func (b *tab) wait(t *testing.T, expression string) {
	t.Helper()
	value(t, b, expression, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(10*time.Millisecond), chromedp.WithPollingTimeout(0)))
}

// waitText waits until the text of an element contains a part.
func (b *tab) waitText(t *testing.T, id, part string) {
	t.Helper()
	b.wait(t, fmt.Sprintf(`[...document.querySelectorAll(%s)].some(e => e.textContent.includes(%s))`, js(string(byTestID(id))), js(part)))
}

// js is a text as a literal of JavaScript.
func js(text string) string {
	literal, _ := json.Marshal(text) //nolint:errchkjson // a string
	return string(literal)
}

// eval returns the value of an expression of JavaScript, or of its promise.
func eval[T any](t *testing.T, b *tab, expression string) T {
	t.Helper()
	return value(t, b, expression, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// run runs a statement of JavaScript.
func (b *tab) run(t *testing.T, statement string) {
	t.Helper()
	eval[bool](t, b, "(() => { "+statement+"; return true })()")
}

// choose selects an option by its value.
func (b *tab) choose(t *testing.T, id, option string) {
	t.Helper()
	b.run(t, fmt.Sprintf(`const e = document.querySelector(%s); e.value = %s; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true}))`, js(string(byTestID(id))), js(option)))
}

// has reports whether an element exists.
func (b *tab) has(t *testing.T, id string) bool {
	t.Helper()
	return eval[bool](t, b, fmt.Sprintf(`document.querySelector(%s) !== null`, js(string(byTestID(id)))))
}

// waitRows waits until the timeline has n rows.
func (b *tab) waitRows(t *testing.T, n int) {
	t.Helper()
	b.wait(t, fmt.Sprintf(`document.querySelectorAll("#rows > li").length === %d`, n))
}

// press sends keys to the element that has the focus.
func (b *tab) press(t *testing.T, keys string) {
	t.Helper()
	b.do(t, chromedp.KeyEvent(keys))
}

// tabTo presses the tab key until an element has the focus, visibly.
func (b *tab) tabTo(t *testing.T, element chromedp.CSS) {
	t.Helper()
	for range 300 {
		if eval[bool](t, b, fmt.Sprintf(`document.activeElement.matches(%s)`, js(string(element)))) {
			require.True(t, eval[bool](t, b, `getComputedStyle(document.activeElement).outlineStyle !== "none"`), "the focus on %s is visible", element)
			return
		}
		b.press(t, kb.Tab)
	}
	require.Fail(t, "the tab key does not reach "+string(element))
}

// screenshot writes what the window shows to a file.
func (b *tab) screenshot(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, b.capture(t), 0o600))
}

// capture returns what the window shows as a PNG.
func (b *tab) capture(t *testing.T) []byte {
	t.Helper()
	return value(t, b, "screenshot", chromedp.Action[[]byte](func(ctx context.Context, target *chromedp.Target) ([]byte, error) {
		result, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{})
		return result.Data, err
	}))
}

var axe = sync.OnceValues(func() (string, error) {
	script, err := os.ReadFile("testdata/axe/node_modules/axe-core/axe.min.js")
	return string(script) + ";undefined", err
})

// requireAccessible fails if axe-core finds a violation, or if a page is wider than its window.
func (b *tab) requireAccessible(t *testing.T, where string) {
	t.Helper()
	script, err := axe()
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("%v: run .ci/node", err)
	}
	require.NoError(t, err)
	b.do(t, chromedp.Action[chromedp.Void](func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		_, err = chromedp.Evaluate[any](script)(ctx, target)
		return none, err
	}))
	violations := eval[[]string](t, b, `axe.run({resultTypes: ["violations"]}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.failureSummary + "\n" + n.html)))`)
	require.Empty(t, violations, where)
	b.requireFits(t, where)
}

// requireFits fails if a page, or something on it, is wider than its window.
func (b *tab) requireFits(t *testing.T, where string) {
	t.Helper()
	wide := eval[[]string](t, b, `[...document.querySelectorAll("html, body *:not(.skip)")].filter(e => e.scrollWidth > 0 && (e.getBoundingClientRect().right > innerWidth + 1 || e.tagName === "LI" && e.scrollWidth > e.clientWidth + 1)).map(e => e.outerHTML.slice(0, 100))`)
	require.Empty(t, wide, "%s: wider than the window", where)
}
