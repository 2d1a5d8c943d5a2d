package transport

import "sync"

// The units of a Budget are tenths of a token, because a response restores one tenth.
const (
	tokenUnits    = 10 // a retry costs a token
	responseUnits = 1  // a response that is not retried restores a tenth
)

// Budget limits the retries of a client in an outage, as gRPC's retry throttling does (gRFC A6): a
// retry costs one token, and a response that is not retried restores a tenth of one. When the
// tokens are spent, ten calls make at most one retry. A nil Budget has no limit.
type Budget struct {
	mu    sync.Mutex
	units int
	limit int
}

// NewBudget returns a full budget of tokens, or nil for 0.
func NewBudget(tokens int) *Budget {
	if tokens == 0 {
		return nil
	}
	return &Budget{units: tokens * tokenUnits, limit: tokens * tokenUnits}
}

// spend spends a token, and reports whether one was left.
func (b *Budget) spend() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.units < tokenUnits {
		return false
	}
	b.units -= tokenUnits
	return true
}

// add restores units, up to the limit: for a response that is not retried, or for a retry that was
// not sent.
func (b *Budget) add(units int) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.units = min(b.units+units, b.limit)
}
