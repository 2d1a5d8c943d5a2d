package momenttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/internal/signature"
)

// MaxDeliveryAttempts is the maximum number of delivery attempts of an event, without [WithOutbox].
// The service's own number is not documented.
const MaxDeliveryAttempts = 3

const (
	attemptTimeout = 10 * time.Second
	maxResponse    = 64 << 10
	maxRetryAfter  = 24 * time.Hour
)

// Delivery reports the delivery of an event. An attempt that does not get a 2xx is retried without
// a wait, with a timestamp at least a second later, or after the waits of [WithOutbox]. Redirects
// are not followed. An attempt without a response ends after 10 seconds.
type Delivery struct {
	MessageID string // the webhook-id, the same in all attempts; empty if the event was never sent
	Body      []byte // the event, byte for byte as it was signed, also if it was not delivered
	Attempts  int    // so far; 0 if no webhook is set
	Status    int    // of the response to the last attempt; 0 without one
	Err       error  // why the last attempt had no response

	Previous *Delivery // of the event before, if a payment has two; otherwise nil
}

// Acknowledged reports whether the endpoint responded with a 2xx.
func (d *Delivery) Acknowledged() bool { return d.Status/100 == 2 }

// String describes how the delivery ended: "msg_…: 404 at attempt 3".
func (d *Delivery) String() string {
	switch {
	case d.Attempts == 0:
		return d.MessageID + ": not delivered, because no webhook is set"
	case d.Err != nil:
		return fmt.Sprintf("%s: no response at attempt %d: %v", d.MessageID, d.Attempts, d.Err)
	default:
		return fmt.Sprintf("%s: %d at attempt %d", d.MessageID, d.Status, d.Attempts)
	}
}

// webhook is an endpoint for events, and the secret that signs them.
type webhook struct {
	url    string
	shown  string // without its password
	key    *signature.Key
	client *http.Client
}

// newDeliveryClient returns a client without a proxy; a nil dial is that of net/http. Each attempt
// has its own connection, so that none fails because of the one before. http.DefaultTransport is
// not used, because tests replace it.
func newDeliveryClient(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// deliver makes the attempts of a new message that have no wait before them. It fails only if ctx
// ends before one of them is acknowledged.
func (h *Handler) deliver(ctx context.Context, m *message, to webhook) (*Delivery, error) {
	d := &Delivery{MessageID: m.ID, Body: m.Event}
	if h.keepsEvents {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(h.closing, cancel)() //nolint:contextcheck // a slow endpoint does not delay the exit
	}
	var at time.Time
	for {
		// Timestamps are in seconds. An attempt in the same second as the one before is signed for
		// the next second, so that each has a new timestamp without a wait. That is at most two
		// seconds ahead, and receivers tolerate minutes.
		at = later(h.now(), at)
		a := h.attempt(ctx, m, to, to.key, at)
		d.record(a)
		interrupted := !a.Acknowledged() && ctx.Err() != nil
		if !interrupted || !h.keepsEvents {
			h.finishAttempt(m, a)
		}
		if made := d.Attempts; interrupted || a.Acknowledged() || made > len(h.waits) || h.waits[made-1] > 0 {
			h.release([]*message{m})
			if interrupted && h.closing.Err() == nil {
				return d, ctx.Err()
			}
			return d, nil
		}
	}
}

// outcome is how an attempt ended.
type outcome struct {
	Attempt

	err        error
	retryAfter time.Duration // that the endpoint asks for
}

// record counts an attempt.
func (d *Delivery) record(a outcome) {
	d.Attempts++
	d.Status, d.Err = a.Status, a.err
}

// later returns the time of an attempt, in seconds, after the one before.
func later(now, before time.Time) time.Time {
	return time.Unix(max(now.Unix(), before.Unix()+1), 0).UTC()
}

// attempt sends a message, signed with a key for a time.
func (h *Handler) attempt(ctx context.Context, m *message, to webhook, key *signature.Key, at time.Time) (a outcome) {
	a.At, a.URL = at.UTC().Truncate(time.Second), to.shown
	defer func() {
		if a.err != nil {
			a.Error = a.err.Error()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(m.Event))
	if err != nil {
		a.err = err
		return a
	}
	req.Header = sign(key, m.ID, at, m.Event)
	req.Header.Set("Content-Type", "application/json")
	resp, err := to.client.Do(req)
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	a.Status = resp.StatusCode
	// The body is read to its end, so that the endpoint has finished when Pay returns. A truncation
	// does not matter, because the status acknowledges.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxKeptResponse))
	_, _ = io.CopyN(io.Discard, resp.Body, maxResponse-maxKeptResponse)
	a.Response = strings.ToValidUTF8(string(body), "\uFFFD")
	a.retryAfter = readRetryAfter(resp.Header.Get("Retry-After"))
	return a
}

// readRetryAfter reads seconds or a date (RFC 9110, section 10.2.3), of at most a day.
func readRetryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(time.Until(date), maxRetryAfter)
	}
	return 0
}

// shownURL returns a URL without its password.
func shownURL(endpointURL string) string {
	u, err := url.Parse(endpointURL)
	if err != nil {
		return ""
	}
	return u.Redacted()
}
