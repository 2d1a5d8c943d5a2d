package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// compared are the modules that this one requires to compare with.
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
		b.WriteString("**From -short, which only shows that it works: the numbers say little.**\n\n")
	}
	fmt.Fprintf(&b, `moment-go beside the same written by hand and beside other SDKs and libraries, on %s: %s, %d processors%s, %s/%s, %s.
Printed by `+"`go -C benchmarks run .`"+`, and written to this file with `+"`-write`"+`.

In each of %d rounds, each contender of a table has its turn of %v, in an order that rotates, after a garbage collection.
"ratio" is the median of its times relative to the first row's in the same round; times, allocations and bytes are medians per operation.
Where other work disturbs the machine, trust ratios rather than times. Each SDK makes its own nearest calls, with an answer of about
the same size, and with its own retries and timeouts; telemetry and logging are off. Every result is checked.

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

// processor is the processor's name, where Linux tells it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}

// loadAverage says how busy the machine was when this began.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	if minute, _, ok := strings.Cut(string(text), " "); ok {
		return " (load average " + minute + " at the start)"
	}
	return ""
}

// summary is the table of the README.
func summary(tables []table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s, %s, %d processors, %s/%s, %s.\n\n| | moment-go | others |\n|---|---|---|\n",
		time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	for _, t := range tables {
		if t.summary[0] != "" {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(t.summary[:], " | "))
		}
	}
	return b.String()
}

const (
	resultsFile = "RESULTS.md"
	readmeFile  = "../README.md"
	readmeBegin = "<!-- benchmarks: written by go -C benchmarks run . -write -->\n"
	readmeEnd   = "<!-- end of benchmarks -->\n"
)

func writeResults(results, summary string) error {
	readme, err := os.ReadFile(readmeFile)
	if err != nil {
		return err
	}
	text, err := withSummary(string(readme), summary)
	if err != nil {
		return err
	}
	if err := os.WriteFile(readmeFile, []byte(text), 0o644); err != nil {
		return err
	}
	return os.WriteFile(resultsFile, []byte(results), 0o644)
}

// withSummary replaces what stands between the two marks in the README.
func withSummary(readme, summary string) (string, error) {
	before, rest, begins := strings.Cut(readme, readmeBegin)
	_, after, ends := strings.Cut(rest, readmeEnd)
	if !begins || !ends {
		return "", fmt.Errorf("%s lacks the marks of the table", readmeFile)
	}
	return before + readmeBegin + summary + readmeEnd + after, nil
}
