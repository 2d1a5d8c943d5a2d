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

// A savedResponse is the first answer given under an idempotency key.
type savedResponse struct {
	request  string    // its fingerprint
	response response  // empty while the request runs
	expires  time.Time // meanwhile zero
}

func (a savedResponse) running() bool { return a.response.status == 0 }

// begin opens a call that has an idempotency key. It reports true with the response where there is
// nothing to run: the call was answered before, or its key belongs to another request, or to one
// that still runs. Otherwise the call is to be run, and closed by finish.
//
// The caller holds the lock from begin to finish, so of two calls under one key the
// second finds the response of the first. A delayed call alone lets others in.
func (h *Handler) begin(c call) (response, bool) {
	saved, ok := h.keys[c.key]
	switch {
	case !ok || !saved.running() && !h.now().Before(saved.expires):
		h.keys[c.key] = savedResponse{request: c.fingerprint()}
		return response{}, false
	case saved.request != c.fingerprint():
		p := newProblem(http.StatusUnprocessableEntity, "This Idempotency-Key was used with another request; the path and body must be the same, byte for byte.")
		return p.response(c.path), true
	case saved.running():
		p := newProblem(http.StatusConflict, "The first request with this Idempotency-Key is still running.")
		return p.response(c.path), true
	}
	replay := saved.response
	replay.replayed = true
	return replay, true
}

// finish saves the response of a call, success and failure alike.
func (h *Handler) finish(c call, a response) {
	h.keys[c.key] = savedResponse{c.fingerprint(), a, h.now().Add(keyLife)}
}

// fingerprint stands for the path and body of a call; only a POST has a key. An
// escaped path cannot hold the character that ends it.
func (c call) fingerprint() string {
	sum := sha256.Sum256(slices.Concat([]byte(c.path+"\n"), c.body))
	return hex.EncodeToString(sum[:])
}
