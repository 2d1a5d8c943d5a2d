package moment

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
)

// joined joins the error of a create and the error of the lookup that followed. It returns a
// mismatch alone, because the lookup has found the object. The error of the create gets the longer
// RetryAfter, because callers read that error.
func joined(create, lookup error) error {
	if isMismatch(lookup) {
		return lookup
	}
	var c, l *Error
	if errors.As(create, &c) && errors.As(lookup, &l) {
		c.RetryAfter = max(c.RetryAfter, l.RetryAfter)
	}
	return &joinedError{create, &lookupError{lookup}}
}

func isMismatch(err error) bool {
	var mismatch *MismatchError
	return errors.As(err, &mismatch)
}

// joinedError joins the error of a create and the error of the failed lookup. Its text, log value
// and JSON contain both.
type joinedError struct {
	create error
	lookup *lookupError
}

func (e *joinedError) Error() string { return e.create.Error() + "; " + e.lookup.Error() }

func (e *joinedError) Unwrap() []error { return []error{e.create, e.lookup} }

// LogValue resolves both values, because a [slog.Value] that is not resolved prints the texts of
// errors, and these contain the text of the service.
func (e *joinedError) LogValue() slog.Value {
	resolved := func(name string, err error) slog.Attr {
		return slog.Attr{Key: name, Value: slog.AnyValue(err).Resolve()}
	}
	return slog.GroupValue(resolved("create", e.create), resolved("lookup", e.lookup.err))
}

func (e *joinedError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]error{"create": e.create, "lookup": e.lookup.err})
}

// lookupError is the error of a lookup. It does not match the sentinel of its status, because the
// create did not have that status.
type lookupError struct{ err error }

// Error omits the service's text, because a [*ConnectionError] logs the text of this error.
func (e *lookupError) Error() string {
	var failure *Error
	if errors.As(e.err, &failure) {
		return failure.Op + ": " + statusLine(failure.Status)
	}
	return strings.TrimPrefix(e.err.Error(), "moment: ")
}

func (e *lookupError) Is(target error) bool {
	switch target {
	case ErrBadRequest, ErrUnauthorized, ErrPaymentRequired, ErrForbidden, ErrNotFound, ErrConflict, ErrUnprocessable, ErrRateLimited, ErrServer:
		return false
	}
	return errors.Is(e.err, target)
}
