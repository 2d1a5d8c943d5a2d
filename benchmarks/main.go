// The process trusts the certificate of the service on loopback as it trusts the machine's, so that
// each SDK keeps its default transport.
//
//go:debug x509usefallbackroots=1

// Command benchmarks compares this SDK with hand-written code and with other SDKs and libraries,
// and prints the results as Markdown:
//
//	go -C benchmarks run .           takes some four minutes
//	go -C benchmarks run . -short    shows that it works; the numbers say little
//	go -C benchmarks run . -write    writes RESULTS.md: on an idle machine
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// settings say how long to measure.
type settings struct {
	rounds int           // of the contenders in a table
	slice  time.Duration // of each contender in a round
	calls  int           // of each contender in a round of the load
	loads  int           // rounds of the load
	starts int           // of each program
	few    bool          // build and start only the floor and ours, because the others take a minute to build
}

// section makes the tables about one subject.
type section struct {
	name string
	run  func(settings) ([]table, error)
}

var sections = []section{
	{"calls", measureCalls},
	{"load", measureLoad},
	{"webhooks", measureWebhooks},
	{"money", measureMoney},
	{"program", measurePrograms},
}

func main() {
	if protocol, ok := os.LookupEnv(serveVariable); ok {
		exitOn(serve(protocol, os.Stdin, os.Stdout))
		return
	}
	rounds := flag.Int("rounds", 0, "how many rounds the contenders of a table run, if not the usual number")
	short := flag.Bool("short", false, "show that it works, in less than a minute")
	only := flag.String("only", "", "one of calls, load, webhooks, money and program")
	write := flag.Bool("write", false, "write RESULTS.md, as well as printing the results")
	flag.Parse()

	s := settings{rounds: 31, slice: 50 * time.Millisecond, calls: 20_000, loads: 5, starts: 50}
	if *short {
		s = settings{rounds: 5, slice: 2 * time.Millisecond, calls: 2000, loads: 1, starts: 5, few: true}
	}
	if *rounds > 0 {
		s.rounds = *rounds
	}
	if *write && (*short || *only != "" || *rounds > 0) {
		exitOn(errors.New("-write is for all results, measured as long as usual"))
	}
	exitOn(report(s, *only, *write, os.Stdout))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// report measures and prints. It writes the file at the end, when every measurement has succeeded.
func report(s settings, only string, write bool, out io.Writer) error {
	chosen := slices.DeleteFunc(slices.Clone(sections), func(sec section) bool { return only != "" && sec.name != only })
	if len(chosen) == 0 {
		return fmt.Errorf("there is nothing called %q to measure", only)
	}
	intro := preamble(s)
	fmt.Fprint(out, intro)
	var text strings.Builder // of the tables
	var all []table
	for _, sec := range chosen {
		tables, err := sec.run(s)
		if err != nil {
			return fmt.Errorf("%s: %w", sec.name, err)
		}
		for _, t := range tables {
			fmt.Fprint(io.MultiWriter(out, &text), t.markdown())
		}
		all = append(all, tables...)
	}
	fmt.Fprint(out, summary(all))
	if !write {
		return nil
	}
	return os.WriteFile(resultsFile, []byte(intro+summary(all)+text.String()), 0o644)
}
