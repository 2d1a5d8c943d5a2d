package main

import (
	"github.com/moment-billing/moment-go"
)

// progress is how far a run is: all rows before a place in the input are done, and some after it.
// Its size does not depend on that of the input.
type progress struct {
	done  position           // all rows before it have an entry
	ahead map[int64]position // the rows after it that have one too: where they begin and end. No more than the window
	open  map[int64]entry    // the rows that have to be sent again. No more than maxOpen
	count map[outcome]int
	money map[outcome]map[moment.Currency]moment.Amount
}

func newProgress(start position) progress {
	return progress{
		done:  start,
		ahead: map[int64]position{},
		open:  map[int64]entry{},
		count: map[outcome]int{},
		money: map[outcome]map[moment.Currency]moment.Amount{raised: {}, there: {}},
	}
}

// add takes in what became of a row.
func (p *progress) add(e entry) {
	_, again := p.open[e.At.Offset]
	if again {
		delete(p.open, e.At.Offset)
		p.count[open]--
	}
	p.count[e.Outcome]++
	switch e.Outcome {
	case raised, there:
		p.money[e.Outcome][e.Currency] += e.Amount // of at most 99 999 999 each: it would take 92 milliards of bills to overflow
	case open:
		p.open[e.At.Offset] = e
	}
	if again {
		return // its place is known
	}
	p.ahead[e.At.Offset] = e.Next
	for next, ok := e.Next, e.At.Offset == p.done.Offset; ok; next, ok = p.ahead[p.done.Offset] {
		delete(p.ahead, p.done.Offset)
		p.done = next
	}
}

// has reports whether the row that begins at an offset needs nothing more, or stands among the open
// ones.
func (p *progress) has(offset int64) bool {
	_, ok := p.ahead[offset]
	return ok || offset < p.done.Offset
}
