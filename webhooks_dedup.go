package moment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Deduplicator makes sure that a message which is delivered several times is processed once.
//
// [MemoryDeduplicator] is one for a single process. With several processes, use the Handler of
// package momentsql instead.
type Deduplicator interface {
	// Once runs process, unless it has succeeded for messageID before: then it returns nil at once.
	// If process fails, Once returns its error, and the message may be tried again. Of several
	// calls at once with one messageID, one runs process, and the others wait for how it ends. ctx
	// bounds the wait, and is what process gets.
	Once(ctx context.Context, messageID string, process func(context.Context) error) error
}

// maxMessages is what a MemoryDeduplicator remembers: some 20 MB.
const maxMessages = 100_000

// MemoryDeduplicator is a [Deduplicator] for a single process, which forgets everything when the
// process ends. If an event must not be processed again after that, use package momentsql.
//
// It remembers at most 100,000 messages, those in progress included. When it is full, Once fails
// rather than forget one, and Moment delivers the event again later. With a window of a day, that
// is a little more than one event a second: use a shorter window for more, or package momentsql.
type MemoryDeduplicator struct {
	window time.Duration

	mu       sync.Mutex
	messages map[string]*run
	done     []doneMessage // in the order in which they were done
}

// run is how the processing of a message goes.
type run struct {
	id    string        // of the message
	ended chan struct{} // closed at the end
	err   error         // to be read after that
}

type doneMessage struct {
	id      string
	expires time.Time
}

// NewMemoryDeduplicator returns a MemoryDeduplicator that remembers a message for a window of time
// after it was processed. The window must exceed twice the verifier's tolerance, because a replay
// attack is possible for that long, and the time for which Moment goes on delivering an event; a
// day is a good choice. NewMemoryDeduplicator panics if window is less than a second, because such
// a window comes from a bare integer.
func NewMemoryDeduplicator(window time.Duration) *MemoryDeduplicator {
	if window < time.Second {
		panic(fmt.Sprintf("moment: the window of a MemoryDeduplicator must be at least 1s, not %v: write 24*time.Hour", window))
	}
	return &MemoryDeduplicator{window: window, messages: map[string]*run{}}
}

// Format writes the type, whatever the verb: what is in it changes while it is read.
func (d *MemoryDeduplicator) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "moment.MemoryDeduplicator")
}

// Once implements [Deduplicator]. A process that panics has failed. As those who wait are told how
// the one that runs has ended, they fail too if its context ends: with whoever delivered hanging
// up, say.
func (d *MemoryDeduplicator) Once(ctx context.Context, messageID string, process func(context.Context) error) error {
	switch {
	case d == nil || d.messages == nil:
		return &ArgumentError{Op: "process webhook", Param: "deduplicator", Reason: "was not made by NewMemoryDeduplicator"}
	case process == nil:
		return &ArgumentError{Op: "process webhook", Param: "function", Reason: "is nil"}
	}
	r, mine, err := d.join(messageID)
	if err != nil {
		return err
	}
	if mine {
		r.err = errors.New("moment: the processing of the webhook did not return") // panicked, unless it does
		defer d.end(r)
		r.err = process(ctx)
		return r.err
	}
	select {
	case <-r.ended: // first, as both may be ready
		return r.err
	default:
	}
	select {
	case <-r.ended:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns the run of a message, and whether it is the caller's to do.
func (d *MemoryDeduplicator) join(messageID string) (r *run, mine bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(time.Now())
	if r := d.messages[messageID]; r != nil {
		return r, false, nil
	}
	if len(d.messages) >= maxMessages {
		return nil, false, errors.New("moment: the deduplicator is full: it holds 100,000 messages")
	}
	r = &run{id: strings.Clone(messageID), ended: make(chan struct{})} // see decodeEvent
	d.messages[r.id] = r
	return r, true, nil
}

// forget drops what has expired.
func (d *MemoryDeduplicator) forget(now time.Time) {
	n := 0
	for n < len(d.done) && !now.Before(d.done[n].expires) {
		delete(d.messages, d.done[n].id)
		n++
	}
	d.done = d.done[n:]
}

// end remembers a message that was processed, and lets one be tried again that failed.
func (d *MemoryDeduplicator) end(r *run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.err == nil {
		d.done = append(d.done, doneMessage{r.id, time.Now().Add(d.window)})
	} else {
		delete(d.messages, r.id)
	}
	close(r.ended)
}
