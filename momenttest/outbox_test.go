package momenttest_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// testEndpoint is an endpoint without a socket. It records the server's time of each delivery, and
// verifies it.
type testEndpoint struct {
	mu       sync.Mutex
	now      func() time.Time
	statuses []int // of the first responses; then 204
	header   http.Header
	at       []time.Time
	ids      []string
	bodies   []string
	invalid  []error
}

func (a *testEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	verifier, _ := moment.NewWebhookVerifier(webhookSecret, moment.WithClock(a.now))
	event, err := verifier.ParseRequest(r)
	a.at, a.ids = append(a.at, a.now()), append(a.ids, r.Header.Get("Webhook-Id"))
	if err != nil {
		a.invalid = append(a.invalid, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.bodies = append(a.bodies, string(event.Raw))
	status := http.StatusNoContent
	if len(a.statuses) > 0 {
		status, a.statuses = a.statuses[0], a.statuses[1:]
	}
	for name := range a.header {
		w.Header().Set(name, a.header.Get(name))
	}
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_, _ = w.Write([]byte("<\xff>" + strings.Repeat("x", 5000)))
	}
}

func (a *testEndpoint) received() []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.at)
}

// newOutbox starts a server in a synctest bubble, with a customer and an endpoint.
func newOutbox(t *testing.T, a *testEndpoint, opts ...momenttest.Option) *momenttest.Server {
	t.Helper()
	srv := momenttest.NewServer(append([]momenttest.Option{momenttest.InProcess(), momenttest.WithOutbox()}, opts...)...)
	t.Cleanup(srv.Close)
	a.now = srv.Now
	srv.SetWebhookHandler(a, "/hook", webhookSecret)
	require.NoError(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "new", Currency: moment.ZAR}}}))
	return srv
}

func payCustomer(t *testing.T, srv *momenttest.Server) *momenttest.Delivery {
	t.Helper()
	d, err := srv.Pay(t.Context(), momenttest.Payment{Customer: "new", Amount: 1})
	require.NoError(t, err)
	return d
}

func fails(n int) (statuses []int) {
	for range n {
		statuses = append(statuses, 500)
	}
	return statuses
}

func TestOutboxRetries(t *testing.T) {
	const day = 24 * time.Hour
	for _, row := range []struct {
		why      string
		opts     []momenttest.Option
		statuses []int
		header   http.Header
		now      int             // attempts before Pay returns
		waits    []time.Duration // before the others
	}{
		{"acknowledged at the first attempt", nil, nil, nil, 1, nil},
		{"a failure", nil, fails(1), nil, 1, []time.Duration{5 * time.Second}},
		{"failures to the end", nil, fails(6), nil, 1, []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}},
		{"Retry-After makes a wait longer", nil, fails(2), http.Header{"Retry-After": {"20"}}, 1, []time.Duration{20 * time.Second, 30 * time.Second}},
		{"but no longer than a day", nil, fails(1), http.Header{"Retry-After": {"2000000000"}}, 1, []time.Duration{day}},
		{"an unreadable Retry-After", nil, fails(1), http.Header{"Retry-After": {"soon"}}, 1, []time.Duration{5 * time.Second}},
		{"waits of one's own", []momenttest.Option{momenttest.WithOutbox(time.Minute)}, fails(2), nil, 1, []time.Duration{time.Minute}},
		{"without waits", []momenttest.Option{momenttest.WithOutbox(0, 0)}, fails(3), http.Header{"Retry-After": {"20"}}, 3, nil},
		{"a wait after one without", []momenttest.Option{momenttest.WithOutbox(0, time.Minute)}, fails(2), nil, 2, []time.Duration{time.Minute}},
	} {
		t.Run(row.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &testEndpoint{statuses: row.statuses, header: row.header}
				srv := newOutbox(t, a, row.opts...)
				d := payCustomer(t, srv)
				require.Equal(t, row.now, d.Attempts)
				require.Len(t, a.received(), row.now)
				for i, wait := range row.waits {
					due := srv.Outbox()[0].NextAttemptAt
					require.Equal(t, wait, due.Sub(srv.Now()), i)
					time.Sleep(wait - time.Nanosecond)
					synctest.Wait()
					require.Len(t, a.received(), row.now+i, "not yet")
					time.Sleep(time.Nanosecond)
					synctest.Wait()
					require.Len(t, a.received(), row.now+i+1)
				}
				m := srv.Outbox()[0]
				require.Zero(t, m.NextAttemptAt)
				require.Equal(t, d.MessageID, m.ID)
				require.Equal(t, string(d.Body), string(m.Event))
				require.Len(t, m.Attempts, row.now+len(row.waits))
				for i, attempt := range m.Attempts {
					require.Equal(t, "http://localhost/hook", attempt.URL)
					if i < len(row.statuses) {
						require.Equal(t, 500, attempt.Status)
						require.Equal(t, "<\uFFFD>"+strings.Repeat("x", 4093), attempt.Response, "its first 4 KiB")
					} else {
						require.Equal(t, 204, attempt.Status)
					}
				}
				require.Equal(t, len(row.statuses) < len(m.Attempts), m.Acknowledged())
				time.Sleep(30 * day)
				require.Len(t, a.received(), len(m.Attempts), "no further attempt")
				require.Empty(t, a.invalid, "each was signed for its own time")
			})
		})
	}
}

