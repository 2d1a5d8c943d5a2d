package momenttest

import "time"

// WithClock sets the clock of bill dates, of the expiry of idempotency keys and payment requests,
// and of events and their signatures. The default is time.Now. It does not shorten the wait of
// [Delay]. Other goroutines call now, so guard the variables that it reads. To move time only
// forward, use [Handler.Advance] instead.
func WithClock(now func() time.Time) Option {
	return Option{func(h *Handler) { h.clock = now }}
}

// Now returns the time of the server's clock.
func (h *Handler) Now() time.Time { return h.now() }

func (h *Handler) now() time.Time { return h.clock().Add(time.Duration(h.offset.Load())) }

// Advance moves the server's clock forward by d. The clock then continues. With [WithOutbox],
// Advance makes an attempt for each delivery that is due, and waits for these attempts.
//
//	srv.Advance(5 * time.Second) // the first retry
func (h *Handler) Advance(d time.Duration) {
	h.move(func() { h.offset.Add(int64(d)) })
}

// SetTime sets the server's clock to a time, from which it continues. Otherwise it is like
// [Handler.Advance].
func (h *Handler) SetTime(t time.Time) {
	h.move(func() { h.offset.Store(int64(t.Sub(h.clock()))) })
}

// move makes the attempts that become due itself, because the caller waits for them and not for the
// outbox's goroutine.
func (h *Handler) move(set func()) {
	h.mu.Lock()
	set()
	h.clockMoved = true
	h.changed()
	due := h.takeDue(-1)
	h.mu.Unlock()
	h.sync()
	h.retryAll(due)
	h.wakeOutbox() // the next attempt may be due earlier than it was
}
