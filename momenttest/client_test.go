package momenttest_test

import (
	"bytes"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func TestClient(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	client := srv.Client()
	assert.Equal(t, moment.ModeTest, client.Mode())
	_, err := client.Bills.Get(t.Context(), "UBR1")
	require.ErrorIs(t, err, moment.ErrNotFound)

	elsewhere := srv.Client(moment.WithBaseURL(noServer), moment.WithMaxRetries(0))
	_, err = elsewhere.Bills.Get(t.Context(), "UBR1")
	assert.ErrorContains(t, err, "connection refused", "options override")

	var log bytes.Buffer
	_, err = srv.Client(moment.WithBaseURL(noServer), moment.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))).Bills.Get(t.Context(), "UBR1")
	require.ErrorContains(t, err, "4 attempts")
	waits := regexp.MustCompile(`retry_in=(\S+)`).FindAllStringSubmatch(log.String(), -1)
	require.Len(t, waits, 3)
	for _, wait := range waits {
		d, err := time.ParseDuration(wait[1])
		require.NoError(t, err)
		assert.LessOrEqual(t, d, time.Millisecond)
	}

	assert.PanicsWithValue(t, "momenttest: moment: new client: max retries: is negative", func() {
		srv.Client(moment.WithMaxRetries(-1))
	})
}
