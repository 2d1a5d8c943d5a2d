package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

func TestRun(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", mixed)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"), w.stderr)
	assert.ElementsMatch(t, []string{"B1", "B3"}, w.bills())
	assert.Equal(t, mixedRejected, w.read("bills.rejected.csv"))
	assert.Equal(t, filepath.Join(w.dir, "bills.csv")+`, test mode:
  duplicate       1  ZAR 1.00
  raised          2  ZAR 16.50
  rejected        4
The rejected rows are in `+filepath.Join(w.dir, "bills.rejected.csv")+" (rows: 4), with the reasons. Correct them, and run them instead of bills.csv, unless you have done so.\n", w.stdout)
	for _, name := range []string{"bills.rejected.csv", "biller.db", "biller.db.lock"} {
		info, err := os.Stat(filepath.Join(w.dir, name))
		require.NoError(t, err)
		assert.Equal(t, "-rw-------", info.Mode().String(), name)
	}

	before := w.requests.Load()
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.Equal(t, before, w.requests.Load(), "a run that is finished sends nothing")
	assert.Contains(t, w.stdout, "bills.csv, test mode; no row was open, so nothing was sent. The outcomes are:\n  duplicate       1")

	corrected := strings.NewReplacer(`"15,50",ZAR`, "15.50,ZAR", "B4,30000,ZAR", "B4b,30000,ZAR", `"C5,""Shop,,B5,1,ZAR,"`, "C5,Shop,,B5,1,ZAR,").Replace(mixedRejected)
	w.file("bills.rejected.csv", corrected)
	assert.Equal(t, exitRejected, w.biller("run", "bills.csv"))
	assert.Equal(t, corrected, w.read("bills.rejected.csv"), "what people write is not lost")
	assert.NoFileExists(t, filepath.Join(w.dir, "bills.rejected-2.csv"), "rows that may have been corrected are not offered again")
	assert.Equal(t, exitDone, w.biller("run", "bills.rejected.csv"), w.stderr)
	assert.ElementsMatch(t, []string{"B1", "B2", "B3", "B4", "B4b", "B5"}, w.bills())
	assert.Equal(t, "=cmd|x", customer(t, w, "C2").Name, "the quote before the formula is removed again")
}

// Ctrl+C in the middle of the last calls does not ask for another start.
func TestInterruptedAtTheEnd(t *testing.T) {
	for text, code := range map[string]int{rows(1): exitDone, rows(1) + "C2,,,B2,x,ZAR,\n": exitRejected} {
		w := newWorld(t)
		w.file("bills.csv", text)
		ctx, interrupt := context.WithCancel(t.Context())
		w.setFront(func(http.ResponseWriter, *http.Request) bool {
			interrupt()
			return false
		})
		assert.Equal(t, code, w.billerUntil(ctx, "run", "bills.csv"), w.stderr)
		assert.NotContains(t, w.stderr, "stopped")
		assert.Len(t, w.bills(), 1)
	}
}

// The message for a failed connection names MOMENT_BASE_URL, because the address may be wrong.
func TestNoConnection(t *testing.T) {
	_, s := stored(t, 1)
	w := &worker{store: s, run: run{id: 1, header: `["amount"]`}, last: &moment.ConnectionError{Op: "create bill", Err: errors.New("connection refused")}}
	err := w.finish(t.Context(), nil, io.Discard)
	assert.ErrorContains(t, err, "rows still open: 1: check MOMENT_BASE_URL and the network, and start it again to continue. The last error: ")
	assert.ErrorContains(t, err, "connection refused")
	w.reached = true // the address is right
	assert.ErrorContains(t, w.finish(t.Context(), nil, io.Discard), "rows still open: 1: start it again to continue. The last error: ")
}
