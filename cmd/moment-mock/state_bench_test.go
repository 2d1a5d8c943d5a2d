package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

// BenchmarkState creates bills with a state file. The time for each must not grow with their
// number: go test -run '^$' -bench State -benchtime 3x ./cmd/moment-mock.
func BenchmarkState(b *testing.B) {
	for _, changes := range []int{1_000, 10_000} {
		b.Run(strconv.Itoa(changes), func(b *testing.B) {
			for b.Loop() {
				file, _, _, err := openStateFile(filepath.Join(b.TempDir(), "mock.json"), func(err error) { b.Fatal(err) })
				require.NoError(b, err)
				m := newMock(defaultListen, nil, momenttest.WithJournal(file))
				require.NoError(b, m.fake.Restore(momenttest.State{}))
				for n := range changes {
					body := fmt.Sprintf(`{"external_reference": "UBR-%d", "currency": "ZAR", "amount_due": 2000, "customer": {"external_reference": "UCR-%d"}}`, n, n)
					r := httptest.NewRequest(http.MethodPost, "/billing/bills", strings.NewReader(body))
					r.Header = http.Header{"Authorization": {"Bearer " + anyKey}, "Content-Type": {"application/json"}, "Idempotency-Key": {fmt.Sprint("k-", n)}}
					w := httptest.NewRecorder()
					m.ServeHTTP(w, r)
					require.Equal(b, http.StatusCreated, w.Code)
				}
				m.fake.Close()
				file.close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*changes), "ns/change")
		})
	}
}
