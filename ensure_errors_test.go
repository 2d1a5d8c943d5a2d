package moment_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// The error of a create whose object could not be looked up is the error of the create. The
// lookup's error is in its text, log value and JSON.
func TestEnsureJoinsErrors(t *testing.T) {
	s := testkit.Serve(t, testkit.Respond(409, `{"type":"https://api.momentco.io/docs/errors#x","title":"Conflict","status":409,"detail":"jane.roe@example.com"}`),
		testkit.Gateway(404))
	_, err := clientOf(t, s).Bills.Ensure(t.Context(), ensureBill, moment.WithIdempotencyKey("first"))
	var create *moment.Error
	require.ErrorAs(t, err, &create)
	assert.Equal(t, "create bill", create.Op)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "err", err)
	for _, part := range []string{"err.create.status=409", "err.create.idempotency_key=first", "err.create.outcome_unknown=true", "err.lookup.status=404"} {
		assert.Contains(t, log.String(), part)
	}
	assert.NotContains(t, log.String(), "jane")
	var valuer slog.LogValuer
	require.ErrorAs(t, err, &valuer)
	assert.NotContains(t, valuer.LogValue().String(), "jane", "also without a handler")
	text, jsonErr := json.Marshal(err)
	require.NoError(t, jsonErr)
	var decoded map[string]struct{ Op string }
	require.NoError(t, json.Unmarshal(text, &decoded))
	assert.Equal(t, map[string]struct{ Op string }{"create": {"create bill"}, "lookup": {"get bill"}}, decoded)
}

// A caller that waits for RetryAfter does not call again too early, whichever response asked for
// it.
func TestEnsureReportsTheLongestRetryAfter(t *testing.T) {
	for _, row := range []struct {
		why            string
		create, lookup testkit.Reply
		want           time.Duration
	}{
		{"the lookup asks for it", testkit.Problem(409), testkit.Problem(429, "Retry-After: 31"), 31 * time.Second},
		{"the create asks for a longer one", testkit.Problem(409, "Retry-After: 62"), testkit.Problem(429, "Retry-After: 31"), 62 * time.Second},
	} {
		_, err := clientOf(t, testkit.Serve(t, row.create, row.lookup)).Bills.Ensure(t.Context(), ensureBill)
		var create *moment.Error
		require.ErrorAs(t, err, &create, row.why)
		assert.Equal(t, "create bill", create.Op, row.why)
		assert.Equal(t, row.want, create.RetryAfter, row.why)
	}
}

// The reason why the lookup ended is visible.
func TestEnsureLookupIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := testkit.Serve(t, testkit.Problem(409), func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := clientOf(t, s).Bills.Ensure(ctx, ensureBill)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, moment.ErrConflict)
}

// No sentinel matches the status of the lookup, because it is not the status of the create.
func TestEnsureLookupMatchesNoStatus(t *testing.T) {
	for status, target := range map[int]error{
		400: moment.ErrBadRequest, 401: moment.ErrUnauthorized, 402: moment.ErrPaymentRequired, 403: moment.ErrForbidden, 409: moment.ErrConflict,
		422: moment.ErrUnprocessable, 429: moment.ErrRateLimited, 500: moment.ErrServer,
	} {
		s := testkit.Serve(t, testkit.Respond(201, testkit.BillJSON, testkit.Replayed), testkit.Gateway(status))
		_, err := clientOf(t, s, moment.WithMaxRetries(0)).Bills.Ensure(t.Context(), ensureBill)
		require.ErrorIs(t, err, moment.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, target)
	}
}
