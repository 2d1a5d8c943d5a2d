package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace is an [http.RoundTripper] that keeps to a rate and learns from the answers which one is
// good: a 429 halves it, and other answers let it grow back, from nothing to the top in a minute.
// Being a RoundTripper, it sees what the client repeats as well.
type pace struct {
	next    http.RoundTripper
	limiter *rate.Limiter

	top, least rate.Limit

	mu       sync.Mutex // guards what is below, and changes of the limit
	slowed   time.Time  // when it was last
	slower   int        // how often it was
	until    time.Time  // no call begins before
	answered bool       // the service is there: something was answered
}

// maxHold is for how long calls are held at most, whatever the service asks.
const maxHold = 5 * time.Minute

// newPace keeps to a number of requests a second, and goes down to a tenth of the number of
// workers, so that none waits for its turn longer than ten seconds.
func newPace(perSecond float64, workers int, next http.RoundTripper) *pace {
	top := rate.Limit(perSecond)
	return &pace{
		next:    next,
		limiter: rate.NewLimiter(top, 1),
		top:     top,
		least:   min(top, max(1, rate.Limit(workers)/10)),
	}
}

// RoundTrip sends a request when its turn has come.
func (p *pace) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := p.limiter.Wait(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper must
		}
		return nil, err
	}
	resp, err := p.next.RoundTrip(req)
	if err == nil {
		p.learn(resp.StatusCode)
	}
	return resp, err
}

func (p *pace) learn(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = true
	limit := p.limiter.Limit()
	switch {
	case status != http.StatusTooManyRequests && limit < p.top:
		p.limiter.SetLimit(min(p.top, limit+p.top/60/limit))
	case status == http.StatusTooManyRequests && time.Since(p.slowed) >= time.Second:
		// Not for each: what was under way when the first one came was sent at the old rate.
		p.limiter.SetLimit(max(p.least, limit/2))
		p.slowed = time.Now()
		p.slower++
	}
}

// hold lets no call begin for as long as the service has asked to wait. The client waits by itself
// where that is half a minute or less.
func (p *pace) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(min(d, maxHold)); until.After(p.until) {
		p.until = until
	}
}

// wait returns when calls may begin. It reports false if ctx ended before. It is not a part of
// RoundTrip, whose time is limited.
func (p *pace) wait(ctx context.Context) bool {
	for {
		p.mu.Lock()
		left := time.Until(p.until)
		p.mu.Unlock()
		if left <= 0 {
			return true
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
			return false
		}
	}
}

// reached reports whether there was any answer.
func (p *pace) reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered
}

// slowdowns is how often the rate was halved.
func (p *pace) slowdowns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slower
}
