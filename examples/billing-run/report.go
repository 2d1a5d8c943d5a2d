package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// report tells what became of the rows, by this run and those that it goes on from.
func report(w io.Writer, c config, r *runner, stopped error, took time.Duration) {
	p := r.journal.progress
	switch {
	case stopped != nil:
		then := " Start it again to go on."
		if errors.Is(stopped, errChanged) {
			then = ""
		}
		fmt.Fprintf(w, "%s: stopped at line %d after %v: %v.%s\n\n", c.path, p.done.Line, took.Round(time.Millisecond), stopped, then)
	case p.done == r.input.first:
		fmt.Fprintf(w, "%s: has no rows below its header.\n\n", c.path)
	case r.journal.added == 0:
		fmt.Fprintf(w, "%s: was finished before.\n\n", c.path)
	default:
		fmt.Fprintf(w, "%s: finished in %v.\n\n", c.path, took.Round(time.Millisecond))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range []outcome{raised, there, refused, open} {
		fmt.Fprintf(table, "  %s\t%d", o, p.count[o])
		for i, currency := range slices.Sorted(maps.Keys(p.money[o])) {
			if i > 0 {
				fmt.Fprint(table, "\n\t")
			}
			fmt.Fprintf(table, "\t%v", p.money[o][currency].In(currency))
		}
		switch {
		case p.count[o] == 0:
		case o == refused:
			fmt.Fprintf(table, "\tto be corrected and fed back: %s", c.refused)
		case o == open:
			fmt.Fprint(table, "\twithout an outcome: start it again")
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush()
	reportOpen(w, slices.SortedFunc(maps.Values(p.open), func(a, b entry) int { return cmp.Compare(a.At.Offset, b.At.Offset) }))
	fmt.Fprintln(w)
	if n := r.pace.slowdowns(); n > 0 {
		fmt.Fprintf(w, "Rate limited by the service: the rate was halved %d×.\n", n)
	}
	if peak := peakMemory(); peak > 0 {
		fmt.Fprintf(w, "Peak memory: %.1f MiB.\n", float64(peak)/(1<<20))
	}
}

// reportOpen tells why rows are open: each reason once, as it is the same for all where the service
// is away.
func reportOpen(w io.Writer, rows []entry) {
	var reasons []string
	lines := map[string][]string{}
	for _, e := range rows {
		why := strings.TrimPrefix(e.Why, fmt.Sprintf("line %d: ", e.Line))
		same := requestID.ReplaceAllString(why, "")
		if lines[same] == nil {
			reasons = append(reasons, why)
		}
		lines[same] = append(lines[same], strconv.Itoa(e.Line))
	}
	for _, why := range reasons {
		if on := lines[requestID.ReplaceAllString(why, "")]; len(on) == 1 {
			fmt.Fprintf(w, "    line %s: %s\n", on[0], why)
		} else {
			fmt.Fprintf(w, "    %d rows, lines %s: %s\n", len(on), strings.Join(on, ", "), why)
		}
	}
}

var requestID = regexp.MustCompile(`request id [^,)]+`)

var highWater = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peakMemory is the most memory that this process has had resident, in bytes, where Linux tells it;
// else 0. (The ru_maxrss of getrusage is that of the process which started this one, if that had
// more.)
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	if match := highWater.FindSubmatch(status); match != nil {
		kilobytes, _ := strconv.ParseInt(string(match[1]), 10, 64)
		return kilobytes << 10
	}
	return 0
}
