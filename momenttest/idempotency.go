package momenttest

import (
	"crypto/sha256"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// keyLife is how long an answer is saved under its idempotency key.
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

// A savedAnswer is the first answer given under an idempotency key.
type savedAnswer struct {
	request [sha256.Size]byte
	answer  answer
	expires time.Time
}

// begin opens a call that has an idempotency key. It reports true with the answer
// where there is nothing to run: the call was answered before, or its key belongs
// to another request. Otherwise the call is to be run, and closed by finish.
//
// The caller holds the lock from begin to finish, so of two calls under one key the
// second always finds the answer of the first.
func (s *service) begin(c call) (answer, bool) {
	saved, ok := s.keys[c.key]
	switch {
	case !ok || !time.Now().Before(saved.expires):
		return answer{}, false
	case saved.request != c.fingerprint():
		p := newProblem(http.StatusUnprocessableEntity, "This Idempotency-Key was used with another request; the path and body must be the same, byte for byte.")
		return p.answer(c.path), true
	}
	replay := saved.answer
	replay.replayed = true
	return replay, true
}

// finish saves the answer of a call, success and failure alike.
func (s *service) finish(c call, a answer) {
	s.keys[c.key] = savedAnswer{c.fingerprint(), a, time.Now().Add(keyLife)}
}

// fingerprint stands for the path and body of a call; only a POST has a key. An
// escaped path cannot hold the character that ends it.
func (c call) fingerprint() [sha256.Size]byte {
	return sha256.Sum256(slices.Concat([]byte(c.path+"\n"), c.body))
}
