package faultproxy

import (
	"net/http"
	"sync"
)

// keys are the idempotency keys that a service in trouble knows of: those under which it saved a
// failure, and those whose first request still runs.
type keys struct {
	mu      sync.Mutex
	failed  map[string]bool
	running map[string]bool
}

func newKeys() keys {
	return keys{failed: map[string]bool{}, running: map[string]bool{}}
}

// answer is what a service says to a key of which it knows. There may be no key.
func (k *keys) answer(key string) (answer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.running[key]:
		return problem(http.StatusConflict, nil), true
	case k.failed[key]:
		return problem(http.StatusInternalServerError, http.Header{"Idempotent-Replayed": {"true"}}), true
	default:
		return answer{}, false
	}
}

// fail saves a failure under a key.
func (k *keys) fail(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key != "" {
		k.failed[key] = true
	}
}

// start marks a key as running; it is ended by the function returned.
func (k *keys) start(key string) (end func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key == "" || k.running[key] {
		return func() {}
	}
	k.running[key] = true
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.running, key)
	}
}
