package momenttest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// post hands a POST to a service without a socket, with which a synctest bubble
// would not be durably blocked.
func post(h *Handler, body io.Reader) *httptest.ResponseRecorder {
	return postUnder(h, "k", body)
}

func postUnder(h *Handler, key string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/billing/customers", body)
	r.Header.Set("Authorization", "Bearer sk_test_x")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestKeysAreForgottenAfter24Hours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewHandler()
		require.Equal(t, 201, post(s, strings.NewReader(`{"external_reference": "a"}`)).Code)

		time.Sleep(24*time.Hour - time.Nanosecond)
		again := post(s, strings.NewReader(`{"external_reference": "a"}`))
		require.Equal(t, 201, again.Code)
		require.Equal(t, "true", again.Header().Get("Idempotent-Replayed"))
		require.Equal(t, 422, post(s, strings.NewReader(`{"external_reference": "b"}`)).Code)

		time.Sleep(time.Nanosecond) // a replay does not lengthen the life of a key
		again = post(s, strings.NewReader(`{"external_reference": "a"}`))
		require.Equal(t, 409, again.Code, "it ran again and met the reference of its first run")
		require.Empty(t, again.Header().Get("Idempotent-Replayed"))

		time.Sleep(24*time.Hour - time.Nanosecond)
		again = post(s, strings.NewReader(`{"external_reference": "a"}`))
		require.Equal(t, 409, again.Code)
		require.Equal(t, "true", again.Header().Get("Idempotent-Replayed"), "the key's 24 hours start again at its second use")
	})
}

// An expired response is deleted, and not only ignored: it does not reappear when the clock is set
// back.
func TestExpiredResponsesAreDeleted(t *testing.T) {
	now := time.Date(2025, time.January, 31, 9, 0, 0, 0, time.UTC)
	begin := now
	h := NewHandler(WithClock(func() time.Time { return now }))
	expired := SavedResponse{IdempotencyKey: "seeded", Status: 201, Body: []byte(`{}`), Expires: begin.Add(time.Hour)}
	require.NoError(t, h.Seed(State{Responses: []SavedResponse{expired}}))
	require.Equal(t, 201, post(h, strings.NewReader(`{"external_reference": "a"}`)).Code)
	saved := func(at time.Time) int {
		now = at
		defer func() { now = begin }()
		return len(h.State().Responses)
	}
	require.Equal(t, 2, saved(begin.Add(time.Hour-1)))
	require.Equal(t, 1, saved(begin.Add(time.Hour)), "each response expires at its own time")
	require.Equal(t, 1, saved(begin), "and is deleted")
	require.Equal(t, 1, saved(begin.Add(24*time.Hour-1)))

	now = begin.Add(24 * time.Hour)
	require.Equal(t, 400, postUnder(h, "another", strings.NewReader("{}")).Code)
	require.Len(t, h.keys, 1, "another call deletes it too")
	require.Zero(t, saved(begin.Add(48*time.Hour)))
	require.Equal(t, 400, postUnder(h, "third", strings.NewReader("{}")).Code, "while the clock is set back")
	require.Zero(t, saved(begin.Add(24*time.Hour)), "its response expires before those of a later clock")
}

// Two requests with one key must not both run. HTTP requests do not meet often enough
// to show it, so these calls begin inside the service.
func TestConcurrentCallsWithOneKey(t *testing.T) {
	for range 3000 {
		s := NewHandler()
		create, _, _ := s.find(http.MethodPost, "/billing/customers")
		c := call{route: create, path: "/billing/customers", key: "k", body: []byte(`{"external_reference": "a"}`)}
		start := make(chan struct{})
		var ran atomic.Int32
		var calls sync.WaitGroup
		for range 16 {
			calls.Go(func() {
				<-start
				a := s.execute(c, Fault{})
				if a.status != http.StatusCreated || !a.replayed {
					ran.Add(1)
				}
			})
		}
		close(start)
		calls.Wait()
		require.EqualValues(t, 1, ran.Load())
	}
}

// The zone is set before all tests, because a server that still ends would read it meanwhile.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("west of Greenwich", -3600)
	os.Exit(m.Run())
}

func TestBillDateDefaultsToTodayInUTC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock begins at 2000-01-01 00:00 UTC
		s := NewHandler()
		create := func(reference string) string {
			sent, _ := readParams([]byte(`{"external_reference": "` + reference + `", "currency": "ZAR", "amount_due": 1}`))
			return s.newBill(sent).BillDate
		}
		require.Equal(t, "2000-01-01", create("a"))
		time.Sleep(24*time.Hour - time.Nanosecond)
		require.Equal(t, "2000-01-01", create("b"))
		time.Sleep(time.Nanosecond)
		require.Equal(t, "2000-01-02", create("c"))
	})
}

func TestTruncatedBody(t *testing.T) {
	s := NewHandler()
	a := post(s, iotest.ErrReader(errors.New("connection reset by peer")))
	require.Equal(t, 400, a.Code)
	require.Contains(t, a.Body.String(), "The body could not be read to its end.")
	require.Equal(t, 201, post(s, strings.NewReader(`{"external_reference": "a"}`)).Code, "no key was saved")
}
