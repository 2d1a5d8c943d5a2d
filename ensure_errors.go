package moment

import (
	"encoding/json"
	"errors"
	"log/slog"
)

// joined returns the error of a create, with the error of the lookup that followed. The lookup
// alone decides if it found the object.
func joined(create, lookup error) error {
	var mismatch *MismatchError
	if lookup == nil || errors.As(lookup, &mismatch) {
		return lookup
	}
	return &joinedError{create, &lookupError{lookup}}
}

// joinedError is a failed create whose object could not be looked up either. It is the error of the
// create, and its text, log value and JSON have the error of the lookup too.
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

// lookupError is the error of a lookup. It matches no sentinel of a status, because a 404 of the
// lookup says nothing of the create.
type lookupError struct{ err error }

func (e *lookupError) Error() string { return e.err.Error() }

func (e *lookupError) Is(target error) bool {
	switch target {
	case ErrBadRequest, ErrUnauthorized, ErrPaymentRequired, ErrForbidden, ErrNotFound, ErrConflict, ErrUnprocessable, ErrRateLimited, ErrServer:
		return false
	}
	return errors.Is(e.err, target)
}