// The clock makes deliveries due, and Advance returns after their attempts.
func TestAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &testEndpoint{statuses: fails(3)}
		srv := newOutbox(t, a)
		start := time.Now()
		payCustomer(t, srv)
		srv.Advance(4 * time.Second)
		require.Len(t, a.received(), 1)
		srv.Advance(time.Second)
		require.Len(t, a.received(), 2)
		srv.Advance(3 * time.Hour)
		require.Len(t, a.received(), 3, "one attempt, although others would have been due meanwhile")
		srv.SetTime(start.AddDate(1, 0, 0))
		require.Len(t, a.received(), 4)
		require.Equal(t, start.AddDate(1, 0, 0), srv.Now())
		require.True(t, srv.Outbox()[0].Acknowledged())
		require.Equal(t, srv.Now().UTC(), srv.Outbox()[0].Attempts[3].At)
		require.Empty(t, a.invalid)
		require.Equal(t, start, time.Now(), "there was no wait")
	})
}

// An endpoint that does not respond delays neither another event nor Close. If Close interrupts an
// attempt, the next server delivers the event.
func TestSlowEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		first := ""
		served := map[string]int{}
		kept := &stateKeeper{}
		srv := momenttest.NewServer(momenttest.InProcess(), momenttest.WithOutbox(), momenttest.WithJournal(kept))
		t.Cleanup(srv.Close)
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			id := r.Header.Get("Webhook-Id")
			if first == "" {
				first = id
			}
			mu.Unlock()
			if id == first {
				gone(r)
				return
			}
			mu.Lock()
			served[id]++
			mu.Unlock()
			w.WriteHeader(http.StatusNoContent)
		})
		srv.SetWebhookHandler(slow, "/", webhookSecret)
		require.NoError(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "new", Currency: moment.ZAR}}}))
		done := make(chan *momenttest.Delivery)
		go func() {
			d, err := srv.Pay(t.Context(), momenttest.Payment{Customer: "new", Amount: 1})
			assert.NoError(t, err)
			done <- d
		}()
		synctest.Wait()
		require.True(t, payCustomer(t, srv).Acknowledged(), "while the first is in flight")
		start := time.Now()
		srv.Close()
		d := <-done
		require.False(t, d.Acknowledged())
		require.Equal(t, start, time.Now())
		state := srv.State()
		require.Len(t, state.Outbox, 2)
		require.Empty(t, state.Outbox[0].Attempts, "it was not the endpoint that ended the attempt")
		require.False(t, state.Outbox[0].NextAttemptAt.IsZero())

		a := new(testEndpoint)
		next := newOutbox(t, a)
		require.NoError(t, next.Restore(state))
		synctest.Wait()
		require.Equal(t, []string{d.MessageID}, a.ids)
		require.True(t, next.Outbox()[0].Acknowledged())
		require.Equal(t, string(d.Body), a.bodies[0])
	})
}

// gone returns when the client of a request is gone, which net/http notices once the body is read.
func gone(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// stateKeeper keeps the last change.
type stateKeeper struct{ last momenttest.State }

func (k *stateKeeper) Append(s momenttest.State)  { k.last = s }
func (k *stateKeeper) Replace(s momenttest.State) { k.last = s }
func (k *stateKeeper) Sync()                      {}

// An event is in the journal, and due, before its first attempt.
func TestEventIsKeptBeforeItIsDelivered(t *testing.T) {
	kept := &stateKeeper{}
	srv := momenttest.NewServer(momenttest.WithOutbox(), momenttest.WithJournal(kept))
	t.Cleanup(srv.Close)
	var before momenttest.State
	e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		before = kept.last
		w.WriteHeader(http.StatusNoContent)
	})
	srv.SetWebhook(e.URL, webhookSecret)
	require.NoError(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "new", Currency: moment.ZAR}}}))
	d := payCustomer(t, srv)
	require.Len(t, before.Outbox, 1)
	require.Equal(t, d.MessageID, before.Outbox[0].ID)
	require.Equal(t, before.Outbox[0].CreatedAt, before.Outbox[0].NextAttemptAt)
	require.Len(t, before.Payments, 1)
	require.True(t, kept.last.Outbox[0].Acknowledged(), "and so is its attempt")
}

func TestPayOutlivesItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &testEndpoint{}
		srv := newOutbox(t, a)
		require.NoError(t, srv.Seed(momenttest.State{PaymentRequests: []moment.PaymentRequest{{ID: "pr_1", Amount: 5, Currency: moment.ZAR}}}))
		ctx, cancel := context.WithCancel(t.Context())
		var once sync.Once
		srv.SetWebhookHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			once.Do(func() { cancel(); gone(r) })
			if r.Context().Err() == nil {
				a.ServeHTTP(w, r)
			}
		}), "/", webhookSecret)
		_, err := srv.Pay(ctx, momenttest.Payment{Request: "pr_1", Amount: 5})
		require.ErrorIs(t, err, context.Canceled)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, a.bodies, 2, "the outbox delivers both remaining events")
		for _, m := range srv.Outbox() {
			require.True(t, m.Acknowledged())
		}
	})
}

func TestDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &testEndpoint{}
		srv := newOutbox(t, a)
		pay := func(when momenttest.Deliver) *momenttest.Delivery {
			d, err := srv.Pay(t.Context(), momenttest.Payment{Customer: "new", Amount: 1, Deliver: when})
			require.NoError(t, err)
			require.NotEmpty(t, d.Body)
			return d
		}
		held := pay(momenttest.DeliverHold)
		pay(momenttest.DeliverNever)
		srv.Advance(24 * time.Hour)
		require.Empty(t, a.received())
		require.Len(t, srv.Outbox(), 1, "the event that was not sent")
		require.True(t, pay(momenttest.DeliverNow).Acknowledged())
		require.Len(t, srv.State().Payments, 3)
		d, err := srv.Resend(t.Context(), held.MessageID, momenttest.Resend{})
		require.NoError(t, err)
		require.True(t, d.Acknowledged())
		require.Equal(t, held.MessageID, a.ids[1], "the event of the first payment arrives after the other one")
		_, err = srv.Pay(t.Context(), momenttest.Payment{Customer: "new", Amount: 1, Deliver: "soon"})
		require.EqualError(t, err, `momenttest: pay: Deliver must be now, hold or never, not "soon"`)
	})
}

func TestDeliveryObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		a := &testEndpoint{statuses: fails(1)}
		srv := newOutbox(t, a, momenttest.WithDeliveryObserver(func(m momenttest.Message) {
			seen = append(seen, m.ID+" "+strconv.Itoa(m.Attempts[len(m.Attempts)-1].Status))
		}))
		d := payCustomer(t, srv)
		srv.Advance(5 * time.Second)
		require.Equal(t, []string{d.MessageID + " 500", d.MessageID + " 204"}, seen)
	})
}

// The oldest events go, but never one that is yet to be delivered.
func TestOutboxIsBounded(t *testing.T) {
	srv := momenttest.NewServer(momenttest.WithOutbox())
	t.Cleanup(srv.Close)
	var seed momenttest.State
	at := time.Now().Add(time.Hour)
	for i := range 10_002 {
		m := momenttest.Message{ID: "msg_" + strconv.Itoa(i), Event: []byte(`{"a": "<"}`)}
		if i == 0 {
			m.NextAttemptAt = at
		}
		seed.Outbox = append(seed.Outbox, m)
	}
	require.NoError(t, srv.Seed(seed))
	all := srv.Outbox()
	require.Len(t, all, 10_000)
	require.Equal(t, "msg_0", all[0].ID)
	require.Equal(t, "msg_3", all[1].ID)
	assert.Equal(t, `{"a":"\u003c"}`, string(all[1].Event)) //nolint:testifylint // byte for byte
}

// Waking the outbox often does not make it keep a timer for each time.
func TestOutboxMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newOutbox(t, &testEndpoint{statuses: []int{500}})
		require.False(t, payCustomer(t, srv).Acknowledged())
		used := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := used()
		for range 20_000 {
			srv.SetWebhook(noServer, webhookSecret) // which wakes it
			synctest.Wait()
		}
		require.Less(t, used(), before+1<<20)
	})
}

// A retry that fails after a Resend was acknowledged is not followed by another one.
func TestResendDuringRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		srv := newOutbox(t, &testEndpoint{})
		srv.SetWebhookHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			switch calls++; calls {
			case 1:
				w.WriteHeader(http.StatusInternalServerError)
			case 2:
				time.Sleep(time.Second)
				w.WriteHeader(http.StatusInternalServerError)
			}
		}), "/", webhookSecret)
		d := payCustomer(t, srv)
		time.Sleep(5 * time.Second)
		synctest.Wait() // the retry is in flight
		again, err := srv.Resend(t.Context(), d.MessageID, momenttest.Resend{})
		require.NoError(t, err)
		require.True(t, again.Acknowledged())
		time.Sleep(time.Second)
		synctest.Wait()
		m, _ := srv.Message(d.MessageID)
		require.Len(t, m.Attempts, 3)
		require.Zero(t, m.NextAttemptAt)
	})
}
