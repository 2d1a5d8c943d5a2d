package momenttest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// keyLife is how long a response is saved under its idempotency key.
const keyLife = 24 * time.Hour

var keyForm = regexp.MustCompile(`^[a-zA-Z0-9-]{1,255}$`)

// checkKey checks the Idempotency-Key of a POST.
func checkKey(key string) *problem {
	switch {
	case key == "":
		return newProblem(http.StatusBadRequest, "The header Idempotency-Key is required.")
	case !keyForm.MatchString(key):
		return newProblem(http.StatusBadRequest, "The header Idempotency-Key must be 1 to 255 of a-z, A-Z, 0-9 and -.")
	}
	return nil
}

// A savedResponse is the response to the first request with an idempotency key.
type savedResponse struct {
	fingerprint string    // of the request
	response    response  // empty while the request is in flight
	expires     time.Time // zero while the request is in flight
}

func (s savedResponse) inFlight() bool { return s.response.status == 0 }

// begin opens a call that has an idempotency key. It returns true with the response if there is
// nothing to run, because the key has a saved response, belongs to another request, or is in
// flight. Otherwise the caller runs the call, and closes it with finish.
//
// The caller holds the lock from begin to finish, so the second of two calls under one key finds
// the response to the first. Only a delayed call releases the lock.
func (h *Handler) begin(c call) (response, bool) {
	h.forgetExpired()
	saved, ok := h.keys[c.key]
	switch {
	case !ok:
		h.keys[c.key] = savedResponse{fingerprint: c.fingerprint()}
		return response{}, false
	case saved.fingerprint != c.fingerprint():
		p := newProblem(http.StatusUnprocessableEntity, "This Idempotency-Key was used with another request; the path and body must be the same, byte for byte.")
		return p.response(c.path), true
	case saved.inFlight():
		p := newProblem(http.StatusConflict, "The first request with this Idempotency-Key is still in flight.")
		return p.response(c.path), true
	}
	replay := saved.response
	replay.replayed = true
	return replay, true
}

// finish saves the response to a call, success and failure alike.
func (h *Handler) finish(c call, resp response) {
	h.saveResponse(c.key, savedResponse{c.fingerprint(), resp, h.now().Add(keyLife)})
}

func (h *Handler) saveResponse(key string, saved savedResponse) {
	h.keys[key] = saved
	h.changedKeys = append(h.changedKeys, key)
	if saved.expires.Before(h.nextExpiry) {
		h.nextExpiry = saved.expires
	}
}

// forgetExpired deletes the saved responses that have expired. nextExpiry is no later than the
// first expiry, so that most calls do not look at every key.
func (h *Handler) forgetExpired() {
	now := h.now()
	if now.Before(h.nextExpiry) {
		return
	}
	h.nextExpiry = now.Add(keyLife)
	for key, saved := range h.keys {
		switch {
		case saved.inFlight():
		case !now.Before(saved.expires):
			delete(h.keys, key)
		case saved.expires.Before(h.nextExpiry):
			h.nextExpiry = saved.expires
		}
	}
}

// fingerprint identifies the path and body of a call, whose method is POST. The line feed that ends
// the path cannot be in it, because the path is escaped.
func (c call) fingerprint() string {
	sum := sha256.Sum256(slices.Concat([]byte(c.path+"\n"), c.body))
	return hex.EncodeToString(sum[:])
}
