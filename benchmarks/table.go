package main

import (
	"fmt"
	"strconv"
	"strings"
)

// table is one of the results.
type table struct {
	title  string
	note   string // how it was measured
	header []string
	rows   [][]string

	summary [3]string // its row in the summary: what was measured (empty: no row), this SDK, the others
}

func (t table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", t.title, t.note)
	fmt.Fprintf(&b, "| %s |\n|---|%s\n", strings.Join(t.header, " | "), strings.Repeat("--:|", len(t.header)-1)) // the first column is text, the others are numbers
	for _, row := range t.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

// timesTable returns the table of what measure measured.
func timesTable(title, note string, measurements []measurement) table {
	t := table{title: title, note: note, header: []string{"", "ratio", "time", "allocations", "bytes"}}
	for i, m := range measurements {
		t.rows = append(t.rows, []string{m.name, fmt.Sprintf("%.2f", m.ratio), nanoseconds(m.nanoseconds), fmt.Sprintf("%.0f", m.allocations), fmt.Sprintf("%.0f", m.bytes)})
		text := fmt.Sprintf("%.2f (%.0f)", m.ratio, m.allocations)
		switch {
		case m.name == ourName:
			t.summary[1] = text
		case i > 0: // the first is 1.00
			t.summary[2] = joined(t.summary[2], m.name+" "+text)
		}
	}
	return t
}

// inSummary returns the table with a row in the summary.
func (t table) inSummary(what string) table {
	t.summary[0] = what
	return t
}

// loadTable returns the table of what measureLoads measured.
func loadTable(s settings, protocol string, loads []load) table {
	t := table{
		title: fmt.Sprintf("%d callers, %s", callers, protocol),
		note: fmt.Sprintf("%s calls to another process on the same machine, every second one a create. Each client has the transport that it makes by itself. "+
			"The tuned transport has MaxIdleConns and MaxIdleConnsPerHost at %d. The throughput is relative to it, and more is better. "+
			"The numbers are medians of the rounds. A client that takes more than %v for a round runs no further rounds.",
			thousands(float64(s.calls)), callers, tooLong),
		header: []string{"", "throughput", "calls per second", "connections opened", "rounds"},
	}
	t.summary[0] = fmt.Sprintf("%d callers, %s, default transports: connections for %s calls (throughput)", callers, protocol, thousands(float64(s.calls)))
	for _, l := range loads {
		rounds := len(l.rounds)
		ratio := medianOf(rounds, func(i int) float64 { return l.rounds[i].perSecond / loads[0].rounds[i].perSecond })
		opened := thousands(medianOf(rounds, func(i int) float64 { return l.rounds[i].opened }))
		perSecond := thousands(medianOf(rounds, func(i int) float64 { return l.rounds[i].perSecond }))
		t.rows = append(t.rows, []string{l.name, fmt.Sprintf("%.2f", ratio), perSecond, opened, strconv.Itoa(rounds)})
		text := fmt.Sprintf("%s (%.2f)", opened, ratio)
		switch l.name {
		case tunedName:
		case ourName:
			t.summary[1] = text
		default:
			t.summary[2] = joined(t.summary[2], l.name+" "+text)
		}
	}
	return t
}

func joined(list, item string) string {
	if list == "" {
		return item
	}
	return list + " · " + item
}

func nanoseconds(ns float64) string {
	switch {
	case ns < 999.5:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 999_500:
		return fmt.Sprintf("%.3g µs", ns/1000)
	default:
		return fmt.Sprintf("%.3g ms", ns/1_000_000)
	}
}

// thousands writes 12,345.
func thousands(f float64) string {
	text := fmt.Sprintf("%.0f", f)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
