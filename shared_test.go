package moment_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// A RoundTripper that overwrites the values of headers, to redact a key for its log, changes
// neither a retry nor a later call.
func TestHeaderValuesAreNotShared(t *testing.T) {
	for method, call := range calls {
		s := testkit.Serve(t, testkit.Problem(429), testkit.Respond(200, testkit.BillJSON))
		c := clientOf(t, s, moment.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(r)
			for _, values := range r.Header {
				for i := range values {
					values[i] = "REDACTED"
				}
			}
			return resp, err
		})}))
		header := moment.WithHeader("X-Tenant", "7")
		require.NoError(t, call(t.Context(), c, header), "the retry")
		require.NoError(t, call(t.Context(), c, header), "the next call")
		all := s.Received()
		require.Len(t, all, 3)
		for _, r := range all {
			r.Header.Del("Idempotency-Key") // that of the next call is another
			assert.Equal(t, all[0].Header, r.Header, method)
			assert.Equal(t, "Bearer "+testkit.SecretKey, r.Header.Get("Authorization"))
			assert.Equal(t, "7", r.Header.Get("X-Tenant"))
		}
	}
}

// reused is a string in memory that is used again, as the header strings of fasthttp's and Fiber's
// adaptors are.
type reused []byte

func (m reused) string() string { return unsafe.String(unsafe.SliceData(m), len(m)) } //nolint:gosec // as they do

func (m reused) overwrite() { copy(m, strings.Repeat("x", len(m))) }

// laterLog writes its records when it is asked to, as handlers do that log in the background.
type laterLog struct {
	slog.Handler

	records []slog.Record
}

func (l *laterLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *laterLog) Handle(_ context.Context, r slog.Record) error {
	l.records = append(l.records, r)
	return nil
}

func (l *laterLog) String() string {
	var out strings.Builder
	for _, r := range l.records {
		_ = slog.NewTextHandler(&out, nil).Handle(context.Background(), r)
	}
	return out.String()
}

// What outlives a request is a copy: the event, the key under which it is processed once, and what
// the handler logs.
func TestNothingOfARequestIsKept(t *testing.T) {
	var events []*moment.Event
	var logs laterLog
	handler := newVerifier(t).Handler(func(_ context.Context, e *moment.Event) error {
		events = append(events, e)
		return nil
	}, moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour)), moment.WithHandlerLogger(slog.New(&logs)))
	deliver := func(body, id string) int {
		memory := make([]reused, 0, 4)
		header := http.Header{}
		for name, values := range testkit.SignWebhook(testkit.WebhookKey, id, testkit.SignedAt, body) {
			m := reused(values[0])
			memory = append(memory, m)
			header[name] = []string{m.string()}
		}
		content := reused(body)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(content.string()))
		r.Header = header
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		for _, m := range append(memory, content) {
			m.overwrite() // by the next request
		}
		return w.Code
	}
	for range 2 {
		for n := range 10 {
			require.Equal(t, 204, deliver(testkit.EventJSON, fmt.Sprint("msg_", n)))
		}
	}
	require.Len(t, events, 10, "each is processed once")
	for n, e := range events {
		assert.Equal(t, fmt.Sprint("msg_", n), e.MessageID)
		assert.Equal(t, testkit.EventJSON, string(e.Raw)) //nolint:testifylint // byte for byte
		assert.Equal(t, moment.EventTypeAmountApplied, e.Type)
	}
	require.Equal(t, 400, deliver(`{"type":1}`, "msg_10"))
	assert.Contains(t, logs.String(), "message=msg_10")
}

// The caller's idempotency key may come out of a request too, and errors keep it.
func TestTheCallersKeyIsCopied(t *testing.T) {
	key := reused("key-of-the-caller")
	s := testkit.Serve(t, testkit.Problem(422))
	err := calls["POST"](t.Context(), clientOf(t, s), moment.WithIdempotencyKey(key.string()))
	key.overwrite()
	var failure *moment.Error
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "key-of-the-caller", failure.IdempotencyKey)
}

// Keys of a MemoryDeduplicator outlive the request that they came with, whoever calls it.
func TestMemoryDeduplicatorCopiesItsKeys(t *testing.T) {
	d := moment.NewMemoryDeduplicator(time.Hour)
	processed := 0
	process := func(context.Context) error { processed++; return nil }
	for range 2 {
		id := reused("msg_1")
		require.NoError(t, d.Once(t.Context(), id.string(), process))
		id.overwrite()
	}
	assert.Equal(t, 1, processed)
}

// Adapters of serverless platforms split the signature header at its commas, or deliver it in
// several values.
func TestSignatureHeaderInSeveralValues(t *testing.T) {
	good := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	right := good.Get("Webhook-Signature")
	wrong := testkit.SignWebhook(testkit.OldWebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON).Get("Webhook-Signature")
	for _, row := range []struct {
		why    string
		values []string
		want   error
	}{
		{"two values, the first is right", []string{right, wrong}, nil},
		{"two values, the last is right", []string{wrong, right}, nil},
		{"one value split at its comma", strings.Split(right, ","), nil},
		{"two signatures in a value split at its commas", strings.Split(wrong+" "+right, ","), nil},
		{"the same, the first is right", strings.Split(right+" "+wrong, ","), nil},
		{"two values split at their commas", slices.Concat(strings.Split(wrong, ","), strings.Split(right, ",")), nil},
		{"values joined by a proxy", []string{wrong + ", " + right}, nil},
		{"an empty value beside it", []string{"", right}, nil},
		{"neither is right", []string{wrong, wrong}, moment.ErrInvalidSignature},
		{"the signature without its version", []string{right[3:], "v2"}, moment.ErrInvalidSignature},
		{"a version without its signature", []string{"v1"}, moment.ErrInvalidSignature},
		{"nothing but commas", []string{",", ""}, moment.ErrMissingHeader},
	} {
		err := newVerifier(t).Verify(testkit.WithHeader(good, "Webhook-Signature", row.values...), []byte(testkit.EventJSON))
		assert.ErrorIs(t, err, row.want, row.why)
	}
}

// A map that was filled by hand, from an event of a serverless platform, has names that http.Header
// does not find.
func TestHeaderMapInLowerCase(t *testing.T) {
	header := http.Header{}
	for name, values := range testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON) {
		header[strings.ToLower(name)] = values
	}
	_, err := newVerifier(t).Parse(header, []byte(testkit.EventJSON))
	require.ErrorIs(t, err, moment.ErrMissingHeader)
	assert.EqualError(t, err, `moment: missing webhook header: Webhook-Id is in the map as "webhook-id", which http.Header does not find: fill the map with its method Set`)

	mixed := testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.EventJSON)
	mixed["webhook-signature"] = mixed["Webhook-Signature"]
	delete(mixed, "Webhook-Signature")
	assert.ErrorContains(t, newVerifier(t).Verify(mixed, []byte(testkit.EventJSON)), `Webhook-Signature is in the map as "webhook-signature"`)
}
