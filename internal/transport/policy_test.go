package transport

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The test states the table of the documentation once more, in simple code, for every status.
func TestDecideForEveryStatus(t *testing.T) {
	serviceJudges := []int{400, 402, 404, 422}
	sentBeforeForwarding := []int{401, 405, 407, 413, 414, 431}
	for status := 100; status < 1000; status++ {
		for _, row := range everyRequest() {
			fails := status == 408 || status >= 500 && status < 600
			clientError := status >= 400 && status < 500
			retry := status == 429 && (row.idempotency != None || !row.before) || fails && status != 501 && status != 505 && row.idempotency != None
			free := status == 409 && row.idempotency == ByKey && (row.before || row.callerKey)
			var unknown bool
			switch {
			case status >= 200 && status < 300:
				unknown = false
			case row.replayed && clientError && status != 408 && status != 429:
				unknown, retry, free = false, false, false
			case clientError && slices.Contains(serviceJudges, status) && row.fromService:
				unknown = false
			case status == 429, slices.Contains(sentBeforeForwarding, status):
				unknown = row.before
			case clientError && row.fromService && status != 408 && (status != 409 || !row.callerKey):
				unknown = row.before
			default:
				unknown = true
			}
			want := verdict{retry: (retry || free) && !row.replayed, free: free, unknown: unknown && row.idempotency != Safe}
			o := outcome{event: complete, status: status, fromService: row.fromService, replayed: row.replayed}
			assert.Equal(t, want, decide(row.request(), o, row.before), "%d %+v", status, row)
		}
	}
}

func TestDecideWithoutAUsableResponse(t *testing.T) {
	for _, row := range []struct {
		event             event
		safe, byKey, none bool
		write             effect
		why               string
	}{
		{neverSent, true, true, true, unchanged, "nothing was sent"},
		{untrusted, false, false, false, unchanged, "a retry would fail too"},
		{noResponse, true, true, false, unknown, "it may have been applied"},
		{truncated, true, true, false, unknown, "it was probably applied"},
		{notJSON, true, true, false, unknown, "a proxy may have responded"},
		{tooLarge, false, false, false, unknown, "the response would be too large again"},
		{badBody, false, false, false, unknown, "the response would be the wrong object again"},
		{contextDone, false, false, false, unknown, "the caller no longer waits"},
		{contextDoneUnsent, false, false, false, unchanged, "the caller no longer waits"},
	} {
		for _, request := range everyRequest() {
			retry := [...]bool{None: row.none, ByKey: row.byKey, Safe: row.safe}[request.idempotency]
			if request.idempotency == None && request.before {
				retry = false
			}
			if row.event == notJSON && request.replayed {
				retry = false // because the service has saved it
			}
			write := row.write == unknown || row.write == unchanged && request.before
			want := verdict{retry: retry, unknown: write && request.idempotency != Safe}
			o := outcome{event: row.event, status: 200, replayed: request.replayed}
			assert.Equal(t, want, decide(request.request(), o, request.before), "%v %+v: %s", row.event, request, row.why)
		}
		assert.NotEmpty(t, row.event.String())
	}
}

// An attempt can send several copies of a request, because net/http resends it if a connection is
// dead. The outcome of all but the last copy is unknown.
func TestDecideAfterAnEarlierCopy(t *testing.T) {
	for _, row := range []struct {
		why     string
		o       outcome
		unknown bool
	}{
		{"429 rejected the last copy", outcome{status: 429}, true},
		{"401 rejected the last copy", outcome{status: 401}, true},
		{"the last copy reached another service", outcome{event: untrusted}, true},
		{"one of the copies was applied", outcome{status: 201}, false},
		{"the service decided about the request", outcome{status: 422, fromService: true}, false},
	} {
		row.o.earlierCopy = true
		for _, idempotency := range []Idempotency{None, ByKey} {
			assert.Equal(t, row.unknown, decide(&Request{Idempotency: idempotency}, row.o, false).unknown, row.why)
		}
	}
	limited := outcome{status: 429, earlierCopy: true}
	assert.False(t, decide(&Request{Idempotency: None}, limited, false).retry, "an update of which a copy may have been applied")
	assert.True(t, decide(&Request{Idempotency: ByKey}, limited, false).retry)
	conflict := outcome{status: 409, fromService: true, earlierCopy: true}
	assert.Equal(t, verdict{retry: true, free: true, unknown: true}, decide(&Request{Idempotency: ByKey}, conflict, false), "the first copy may be in flight")
}

// An event without a row has the most careful row.
func TestZeroRowIsCareful(t *testing.T) {
	assert.Zero(t, unknown)
	assert.False(t, policy[complete].get || policy[complete].keyed || policy[complete].update)
}

type someRequest struct {
	idempotency                              Idempotency
	callerKey, replayed, fromService, before bool
}

func (r someRequest) request() *Request {
	return &Request{Idempotency: r.idempotency, CallerKey: r.callerKey}
}

func (r someRequest) String() string {
	return fmt.Sprintf("idempotency %d, caller's key %t, replayed %t, from the service %t, unknown before %t",
		r.idempotency, r.callerKey, r.replayed, r.fromService, r.before)
}

// everyRequest returns all inputs of decide except the response. Only a request with a key can be
// replayed, a replay is the service's own, and an update whose outcome is unknown is not sent
// again.
func everyRequest() []someRequest {
	all := make([]someRequest, 0, 20)
	both := []bool{false, true}
	for _, before := range both {
		for _, fromService := range both {
			all = append(all, someRequest{idempotency: Safe, fromService: fromService}, someRequest{idempotency: None, fromService: fromService, before: before})
			for _, callerKey := range both {
				all = append(all, someRequest{idempotency: ByKey, callerKey: callerKey, fromService: fromService, before: before})
			}
		}
		for _, callerKey := range both {
			all = append(all, someRequest{idempotency: ByKey, callerKey: callerKey, fromService: true, replayed: true, before: before})
		}
	}
	return all
}

// Every event without a usable response has a word for metrics.
func TestEventWords(t *testing.T) {
	for e := neverSent; e < success; e++ {
		assert.Regexp(t, "^[a-z]+(_[a-z]+)+$", e.word(), e.String())
	}
	assert.Empty(t, complete.word())
}
