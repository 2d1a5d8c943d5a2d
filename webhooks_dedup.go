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

// Deduplicator makes sure that a message is processed once, although it may be delivered several
// times.
//
// [MemoryDeduplicator] is for a single process. For several processes, use the Handler of package
// momentsql instead.
type Deduplicator interface {
	// Once runs process, unless process has succeeded for messageID before: then it returns nil at
	// once. If process fails, Once returns its error, and a later call runs process again. Of
	// several concurrent calls with one messageID, one runs process, and the others wait and return
	// its result. ctx limits the wait, and is passed to process.
	Once(ctx context.Context, messageID string, process func(context.Context) error) error
}

// maxMessages is the number of messages that a MemoryDeduplicator remembers, in some 20 MB.
const maxMessages = 100_000

// MemoryDeduplicator is a [Deduplicator] for a single process. It forgets all messages when the
// process ends. If an event must not be processed again after that, use package momentsql.
//
// It remembers at most 100,000 messages, including those in progress. When it is full, Once fails,
// because forgetting a message early would allow it to be processed twice. Moment then delivers the
// event again later. With a window of a day, the limit allows about one event a second. For more
// events, use a shorter window or package momentsql.
type MemoryDeduplicator struct {
	window time.Duration

	mu       sync.Mutex
	messages map[string]*run
	done     []doneMessage // in the order of their processing
}

// run is the processing of a message.
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
// attack is possible for that long. It must also exceed the time for which Moment retries a
// delivery: a day is a good choice. NewMemoryDeduplicator panics if window is less than a second,
// because such a window is an integer without a unit.
func NewMemoryDeduplicator(window time.Duration) *MemoryDeduplicator {
	if window < time.Second {
		panic(fmt.Sprintf("moment: the window of a MemoryDeduplicator must be at least 1s, not %v: write 24*time.Hour", window))
	}
	return &MemoryDeduplicator{window: window, messages: map[string]*run{}}
}

// Format writes only the type, for any verb, because the contents may change meanwhile.
func (d *MemoryDeduplicator) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "moment.MemoryDeduplicator")
}

// Once implements [Deduplicator]. A process that panics has failed. The waiting calls return the
// result of the running one, so they fail too if its context ends, for example because its
// connection was closed.
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
		r.err = errors.New("moment: the processing of the webhook did not return") // remains if process panics
		defer d.end(r)
		r.err = process(ctx)
		return r.err
	}
	select {
	case <-r.ended: // first, because both may be ready
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

// join returns the run of a message, and whether the caller must do the processing.
func (d *MemoryDeduplicator) join(messageID string) (r *run, mine bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(time.Now())
	if r := d.messages[messageID]; r != nil {
		return r, false, nil
	}
	if len(d.messages) >= maxMessages {
		return nil, false, errors.New("moment: the deduplicator is full: it contains 100,000 messages")
	}
	r = &run{id: strings.Clone(messageID), ended: make(chan struct{})} // see decodeEvent
	d.messages[r.id] = r
	return r, true, nil
}

// forget removes expired messages.
func (d *MemoryDeduplicator) forget(now time.Time) {
	n := 0
	for n < len(d.done) && !now.Before(d.done[n].expires) {
		delete(d.messages, d.done[n].id)
		n++
	}
	d.done = d.done[n:]
}

// end remembers a message that was processed, and forgets one that failed, so that it can be
// retried.
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
