package moment

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The errors of calls, for [errors.Is]. All but the last two match an [*Error] by its status.
var (
	ErrBadRequest      = errors.New("moment: bad request")      // 400
	ErrUnauthorized    = errors.New("moment: unauthorized")     // 401
	ErrPaymentRequired = errors.New("moment: payment required") // 402
	ErrForbidden       = errors.New("moment: forbidden")        // 403
	ErrNotFound        = errors.New("moment: not found")        // 404
	ErrConflict        = errors.New("moment: conflict")         // 409
	ErrUnprocessable   = errors.New("moment: unprocessable")    // 422
	ErrRateLimited     = errors.New("moment: rate limited")     // 429
	ErrServer          = errors.New("moment: server error")     // any 5xx

	// ErrInvalidArgument matches [*ArgumentError]: nothing was sent.
	ErrInvalidArgument = errors.New("moment: invalid argument")

	// ErrOutcomeUnknown matches an [*Error] or [*ConnectionError] of a write that may have been
	// applied, although the call failed. To settle a create, call Ensure with the error's
	// IdempotencyKey and the same params. To settle an update, read the object. To settle a void,
	// read the bill: if it is not voided, call Void again, with another key if the error is
	// Replayed. If that fails with this error too, settle it again later.
	ErrOutcomeUnknown = errors.New("moment: outcome unknown")
)

// Error is a complete response that is not a success: any status but 2xx. Moment describes errors
// as problem details (RFC 9457). A gateway in front of the service may respond with HTML or an
// empty body, and then the fields of the problem details are empty.
//
// The API key is removed from every text of the response. Error() contains Title and Detail on one
// line, truncated; the fields contain the whole texts.
type Error struct {
	Status   int    // the HTTP status
	Type     string // a URI for the kind of problem; "about:blank" if the response names none
	Title    string // the kind of problem, in words
	Detail   string // the reason for this failure
	Instance string // a URI for this occurrence: the path that was called
	// Extensions are the other members of the problem details.
	Extensions map[string]json.RawMessage

	Op             string // the operation: "create bill"
	RequestID      string // the service's id of the request; empty if the response has none
	IdempotencyKey string // empty for calls without one
	Replayed       bool   // the service returned the response that it saved under the idempotency key
	Attempts       int    // how many attempts were made
	// FromService reports whether the response is the service's own: problem details whose type is
	// on Moment's domains, or a replayed response. If it is false, a 404 may be an ingress's, and
	// does not show that an object is missing.
	FromService bool
	// RetryAfter is the wait that the response asked for, or 0 if it did not ask. The client did
	// not wait that long. For Ensure, it is the longest wait that the create and the lookups after
	// it asked for.
	RetryAfter time.Duration
	// RetryBudgetEmpty is set if the call was not retried because the client's retry budget was
	// spent: see WithRetryBudget.
	RetryBudgetEmpty bool
	// OutcomeUnknown is set for a write that may have been applied: see ErrOutcomeUnknown.
	OutcomeUnknown bool
}

// Error returns one line: the operation, the status, the service's title and detail, and the
// request id.
func (e *Error) Error() string {
	title := e.Title
	if title == "" {
		title = http.StatusText(e.Status)
	}
	text := title
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	details := errorDetails(e.RequestID, e.Attempts)
	if e.Replayed {
		details = append(details, "replayed")
	}
	if e.RetryAfter > 0 {
		details = append(details, "retry after "+e.RetryAfter.String())
	}
	var ends []string
	if e.Status >= 300 && e.Status < 400 {
		ends = append(ends, "the redirect was not followed")
	}
	if !e.FromService {
		ends = append(ends, "not the service's own response (a gateway or a mock?)")
	}
	return message(e.Op, strings.TrimSpace(strconv.Itoa(e.Status)+" "+oneLine(text)), details, ends, e.RetryBudgetEmpty, e.OutcomeUnknown)
}

// Is makes the error match the sentinel of its status, and [ErrOutcomeUnknown].
func (e *Error) Is(target error) bool {
	switch target {
	case ErrBadRequest:
		return e.Status == http.StatusBadRequest
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrPaymentRequired:
		return e.Status == http.StatusPaymentRequired
	case ErrForbidden:
		return e.Status == http.StatusForbidden
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrConflict:
		return e.Status == http.StatusConflict
	case ErrUnprocessable:
		return e.Status == http.StatusUnprocessableEntity
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case ErrServer:
		return e.Status >= 500 && e.Status < 600
	case ErrOutcomeUnknown:
		return e.OutcomeUnknown
	default:
		return false
	}
}

// ConnectionError is the failure of a call without a usable response: there was no connection, no
// response in time, or the context ended; or the response is truncated, too large or not the
// requested object. Err is the reason, and errors.Is(err, context.Canceled) works.
type ConnectionError struct {
	Op             string // the operation: "create bill"
	IdempotencyKey string // empty for calls without one
	Attempts       int    // how many attempts were made
	Err            error  // an error of net/http, encoding/json or the context, or one that names the wrong member

	Status    int    // of the last response that began; 0 without a response
	RequestID string // the service's id of the request; empty if the response has none
	// RetryBudgetEmpty is set if the call was not retried because the client's retry budget was
	// spent: see WithRetryBudget.
	RetryBudgetEmpty bool
	// OutcomeUnknown is set for a write that may have been applied: see ErrOutcomeUnknown.
	OutcomeUnknown bool
}

// Error returns one line: the operation and the reason.
func (e *ConnectionError) Error() string {
	text := e.reason()
	if e.Status != 0 {
		text = statusLine(e.Status) + ": " + text
	}
	return message(e.Op, text, errorDetails(e.RequestID, e.Attempts), nil, e.RetryBudgetEmpty, e.OutcomeUnknown)
}

