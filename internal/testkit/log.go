package testkit

import (
	"io"
	"log"
	"os"
	"testing"
)

// DiscardLog returns a logger for servers whose errors a test provokes.
func DiscardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// SilenceNetHTTP discards the standard logger's output until the test ends, because net/http logs
// malformed responses there.
func SilenceNetHTTP(t testing.TB) {
	t.Helper()
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}
