package momenttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/moment-billing/moment-go/internal/signature"
)

// MaxDeliveryAttempts is the maximum number of delivery attempts of an event. The service's own
// number is not documented.
const MaxDeliveryAttempts = 3

const (
	attemptTimeout = 10 * time.Second
	maxResponse    = 64 << 10
)

// Delivery reports the delivery of an event. An attempt that does not get a 2xx is retried without
// a wait, with a timestamp at least a second later. Redirects are not followed. An attempt without
// a response ends after 10 seconds.
type Delivery struct {
	MessageID string // the webhook-id, the same in all attempts
	Body      []byte // the event, byte for byte as it was signed, also if it was not delivered
	Attempts  int    // at most MaxDeliveryAttempts; 0 if no webhook is set
	Status    int    // of the response to the last attempt; 0 if there was none
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

// deliver makes the attempts. It fails only if ctx ends before one of them is acknowledged.
func (d *Delivery) deliver(ctx context.Context, to webhook, now func() time.Time) error {
	var at int64
	for d.Attempts < MaxDeliveryAttempts && !d.Acknowledged() {
		// Timestamps are in seconds. An attempt in the same second as the one before is signed for
		// the next second, so that each has a new timestamp without a wait. That is at most two
		// seconds ahead, and receivers tolerate minutes.
		at = max(now().Unix(), at+1)
		d.Attempts++
		d.Status, d.Err = d.attempt(ctx, to, time.Unix(at, 0))
		if !d.Acknowledged() && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (d *Delivery) attempt(ctx context.Context, to webhook, at time.Time) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(d.Body))
	if err != nil {
		return 0, err
	}
	req.Header = sign(to.key, d.MessageID, at, d.Body)
	req.Header.Set("Content-Type", "application/json")
	resp, err := to.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	// The body is read to its end, so that the endpoint has finished when Pay returns. Its content
	// and a truncation do not matter, because the status acknowledges.
	_, _ = io.CopyN(io.Discard, resp.Body, maxResponse)
	return resp.StatusCode, nil
}
