package testkit

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Allocated returns the number of bytes that f allocates, which is an upper bound of its memory.
func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Eventually asserts that got returns want within five seconds. It polls in the test's own
// goroutine, because tests count goroutines.
func Eventually(t *testing.T, what string, want int, got func() int) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(5 * time.Second); got() != want && time.Now().Before(deadline); {
		<-again.C
	}
	assert.Equal(t, want, got(), what)
}

// Goroutines returns the number of goroutines, once that number is stable.
func Goroutines() int {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	n := runtime.NumGoroutine()
	for same := 0; same < 5; same++ {
		<-again.C
		if now := runtime.NumGoroutine(); now != n {
			n, same = now, 0
		}
	}
	return n
}

// AssertNoGoroutineLeft asserts that there are soon no more goroutines than before. It waits less
// than an attempt timeout, because that would end a leaked goroutine.
func AssertNoGoroutineLeft(t *testing.T, before int) {
	t.Helper()
	Eventually(t, "goroutines left running", 0, func() int { return max(0, runtime.NumGoroutine()-before) })
}
