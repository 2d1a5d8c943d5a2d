package transport

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every status, not only those that someone thought of: the rules are stated here once more, as plainly as possible.
func TestRetryableForEveryStatus(t *testing.T) {
	for status := 100; status < 600; status++ {
		serverError := status >= 500 && status != 501 && status != 505
		for _, replayed := range []bool{false, true} {
			for _, asked := range []bool{false, true} {
				for _, running := range []bool{false, true} {
					o := outcome{kind: answered, status: status, replayed: replayed, retryAfter: retryAfter{given: asked}}
					assert.Equal(t, status == 429 || status == 408 || serverError,
						retryable(Safe, o, running), "GET %+v", o)
					assert.Equal(t, !replayed && (status == 429 || status == 408 || serverError || status == 409 && running),
						retryable(Keyed, o, running), "POST %+v, running %v", o, running)
					assert.Equal(t, !replayed && (status == 429 || status == 503 && asked),
						retryable(Once, o, running), "PATCH %+v", o)
				}
			}
		}
	}
}

func TestRetryableWithoutAnAnswer(t *testing.T) {
	for _, row := range []struct {
		kind              kind
		safe, keyed, once bool
		why               string
	}{
		{notConnected, true, true, true, "nothing was sent"},
		{silent, true, true, false, "may have been applied"},
		{cut, true, true, false, "was applied, most likely"},
		{notJSON, true, true, false, "something in front of the service answered"},
		{untrusted, false, false, false, "will not be trusted a second later"},
		{tooLarge, false, false, false, "would be as large again"},
		{wrongShape, false, false, false, "would be of that shape again"},
		{ended, false, false, false, "the caller has given up"},
	} {
		assert.Equal(t, row.safe, retryable(Safe, outcome{kind: row.kind}, true), "%v: %s", row.kind, row.why)
		assert.Equal(t, row.keyed, retryable(Keyed, outcome{kind: row.kind}, true), "%v: %s", row.kind, row.why)
		assert.Equal(t, row.once, retryable(Once, outcome{kind: row.kind}, true), "%v: %s", row.kind, row.why)
		assert.Equal(t, row.keyed && row.kind != notJSON, retryable(Keyed, outcome{kind: row.kind, replayed: true}, true),
			"%v: a replayed success that was cut is worth another try; one that is not JSON is saved like that", row.kind)
	}
}
