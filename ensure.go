package moment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/moment-billing/moment-go/internal/transport"
)

// maxEnsureKeys is how many idempotency keys one call of Ensure tries. The service keeps a failure
// under its key for 24 hours, and each call of Ensure adds at most one. A job queue that retries
// with growing waits comes nowhere near it in a day.
const maxEnsureKeys = 32

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
	named       []string         // the ids that nameExisting returned
	last        transport.Result // of the creates; its attempts and waits are those of all
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
	o.within = op
	e := &ensurer[T, P]{lookup: lookup{s, op, o}, create: create, get: get, params: p}
	object, err := e.observed(ctx)
	if o.response != nil && o.response.Attempts > 0 {
		o.response.IdempotencyKey = o.key
	}
	return object, withOp(op, err)
}

// observed is run, and reports it to the client's observer as one call.
func (e *ensurer[T, P]) observed(ctx context.Context) (object *T, err error) {
	if e.s.core == nil || ctx == nil || e.s.core().observer == nil {
		return e.run(ctx)
	}
	start := time.Now()
	ctx, end := e.s.core().observe(ctx, operation{name: e.op}, "")
	defer func() {
		r := callResult(e.last, time.Since(start))
		r.OutcomeUnknown = errors.Is(err, ErrOutcomeUnknown)
		switch {
		case err == nil:
			r.ErrorType = ""
		case isMismatch(err):
			r.ErrorType = "mismatch"
		case r.ErrorType == "":
			r.ErrorType = "lookup_failed"
		}
		end(r)
	}()
	return e.run(ctx)
}

// run creates the object under one idempotency key after another, until a response or a lookup
// decides.
func (e *ensurer[T, P]) run(ctx context.Context) (*T, error) {
	absent := false // the service has said so, and nothing has been created since
	waits := false  // the create waits for an earlier one that may be in flight
	for n := 1; ; {
		object, res, err := e.createUnder(ctx, e.key(n), waits)
		if err == nil && !res.Replayed {
			return object, nil
		}
		if err != nil && (!mayExist(res) || ctx.Err() != nil) {
			return nil, err
		}
		if !absent || !hasEnded(res) {
			existing, found, lookupErr := e.find(ctx)
			if existing != nil {
				return existing, nil
			}
			if err == nil {
				return nil, e.unreadable(res, lookupErr)
			}
			if found || !isAbsent(lookupErr) {
				return nil, joined(err, lookupErr)
			}
			absent = hasEnded(res)
		}
		if res.KeyInUse && !waits {
			waits = true // as the retry table says, and then the object is looked up once more
			continue
		}
		named, nameErr := e.name(ctx, res)
		if nameErr != nil {
			return nil, joined(err, nameErr)
		}
		// A replay after an earlier attempt of this call may be of that attempt, which failed just
		// now.
		if n == maxEnsureKeys || !named && (!hasEnded(res) || res.Attempts > 1) {
			return nil, err
		}
		n, waits = n+1, false
	}
}

// name names what exists of the customers and accounts in params, if they can explain a conflict.
// It reports whether it named any.
func (e *ensurer[T, P]) name(ctx context.Context, res transport.Result) (bool, error) {
	if res.Status != http.StatusConflict || res.OutcomeUnknown {
		return false, nil
	}
	ids, err := e.params.nameExisting(ctx, &e.lookup)
	e.named = append(e.named, ids...)
	return len(ids) > 0, err
}

// unreadable is the error of an object that the service has created under the key, and that could
// not be read or compared after that.
func (e *ensurer[T, P]) unreadable(res transport.Result, lookup error) error {
	if isMismatch(lookup) {
		return lookup
	}
	return e.withKey(&ConnectionError{
		Op:             e.create.name,
		Attempts:       res.Attempts,
		Status:         res.Status,
		Err:            fmt.Errorf("it was created, and could not be read: %w", &lookupError{lookup}),
		OutcomeUnknown: true,
	})
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
	o.unknownBefore = waits // by an earlier request with the key
	o.returnKeyInUse = !waits
	object, res, err := callWith(ctx, e.s, e.create, "", e.params, e.params.accepts, &o)
	attempts, waited := e.last.Attempts, e.last.Waited
	e.last = res
	e.last.Attempts += attempts
	e.last.Waited += waited
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
