package momenttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/moment-billing/moment-go/internal/signature"
)

// MaxDeliveryAttempts is how often an event is delivered at most. How often the
// service does is not documented.
const MaxDeliveryAttempts = 3

const (
	attemptTimeout = 10 * time.Second
	maxResponse    = 64 << 10
)

// Delivery is how an event was delivered: at once, and again at once after anything
// but a 2xx, with a timestamp of a second later at least. Redirects are not followed.
// An attempt without a response ends after 10 seconds.
type Delivery struct {
	MessageID string // the webhook-id, the same in all attempts
	Body      []byte // the event, byte for byte as it was signed; also if it went nowhere
	Attempts  int    // 0 if no webhook is set, MaxDeliveryAttempts at most
	Status    int    // the endpoint's answer to the last attempt; 0 if there was none
	Err       error  // why the last attempt had no response

	Previous *Delivery // of the event before, if a payment has two; otherwise nil
}

// Acknowledged reports whether the endpoint has answered with a 2xx.
func (d *Delivery) Acknowledged() bool { return d.Status/100 == 2 }

// String says how the delivery ended: "msg_…: 404 at attempt 3".
func (d *Delivery) String() string {
	switch {
	case d.Attempts == 0:
		return d.MessageID + ": not delivered, as no webhook is set"
	case d.Err != nil:
		return fmt.Sprintf("%s: no response at attempt %d: %v", d.MessageID, d.Attempts, d.Err)
	default:
		return fmt.Sprintf("%s: %d at attempt %d", d.MessageID, d.Status, d.Attempts)
	}
}

// webhook is where events go and what they are signed with.
type webhook struct {
	url string
	key *signature.Key
}

// newDeliverer gives the client that delivers, by no proxy. Each attempt has a
// connection of its own, so that none fails because of what became of the last one.
// http.DefaultTransport is not used: tests replace it.
func newDeliverer() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// deliver makes the attempts. It fails only if ctx ends before one is acknowledged.
func (d *Delivery) deliver(ctx context.Context, client *http.Client, to webhook, now func() time.Time) error {
	var at int64
	for d.Attempts < MaxDeliveryAttempts && !d.Acknowledged() {
		// Timestamps are in seconds. For each attempt to have a new one without waiting
		// for it, one in the same second as the last is signed for the next second: two
		// seconds ahead at most, where receivers tolerate minutes.
		at = max(now().Unix(), at+1)
		d.Attempts++
		d.Status, d.Err = d.attempt(ctx, client, to, time.Unix(at, 0))
		if !d.Acknowledged() && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (d *Delivery) attempt(ctx context.Context, client *http.Client, to webhook, at time.Time) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(d.Body))
	if err != nil {
		return 0, err
	}
	req.Header = sign(to.key, d.MessageID, at, d.Body)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	// Read to its end, so that the endpoint is done when Pay returns. What it says and
	// whether it breaks off do not matter: the status acknowledges.
	_, _ = io.CopyN(io.Discard, resp.Body, maxResponse)
	return resp.StatusCode, nil
}
