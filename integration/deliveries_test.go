package integration_test

import (
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

var events = flag.Int("events", 200, "how many events TestDeliveriesOutliveKills sends")

// Events are sent to an endpoint that is down, while moment-mock is killed three times. Each
// payment that was acknowledged to its caller is delivered, once the endpoint is back.
//
// The whole of it is go -C integration test -run '^TestDeliveriesOutliveKills$' -v -events=2000 .
func TestDeliveriesOutliveKills(t *testing.T) {
	const kills, workers = 3, 8
	var up atomic.Bool
	var mu sync.Mutex
	delivered := map[string]int{}
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		delivered[r.Header.Get("Webhook-Id")]++
	}))
	t.Cleanup(endpoint.Close)
	state := filepath.Join(t.TempDir(), "mock.json")
	start := func() *mockProcess { return startMock(t, "--state="+state, "--forward-to="+endpoint.URL) }

	m := start()
	client, err := moment.NewClient(anyTestKey, moment.WithBaseURL(m.url))
	require.NoError(t, err)
	_, err = client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1", Currency: moment.ZAR})
	require.NoError(t, err)

	var sent atomic.Int64 // payments whose response arrived
	ids := make(chan string, *events)
	for round := range kills + 1 {
		target := int64(*events * (round + 1) / (kills + 1))
		var paying sync.WaitGroup
		for range workers {
			paying.Go(func() {
				for sent.Add(1) <= target {
					id, err := payMock(m.url)
					if err != nil {
						sent.Add(-1) // it was killed meanwhile
						return
					}
					ids <- id
				}
				sent.Add(-1)
			})
		}
		if round < kills {
			assert.Eventually(t, func() bool { return sent.Load() >= target-workers }, 5*time.Minute, time.Millisecond)
			m.kill() // in the middle of payments
			paying.Wait()
			m = start()
			continue
		}
		paying.Wait()
	}
	require.Len(t, ids, *events)
	close(ids)
	up.Store(true)

	advanceMock(t, m.url, "3h") // which makes all of them due, and returns after their attempts
	mu.Lock()
	defer mu.Unlock()
	lost, again := 0, 0
	for id := range ids {
		switch n := delivered[id]; {
		case n == 0:
			lost++
		case n > 1:
			again++
		}
	}
	assert.Zero(t, lost)
	t.Logf("%d events, %d kills: %d lost, %d delivered more than once", *events, kills, lost, again)
}

// payMock pays one cent, and returns the message id of its event.
func payMock(url string) (string, error) {
	resp, err := http.Post(url+"/_mock/payments", "application/json", strings.NewReader(`{"to": "UCR1", "amount": "0.01"}`))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var receipt struct {
		MessageID string `json:"message_id"`
	}
	err = json.NewDecoder(resp.Body).Decode(&receipt)
	if err == nil && receipt.MessageID == "" {
		err = errors.New(resp.Status)
	}
	return receipt.MessageID, err
}

// advanceMock moves the clock of moment-mock.
func advanceMock(t *testing.T, url, by string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, url+"/_mock/clock", strings.NewReader(`{"advance": "`+by+`"}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
