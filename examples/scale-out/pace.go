package main

import (
	"net/http"

	"golang.org/x/time/rate"
)

// pace is an [http.RoundTripper] that keeps to a rate. Being a RoundTripper, it counts what the
// client repeats as well.
type pace struct {
	limiter *rate.Limiter
	next    http.RoundTripper
}

func newPace(perSecond float64, next http.RoundTripper) *pace {
	return &pace{rate.NewLimiter(rate.Limit(perSecond), 1), next}
}

// RoundTrip sends a request when its turn has come.
func (p *pace) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := p.limiter.Wait(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper must
		}
		return nil, err
	}
	return p.next.RoundTrip(req)
}
