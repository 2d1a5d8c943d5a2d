package transport

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStillUnknownForEveryStatus(t *testing.T) {
	judged := []int{400, 402, 404, 422}
	saysNothing := []int{409, 429}
	for status := 100; status < 600; status++ {
		for _, replayed := range []bool{false, true} {
			for _, asked := range []bool{false, true} {
				o := outcome{kind: answered, status: status, replayed: replayed, retryAfter: retryAfter{given: asked}}
				var before, after bool // what is unknown afterwards if it was not before, and if it was
				switch {
				case status >= 200 && status < 300, slices.Contains(judged, status):
					before, after = false, false
				case slices.Contains(saysNothing, status), status == 503 && asked && !replayed:
					before, after = false, true
				case status == 408, status >= 500, status < 400:
					before, after = true, true
				default: // any other 4xx
					before, after = false, !replayed
				}
				assert.Equal(t, before, stillUnknown(false, o), "%+v", o)
				assert.Equal(t, after, stillUnknown(true, o), "%+v", o)
			}
		}
	}
}

func TestStillUnknownWithoutAnAnswer(t *testing.T) {
	for _, row := range []struct {
		why           string
		o             outcome
		before, after bool
	}{
		{"nothing was sent", outcome{kind: notConnected}, false, true},
		{"nothing was sent", outcome{kind: untrusted}, false, true},
		{"sent before, on a connection that was dead", outcome{kind: untrusted, sent: true}, true, true},
		{"ended before it was sent", outcome{kind: ended}, false, true},
		{"ended after it was sent", outcome{kind: ended, sent: true}, true, true},
		{"sent", outcome{kind: silent, sent: true}, true, true},
		{"refused, but it was the second copy", outcome{status: 429, sent: true, secondCopy: true}, true, true},
		{"applied by either copy", outcome{status: 201, sent: true, secondCopy: true}, false, false},
		{"no object to return, whatever it did", outcome{kind: cut, sent: true, status: 200}, true, true},
		{"no object to return, whatever it did", outcome{kind: notJSON, sent: true, status: 200}, true, true},
		{"no object to return, whatever it did", outcome{kind: tooLarge, sent: true, status: 200}, true, true},
		{"no object to return, whatever it did", outcome{kind: wrongShape, sent: true, status: 200}, true, true},
	} {
		assert.Equal(t, row.before, stillUnknown(false, row.o), "%v: %s", row.o.kind, row.why)
		assert.Equal(t, row.after, stillUnknown(true, row.o), "%v: %s", row.o.kind, row.why)
	}
}

func TestStillHeld(t *testing.T) {
	for _, row := range []struct {
		why           string
		o             outcome
		before, after bool
	}{
		{"another call holds the key", outcome{status: 409}, true, true},
		{"this is how the other call ended", outcome{status: 409, replayed: true}, false, false},
		{"this is how the other call ended", outcome{status: 500, replayed: true}, false, false},
		{"a success", outcome{status: 201}, false, false},
		{"the service's judgement", outcome{status: 422}, false, false},
		{"says nothing", outcome{status: 429}, false, true},
		{"says nothing", outcome{status: 401}, false, true},
		{"no answer", outcome{kind: silent, sent: true}, false, true},
		{"nothing was sent", outcome{kind: notConnected}, false, true},
	} {
		assert.Equal(t, row.before, stillHeld(false, row.o), row.why)
		assert.Equal(t, row.after, stillHeld(true, row.o), row.why)
	}
}

func TestMayStillRun(t *testing.T) {
	assert.True(t, outcome{status: 409, secondCopy: true}.mayStillRun(), "the first copy")
	for k := answered; k <= ended; k++ {
		for status := 100; status < 600; status++ {
			want := k == silent || k == cut || k == answered && (status == 408 || status == 502 || status == 504)
			assert.Equal(t, want, outcome{kind: k, status: status}.mayStillRun(), "%v %d", k, status)
		}
		assert.NotEmpty(t, k.String())
	}
}
