package main

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

func TestReconcile(t *testing.T) {
	w := newWorld(t)
	w.file("bills.csv", rows(6))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	assert.Equal(t, exitDone, w.biller("reconcile", "bills.csv"))
	bill, err := w.srv.Client().Bills.Get(t.Context(), "B1")
	require.NoError(t, err)
	_, err = w.srv.Pay(t.Context(), momenttest.Payment{Bill: bill.ID, Amount: 1550})
	require.NoError(t, err)
	_, err = w.srv.Client().Bills.Void(t.Context(), "B2")
	require.NoError(t, err)
	failures := 0
	w.setFront(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/B2") || failures == 2 {
			return false
		}
		failures++
		return respond(rw, 503, false) // so the outcome of an early row is known late
	})
	w.file("bills.csv", strings.NewReplacer("B3,15.50", "B3,1.00", "C4,", "C0,", "B5,15.50,ZAR,2031-01-31", "B6,15.50,ZAR,\nC5,,,B5,15.50,ZAR,2031-02-28\nC5,,,B7,x,ZAR,").Replace(rows(6)))
	assert.Equal(t, exitRejected, w.biller("reconcile", "bills.csv"), w.stderr)
	for _, want := range []string{
		"line 4: the bill is voided", "line 5: the amount is ZAR 15.50 at Moment, but ZAR 1.00 in the file", `line 6: the customer is "C4" at Moment, but "C0" in the file`,
		"line 7: the bill does not exist at Moment", "line 8: the due date is 2031-01-31 at Moment, but 2031-02-28 in the file", `line 9: amount "x"`,
		": rows that agree with their bills: 2 (1 paid); that differ: 6\n",
	} {
		assert.Contains(t, w.stdout, want)
	}
	lines := regexp.MustCompile("line [0-9]:").FindAllString(w.stdout, -1)
	assert.True(t, slices.IsSorted(lines), lines)
	w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool { return respond(rw, 404, false) })
	assert.Equal(t, exitFailed, w.biller("reconcile", "bills.csv"), "a gateway's 404 does not say that a bill is missing")
	assert.Contains(t, w.stderr, "check MOMENT_BASE_URL: ")
	w.setFront(func(rw http.ResponseWriter, _ *http.Request) bool { return respond(rw, 401, true) })
	assert.Equal(t, exitFailed, w.biller("reconcile", "bills.csv"))
	assert.Contains(t, w.stderr, "check MOMENT_API_KEY: ")
}

// With PostgreSQL, payments at Moment are compared with the ledger too.
func TestReconcileWithTheLedger(t *testing.T) {
	b := newPostgresBase(t)
	w := newWorld(t)
	w.file("bills.csv", rows(2))
	require.Equal(t, exitDone, w.biller("run", "bills.csv"))
	w.Setenv("DATABASE_URL", b.address)
	assert.Equal(t, exitDone, w.biller("reconcile", "bills.csv"), w.stderr)
	bill, err := w.srv.Client().Bills.Get(t.Context(), "B1")
	require.NoError(t, err)
	_, err = w.srv.Pay(t.Context(), momenttest.Payment{Bill: bill.ID, Amount: 1550})
	require.NoError(t, err)
	for _, row := range []struct {
		amount int
		code   int
		says   string
	}{
		{0, exitRejected, "line 3: the payments are ZAR 15.50 at Moment, but ZAR 0.00 in the ledger\n"},
		{1600, exitRejected, "line 3: the payments are ZAR 15.50 at Moment, but ZAR 16.00 in the ledger\n"},
		{-50, exitDone, "rows that agree with their bills: 2 (1 paid)"}, // a reversal
	} {
		b.exec(`INSERT INTO ledger (event_id, payment_id, obligation_kind, obligation_id, amount, currency, posted_at)
			VALUES ('evt_' || $2::bigint, 'pay_1', 'bill', $1, $2::bigint, 'ZAR', 0)`, bill.ID, row.amount)
		assert.Equal(t, row.code, w.biller("reconcile", "bills.csv"), w.stderr)
		assert.Contains(t, w.stdout, row.says)
	}
}
