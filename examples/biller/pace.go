package main

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace is an [http.RoundTripper] that keeps to a rate, and counts what the client retries. A 429
// halves the rate, and other responses let it grow back within a minute.
type pace struct {
	next    http.RoundTripper
	limiter *rate.Limiter
	most    rate.Limit

	mu     sync.Mutex
	slowed time.Time // when the rate was halved last
}

func newPace(perSecond float64, next http.RoundTripper) *pace {
	return &pace{next: next, limiter: rate.NewLimiter(rate.Limit(perSecond), 1), most: rate.Limit(perSecond)}
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
		p.learn(resp.StatusCode == http.StatusTooManyRequests)
	}
	return resp, err
}

func (p *pace) learn(limited bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.limiter.Limit()
	switch {
	case !limited:
		p.limiter.SetLimit(min(p.most, limit+p.most/60/limit))
	case time.Since(p.slowed) >= time.Second: // not for each request in flight
		p.limiter.SetLimit(min(p.most, max(workers/10, limit/2))) // so that no request waits longer than its attempt may take
		p.slowed = time.Now()
	}
}
