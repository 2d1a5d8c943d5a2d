package transport

import (
	"net/http"
	"strings"
)

// Idempotency is the effect of a second copy of a request. The zero value is the most careful one.
type Idempotency int

// From the most careful to the least careful.
const (
	None  Idempotency = iota // the service could apply a second copy again: PATCH
	ByKey                    // the service returns its first response to a second copy: POST
	Safe                     // no copy changes anything: GET
)

// event is the end of an attempt, as the policy distinguishes it.
type event int

const (
	complete event = iota // a complete response, whose status decides between the later events

	// Without a usable response.
	neverSent         // no connection was available
	untrusted         // the server's certificate is not trusted
	noResponse        // sent, but no response began
	truncated         // a success that ended too early
	notJSON           // a success whose body is not JSON
	tooLarge          // a success whose body is over the limit
	badBody           // a success that is not the requested object
	contextDone       // the call's context ended, and the request may have been sent
	contextDoneUnsent // the call's context ended, and nothing was sent

	// With a complete response.
	success
	redirect          // any status that is not of the classes 2, 4 and 5
	rateLimited       // 429 from any sender, because a limiter rejects before it forwards
	serverError       // 408, and any 5xx other than the next
	unsupported       // 501 and 505
	keyInUse          // 409 while an earlier copy of the request may be in flight
	rejected          // the service's own 400, 402, 404 and 422
	notProcessed      // any other 4xx of the service, or a 4xx that gateways send before they forward a request
	foreign           // any other 4xx of a gateway
	replayedError     // a 408 or 5xx that the service saved under the key
	replayedLimit     // a 429 that the service saved under the key
	replayedRejection // any other 4xx that the service saved under the key, because the first attempt ended with it

	events // the number of events
)

func (e event) String() string {
	return [events]string{
		neverSent:         "never sent",
		untrusted:         "certificate not trusted",
		noResponse:        "no response",
		truncated:         "response truncated",
		notJSON:           "response not JSON",
		tooLarge:          "response too large",
		badBody:           "unexpected response body",
		contextDone:       "context done",
		contextDoneUnsent: "context done before anything was sent",
	}[e]
}

// word returns the event as one lower-case word for metrics: "no_response".
func (e event) word() string {
	if e == contextDoneUnsent {
		e = contextDone
	}
	return strings.ReplaceAll(strings.ToLower(e.String()), " ", "_")
}

// effect is the effect of an event on the outcome of a write. The zero value is the most careful
// one.
type effect int

const (
	unknown   effect = iota // the write may have been applied
	unchanged               // none: an unknown outcome stays unknown
	settled                 // the response decides, also for earlier attempts of the call
)

// policy is the table in the package's overview. For each event, it has the calls that are retried,
// and the effect on a write. A retry must not be able to apply a call twice, and only the service's
// own response settles a write.
var policy = [events]struct {
	get, keyed, update bool
	write              effect
}{
	//                  GET    keyed  update
	neverSent:         {true, true, true, unchanged},
	untrusted:         {false, false, false, unchanged},
	noResponse:        {true, true, false, unknown},
	truncated:         {true, true, false, unknown}, // a replay too, because the service returns the whole response to the retry
	notJSON:           {true, true, false, unknown},
	tooLarge:          {false, false, false, unknown},
	badBody:           {false, false, false, unknown},
	contextDone:       {false, false, false, unknown},
	contextDoneUnsent: {false, false, false, unchanged},

	success:           {false, false, false, settled},
	redirect:          {false, false, false, unknown}, // because its sender may have forwarded the request
	rateLimited:       {true, true, true, unchanged},
	serverError:       {true, true, false, unknown},
	unsupported:       {false, false, false, unknown},
	keyInUse:          {false, true, false, unknown},
	rejected:          {false, false, false, settled},
	notProcessed:      {false, false, false, unchanged},
	foreign:           {false, false, false, unknown},
	replayedError:     {false, false, false, unknown}, // because the service returns it again while it keeps the key
	replayedLimit:     {false, false, false, unchanged},
	replayedRejection: {false, false, false, settled},
}

// verdict is the decision after an attempt.
type verdict struct {
	retry   bool
	free    bool // the retry costs no token of the budget
	unknown bool // a write may have been applied
}

// decide applies the policy to an attempt with outcome o. unknownBefore reports whether an earlier
// attempt of the call left the outcome of a write unknown.
func decide(req *Request, o outcome, unknownBefore bool) verdict {
	unknownBefore = unknownBefore || o.earlierCopy
	// Under a caller's key, an earlier call may be in flight too.
	inFlight := req.Idempotency == ByKey && (unknownBefore || req.CallerKey)
	e := o.classify(inFlight)
	row := policy[e]
	v := verdict{
		free:    e == keyInUse, // because the retry only reads how the first copy ended
		unknown: row.write == unknown || row.write == unchanged && unknownBefore,
	}
	switch req.Idempotency {
	case Safe:
		v.retry, v.unknown = row.get, false
	case ByKey:
		v.retry = row.keyed
	case None:
		v.retry = row.update && !v.unknown
	}
	return v
}

// classify returns the event whose row in the policy applies. inFlight reports whether an earlier
// copy of the request may still be in flight.
func (o outcome) classify(inFlight bool) event {
	switch {
	case o.event == notJSON && o.replayed:
		return badBody // because the service has saved it
	case o.event != complete:
		return o.event
	}
	fails := o.status >= 500 && o.status < 600 || o.status == http.StatusRequestTimeout
	switch {
	case o.status >= 200 && o.status < 300:
		return success
	case fails && o.replayed:
		return replayedError
	case o.status == http.StatusNotImplemented, o.status == http.StatusHTTPVersionNotSupported:
		return unsupported
	case fails:
		return serverError
	case o.status < 400 || o.status >= 600:
		return redirect
	case o.status == http.StatusTooManyRequests && o.replayed:
		return replayedLimit
	case o.status == http.StatusTooManyRequests:
		return rateLimited
	case o.replayed:
		return replayedRejection
	case o.status == http.StatusConflict && inFlight:
		return keyInUse
	default:
		return o.classifyRejection()
	}
}

// classifyRejection classifies a 4xx whose meaning depends on its sender.
func (o outcome) classifyRejection() event {
	switch o.status {
	case http.StatusBadRequest, http.StatusPaymentRequired, http.StatusNotFound, http.StatusUnprocessableEntity:
		if o.fromService {
			return rejected
		}
		return foreign
	case http.StatusUnauthorized, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusRequestEntityTooLarge,
		http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return notProcessed
	}
	if o.fromService {
		return notProcessed
	}
	return foreign // for example a firewall that inspects responses: it sends 403 after the commit
}