// statusLine returns a status with its text: "503 Service Unavailable".
func statusLine(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

func (e *ConnectionError) reason() string {
	if e.Err == nil {
		return "no usable response"
	}
	return oneLine(e.Err.Error())
}

// Unwrap returns Err.
func (e *ConnectionError) Unwrap() error { return e.Err }

// Is makes the error match [ErrOutcomeUnknown].
func (e *ConnectionError) Is(target error) bool {
	return target == ErrOutcomeUnknown && e.OutcomeUnknown
}

// LogValue returns the operation, the status, the request id, the idempotency key, the attempts and
// whether the outcome is unknown. It leaves out the service's texts, which may be about a person.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(append(callAttrs(e.Op, e.Status, e.RequestID, e.IdempotencyKey, e.Attempts, e.OutcomeUnknown),
		slog.Bool("from_service", e.FromService))...)
}

// LogValue returns the operation, the status, the request id, the idempotency key, the attempts,
// whether the outcome is unknown, and the reason.
func (e *ConnectionError) LogValue() slog.Value {
	return slog.GroupValue(append(callAttrs(e.Op, e.Status, e.RequestID, e.IdempotencyKey, e.Attempts, e.OutcomeUnknown),
		slog.String("reason", e.reason()))...)
}

// callAttrs returns the attributes that both types of errors log, without empty ones.
func callAttrs(op string, status int, requestID, idempotencyKey string, attempts int, unknown bool) []slog.Attr {
	attrs := []slog.Attr{slog.String("op", op)}
	if status != 0 {
		attrs = append(attrs, slog.Int("status", status))
	}
	if requestID != "" {
		attrs = append(attrs, slog.String("request_id", requestID))
	}
	if idempotencyKey != "" {
		attrs = append(attrs, slog.String("idempotency_key", idempotencyKey))
	}
	return append(attrs, slog.Int("attempts", attempts), slog.Bool("outcome_unknown", unknown))
}

// MarshalJSON writes Err as text, because encoding/json would write an error as {}.
func (e *ConnectionError) MarshalJSON() ([]byte, error) {
	type fields ConnectionError
	return json.Marshal(struct {
		*fields
		Err string
	}{(*fields)(e), e.reason()})
}

// ArgumentError is the failure of a call whose arguments are wrong. Nothing was sent.
type ArgumentError struct {
	Op     string // the operation: "create bill"
	Param  string // the argument, as the service names it: "account.customer"
	Reason string // the reason why it is wrong
}

// Error returns one line: the operation, the argument and the reason.
func (e *ArgumentError) Error() string {
	return "moment: " + e.Op + ": " + e.Param + ": " + oneLine(e.Reason)
}

// LogValue returns the operation, the argument and the reason.
func (e *ArgumentError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("op", e.Op), slog.String("param", e.Param), slog.String("reason", oneLine(e.Reason)))
}

// Is makes the error match [ErrInvalidArgument].
func (e *ArgumentError) Is(target error) bool { return target == ErrInvalidArgument }

// MismatchError is the failure of an Ensure that found an object with the external reference which
// differs from the params. It may be another object, or the same object after an update. A customer
// or an account in the params may have been created. The error matches [ErrConflict].
type MismatchError struct {
	Op          string   // the operation: "ensure bill"
	Reference   string   // the external reference of the existing object
	Differences []string // the names of the params that differ: "amount_due", "customer.name"; "status" for a voided bill
	// Existing is a *Bill, an *Account or a *Customer. JSON omits it, because it contains personal
	// data.
	Existing       any    `json:"-"`
	IdempotencyKey string // the first idempotency key of the Ensure
}

// Error returns one line: the operation and the names of the params that differ, without values.
func (e *MismatchError) Error() string {
	return "moment: " + e.Op + ": an object with the external reference exists, and differs in " + oneLine(strings.Join(e.Differences, ", "))
}

// LogValue returns the operation, the names of the params that differ and the idempotency key.
func (e *MismatchError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("op", e.Op), slog.Any("differences", e.Differences), slog.String("idempotency_key", e.IdempotencyKey))
}

// Is makes the error match [ErrConflict].
func (e *MismatchError) Is(target error) bool { return target == ErrConflict }

// message returns the text of a call's error, on one line.
func message(op, text string, details, ends []string, budgetEmpty, unknown bool) string {
	if budgetEmpty {
		ends = append(ends, "not retried because the retry budget is empty")
	}
	if unknown {
		ends = append(ends, "the outcome is unknown")
	}
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	} else if len(ends) > 0 {
		text = strings.TrimSuffix(text, ".")
	}
	return "moment: " + op + ": " + strings.Join(append([]string{text}, ends...), "; ")
}

// errorDetails returns the details that both types of errors show in brackets.
func errorDetails(requestID string, attempts int) []string {
	var details []string
	if requestID != "" {
		details = append(details, "request id "+oneLine(requestID))
	}
	if attempts > 1 {
		details = append(details, strconv.Itoa(attempts)+" attempts")
	}
	return details
}

const maxMessage = 300

// oneLine makes a foreign text fit for a log line: it escapes invisible characters, and truncates
// the text to 300 bytes.
func oneLine(text string) string {
	var line strings.Builder
	for _, r := range text {
		escaped := string(r)
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			escaped = strings.Trim(strconv.QuoteRuneToASCII(r), "'")
		}
		if line.Len()+len(escaped) > maxMessage {
			line.WriteString("…")
			break
		}
		line.WriteString(escaped)
	}
	return line.String()
}
