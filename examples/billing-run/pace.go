package main

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace is an [http.RoundTripper] that keeps to a rate and learns from the answers which one is good: a 429 halves it, and other
// answers let it grow back, from nothing to the top in a minute. Being a RoundTripper, it sees what the client repeats as well.
type pace struct {
	next    http.RoundTripper
	limiter *rate.Limiter

	top, least rate.Limit

	mu     sync.Mutex // guards what is below, and changes of the limit
	slowed time.Time  // when it was last
	slower int        // how often it was
}

// newPace keeps to a number of requests a second, and goes down to a tenth of the number of workers, so that none waits for its
// turn longer than ten seconds.
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

// slowdowns is how often the rate was halved.
func (p *pace) slowdowns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slower
}
