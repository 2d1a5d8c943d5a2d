package moment

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
)

// joined joins the error of a create and the error of the lookup that followed. It returns a
// mismatch alone, because the lookup has found the object.
func joined(create, lookup error) error {
	if isMismatch(lookup) {
		return lookup
	}
	return &joinedError{create, &lookupError{lookup}}
}

func isMismatch(err error) bool {
	var mismatch *MismatchError
	return errors.As(err, &mismatch)
}

// joinedError is the error of a create whose object could not be looked up either. Its text, log
// value and JSON contain both errors.
type joinedError struct {
	create error
	lookup *lookupError
}

func (e *joinedError) Error() string { return e.create.Error() + "; " + e.lookup.Error() }

func (e *joinedError) Unwrap() []error { return []error{e.create, e.lookup} }

func (e *joinedError) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("create", e.create), slog.Any("lookup", e.lookup.err))
}

func (e *joinedError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]error{"create": e.create, "lookup": e.lookup.err})
}

// lookupError is the error of a lookup. It matches no sentinel of a status, because the status of
// the lookup is not that of the create.
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
