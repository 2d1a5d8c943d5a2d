package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	lineEvery     = 10 * time.Second
	maxComplaints = 20 // the others are in the file of refused rows, or in the report
)

// screen shows how far a run is: by a bar on a terminal, by a line now and then elsewhere.
type screen struct {
	out        io.Writer
	size       int64 // of the input
	bar        *progressbar.ProgressBar
	shown      time.Time
	complaints int
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func newScreen(out io.Writer, size int64, terminal bool) *screen {
	s := &screen{out: out, size: size, shown: time.Now()}
	if terminal {
		s.bar = progressbar.NewOptions64(size,
			progressbar.OptionSetWriter(out),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionFullWidth(),
			progressbar.OptionClearOnFinish(),
		)
	}
	return s
}

func (s *screen) show(p progress) {
	counts := fmt.Sprintf("%d raised, %d already there, %d refused, %d open", p.count[raised], p.count[there], p.count[refused], p.count[open])
	switch {
	case s.bar != nil:
		s.bar.Describe(counts)
		_ = s.bar.Set64(p.done.Offset)
	case time.Since(s.shown) >= lineEvery:
		s.shown = time.Now()
		fmt.Fprintf(s.out, "%d %%: %s\n", 100*p.done.Offset/s.size, counts)
	}
}

// complain tells of a row that is refused or stays open.
func (s *screen) complain(why string) {
	s.complaints++
	switch {
	case s.complaints <= maxComplaints:
		s.say(why)
	case s.complaints == maxComplaints+1:
		s.say("(and so on: rows that are refused will be in the file of refused rows, open ones in the report)")
	}
}

// say prints a line, which the bar does not run into.
func (s *screen) say(line string) {
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	fmt.Fprintln(s.out, line)
}

func (s *screen) close() {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
}
