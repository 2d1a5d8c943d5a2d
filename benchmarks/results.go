package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// compared lists the modules that moment-go is compared with.
var compared = []string{
	"github.com/PaddleHQ/paddle-go-sdk/v4",
	"github.com/Rhymond/go-money",
	"github.com/bojanz/currency",
	"github.com/govalues/money",
	"github.com/hetznercloud/hcloud-go/v2",
	"github.com/openai/openai-go/v3",
	"github.com/shopspring/decimal",
	"github.com/standard-webhooks/standard-webhooks/libraries",
	"github.com/stripe/stripe-go/v85",
	"github.com/svix/svix-webhooks",
}

// preamble says what was measured, where, and how.
func preamble(s settings) string {
	var b strings.Builder
	b.WriteString("# Results\n\n")
	if s.few {
		b.WriteString("**Measured with -short, which only shows that the program works. The numbers say little.**\n\n")
	}
	fmt.Fprintf(&b, `This page compares moment-go with the same code written by hand and with other SDKs and libraries.
`+"`go -C benchmarks run .`"+` prints it, and `+"`-write`"+` writes it to this file.
Measured on %s, on %s with %d processors%s, %s/%s, %s.

Each table has %d rounds. In each round, each contender runs for %v after a garbage collection, and the order changes.
A ratio is the median of a contender's times divided by the first row's time in the same round. Times, allocations and bytes
are medians per operation. Other programs on the machine disturb times more than ratios. Each SDK makes its own most similar
calls, with a response of about the same size, and with its own retries and timeouts. Telemetry and logging are off.
Every result is checked.

| module | version |
|---|---|
`, time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), loadAverage(), runtime.GOOS, runtime.GOARCH, runtime.Version(), s.rounds, s.slice)
	for _, module := range compared {
		fmt.Fprintf(&b, "| %s | %s |\n", module, version(module))
	}
	return b.String()
}

func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == module {
				return dep.Version
			}
		}
	}
	return "unknown"
}

// processor returns the name of the processor, which Linux reports.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}

// loadAverage reports how busy the machine was at the start.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	if minute, _, ok := strings.Cut(string(text), " "); ok {
		return " (load average " + minute + " at the start)"
	}
	return ""
}

// summary is the first table of the page.
func summary(tables []table) string {
	var b strings.Builder
	b.WriteString(`
## Summary

A time is a ratio to the same code written by hand on net/http, crypto/hmac and encoding/json, without retries and idempotency keys.
With money, 1.00 is moment-go. Allocations are in brackets. With 256 callers, each client has the transport that it makes by itself,
although most can be given another one. The throughput in brackets is relative to net/http by hand with a tuned transport.

| | moment-go | others |
|---|---|---|
`)
	for _, t := range tables {
		if t.summary[0] != "" {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(t.summary[:], " | "))
		}
	}
	return b.String()
}

const resultsFile = "RESULTS.md"
