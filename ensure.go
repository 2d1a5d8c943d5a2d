package moment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/moment-billing/moment-go/internal/transport"
)

// maxEnsureKeys is how many idempotency keys one call of Ensure tries. The service keeps a failure
// under its key for 24 hours, and each call of Ensure adds at most one.
const maxEnsureKeys = 8

// ensurable is a resource that Ensure looks up by its external reference.
type ensurable[T any] interface {
	resource[T]
	reference() string
}

// creation is the params of an object that Ensure creates or finds.
type creation[P any] interface {
	params
	// accepts finds where a response is not the object that was to be created.
	accepts(P) error
	reference() string
	// checkReferences rejects references that cannot be looked up.
	checkReferences() error
	// differences returns the names of the params that an existing object does not match. body is
	// the response that it was decoded from.
	differences(ctx context.Context, l *lookup, existing P, body []byte) ([]string, error)
	// nameExisting replaces the params of a customer or an account that exists by its id. It
	// returns the ids.
	nameExisting(ctx context.Context, l *lookup) ([]string, error)
}

// ensurer is one call of Ensure.
type ensurer[T any, P ensurable[T]] struct {
	lookup

	create, get operation
	params      creation[P]
	named       []string // the ids that nameExisting returned
}

// ensure creates an object, or finds the same object.
func ensure[T any, P ensurable[T]](ctx context.Context, s service, op string, create, get operation, p creation[P], opts []RequestOption) (*T, error) {
	o, err := newRequestOptions(create, opts) // first, because it empties a Response
	if err == nil {
		err = p.check()
	}
	if err == nil {
		err = p.checkReferences()
	}
	if err != nil {
		return nil, withOp(op, err)
	}
	e := &ensurer[T, P]{lookup{s, op, o}, create, get, p, nil}
	object, err := e.run(ctx)
	if o.response != nil && o.response.Attempts > 0 {
		o.response.IdempotencyKey = o.key
	}
	return object, withOp(op, err)
}

// run creates the object under one idempotency key after another, until a response or a lookup
// decides.
func (e *ensurer[T, P]) run(ctx context.Context) (*T, error) {
	waits := false // whether the create waits for an earlier one that may be in flight
	for n := 1; ; {
		object, res, err := e.createUnder(ctx, e.key(n), waits)
		if err == nil && !res.Replayed {
			return object, nil
		}
		if err != nil && (!mayExist(res) || ctx.Err() != nil) {
			return nil, err
		}
		existing, found, lookupErr := e.find(ctx)
		if found || err == nil || !isAbsent(lookupErr) {
			return existing, joined(err, lookupErr)
		}
		if res.KeyInUse && !waits {
			waits = true // as the retry table says, and then the object is looked up once more
			continue
		}
		named := 0
		if res.Status == http.StatusConflict && !res.OutcomeUnknown {
			ids, err2 := e.params.nameExisting(ctx, &e.lookup)
			if err2 != nil {
				return nil, joined(err, err2)
			}
			named = len(ids)
			e.named = append(e.named, ids...)
		}
		if n == maxEnsureKeys || named == 0 && !hasEnded(res) {
			return nil, err
		}
		n, waits = n+1, false
	}
}

// key returns the n-th idempotency key. The ids are parts of it because they are in the body, and
// the service rejects a key with another body.
func (e *ensurer[T, P]) key(n int) string {
	if n == 1 {
		return e.options.key
	}
	return DeriveIdempotencyKey(append([]string{e.options.key, "ensure", strconv.Itoa(n)}, e.named...)...)
}

func (e *ensurer[T, P]) createUnder(ctx context.Context, key string, waits bool) (*T, transport.Result, error) {
	o := e.options
	o.key = key
	o.callerKey = o.callerKey || waits // an earlier request has used the key
	o.returnKeyInUse = !waits
	object, res, err := callWith(ctx, e.s, e.create, "", e.params, e.params.accepts, &o)
	return object, res, e.withKey(err)
}

// find looks for the object by its external reference, and compares it with the params. found is
// true if there is one, whether or not it is the same. The error of a lookup that finds none is
// the service's 404.
func (e *ensurer[T, P]) find(ctx context.Context) (existing *T, found bool, err error) {
	object, body, err := get[T, P](ctx, &e.lookup, e.get, e.params.reference(), e.options.response)
	if err != nil {
		return nil, false, err
	}
	different, err := e.params.differences(ctx, &e.lookup, object, body)
	if err != nil {
		return nil, true, err
	}
	if len(different) > 0 {
		return nil, true, e.mismatch(e.params.reference(), different, object)
	}
	return object, true, nil
}

// mayExist reports whether the object of a failed create may exist.
func mayExist(res transport.Result) bool {
	return res.Status == http.StatusConflict || res.OutcomeUnknown || hasEnded(res)
}

// hasEnded reports whether the request that first had the key has failed, so that another key can
// create nothing twice. Another key would not help against a 400 or a 422, because the same params
// are wrong again.
func hasEnded(res transport.Result) bool {
	return res.Replayed && res.Status >= 400 && res.Status != http.StatusBadRequest && res.Status != http.StatusUnprocessableEntity
}

// joined returns the error of a create, with that of the lookup that followed. The lookup alone
// decides if it found the object.
func joined(create, lookup error) error {
	var mismatch *MismatchError
	if create == nil || lookup == nil || errors.As(lookup, &mismatch) {
		return lookup
	}
	return fmt.Errorf("%w; %w", create, lookup)
}
