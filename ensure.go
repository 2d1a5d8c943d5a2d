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

// maxEnsureKeys limits the idempotency keys that one call of Ensure uses. The service saves a
// failure under its key for 24 hours, and each call of Ensure adds at most one failure. A job queue
// with growing waits between retries calls Ensure fewer than 32 times a day.
const maxEnsureKeys = 32

// ensurable is a resource that Ensure looks up by its external reference.
type ensurable[T any] interface {
	resource[T]
	reference() string
}

// creation is the params of an object that Ensure creates or finds.
type creation[P any] interface {
	params
	// accepts returns an error if a response is not the object of the params.
	accepts(P) error
	reference() string
	// checkReferences rejects references that cannot be looked up.
	checkReferences() error
	// differences returns the names of the params that an existing object does not match. body is
	// the response from which the object was decoded.
	differences(ctx context.Context, l *lookup, existing P, body []byte) ([]string, error)
	// nameExisting looks up the customers and accounts in the params. It replaces the existing ones
	// with their ids, and returns these ids.
	nameExisting(ctx context.Context, l *lookup) ([]string, error)
}

// ensurer is one call of Ensure.
type ensurer[T any, P ensurable[T]] struct {
	lookup

	create, get operation
	params      creation[P]
	named       []string         // the ids that nameExisting returned
	last        transport.Result // of the last create; Attempts and Waited are the sums of all creates
}

// ensure creates an object, or returns the existing object if it is the same.
func ensure[T any, P ensurable[T]](ctx context.Context, s service, op string, create, get operation, p creation[P], opts []RequestOption) (*T, error) {
	o, err := newRequestOptions(create, opts) // first, because it resets a Response
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

// observed calls run, and reports it to the client's observer as one call.
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
// settles the outcome.
func (e *ensurer[T, P]) run(ctx context.Context) (*T, error) {
	absent := false // a lookup returned the service's 404, and no create can have succeeded since
	waits := false  // the create is retried while an earlier one with its key may be in flight
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
			waits = true // retry as the retry table says, and then look the object up once more
			continue
		}
		named, nameErr := e.name(ctx, res)
		if nameErr != nil {
			return nil, joined(err, nameErr)
		}
		// After several attempts, the replayed failure may be from an earlier attempt of this call.
		// Then Ensure does not use another key, because the service has only just failed.
		if n == maxEnsureKeys || !named && (!hasEnded(res) || res.Attempts > 1) {
			return nil, err
		}
		n, waits = n+1, false
	}
}

// name calls nameExisting after a settled conflict, because a customer or an account that exists
// may have caused it. It reports whether one exists.
func (e *ensurer[T, P]) name(ctx context.Context, res transport.Result) (bool, error) {
	if res.Status != http.StatusConflict || res.OutcomeUnknown {
		return false, nil
	}
	ids, err := e.params.nameExisting(ctx, &e.lookup)
	e.named = append(e.named, ids...)
	return len(ids) > 0, err
}

// unreadable returns the error of a call that created its object, but could not read or compare it.
func (e *ensurer[T, P]) unreadable(res transport.Result, lookup error) error {
	if isMismatch(lookup) {
		return lookup
	}
	return e.withKey(&ConnectionError{
		Op:             e.create.name,
		Attempts:       res.Attempts,
		Status:         res.Status,
		Err:            fmt.Errorf("it was created, but could not be read: %w", &lookupError{lookup}),
		OutcomeUnknown: true,
	})
}

// key returns the n-th idempotency key. It is derived from the named ids too, because they are in
// the body, and the service rejects a key that was used with another body.
func (e *ensurer[T, P]) key(n int) string {
	if n == 1 {
		return e.options.key
	}
	return DeriveIdempotencyKey(append([]string{e.options.key, "ensure", strconv.Itoa(n)}, e.named...)...)
}

func (e *ensurer[T, P]) createUnder(ctx context.Context, key string, waits bool) (*T, transport.Result, error) {
	o := e.options
	o.key = key
	o.unknownBefore = waits // an earlier request with the key may be in flight
	o.returnKeyInUse = !waits
	object, res, err := callWith(ctx, e.s, e.create, "", e.params, e.params.accepts, &o)
	attempts, waited := e.last.Attempts, e.last.Waited
	e.last = res
	e.last.Attempts += attempts
	e.last.Waited += waited
	return object, res, e.withKey(err)
}

// find looks the object up by its external reference, and compares it with the params. found
// reports whether the object exists, even if it differs. If it does not exist, err is the service's
// 404.
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

// hasEnded reports whether the first request with the key has failed, so that a create under
// another key is safe. It returns false for a 400 or a 422, because the service would reject the
// same params under any key.
func hasEnded(res transport.Result) bool {
	return res.Replayed && res.Status >= 400 && res.Status != http.StatusBadRequest && res.Status != http.StatusUnprocessableEntity
}
