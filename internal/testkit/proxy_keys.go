package testkit

import (
	"net/http"
	"sync"
)

// keyStore contains the idempotency keys under which the service saved a failure, and those whose
// first request is in flight.
type keyStore struct {
	mu       sync.Mutex
	failed   map[string]bool
	inFlight map[string]bool
}

func newKeyStore() keyStore {
	return keyStore{failed: map[string]bool{}, inFlight: map[string]bool{}}
}

// response returns the service's response to a request with a known key. The key may be empty.
func (k *keyStore) response(key string) (response, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.inFlight[key]:
		return problemResponse(http.StatusConflict, nil), true
	case k.failed[key]:
		return problemResponse(http.StatusInternalServerError, http.Header{"Idempotent-Replayed": {"true"}}), true
	default:
		return response{}, false
	}
}

// fail saves a failure under a key.
func (k *keyStore) fail(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key != "" {
		k.failed[key] = true
	}
}

// start marks a key as in flight, until end is called.
func (k *keyStore) start(key string) (end func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key == "" || k.inFlight[key] {
		return func() {}
	}
	k.inFlight[key] = true
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.inFlight, key)
	}
}
